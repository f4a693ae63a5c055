"""What HubSpot takes as the value of a property, and what it says of one it does not take."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from integrations_pipeline.sandbox.hubspot.data import HubSpotData
from integrations_pipeline.sandbox.hubspot.errors import invalid_values, validation
from integrations_pipeline.sandbox.hubspot.properties import Property
from integrations_pipeline.sandbox.hubspot.records import Properties
from integrations_pipeline.sandbox.seed import DAY, iso_milliseconds

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class BadValueError(Exception):
    """The value is not taken, for a reason that has a code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def checked(data: HubSpotData, resource: str, given: object) -> Properties:
    """The values in the form they are stored in; all that is wrong with them is said at once."""
    if not isinstance(given, Mapping):
        raise validation("properties must be an object")
    known = data.definitions(resource)
    values: Properties = {}
    problems: list[dict[str, str]] = []
    for name, value in given.items():
        try:
            values[name] = _stored(known, name, value)
        except BadValueError as bad:
            problems.append({"message": str(bad), "error": bad.code, "name": name})
    if problems:
        raise invalid_values(problems)
    return values


def _stored(known: Mapping[str, Property], name: str, value: Any) -> str | None:
    definition = known.get(name)
    if definition is None:
        raise BadValueError("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if definition.read_only:
        raise BadValueError("READ_ONLY_VALUE", f'"{name}" is a read only property')
    if isinstance(value, list | dict):
        raise BadValueError("INVALID_STRING", f"{name} must be a string")
    text = _text(value)
    if not text:
        return text
    if name == "email" and not _EMAIL.fullmatch(text):
        raise BadValueError("INVALID_EMAIL", f"Email address {text} is invalid")
    convert = _CONVERSIONS.get(definition.type)
    return convert(definition, text) if convert else text


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(definition: Property, text: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text):
        raise BadValueError("INVALID_LONG", f"{text} was not a valid number.")
    del definition
    return text


def _option(definition: Property, text: str) -> str:
    """One of the options, or several joined with semicolons; owners have no list of them."""
    wrong = [part for part in text.split(";") if part and part not in definition.options]
    if definition.options and wrong:
        allowed = ", ".join(definition.options)
        message = f"{wrong[0]} was not one of the allowed options: [{allowed}]"
        raise BadValueError("INVALID_OPTION", message)
    return text


def _moment(definition: Property, text: str) -> str:
    """ISO 8601 or epoch milliseconds."""
    return iso_milliseconds(_seconds(definition, text))


def _day(definition: Property, text: str) -> str:
    """A day as such, or its midnight in UTC."""
    seconds = _seconds(definition, text)
    if seconds % DAY:
        raise BadValueError("INVALID_DATE", f"{text} is not at midnight UTC.")
    return iso_milliseconds(seconds)[:10]


def _seconds(definition: Property, text: str) -> float:
    try:
        if re.fullmatch(r"-?\d{5,}", text):
            return int(text) / 1000
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError) as error:
        message = f"{text} was not a valid {definition.type}."
        raise BadValueError("INVALID_DATE", message) from error


_CONVERSIONS: Mapping[str, Callable[[Property, str], str]] = {
    "number": _number,
    "enumeration": _option,
    "bool": _option,
    "datetime": _moment,
    "date": _day,
}
