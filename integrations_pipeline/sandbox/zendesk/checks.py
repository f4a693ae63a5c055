"""What Zendesk takes in the fields of a ticket, user or organization, and how it refuses.

Keys that it does not know are passed over in silence.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.data import ZendeskData
from integrations_pipeline.sandbox.zendesk.errors import record_invalid

Check = Callable[[ZendeskData, Any], Any]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
UNIQUE = {"users": ("email", "external_id"), "organizations": ("name", "external_id")}
_REQUIRED = {"tickets": (), "users": ("name",), "organizations": ("name",)}


class FieldError(Exception):
    """The value is not taken, for a reason that has a name."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


def fields_of(data: ZendeskData, resource: str, given: Record, old: Record | None) -> Record:
    """The values in the form they are stored in; all that is wrong with them is said at once."""
    values: Record = {}
    problems: dict[str, list[dict[str, str]]] = {}
    for name, value in _wanted(resource, given, old).items():
        try:
            values[name] = _FIELDS[resource][name](data, value)
            _check_unique(data, resource, (name, values[name]), old)
        except FieldError as wrong:
            description = f"{name.replace('_', ' ').capitalize()}: {wrong}"
            problems.setdefault(name, []).append({"description": description, "error": wrong.error})
    if problems:
        raise record_invalid(problems)
    return values if old is None else _merged(values, old)


def _wanted(resource: str, given: Record, old: Record | None) -> Record:
    known = {name: value for name, value in given.items() if name in _FIELDS[resource]}
    if old is None:
        known = {**dict.fromkeys(_REQUIRED[resource]), **known}
    return known


def _check_unique(
    data: ZendeskData, resource: str, field: tuple[str, Any], old: Record | None
) -> None:
    name, value = field
    if not value or name not in UNIQUE.get(resource, ()):
        return
    holder = data.holder(resource, name, value)
    if holder is not None and (old is None or holder["id"] != old["id"]):
        raise FieldError("DuplicateValue", f"{value} is already being used by another record")


def _merged(values: Record, old: Record) -> Record:
    """Objects of custom fields are changed key by key."""
    for name in ("user_fields", "organization_fields"):
        if name in values:
            values[name] = {**old[name], **values[name]}
    if "custom_fields" in values:
        given = {entry["id"]: entry for entry in [*old["custom_fields"], *values["custom_fields"]]}
        values["custom_fields"] = list(given.values())
    return values


def _text(data: ZendeskData, value: Any) -> str | None:
    del data
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise FieldError("InvalidValue", "must be a string")


def _name(data: ZendeskData, value: Any) -> str:
    text = _text(data, value)
    if not text or not text.strip():
        raise FieldError("BlankValue", "is too short (minimum is 1 characters)")
    return text


def _email(data: ZendeskData, value: Any) -> str | None:
    text = _text(data, value)
    if text and not _EMAIL.fullmatch(text):
        raise FieldError("InvalidFormat", f"{text} is not properly formatted")
    return text


def _flag(data: ZendeskData, value: Any) -> bool:
    del data
    if not isinstance(value, bool):
        raise FieldError("InvalidValue", "must be true or false")
    return value


def _number(data: ZendeskData, value: Any) -> int | None:
    del data
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise FieldError("InvalidValue", "must be an integer")
    return value


def _texts(data: ZendeskData, value: Any) -> list[str]:
    del data
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise FieldError("InvalidValue", "must be a list of strings")
    return list(dict.fromkeys(value))


def _object(data: ZendeskData, value: Any) -> Record:
    del data
    if not isinstance(value, dict):
        raise FieldError("InvalidValue", "must be an object")
    return value


def _custom_fields(data: ZendeskData, value: Any) -> list[Record]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise FieldError("InvalidValue", "must be a list of objects")
    known = {field["id"] for field in data.tables["ticket_fields"]}
    return [{"id": one["id"], "value": one.get("value")} for one in value if one.get("id") in known]


def _one_of(*options: str | None) -> Check:
    def check(data: ZendeskData, value: Any) -> Any:
        del data
        if value not in options:
            raise FieldError("InvalidValue", f"{value} is not included in the list")
        return value

    return check


def _linked(resource: str) -> Check:
    """The id of a live record."""

    def check(data: ZendeskData, value: Any) -> Any:
        if value is not None and data.find(resource, str(value)) is None:
            raise FieldError("InvalidValue", f"{value} does not exist")
        return None if value is None else int(value)

    return check


_FIELDS: Mapping[str, Mapping[str, Check]] = {
    "tickets": {
        "subject": _text,
        "description": _text,
        "external_id": _text,
        "status": _one_of("new", "open", "pending", "hold", "solved", "closed"),
        "priority": _one_of("low", "normal", "high", "urgent", None),
        "type": _one_of("question", "incident", "problem", "task", None),
        "requester_id": _linked("users"),
        "submitter_id": _linked("users"),
        "assignee_id": _linked("users"),
        "organization_id": _linked("organizations"),
        "group_id": _number,
        "tags": _texts,
        "custom_fields": _custom_fields,
    },
    "users": {
        "name": _name,
        "email": _email,
        "external_id": _text,
        "role": _one_of("end-user", "agent", "admin"),
        "organization_id": _linked("organizations"),
        "phone": _text,
        "notes": _text,
        "locale": _text,
        "time_zone": _text,
        "suspended": _flag,
        "verified": _flag,
        "tags": _texts,
        "user_fields": _object,
    },
    "organizations": {
        "name": _name,
        "external_id": _text,
        "domain_names": _texts,
        "details": _text,
        "notes": _text,
        "group_id": _number,
        "shared_tickets": _flag,
        "shared_comments": _flag,
        "tags": _texts,
        "organization_fields": _object,
    },
}
