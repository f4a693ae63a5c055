"""How HubSpot's CRM objects are searched: what changed, or what filters want, by ascending id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from integrations_pipeline.connectors.base import FilterTerm, SearchChanges, SearchPage
from integrations_pipeline.connectors.hubspot_push import INDEX_LAG
from integrations_pipeline.connectors.narrowing import outward

# not `ne`: a search by it leaves records without a value out, which fulfil it here
OPERATORS = {
    "eq": "EQ",
    "gt": "GT",
    "gte": "GTE",
    "lt": "LT",
    "lte": "LTE",
    "in": "IN",
}


def search(path: str, stamp: str) -> SearchChanges:
    """Changes of a CRM object; the index lags by seconds to minutes."""
    return SearchChanges(
        path=f"{path}/search",
        records_at="results",
        stamp=stamp,
        id_field="hs_object_id",
        page_size=200,
        overlap=INDEX_LAG,
        request=search_body,
        more_at="paging.next.after",
        operators=OPERATORS,
        text_operators=frozenset({"eq", "in"}),  # texts are compared without regard to case
        names={"created_at": "createdate"},
        max_terms=3,  # six in a group, less the two bounds and the id
    )


def search_body(page: SearchPage) -> Mapping[str, Any]:
    """A search request: bounds on the stamp in epoch milliseconds, ids above the last one.

    The id filter goes on every page, and rows are sorted by id, so neither the cap of 10,000
    results nor ten thousand rows with one stamp can end or trap the walk.
    """
    stamp, id_field = page.search.stamp, page.search.id_field
    conditions = [_condition(stamp, "LTE", str(page.until_ms))]
    if page.since_ms is not None:
        conditions.append(_condition(stamp, "GTE", str(page.since_ms)))
    conditions.append(_condition(id_field, "GT", page.after_id or "0"))
    conditions += [_term(term, page.search.names) for term in page.filters]
    return {
        "filterGroups": [{"filters": conditions}],
        "sorts": [{"propertyName": id_field, "direction": "ASCENDING"}],
        "properties": list(page.fields),
        "limit": page.search.page_size,
    }


def _condition(name: str, operator: str, value: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, "value": value}


def _term(term: FilterTerm, names: Mapping[str, str]) -> dict[str, Any]:
    name = names.get(term.column.name) or term.column.paths[0].removeprefix("properties.")
    operator = OPERATORS[term.operator]
    if operator == "IN":
        values = [_written(value, term.operator) for value in term.value]
        return {"propertyName": name, "operator": operator, "values": values}
    return _condition(name, operator, _written(term.value, term.operator))


def _written(value: Any, operator: str) -> str:
    """A filter's value as HubSpot wants it: dates in epoch milliseconds, all as strings."""
    if isinstance(value, datetime):
        return str(outward(operator, value.timestamp() * 1000))
    return str(value).lower() if isinstance(value, bool) else str(value)
