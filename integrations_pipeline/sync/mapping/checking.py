"""Whether the fields that a mapping names are there: asked of the service, else of the records."""

from collections.abc import Iterable
from difflib import get_close_matches

from sqlalchemy import text

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync.mapping.catalogs import ServiceField, resource_of, service_catalog
from integrations_pipeline.sync.mapping.paths import plain_keys
from integrations_pipeline.sync.mapping.specs import MappingSpec

Catalog = dict[str, ServiceField]
OF_INTEGRATION = "WHERE tenant_id = :tenant AND integration_id = :integration"


def check_fields_exist(store: Store, ref: IntegrationRef, spec: MappingSpec) -> None:
    """Look whether the service, or a stored record, has the fields of a mapping.

    Raises:
        RequestError: it has not, or the field can't be written to.
        ServiceError: the service, asked for its fields, does not tell them.
    """
    resource = resource_of(ref, spec.resource)
    if spec.direction == "push":
        _check_target(ref, spec, resource, service_catalog(store, ref, resource))
        return
    paths = [plain_keys(path) for source in spec.sources for path in source.split("|")]
    inside = [keys[1] for keys in paths if len(keys) > 1 and keys[0] == resource.fields_under]
    catalog = service_catalog(store, ref, resource) if inside else None
    if catalog is not None:
        _check_known(ref, resource, inside, catalog)
        paths = [keys for keys in paths if keys[0] != resource.fields_under]
    _check_seen(store, ref, resource, [keys for keys in paths if not _is_declared(resource, keys)])


def _check_target(
    ref: IntegrationRef, spec: MappingSpec, resource: Resource, catalog: Catalog | None
) -> None:
    if resource.push is None:
        raise RequestError(f"{ref.key}: {resource.name} can't be written to.")
    if catalog is not None and spec.target not in catalog:
        raise unknown_field(ref, spec.resource, spec.target, catalog)
    described = catalog and catalog[spec.target].read_only
    if described or spec.target in resource.push.read_only:
        raise RequestError(f"{ref.key} {spec.resource}: {spec.target!r} can't be written to.")


def _check_known(
    ref: IntegrationRef, resource: Resource, names: Iterable[str], catalog: Catalog
) -> None:
    for name in names:
        if name not in catalog:
            known = [f"{resource.fields_under}.{one}" for one in catalog]
            raise unknown_field(ref, resource.name, f"{resource.fields_under}.{name}", known)


def _check_seen(
    store: Store, ref: IntegrationRef, resource: Resource, paths: list[list[str]]
) -> None:
    """Paths that nothing declares must stand in one stored record at least, if there are any."""
    table = table_name(ref.connector, resource)
    for keys in paths:
        seen = "SELECT bool_or(raw #> CAST(:path AS text[]) IS NOT NULL)"
        values = {"tenant": ref.tenant_id, "integration": ref.id, "path": keys}
        with store.tenant(ref.tenant_id) as session:
            found = session.scalar(text(f"{seen} FROM {table} {OF_INTEGRATION}"), values)
        if found is False:
            known = [path for column in resource.columns for path in column.paths]
            raise unknown_field(ref, resource.name, ".".join(keys), known)


def _is_declared(resource: Resource, keys: list[str]) -> bool:
    """Whether a column is filled from this path, from above it or from below it."""
    path = ".".join(keys) + "."
    declared = [one for column in resource.columns for one in column.paths]
    return any(
        path.startswith(f"{one}.") or f"{one}.".startswith(path)
        for one in (*declared, resource.key, resource.version)
        if one
    )


def unknown_field(
    ref: IntegrationRef, resource: str, path: str, known: Iterable[str]
) -> RequestError:
    """Says what is closest; many services have hundreds of fields."""
    names = list(known)
    ends = {name.rsplit(".", maxsplit=1)[-1]: name for name in names}
    last = path.rsplit(".", maxsplit=1)[-1]
    close = [ends[one] for one in get_close_matches(last, list(ends), n=3)]
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    return RequestError(
        f"{ref.key} {resource}: there is no field {path!r}.",
        action=f"{hint}`integrations mapping fields {ref.key} {resource}` lists them.",
    )
