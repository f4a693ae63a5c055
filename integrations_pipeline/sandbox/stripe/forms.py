"""Form-encoded bodies with names in brackets, as metadata[crm_id] or recurring[interval].

A field is read by a converter, which gets the name of the parameter and what was sent: a text, or
a mapping where the name went on in brackets. An empty text unsets a field.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from integrations_pipeline.sandbox.stripe.errors import invalid, unknown_parameter

Convert = Callable[[str, Any], Any]

_NAME = re.compile(r"(\w+)((?:\[\w*\])*)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_METADATA_KEYS, _METADATA_KEY, _METADATA_VALUE = 50, 40, 500


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parameters as a tree; those of a list are numbered."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        found = _NAME.fullmatch(name)
        if found is None:
            raise unknown_parameter(name)
        *stems, last = [found[1], *re.findall(r"\[(\w*)\]", found[2])]
        node = root
        for stem in stems:
            child = node.setdefault(stem or str(len(node)), {})
            if not isinstance(child, dict):
                raise invalid(f"Invalid hash: {name}", name, "parameter_invalid")
            node = child
        node[last or str(len(node))] = value
    return root


def text(name: str, value: Any) -> str | None:
    """A string; empty for none."""
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {value}", name, "parameter_invalid_string")
    return value or None


def email(name: str, value: Any) -> str | None:
    """An address that could be one."""
    address = text(name, value)
    if address and not _EMAIL.fullmatch(address):
        raise invalid(f"Invalid email address: {address}", name, "email_invalid")
    return address


def integer(name: str, value: Any) -> int:
    """A whole number."""
    if not isinstance(value, str) or not re.fullmatch(r"-?\d+", value):
        raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
    return int(value)


def boolean(name: str, value: Any) -> bool:
    """The words true and false."""
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value}", name, "parameter_invalid_boolean")
    return bool(value == "true")


def one_of(*options: str) -> Convert:
    """One of these words."""

    def convert(name: str, value: Any) -> str:
        if value not in options:
            message = f"Invalid {name}: must be one of {', '.join(options)}"
            raise invalid(message, name, "parameter_invalid")
        return str(value)

    return convert


def texts(name: str, value: Any) -> list[str]:
    """A list of strings."""
    if value == "":
        return []
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise invalid(f"Invalid array: {value}", name, "parameter_invalid")
    return list(value.values())


def hash_of(fields: Mapping[str, Convert]) -> Convert:
    """A nested object with these fields; those that are not sent are null."""

    def convert(name: str, value: Any) -> dict[str, Any] | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise invalid(f"Invalid hash: {value}", name, "parameter_invalid")
        return {**dict.fromkeys(fields), **converted(value, fields, name)}

    return convert


def metadata(name: str, value: Any) -> dict[str, str] | None:
    """The keys to set, those to remove with an empty value; None removes all of them."""
    if value == "":
        return None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise invalid("Metadata is a hash of strings", name, "parameter_invalid")
    for key, held in value.items():
        if len(key) > _METADATA_KEY or len(held) > _METADATA_VALUE:
            message = (
                f"Metadata keys have up to {_METADATA_KEY} characters, values {_METADATA_VALUE}"
            )
            raise invalid(message, f"{name}[{key}]", "parameter_invalid")
    return value


def merged_metadata(old: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """The metadata after a write."""
    found = {name: value for name, value in {**old, **(given or {})}.items() if value}
    if len(found) > _METADATA_KEYS:
        message = f"Metadata has up to {_METADATA_KEYS} keys"
        raise invalid(message, "metadata", "parameter_invalid")
    return {} if given is None else found


def converted(
    given: Mapping[str, Any], fields: Mapping[str, Convert], outer: str = ""
) -> dict[str, Any]:
    """The values of the fields that were sent; what is not known is refused."""
    values = {}
    for name, value in given.items():
        full = f"{outer}[{name}]" if outer else name
        if name not in fields:
            raise unknown_parameter(full)
        values[name] = fields[name](full, value)
    return values
