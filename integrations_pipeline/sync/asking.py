"""What a listing is asked for beside its pages: fields, associations, filters."""

from typing import Any

from integrations_pipeline.connectors.base import FilterTerm, Resource, SearchChanges
from integrations_pipeline.connectors.columns import ColumnType
from integrations_pipeline.sync.batches import Wanted


def field_params(resource: Resource, fields: tuple[str, ...]) -> dict[str, str]:
    """The parameter that narrows fields, where the service does it."""
    return {resource.fields_param: ",".join(fields)} if resource.fields_param and fields else {}


def filter_params(resource: Resource, terms: tuple[FilterTerm, ...]) -> dict[str, str]:
    """The filters that the listing can apply; all of them are applied here anyway."""
    asked: dict[str, str] = {}
    for term in terms:
        param = resource.filter_params.get(term.column.name)
        asked |= param.asked(term.operator, term.value) if param else {}
    return asked


def searchable(resource: Resource, wanted: Wanted) -> tuple[FilterTerm, ...]:
    """The filters that the resource's search can apply; all of them are applied here anyway."""
    search = resource.changes
    if not isinstance(search, SearchChanges):
        return ()
    found = [term for term in wanted.terms if _is_known(search, resource, term)]
    return tuple(found[: search.max_terms])


def export_start(resource: Resource, terms: tuple[FilterTerm, ...], latest: float) -> Any:
    """Where an export begins that the filters let begin late, in unix seconds; else None.

    `latest`: no later than this.
    """
    bounds = [
        term.value.timestamp()
        for term in terms
        if term.column.name in resource.since_columns and term.operator in {"gt", "gte", "eq"}
    ]
    return {"time": int(min(max(bounds), latest))} if bounds else None


def _is_known(search: SearchChanges, resource: Resource, term: FilterTerm) -> bool:
    if term.column.type is ColumnType.TEXT and term.operator not in search.text_operators:
        return False
    inside = term.column.paths[0].startswith(f"{resource.fields_under}.")
    return term.operator in search.operators and (inside or term.column.name in search.names)
