"""Ids, sizes and relations of a Stripe account's made-up objects."""

from collections.abc import Mapping
from dataclasses import dataclass

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.seed import chance

PRODUCTS = 40
DELETED_PRODUCTS = 3
CANCELED_SUBSCRIPTIONS = 8
# What one dollar of list price is in each currency's smallest unit.
MINOR_UNITS = {"usd": 100, "eur": 92, "gbp": 79, "jpy": 150, "kwd": 310}
CURRENCIES = tuple(MINOR_UNITS)
_PREFIXES = {
    "customers": "cus",
    "products": "prod",
    "prices": "price",
    "subscriptions": "sub",
    "invoices": "in",
    "payment_intents": "pi",
    "events": "evt",
}
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Ledger:
    """An account with the number of its objects, from which their relations follow."""

    account: str
    sizes: Mapping[str, int]

    def id(self, resource: str, place: int) -> str:
        return short_id(_PREFIXES[resource], self.account, resource, place)

    def currency(self, customer: int) -> str:
        return CURRENCIES[customer * 31 % 7 % len(CURRENCIES)]

    def price_id(self, product: int, currency: str) -> str:
        return self.id("prices", product * len(CURRENCIES) + CURRENCIES.index(currency))

    def subscription_of(self, invoice: int) -> int | None:
        """Nine invoices of ten belong to a subscription."""
        if invoice % 10 == 9:
            return None
        count = self.sizes["subscriptions"]
        return min(invoice * count // self.sizes["invoices"], count - 1)

    def latest_invoice(self, subscription: int) -> int:
        last = ((subscription + 1) * self.sizes["invoices"] - 1) // self.sizes["subscriptions"]
        last = min(last, self.sizes["invoices"] - 1)
        return last - 1 if last % 10 == 9 else last

    def customer_of(self, subscription: int) -> int:
        """One who was there before the subscription."""
        customers = self.sizes["customers"]
        latest = max(1, subscription * customers // self.sizes["subscriptions"])
        dice = chance(self.account, "subscriber", subscription)
        return dice.randrange(min(latest, customers))


def short_id(prefix: str, *parts: object) -> str:
    """An id in Stripe's manner, the same for the same parts."""
    letters = bytes.fromhex(digest(prefix, *parts))[:14]
    return f"{prefix}_{''.join(_LETTERS[byte % 62] for byte in letters)}"


def unit_amount(product: int, currency: str) -> int:
    """The list price in the currency's smallest unit."""
    return (5 + product * 17 % 195) * MINOR_UNITS[currency]
