"""The service's own list of a resource's fields."""

from dataclasses import dataclass
from typing import Any

from integrations_pipeline.connectors.base import FieldCatalog, Resource
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import NotConnectedError, RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.store import Store
from integrations_pipeline.sync.walking import rows_of


@dataclass(frozen=True, slots=True)
class ServiceField:
    """A field, as the service describes it."""

    name: str
    type: str = ""
    label: str = ""
    read_only: bool = False


def resource_of(ref: IntegrationRef, name: str) -> Resource:
    """The resource of that name.

    Raises:
        RequestError: the service has none.
    """
    found = ref.connector.resource(name)
    if found is None:
        known = ", ".join(ref.connector.resource_names)
        raise RequestError(f"{ref.key} has no resource {name!r}.", action=f"Known: {known}.")
    return found


def service_catalog(
    store: Store, ref: IntegrationRef, resource: Resource
) -> dict[str, ServiceField] | None:
    """The fields by name; None where the service lists none, or is not connected.

    Raises:
        ServiceError: the service does not tell them.
    """
    if resource.catalog is None:
        return None
    try:
        client = service_client(store, ref)
        try:
            page = client.get(resource.catalog.path)
        finally:
            client.close()
    except NotConnectedError:
        return None
    rows = rows_of(page, resource.catalog.records_at, resource.catalog.path)
    fields = [_field(row, resource.catalog) for row in rows]
    return {field.name: field for field in fields}


def _field(row: Any, catalog: FieldCatalog) -> ServiceField:
    return ServiceField(
        name=str(dig(row, catalog.name_at)),
        type=str((catalog.type_at and dig(row, catalog.type_at)) or ""),
        label=str((catalog.label_at and dig(row, catalog.label_at)) or ""),
        read_only=bool(catalog.read_only_at) and dig(row, catalog.read_only_at) is True,
    )


def known_fields(store: Store, ref: IntegrationRef, name: str) -> list[dict[str, str]]:
    """The source paths of a resource with what is known of them.

    Raises:
        RequestError: there is no such resource.
        ServiceError: the service does not tell its fields.
    """
    resource = resource_of(ref, name)
    told = {
        path: {"from": path, "type": column.type.name.lower(), "label": "", "column": column.name}
        for column in resource.columns
        for path in column.paths
    }
    under = f"{resource.fields_under}." if resource.fields_under else ""
    for field in (service_catalog(store, ref, resource) or {}).values():
        path = under + field.name
        kind = f"{field.type}, read only" if field.read_only else field.type
        column = told.get(path, {}).get("column", "")
        told[path] = {"from": path, "type": kind, "label": field.label, "column": column}
    return list(told.values())
