"""CRM objects read one by one, in lists and in batches; owners and property metadata."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from integrations_pipeline.sandbox.hubspot.data import HubSpotData
from integrations_pipeline.sandbox.hubspot.errors import batch_error, not_found, validation
from integrations_pipeline.sandbox.hubspot.links import ASSOCIATION_IDS
from integrations_pipeline.sandbox.hubspot.properties import OBJECT_TYPE_IDS, TYPES, shown
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.seed import iso_milliseconds
from integrations_pipeline.sandbox.service import Call
from integrations_pipeline.sandbox.tables import Record

HubSpotCall = Call[HubSpotData]

_LIST_LIMIT = 100
_HISTORY_LIMIT = 50
_OWNERS_LIMIT = 500
_BATCH_LIMIT = 100
_ASSOCIATIONS_LIMIT = 1000


def list_objects(call: HubSpotCall) -> Reply:
    """One page in id order; archived rows only when they are asked for."""
    resource = object_type(call)
    with_history = "propertiesWithHistory" in call.query
    limit = page_size(call, 10, _HISTORY_LIMIT if with_history else _LIST_LIMIT)
    rows, following = _page(call, resource, limit)
    return Reply(
        {
            "results": [_detailed(call, resource, row) for row in rows],
            **_paging(call, following),
        }
    )


def get_object(call: HubSpotCall) -> Reply:
    """One object by id or by a unique property."""
    resource = object_type(call)
    record = lookup(call, resource, call.params["id"], call.query.get("idProperty"))
    if record is None:
        raise not_found()
    return Reply(_detailed(call, resource, record))


def batch_read(call: HubSpotCall) -> Reply:
    """Up to 100 objects; the missing ones make the answer a 207."""
    resource = object_type(call)
    body = body_of(call)
    inputs = inputs_of(call, _BATCH_LIMIT)
    ids = [str(entry.get("id")) for entry in inputs]
    found = {key: lookup(call, resource, key, body.get("idProperty")) for key in ids}
    missing = [key for key, record in found.items() if record is None]
    names = [str(name) for name in body.get("properties") or []]
    answer = {
        "status": "COMPLETE",
        "results": [present(call.data, resource, row, names) for row in found.values() if row],
        "startedAt": iso_milliseconds(call.now),
        "completedAt": iso_milliseconds(call.now),
    }
    return Reply({**answer, **_batch_errors(missing)}, 207 if missing else 200)


def list_owners(call: HubSpotCall) -> Reply:
    """Owners have fixed fields in place of properties."""
    limit = page_size(call, 100, _OWNERS_LIMIT)
    email = call.query.get("email")
    rows, following = _page(call, "owners", limit, {"email": email} if email else {})
    return Reply({"results": rows, **_paging(call, following)})


def read_associations(call: HubSpotCall) -> Reply:
    """Associations v4 of up to 1,000 records; one without any is missing from the answer."""
    source, target = object_type(call), object_type(call, "to")
    inputs = inputs_of(call, _ASSOCIATIONS_LIMIT)
    ids = dict.fromkeys(str(entry.get("id")) for entry in inputs)
    linked = {key: call.data.associated(source, key, target) for key in ids}
    results = [
        {"from": {"id": key}, "to": [_target(link) for link in links]}
        for key, links in linked.items()
        if links
    ]
    return Reply({"status": "COMPLETE", "results": results})


def _target(link: Record) -> Record:
    kind = {"category": "HUBSPOT_DEFINED", "typeId": ASSOCIATION_IDS[link["type"]], "label": None}
    return {"toObjectId": int(link["id"]), "associationTypes": [kind]}


def object_type(call: HubSpotCall, parameter: str = "type") -> str:
    """The type in the path, by name or by number."""
    name = call.params[parameter]
    resource = OBJECT_TYPE_IDS.get(name, name)
    if resource not in TYPES:
        raise validation(f"Unable to infer object type from: {name}")
    return resource


def body_of(call: HubSpotCall) -> Mapping[str, Any]:
    """The JSON object in the body."""
    body = call.request.json
    if not isinstance(body, dict):
        raise validation("Invalid input JSON")
    return body


def inputs_of(call: HubSpotCall, most: int) -> list[Mapping[str, Any]]:
    """The inputs of a batch, refused as a whole when they are too many."""
    inputs = body_of(call).get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(entry, dict) for entry in inputs):
        raise validation("inputs must be a list of objects")
    if len(inputs) > most:
        raise validation(f"The maximum batch size is {most}")
    return inputs


def page_size(call: HubSpotCall, usual: int, most: int) -> int:
    """The limit asked for, refused when it is out of range."""
    text = call.query.get("limit", str(usual))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise validation(f"limit must be between 1 and {most}, was {text}")
    return int(text)


def lookup(call: HubSpotCall, resource: str, key: str, id_property: object = None) -> Record | None:
    """The record by id or unique property, from the live ones or from the archived ones."""
    record = call.data.tables[resource].get(key)
    if id_property:
        name = unique_property(call.data, resource, id_property)
        if not _archived(call):
            return call.data.holder(resource, name, key)
        rows = call.data.ordered(resource)
        return next((r for r in rows if r["archived"] and r["properties"].get(name) == key), None)
    return record if record and record["archived"] == _archived(call) else None


def unique_property(data: HubSpotData, resource: str, name: object) -> str:
    """A property that can stand for the id: one whose values are unique."""
    definition = data.definitions(resource).get(str(name))
    if definition is None or not definition.unique:
        raise validation(f"Property {name} is not a unique property of {resource}")
    return definition.name


def present(data: HubSpotData, resource: str, record: Record, asked: list[str]) -> Record:
    """The record with the properties asked for; names that do not exist are passed over."""
    known = data.definitions(resource)
    values = record["properties"]
    properties = {name: values.get(name) for name in shown(resource, asked) if name in known}
    return {**record, "properties": properties}


def _detailed(call: HubSpotCall, resource: str, record: Record) -> Record:
    answer = present(call.data, resource, record, _names(call, "properties"))
    history = _names(call, "propertiesWithHistory")
    if history:
        values = present(call.data, resource, record, history)["properties"]
        answer["propertiesWithHistory"] = {
            name: [{"value": value, "timestamp": record["updatedAt"], "sourceType": "CRM_UI"}]
            for name, value in values.items()
            if name in history
        }
    linked = {
        other: {"results": call.data.associated(resource, record["id"], other)}
        for other in _names(call, "associations")
        if call.data.associated(resource, record["id"], other)
    }
    return {**answer, "associations": linked} if linked else answer


def _page(
    call: HubSpotCall, resource: str, limit: int, wanted: Mapping[str, str] | None = None
) -> tuple[list[Record], str | None]:
    """The rows of this page and the id that begins the next one."""
    after = call.query.get("after", "0")
    if not after.isdecimal():
        raise validation(f"Invalid paging cursor: {after}")
    matching = (
        record
        for record in call.data.ordered(resource)
        if int(record["id"]) >= int(after)
        and record["archived"] == _archived(call)
        and all(record[name] == value for name, value in (wanted or {}).items())
    )
    rows = [record for record, _ in zip(matching, range(limit + 1), strict=False)]
    following = rows[limit]["id"] if len(rows) > limit else None
    return rows[:limit], following


def _paging(call: HubSpotCall, following: str | None) -> dict[str, object]:
    if following is None:
        return {}
    query = urlencode({**call.query, "after": following})
    link = f"{call.request.base}{call.request.path}?{query}"
    return {"paging": {"next": {"after": following, "link": link}}}


def _archived(call: HubSpotCall) -> bool:
    return call.query.get("archived", "false").lower() == "true"


def _names(call: HubSpotCall, parameter: str) -> list[str]:
    """A comma list, a repeated parameter, or both."""
    texts: Iterable[str] = (value for name, value in call.request.pairs if name == parameter)
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _batch_errors(missing: list[str]) -> dict[str, object]:
    if not missing:
        return {}
    message = "Could not get some objects, they may be deleted or not exist."
    error = batch_error("OBJECT_NOT_FOUND", message, {"ids": missing})
    return {"numErrors": 1, "errors": [error]}
