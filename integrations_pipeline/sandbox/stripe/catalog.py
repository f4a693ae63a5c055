"""Made-up customers, products and prices, each built from its place in the data set."""

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.seed import company, is_sparse, odd_text, person
from integrations_pipeline.sandbox.stripe.ledger import CURRENCIES, Ledger, unit_amount
from integrations_pipeline.sandbox.tables import Record


def customer(ledger: Ledger, place: int, created: int) -> Record:
    """Someone who buys."""
    employer = company(ledger.account, place // 4)
    someone = person(ledger.account, "customers", place, employer.domain)
    filled = None if is_sparse(place) else place
    return {
        "id": ledger.id("customers", place),
        "object": "customer",
        "address": None,
        "balance": -500 if place % 50 == 0 else 0,
        "created": created,
        "currency": None if filled is None else ledger.currency(place),
        "default_source": None,
        "delinquent": place % 23 == 0,
        "description": None if filled is None else odd_text(place, employer.name),
        "email": None if filled is None else someone.email,
        "invoice_prefix": digest(ledger.account, "prefix", place)[:8].upper(),
        "livemode": False,
        "metadata": {} if filled is None else {"crm_id": str(place)},
        "name": None if filled is None else someone.name,
        "phone": None if filled is None else someone.phone,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def product(ledger: Ledger, place: int, created: int) -> Record:
    """Something sold."""
    return {
        "id": ledger.id("products", place),
        "object": "product",
        "active": place % 9 != 8,
        "created": created,
        "default_price": ledger.price_id(place, "usd"),
        "description": None if is_sparse(place) else odd_text(place, "Billed by the seat."),
        "images": [],
        "livemode": False,
        "metadata": {},
        "name": f"{('Solo', 'Team', 'Business', 'Enterprise')[place % 4]} plan {place // 4 + 1}",
        "type": "service",
        "unit_label": None,
        "updated": created,
        "url": None,
    }


def price(ledger: Ledger, place: int, created: int) -> Record:
    """A product's price in one currency."""
    about, currency = place // len(CURRENCIES), CURRENCIES[place % len(CURRENCIES)]
    amount = unit_amount(about, currency)
    return {
        "id": ledger.id("prices", place),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": created,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "nickname": None,
        "product": ledger.id("products", about),
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        "type": "recurring",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }
