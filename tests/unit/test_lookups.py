"""Records read by id from a service that narrows fields itself, in each form of a request."""

from typing import Any

import pytest

from integrations_pipeline.connectors.base import Listing, Lookup, Resource
from integrations_pipeline.connectors.columns import integer, text
from integrations_pipeline.connectors.paging import CursorPages
from integrations_pipeline.sync.completing import Completer
from integrations_pipeline.sync.filters import parse_filters
from integrations_pipeline.sync.lookups import Lookups
from integrations_pipeline.sync.records import Reader

ROWS = [{"id": "1", "name": "a", "size": 5}, {"id": "2", "name": "b", "size": 50}]


class Script:
    """Answers with all rows, or with one of them, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict]] = []

    def get(self, path: str, params: dict[str, Any], **_: object) -> dict:
        self.asked.append((path, params))
        record_id = path.rpartition("/")[2]
        one = [row for row in ROWS if row["id"] == record_id]
        return {"data": one[0] if one else ROWS}


def resource(lookup: Lookup, fields_param: str) -> Resource:
    return Resource(
        name="things",
        description="",
        docs_url="",
        listing=Listing(path="/things", records_at="data", paginator=CursorPages("a", "b")),
        columns=(text("name"), integer("size")),
        lookup=lookup,
        fields_param=fields_param,
    )


MANY = Lookup(path="/things", records_at="data", batch=10, ids_param="ids")
EACH = Lookup(path="/things/{id}", records_at="data", params={"deep": "no"})
ASKED = [
    (MANY, "fields", [("/things", {"fields": "name,size", "ids": "1,2"})]),
    (MANY, "", [("/things", {"ids": "1,2"})]),
    (
        EACH,
        "fields",
        [(f"/things/{n}", {"deep": "no", "fields": "name,size"}) for n in (1, 2)],
    ),
    (EACH, "", [("/things/1", {"deep": "no"}), ("/things/2", {"deep": "no"})]),
]


@pytest.mark.parametrize(("lookup", "fields_param", "requests"), ASKED)
def test_ids_fields_and_filters_go_together(lookup, fields_param, requests) -> None:
    client, things = Script(), resource(lookup, fields_param)
    terms = parse_filters(things, {"size": {"gt": 10}})
    fields = ("name", "size")
    reader = Reader(things, fields, terms)
    completer = Completer(client, things, linked=False, max_pages=9)

    found = [
        change
        for changes in Lookups(client, things, reader, completer).changes(("1", "2"), fields)
        for change in changes
    ]

    assert client.asked == requests
    assert [(change.key, change.raw is None) for change in found] == [("2", False)]
