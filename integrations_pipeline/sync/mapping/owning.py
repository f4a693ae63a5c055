"""Whether the fields are there whose owners a rule names."""

from collections.abc import Mapping

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.sync.mapping.catalogs import service_catalog
from integrations_pipeline.sync.mapping.checking import unknown_field
from integrations_pipeline.sync.mapping.saving import list_mappings


def check_owned(store: Store, ref: IntegrationRef, owners: object) -> None:
    """Look whether there are the fields whose owners somebody wants to name.

    A column, a field that is written or one that is mapped will do; else the service is asked
    where it lists its fields. What has another form than `SyncPolicy.owners` is left to that.

    Raises:
        RequestError: an unknown field.
        ServiceError: the service, asked for its fields, does not tell them.
    """
    for name, fields in owners.items() if isinstance(owners, Mapping) else ():
        resource = ref.connector.resource(name)
        if resource is None or not isinstance(fields, Mapping):
            continue
        known = _owned(store, ref, resource)
        unknown = [field for field in fields if field not in known]
        catalog = service_catalog(store, ref, resource) if unknown and resource.catalog else {}
        if catalog is None:
            continue  # not connected: nobody can tell
        for field in unknown:
            if field not in catalog:
                raise unknown_field(ref, name, field, [*known, *catalog])


def _owned(store: Store, ref: IntegrationRef, resource: Resource) -> list[str]:
    """Fields of a resource that can be known without the service, by either of their names."""
    under = f"{resource.fields_under}."
    columns = [column.name for column in resource.columns]
    paths = [path.removeprefix(under) for column in resource.columns for path in column.paths]
    specs = list_mappings(store, ref, resource.name)
    mapped = [one.target if one.direction == "push" else one.source for one in specs]
    push = resource.push
    written = [*push.read_only, *push.write_only, push.external_field] if push else []
    return [*columns, *paths, *written, *(one.removeprefix(under) for one in mapped)]
