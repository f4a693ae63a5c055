"""expand[]: linked objects in place of their ids."""

from collections.abc import Sequence
from typing import Any

from integrations_pipeline.sandbox.stripe.data import StripeData
from integrations_pipeline.sandbox.stripe.errors import invalid
from integrations_pipeline.sandbox.stripe.versions import rendered
from integrations_pipeline.sandbox.tables import Record

_DEPTH = 4
_TABLES = {
    "cus": "customers",
    "prod": "products",
    "price": "prices",
    "sub": "subscriptions",
    "in": "invoices",
    "pi": "payment_intents",
}


def expanded(data: StripeData, body: Record, paths: Sequence[str], version: str) -> Record:
    """The body with every path, as data.customer, expanded."""
    for path in paths:
        names = path.split(".")
        if len(names) > _DEPTH:
            raise invalid(f"You cannot expand more than {_DEPTH} levels.", "expand")
        body = _expand(data, body, names, version)
    return body


def _expand(data: StripeData, value: Any, names: Sequence[str], version: str) -> Any:
    if not names or value is None:
        return value
    if isinstance(value, list):
        return [_expand(data, entry, names, version) for entry in value]
    name, rest = names[0], names[1:]
    if not isinstance(value, dict) or name not in value:
        raise _cannot(name)
    child = value[name]
    if isinstance(child, str):
        child = rendered(_linked(data, child, name), version)
    elif not rest and child is not None and not isinstance(child, dict):
        raise _cannot(name)
    return {**value, name: _expand(data, child, rest, version)}


def _linked(data: StripeData, identifier: str, name: str) -> Record:
    resource = _TABLES.get(identifier.partition("_")[0])
    record = data.tables[resource].get(identifier) if resource else None
    if record is None:
        raise _cannot(name)
    return record


def _cannot(name: str) -> Exception:
    return invalid(f"This property cannot be expanded ({name}).", "expand")
