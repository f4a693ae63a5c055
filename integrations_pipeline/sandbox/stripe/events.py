"""Which events a change makes, and what an event looks like."""

from integrations_pipeline.sandbox.stripe.versions import default_version, rendered
from integrations_pipeline.sandbox.tables import Record

_NAMES = {
    "customers": "customer",
    "products": "product",
    "prices": "price",
    "subscriptions": "customer.subscription",
    "invoices": "invoice",
    "payment_intents": "payment_intent",
}
_INVOICE_STATUS = {
    "open": "invoice.finalized",
    "paid": "invoice.paid",
    "void": "invoice.voided",
    "uncollectible": "invoice.marked_uncollectible",
}
# Stripe has no payment_intent.updated: its events are named after the state reached.
_INTENT_STATUS = {
    "succeeded": "payment_intent.succeeded",
    "processing": "payment_intent.processing",
    "canceled": "payment_intent.canceled",
    "requires_payment_method": "payment_intent.payment_failed",
    "requires_capture": "payment_intent.amount_capturable_updated",
}


def change_types(resource: str, old: Record | None, new: Record) -> list[str]:
    """The types of the events a creation or change makes; some changes make two."""
    name = _NAMES[resource]
    if old is None:
        return [f"{name}.created"]
    status = new.get("status")
    if resource == "payment_intents":
        return [_INTENT_STATUS.get(str(status), "payment_intent.requires_action")]
    changed = status != old.get("status")
    if resource == "subscriptions" and changed and status == "canceled":
        return [f"{name}.deleted"]
    if resource == "invoices" and changed and status in _INVOICE_STATUS:
        return [f"{name}.updated", _INVOICE_STATUS[str(status)]]
    return [f"{name}.updated"]


def event(
    account: str, identifier: str, kind: str, record: Record, previous: Record | None, now: int
) -> Record:
    """The object inside is rendered in the account's default version, not in the reader's."""
    version = default_version(account)
    data: Record = {"object": rendered(record, version)}
    if previous is not None:
        data["previous_attributes"] = previous
    return {
        "id": identifier,
        "object": "event",
        "api_version": version,
        "created": now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
