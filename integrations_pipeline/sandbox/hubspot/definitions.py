"""The properties of an object type: read, and added to, as an admin does for an id of their own."""

from collections.abc import Mapping
from typing import Any

from integrations_pipeline.sandbox.hubspot.errors import not_found, problem, validation
from integrations_pipeline.sandbox.hubspot.objects import HubSpotCall, body_of, object_type
from integrations_pipeline.sandbox.hubspot.properties import Property
from integrations_pipeline.sandbox.replies import ApiError, Reply

_TYPES = ("string", "number", "date", "datetime", "enumeration", "bool", "phone_number", "json")
_MOST_UNIQUE = 10


def list_properties(call: HubSpotCall) -> Reply:
    """The metadata of all properties of a type."""
    definitions = call.data.definitions(object_type(call))
    return Reply({"results": [definition.described() for definition in definitions.values()]})


def get_property(call: HubSpotCall) -> Reply:
    """The metadata of one property."""
    definition = call.data.definitions(object_type(call)).get(call.params["name"])
    if definition is None:
        raise not_found(f"No property {call.params['name']}")
    return Reply(definition.described())


def create_property(call: HubSpotCall) -> Reply:
    """201; at most ten properties of a type can have unique values."""
    resource, body = object_type(call), body_of(call)
    definition = _asked_for(body)
    known = call.data.definitions(resource)
    if definition.name in known:
        message = f"A property named '{definition.name}' already exists."
        raise ApiError(problem(409, "OBJECT_ALREADY_EXISTS", message))
    if definition.unique and sum(one.unique for one in known.values()) >= _MOST_UNIQUE:
        raise validation(f"An object has at most {_MOST_UNIQUE} unique properties")
    call.data.define(resource, definition)
    call.data.effects.add("properties", "created")
    return Reply(definition.described(), 201)


def _asked_for(body: Mapping[str, Any]) -> Property:
    missing = [name for name in ("name", "label", "type", "fieldType") if not body.get(name)]
    if missing:
        raise validation(f"Required fields were not set: {missing}")
    if body["type"] not in _TYPES:
        raise validation(f"Invalid property type: {body['type']}")
    options = tuple(str(option.get("value")) for option in body.get("options") or ())
    unique = bool(body.get("hasUniqueValue"))
    return Property(str(body["name"]), body["type"], str(body["fieldType"]), options, unique)
