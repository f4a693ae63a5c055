"""What people want sent, looked at before it waits in an outbound table; and what was refused."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from integrations_pipeline.connectors.pushing import Push
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.outbound import IntentState, Operation, Outbound
from integrations_pipeline.store.states import Direction
from integrations_pipeline.sync.mapping import list_mappings
from integrations_pipeline.sync.mapping.catalogs import resource_of
from integrations_pipeline.sync.outbox import IDS
from integrations_pipeline.sync.writable import Fields


def check_writable(ref: IntegrationRef, name: str) -> Push:
    """How the resource of that name is written.

    Raises:
        RequestError: there is none, or it can only be read.
    """
    declared = resource_of(ref, name).push
    if declared is None:
        can = ", ".join(one.name for one in ref.connector.resources if one.push)
        raise RequestError(
            f"{ref.key}: {name} can't be written to.", action=f"Possible: {can}." if can else ""
        )
    return declared


def check_rows(
    store: Store,
    ref: IntegrationRef,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    operation: str,
) -> None:
    """Refuse rows that a push would refuse, as far as that shows without asking the service.

    Raises:
        RequestError: the service sets a field by itself, or a row says no record.
    """
    declared = check_writable(ref, name)
    fields = Fields(resource_of(ref, name), declared, ref.policy)
    mapped = list_mappings(store, ref, name, Direction.PUSH)
    roots = {path.partition(".")[0] for one in mapped for path in one.sources}
    made = {one.target for one in mapped}
    for place, row in enumerate(rows, 1):
        try:
            data = {k: v for k, v in row.items() if k not in roots and k not in (*IDS, "id")}
            named = fields.named(data)
            _check_ids(fields.external, row, made | {k for k, v in named.items() if v}, operation)
        except RequestError as error:
            raise RequestError(f"{ref.key} {name}: row {place}: {error}") from error


def refused_by(store: Store, ref: IntegrationRef, job_id: UUID) -> int:
    """How many rows a job could not write, and left REJECTED."""
    query = (
        select(func.count())
        .select_from(Outbound)
        .where(
            Outbound.tenant_id == ref.tenant_id,
            Outbound.integration_id == ref.id,
            Outbound.job_id == job_id,
            Outbound.state == IntentState.REJECTED,
        )
    )
    with store.tenant(ref.tenant_id) as session:
        return session.execute(query).scalar_one()


def _check_ids(
    external: str, row: Mapping[str, Any], given: Collection[str], operation: str
) -> None:
    """`external`: the field that holds our ids; `given`: the fields that will have a value."""
    if operation == Operation.CREATE or row.get("record_id") or row.get("id"):
        return
    if not external:
        raise RequestError(f"{operation} needs a record id.")
    if not row.get("external_id") and external not in given:
        raise RequestError(f"{operation} needs a record id or an external id ({external}).")
