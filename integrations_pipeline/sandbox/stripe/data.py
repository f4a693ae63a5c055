"""The objects of one Stripe account; every change of one also writes events."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from integrations_pipeline.sandbox.dataset import Dataset, RefusedError
from integrations_pipeline.sandbox.seed import chance, moments, spread
from integrations_pipeline.sandbox.stripe import billing, catalog
from integrations_pipeline.sandbox.stripe.events import change_types, event
from integrations_pipeline.sandbox.stripe.ledger import (
    CANCELED_SUBSCRIPTIONS,
    CURRENCIES,
    DELETED_PRODUCTS,
    PRODUCTS,
    Ledger,
)
from integrations_pipeline.sandbox.tables import Record, Table

IDEMPOTENCY_KEYS = "idempotency_keys"
_PAST_KEPT_SECONDS = 7_200

_BUILDERS: dict[str, Callable[[Ledger, int, int], Record]] = {
    "customers": catalog.customer,
    "products": catalog.product,
    "prices": catalog.price,
    "subscriptions": billing.subscription,
    "invoices": billing.invoice,
}


class StripeData(Dataset):
    """Customers, products, prices, subscriptions, invoices, payment intents and events."""

    synced = ("customers", "invoices", "subscriptions", "payment_intents", "products")

    def __init__(self, account: str, records: int, changed: Mapping[str, Sequence[Record]]) -> None:
        products = PRODUCTS + DELETED_PRODUCTS
        self.account = account
        self._sizes = {
            "customers": records,
            "products": products,
            "prices": products * len(CURRENCIES),
            "subscriptions": max(1, records // 2),
            "invoices": records,
            "payment_intents": records,
        }
        self._ledger = Ledger(account, self._sizes)
        self.tables = {}
        for name in self._sizes:
            self.tables[name] = Table(self._generated(name), changed.get(name, ()))
        for name in ("events", IDEMPOTENCY_KEYS):
            self.tables[name] = Table((), changed.get(name, ()))
        # Old versions of changed records, with the moment each was replaced.
        self._replaced: dict[tuple[str, str], list[tuple[float, Record | None]]] = {}

    def ordered(self, resource: str) -> list[Record]:
        """Oldest first, deleted objects included."""
        return self.tables[resource].ordered("created", creation_order)

    def live(self, resource: str) -> list[Record]:
        return [row for row in reversed(self.ordered(resource)) if not row.get("deleted")]

    def find(self, resource: str, identifier: str) -> Record | None:
        record = self.tables[resource].get(identifier)
        return None if record is None or record.get("deleted") else record

    def as_of(self, resource: str, moment: float) -> Iterator[Record]:
        """What was there then, newest first: the search index is behind the changes."""
        for record in reversed(self.ordered(resource)):
            past = self._replaced.get((resource, record["id"]), ())
            version = next((old for since, old in past if since > moment), record)
            if version is not None and not version.get("deleted"):
                yield version

    def next_id(self, resource: str) -> str:
        """The id of the next object of a kind."""
        return self._ledger.id(resource, len(self.tables[resource]))

    def insert(self, resource: str, record: Record, now: float, cause: Record) -> None:
        """An object that a client of the API makes."""
        self.effects.add(resource, "created")
        self._put(resource, record, now)
        self._write_events(change_types(resource, None, record), record, None, now, cause)

    def update(
        self, resource: str, old: Record, values: Mapping[str, Any], now: float, cause: Record
    ) -> Record:
        """The object with other values; if none of them differs, nothing happens to it."""
        previous = {name: old.get(name) for name in values if old.get(name) != values[name]}
        if not previous:
            self.effects.add(resource, "unchanged")
            return old
        self.effects.add(resource, "updated")
        stamps = {"updated": int(now)} if "updated" in old else {}
        record = {**old, **values, **stamps}
        self._put(resource, record, now)
        # Events of payment intents tell of their states only, not of what is written about them.
        kinds = [] if resource == "payment_intents" else change_types(resource, old, record)
        self._write_events(kinds, record, previous, now, cause)
        return record

    def create(self, resource: str, fields: Mapping[str, Any], now: float) -> Record:
        self._refuse_made(resource)
        record = self._built(resource, len(self.tables[resource]), int(now))
        record = {**record, **fields, "id": record["id"]}
        self._put(resource, record, now)
        self._write_events(change_types(resource, None, record), record, None, now)
        return record

    def change(
        self, resource: str, identifier: str, fields: Mapping[str, Any], now: float
    ) -> Record:
        self._refuse_made(resource)
        old = self.tables[resource][identifier]
        stamps = {"updated": int(now)} if "updated" in old else {}
        record = {**old, **fields, **stamps, "id": old["id"]}
        previous = {name: old.get(name) for name in record if old.get(name) != record[name]}
        self._put(resource, record, now)
        self._write_events(change_types(resource, old, record), record, previous, now)
        return record

    def delete(
        self, resource: str, identifier: str, now: float, cause: Record | None = None
    ) -> None:
        """Only drafts of invoices go; subscriptions are canceled; payment intents stay."""
        record = self.tables[resource][identifier]
        if resource == "subscriptions" and record["status"] != "canceled":
            gone = billing.canceled(record, int(now))
            kind, shown = "customer.subscription.deleted", gone
        elif resource in {"customers", "products", "prices"} or record.get("status") == "draft":
            gone = billing.tombstone(record)
            kind, shown = f"{record['object']}.deleted", record
        else:
            raise RefusedError(f"Stripe would not delete this {record['object']}.")
        self._put(resource, gone, now)
        self._write_events([kind], shown, None, now, cause)

    def _refuse_made(self, resource: str) -> None:
        if resource in {"events", IDEMPOTENCY_KEYS}:
            raise RefusedError("Events and keys follow from requests and cannot be made.")

    def _put(self, resource: str, record: Record, now: float) -> None:
        past = self._replaced.setdefault((resource, record["id"]), [])
        past.append((now, self.tables[resource].get(record["id"])))
        past[:] = [entry for entry in past if entry[0] > now - _PAST_KEPT_SECONDS]
        self.tables[resource].put(record)

    def _write_events(
        self,
        kinds: Sequence[str],
        record: Record,
        previous: Record | None,
        now: float,
        cause: Record | None = None,
    ) -> None:
        """The cause is the request that made the change; the control endpoints are none."""
        table = self.tables["events"]
        for kind in kinds:
            identifier = self._ledger.id("events", len(table))
            made = event(self.account, identifier, kind, record, previous, int(now))
            table.put({**made, "request": cause} if cause else made)

    def _generated(self, resource: str) -> Iterator[Record]:
        total = self._sizes[resource]
        deleted = spread(DELETED_PRODUCTS, total) if resource == "products" else ()
        canceled = spread(CANCELED_SUBSCRIPTIONS, total) if resource == "subscriptions" else ()
        for place in range(total):
            dice = chance(self.account, f"moments/{resource}", place)
            created, updated = map(int, moments(dice, place, total))
            record = self._built(resource, place, created)
            if place in deleted:
                record = billing.tombstone(record)
            elif place in canceled:
                record = billing.canceled(record, updated)
            yield record

    def _built(self, resource: str, place: int, created: int) -> Record:
        if resource == "payment_intents":
            bill_id = self._ledger.id("invoices", place % self._sizes["invoices"])
            bill = self.tables["invoices"].get(bill_id) or {}
            if bill.get("deleted"):
                bill = billing.invoice(self._ledger, place % self._sizes["invoices"], created)
            return billing.payment_intent(self._ledger, place, created, bill)
        return _BUILDERS[resource](self._ledger, place, created)


def creation_order(record: Record) -> tuple[int, str]:
    """The order of all lists: by creation, with the id to settle ties."""
    return record["created"], record["id"]
