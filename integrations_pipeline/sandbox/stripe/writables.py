"""Which of Stripe's objects can be written, by which parameters, and how new ones begin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.stripe.forms import (
    Convert,
    boolean,
    email,
    hash_of,
    integer,
    metadata,
    one_of,
    text,
    texts,
)
from integrations_pipeline.sandbox.tables import Record

_ABOUT: dict[str, Convert] = {"description": text, "metadata": metadata}
_ADDRESS = hash_of(
    dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), text)
)
_CUSTOMER: dict[str, Convert] = _ABOUT | {
    "name": text,
    "email": email,
    "phone": text,
    "address": _ADDRESS,
    "shipping": hash_of({"name": text, "phone": text, "address": _ADDRESS}),
    "balance": integer,
    "invoice_prefix": text,
    "preferred_locales": texts,
    "tax_exempt": one_of("none", "exempt", "reverse"),
}
_PRODUCT: dict[str, Convert] = _ABOUT | {
    "name": text,
    "active": boolean,
    "images": texts,
    "shippable": boolean,
    "unit_label": text,
    "url": text,
}
_PRICE: dict[str, Convert] = {"active": boolean, "metadata": metadata, "nickname": text}
_NEW_PRICE: dict[str, Convert] = _PRICE | {
    "currency": text,
    "product": text,
    "recurring": hash_of(
        {"interval": one_of("day", "week", "month", "year"), "interval_count": integer}
    ),
    "unit_amount": integer,
}


def _new_customer(identifier: str) -> Record:
    return {
        "object": "customer",
        **dict.fromkeys(("address", "currency", "default_source", "description", "email")),
        **dict.fromkeys(("name", "phone", "shipping", "test_clock")),
        "balance": 0,
        "delinquent": False,
        "invoice_prefix": digest(identifier, "prefix")[:8].upper(),
        "preferred_locales": [],
        "tax_exempt": "none",
    }


def _new_product(identifier: str) -> Record:
    del identifier
    return {
        "object": "product",
        **dict.fromkeys(("default_price", "description", "shippable", "unit_label", "url")),
        "active": True,
        "images": [],
        "type": "service",
    }


def _new_price(identifier: str) -> Record:
    del identifier
    return {
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "nickname": None,
        "recurring": None,
        "unit_amount": None,
    }


def _complete_price(record: Record) -> Record:
    """What follows from the rest of a price."""
    amount, recurring = record["unit_amount"], record["recurring"]
    if recurring:
        count = recurring["interval_count"] or 1
        recurring = {**recurring, "interval_count": count, "usage_type": "licensed"}
    return {
        **record,
        "recurring": recurring,
        "type": "recurring" if recurring else "one_time",
        "unit_amount_decimal": None if amount is None else str(amount),
    }


def _as_it_is(record: Record) -> Record:
    return record


@dataclass(frozen=True)
class Writable:
    """One kind of object by the parameters that its writes take."""

    resource: str
    kind: str
    update: Mapping[str, Convert]
    create: Mapping[str, Convert] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    # The resource that a parameter's id must be found in.
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    begin: Callable[[str], Record] = lambda _: {}
    complete: Callable[[Record], Record] = _as_it_is
    deletable: bool = False

    def new(self, identifier: str, values: Mapping[str, Any], now: int) -> Record:
        """A new object: with nothing in it that was not given."""
        common = {"id": identifier, "created": now, "livemode": False, "metadata": {}}
        stamps = {"updated": now} if self.resource == "products" else {}
        return self.complete({**common, **self.begin(identifier), **stamps, **values})


WRITABLES = (
    Writable("customers", "customer", _CUSTOMER, _CUSTOMER, begin=_new_customer, deletable=True),
    Writable(
        "products",
        "product",
        _PRODUCT | {"default_price": text},
        _PRODUCT | {"id": text},
        required=("name",),
        links={"default_price": ("prices", "price")},
        begin=_new_product,
        deletable=True,
    ),
    Writable(
        "prices",
        "price",
        _PRICE,
        _NEW_PRICE,
        required=("currency", "product"),
        links={"product": ("products", "product")},
        begin=_new_price,
        complete=_complete_price,
    ),
    Writable(
        "subscriptions",
        "subscription",
        _ABOUT | {"cancel_at_period_end": boolean},
        deletable=True,
    ),
    Writable("invoices", "invoice", _ABOUT, deletable=True),
    Writable("payment_intents", "payment_intent", _ABOUT),
)
