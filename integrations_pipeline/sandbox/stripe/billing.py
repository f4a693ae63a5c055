"""Made-up subscriptions, invoices and payment intents, with what cancelling leaves of them."""

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.seed import DAY, chance, is_sparse, odd_text
from integrations_pipeline.sandbox.stripe.ledger import PRODUCTS, Ledger, short_id, unit_amount
from integrations_pipeline.sandbox.tables import Record

_INVOICE_STATUSES = ("paid", "paid", "paid", "paid", "open", "void", "uncollectible")
_INTENT_STATUSES = {
    "paid": "succeeded",
    "open": "requires_payment_method",
    "draft": "requires_confirmation",
    "void": "canceled",
    "uncollectible": "canceled",
}


def subscription(ledger: Ledger, place: int, created: int) -> Record:
    """A customer's subscription; one in sixty has more items than a nested list shows."""
    dice = chance(ledger.account, "subscriptions", place)
    buyer = ledger.customer_of(place)
    subscription_id = ledger.id("subscriptions", place)
    items = [
        _item(ledger, (place, number), ledger.currency(buyer), created)
        for number in range(12 if place % 60 == 7 else dice.randint(1, 3))
    ]
    return {
        "id": subscription_id,
        "object": "subscription",
        "billing_cycle_anchor": created,
        "cancel_at": None,
        "cancel_at_period_end": dice.random() < 0.05,
        "canceled_at": None,
        "collection_method": "charge_automatically",
        "created": created,
        "currency": ledger.currency(buyer),
        "customer": ledger.id("customers", buyer),
        "description": None,
        "ended_at": None,
        "items": {
            "object": "list",
            "data": items,
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        },
        "latest_invoice": ledger.id("invoices", ledger.latest_invoice(place)),
        "livemode": False,
        "metadata": {},
        "start_date": created,
        "status": dice.choice(("active", "active", "active", "trialing", "past_due")),
        "trial_end": None,
    }


def _item(ledger: Ledger, place: tuple[int, int], currency: str, created: int) -> Record:
    about = (place[0] + place[1] * 11) % PRODUCTS
    amount = unit_amount(about, currency)
    return {
        "id": short_id("si", ledger.account, *place),
        "object": "subscription_item",
        "created": created,
        "current_period_start": created,
        "current_period_end": created + int(30 * DAY),
        "metadata": {},
        "price": {
            "id": ledger.price_id(about, currency),
            "object": "price",
            "currency": currency,
            "product": ledger.id("products", about),
            "recurring": {"interval": "month", "interval_count": 1},
            "unit_amount": amount,
        },
        "quantity": 1 + (place[0] + place[1]) % 9,
        "subscription": ledger.id("subscriptions", place[0]),
    }


def canceled(record: Record, moment: int) -> Record:
    """A canceled subscription stays in place."""
    return {**record, "status": "canceled", "canceled_at": moment, "ended_at": moment}


def tombstone(record: Record) -> Record:
    """What is left of a deleted object; created keeps its place in the list's order."""
    kept = {name: record[name] for name in ("id", "object", "created")}
    return {**kept, "deleted": True}


def invoice(ledger: Ledger, place: int, created: int) -> Record:
    """A bill; one in forty has more lines than a nested list shows."""
    dice = chance(ledger.account, "invoices", place)
    source = ledger.subscription_of(place)
    one_off = dice.randrange(max(1, min(place, ledger.sizes["customers"])))
    buyer = one_off if source is None else ledger.customer_of(source)
    currency = ledger.currency(buyer)
    invoice_id = ledger.id("invoices", place)
    count = dice.randint(11, 35) if place % 40 == 6 else dice.randint(1, 4)
    lines = [_line(ledger, (place, number), currency, created) for number in range(count)]
    total = sum(line["amount"] for line in lines)
    status = "draft" if place % 20 == 0 else dice.choice(_INVOICE_STATUSES)
    paid = total if status == "paid" else 0
    return {
        "id": invoice_id,
        "object": "invoice",
        "amount_due": total,
        "amount_paid": paid,
        "amount_remaining": total - paid,
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "customer": ledger.id("customers", buyer),
        "description": None if is_sparse(place) else odd_text(place, "Thank you."),
        "due_date": created + int(14 * DAY) if place % 2 else None,
        "lines": {
            "object": "list",
            "data": lines,
            "has_more": False,
            "url": f"/v1/invoices/{invoice_id}/lines",
        },
        "livemode": False,
        "metadata": {},
        "number": None if status == "draft" else f"{digest(buyer)[:8].upper()}-{place:04d}",
        "parent": None if source is None else _parent(ledger.id("subscriptions", source)),
        "status": status,
        "subtotal": total,
        "total": total,
    }


def _parent(subscription_id: str) -> Record:
    details = {"subscription": subscription_id}
    return {"type": "subscription_details", "subscription_details": details}


def _line(ledger: Ledger, place: tuple[int, int], currency: str, created: int) -> Record:
    about = (place[0] * 3 + place[1]) % PRODUCTS
    quantity = 1 + (place[0] + place[1]) % 5
    return {
        "id": short_id("il", ledger.account, *place),
        "object": "line_item",
        "amount": unit_amount(about, currency) * quantity,
        "currency": currency,
        "description": f"{quantity} × plan {about // 4 + 1}",  # noqa: RUF001
        "invoice": ledger.id("invoices", place[0]),
        "livemode": False,
        "metadata": {},
        "period": {"start": created, "end": created + int(30 * DAY)},
        "pricing": {
            "type": "price_details",
            "price_details": {
                "price": ledger.price_id(about, currency),
                "product": ledger.id("products", about),
            },
        },
        "quantity": quantity,
    }


def payment_intent(ledger: Ledger, place: int, created: int, bill: Record) -> Record:
    """The attempt to collect an invoice."""
    status = _INTENT_STATUSES[bill["status"]]
    succeeded = status == "succeeded"
    return {
        "id": ledger.id("payment_intents", place),
        "object": "payment_intent",
        "amount": bill["total"],
        "amount_capturable": 0,
        "amount_received": bill["total"] if succeeded else 0,
        "canceled_at": created if status == "canceled" else None,
        "capture_method": "automatic",
        "created": created,
        "currency": bill["currency"],
        "customer": None if is_sparse(place) else bill["customer"],
        "description": None if is_sparse(place) else odd_text(place, "Subscription update"),
        "last_payment_error": None,
        "latest_charge": short_id("ch", ledger.account, place) if succeeded else None,
        "livemode": False,
        "metadata": {},
        "payment_method_types": ["card"],
        "status": status,
    }
