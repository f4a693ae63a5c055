"""What each of Stripe's lists can be filtered by, and what it hides without being asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from integrations_pipeline.sandbox.stripe.parameters import Parameters, equal, flag
from integrations_pipeline.sandbox.tables import Record

Filter = Callable[[Record, str], bool]


def _field(name: str) -> Filter:
    return lambda record, value: equal(record, name, value)


def _bool_field(name: str) -> Filter:
    return lambda record, value: bool(record.get(name)) == flag(value)


def _subscription_status(record: Record, value: str) -> bool:
    return value == "all" or bool(record["status"] == value)


def _has_price(record: Record, value: str) -> bool:
    return any(item["price"]["id"] == value for item in record["items"]["data"])


def _of_subscription(record: Record, value: str) -> bool:
    details = (record["parent"] or {}).get("subscription_details", {})
    return bool(details.get("subscription") == value)


def _is_canceled(record: Record) -> bool:
    return bool(record["status"] == "canceled")


@dataclass(frozen=True)
class Listing:
    """One list endpoint."""

    resource: str
    kind: str
    filters: Mapping[str, Filter] = field(default_factory=dict)
    ranges: frozenset[str] = frozenset({"created"})
    lists: frozenset[str] = frozenset()
    # Rows that are left out unless the parameter is given.
    hidden_without: Mapping[str, Callable[[Record], bool]] = field(default_factory=dict)

    @property
    def parameters(self) -> set[str]:
        return {*self.filters, *self.ranges, *self.lists}

    def matches(self, record: Record, asked: Parameters) -> bool:
        if record.get("deleted"):
            return False
        if any(
            name not in asked.plain and is_hidden(record)
            for name, is_hidden in self.hidden_without.items()
        ):
            return False
        if "ids" in asked.lists and record["id"] not in asked.lists["ids"]:
            return False
        return all(
            test(record, asked.plain[name])
            for name, test in self.filters.items()
            if name in asked.plain
        ) and all(asked.within(name, _moment(record, name)) for name in self.ranges)


def _moment(record: Record, name: str) -> int | None:
    """A field with a time; a subscription's period is in its items."""
    value = record.get(name)
    if value is None and record["object"] == "subscription":
        value = record["items"]["data"][0].get(name)
    return value


LISTINGS = (
    Listing("customers", "customer", {"email": _field("email")}),
    Listing(
        "products",
        "product",
        {"active": _bool_field("active"), "shippable": _bool_field("shippable")}
        | {"url": _field("url")},
        lists=frozenset({"ids"}),
    ),
    Listing(
        "prices",
        "price",
        {"active": _bool_field("active")}
        | {name: _field(name) for name in ("currency", "product", "type")},
    ),
    Listing(
        "subscriptions",
        "subscription",
        {"status": _subscription_status, "price": _has_price}
        | {name: _field(name) for name in ("collection_method", "customer")},
        frozenset({"created", "current_period_start", "current_period_end"}),
        hidden_without={"status": _is_canceled},
    ),
    Listing(
        "invoices",
        "invoice",
        {"subscription": _of_subscription}
        | {name: _field(name) for name in ("collection_method", "customer", "status")},
        frozenset({"created", "due_date"}),
    ),
    Listing("payment_intents", "payment_intent", {"customer": _field("customer")}),
)
