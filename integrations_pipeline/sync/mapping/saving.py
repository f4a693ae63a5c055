"""Mappings kept: saved after a look at what the service says of its fields, listed, removed."""

from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import IntegrationFieldMapping
from integrations_pipeline.sync.mapping.catalogs import resource_of
from integrations_pipeline.sync.mapping.checking import check_fields_exist
from integrations_pipeline.sync.mapping.specs import MappingSpec, checked_mapping

MOST_MAPPINGS = 200
"""Of one resource and direction."""


def save_mapping(store: Store, ref: IntegrationRef, spec: MappingSpec) -> None:
    """Keep a mapping in place of one with the same target; syncs that begin from now on use it.

    Raises:
        RequestError: unknown resource or field, or too many mappings.
        ServiceError: the service, asked for its fields, does not tell them.
    """
    resource_of(ref, spec.resource)
    check_fields_exist(store, ref, spec)
    others = [
        one
        for one in list_mappings(store, ref, spec.resource, spec.direction)
        if one.target != spec.target
    ]
    if len(others) >= MOST_MAPPINGS:
        raise RequestError(f"{ref.key} {spec.resource}: more than {MOST_MAPPINGS} mappings.")
    given = insert(IntegrationFieldMapping).values(
        tenant_id=ref.tenant_id,
        id=uuid4(),
        integration_id=ref.id,
        resource=spec.resource,
        direction=spec.direction,
        source=spec.source,
        target=spec.target,
        transforms=spec.told_transforms,
    )
    with store.tenant(ref.tenant_id) as session:
        session.execute(
            given.on_conflict_do_update(
                index_elements=["tenant_id", "integration_id", "resource", "direction", "target"],
                set_={
                    "source": given.excluded.source,
                    "transforms": given.excluded.transforms,
                    "updated_at": func.now(),
                },
            )
        )


def remove_mapping(
    store: Store, ref: IntegrationRef, resource: str, target: str, direction: str = "pull"
) -> None:
    """Forget a mapping.

    Raises:
        RequestError: there is no such mapping.
    """
    row = IntegrationFieldMapping
    query = delete(row).where(
        row.integration_id == ref.id,
        row.resource == resource,
        row.direction == direction,
        row.target == target,
    )
    with store.tenant(ref.tenant_id) as session:
        if session.execute(query.returning(row.id)).first() is None:
            raise RequestError(
                f"{ref.key} {resource}: nothing is mapped to {target!r} ({direction}).",
                action=f"`integrations mapping list {ref.key}` shows what is.",
            )


def list_mappings(
    store: Store, ref: IntegrationRef, resource: str | None = None, direction: str | None = None
) -> list[MappingSpec]:
    """The integration's mappings, by resource, direction and target."""
    row = IntegrationFieldMapping
    query = select(row).where(row.integration_id == ref.id)
    if resource is not None:
        query = query.where(row.resource == resource)
    if direction is not None:
        query = query.where(row.direction == direction)
    with store.tenant(ref.tenant_id) as session:
        rows = list(session.scalars(query.order_by(row.resource, row.direction, row.target)))
    return [_spec(one) for one in rows]


def _spec(row: IntegrationFieldMapping) -> MappingSpec:
    names = ("resource", "direction", "source", "target", "transforms")
    return checked_mapping({name: getattr(row, name) for name in names})
