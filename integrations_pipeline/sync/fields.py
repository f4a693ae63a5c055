"""Which fields to ask a service for."""

import re
from collections.abc import Sequence

from integrations_pipeline.connectors.base import FilterTerm, Resource
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.sync.jobs import check_fields
from integrations_pipeline.sync.walking import rows_of
from integrations_pipeline.transport.client import ServiceClient


def service_fields(
    resource: Resource,
    client: ServiceClient,
    asked: Sequence[str],
    terms: tuple[FilterTerm, ...],
    mapped: Sequence[str] = (),
) -> tuple[str, ...]:
    """The fields of a resource by the names that its reader needs; empty means all.

    `mapped` are paths that field mappings read.

    Raises:
        RequestError: a field is neither a column nor known to the service.
    """
    names = {column.name for column in resource.columns}
    unknown = [name for name in asked if name not in names]
    if unknown and resource.catalog is not None:
        page = client.get(resource.catalog.path)
        rows = rows_of(page, resource.catalog.records_at, resource.catalog.path)
        known = [str(dig(row, resource.catalog.name_at)) for row in rows]
        check_fields(resource, asked, known=known)
    if not resource.fields_param:
        return tuple(asked)
    return tuple(dict.fromkeys((*_under(resource, asked, terms), *names_under(resource, mapped))))


def names_under(resource: Resource, sources: Sequence[str]) -> list[str]:
    """The fields that these paths lead to, where the service narrows fields by name."""
    prefix = resource.fields_under + "."
    paths = [path for source in sources for path in source.split("|") if path.startswith(prefix)]
    return [re.split(r"[.\[]", path.removeprefix(prefix))[0] for path in paths]


def wants_associations(resource: Resource, asked: Sequence[str]) -> bool:
    """Whether associations are among the fields asked for."""
    columns = [column for name in asked if (column := resource.column(name))]
    return not asked or any(c.paths[0].startswith("associations.") for c in columns)


def _under(
    resource: Resource, asked: Sequence[str], terms: tuple[FilterTerm, ...]
) -> tuple[str, ...]:
    """Names below the record's field container: those asked for, or those of all columns."""
    prefix = resource.fields_under + "."
    wanted = asked or [column.name for column in resource.columns]
    paths = [term.column.paths[0] for term in terms] + [resource.merged_at]
    for name in wanted:
        column = resource.column(name)
        paths += column.paths if column else [prefix + name]
    inside = [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    return tuple(dict.fromkeys(inside))
