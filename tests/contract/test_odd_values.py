"""Values that people and other programs put into fields: no one of them stops a sync."""

from datetime import datetime
from decimal import Decimal

import orjson
import pytest

from tests.contract import samples
from tests.contract.pages import listed
from tests.contract.service import Answer


def at(text):
    return datetime.fromisoformat(text)


TEXTS = {
    "emoji": ("Ünïcödé 🚲👩‍👩‍👧", "Ünïcödé 🚲👩‍👩‍👧"),
    "nul": ("nul \u0000 inside", "nul \ufffd inside"),
    "markup": ('<b>"quoted"</b>\r\n\t', '<b>"quoted"</b>\r\n\t'),
    "backslash": ("C:\\new\\table", "C:\\new\\table"),
    "spelled nul": ("the text \\u0000 itself", "the text \\u0000 itself"),
    "empty": ("", None),
}


@pytest.mark.parametrize(("given", "stored"), TEXTS.values(), ids=TEXTS)
def test_any_text_can_be_stored(load, given, stored):
    row = load("zendesk", "tickets", {**samples.TICKET, "subject": given})["35436"]

    assert row["subject"] == stored
    assert row["raw"]["subject"] == (stored or given)


def deals(name, values):
    """A deal for each value of a property; its id is the place of the value."""
    inner = samples.DEAL["properties"]
    return [
        {**samples.DEAL, "id": str(n), "updatedAt": value, "properties": {**inner, name: value}}
        for n, value in enumerate(values)
    ]


def stored(rows, column):
    return [rows[str(n)][column] for n in range(len(rows))]


NUMBERS = {
    "12500.00": Decimal("12500.00"),
    "0.1": Decimal("0.1"),
    "-99999999999999999999.123456789": Decimal("-99999999999999999999.123456789"),
    "": None,
    "on request": None,
    None: None,
}


def test_numbers_come_as_strings(load):
    rows = load("hubspot", "deals", *deals("amount", NUMBERS))

    assert stored(rows, "amount") == list(NUMBERS.values())
    assert [rows[str(n)]["raw"]["properties"]["amount"] for n in range(6)] == list(NUMBERS)


DATES = {
    "2026-07-15T00:00:00Z": at("2026-07-15T00:00:00Z"),
    "2026-07-15T02:00:00.500+02:00": at("2026-07-15T00:00:00.500Z"),
    "2026-13-45T00:00:00Z": None,
    "1784073600000000": None,
    "next week": None,
    "": None,
}


def test_dates_that_are_none_are_null(load):
    rows = load("hubspot", "deals", *deals("closedate", DATES))

    for column in ("close_date", "updated_at"):
        assert stored(rows, column) == list(DATES.values())
    assert [rows[str(n)]["raw"]["properties"]["closedate"] for n in range(6)] == list(DATES)


SENSELESS = ["20226-07-15T00:00:00Z", "infinity", "-infinity", "now", "epoch", "yesterday"]


@pytest.mark.parametrize("given", SENSELESS)
def test_what_only_postgres_calls_a_date_is_null(load, given):
    row = load("hubspot", "deals", *deals("closedate", [given]))["0"]

    assert (row["close_date"], row["updated_at"]) == (None, None)
    assert row["raw"]["properties"]["closedate"] == given


def test_half_an_emoji_does_not_stop_a_sync(service, connected):
    """Services cut texts at a length; JSON may escape half of a surrogate pair."""
    raw = orjson.dumps(listed({**samples.CUSTOMER, "name": "CUT"}))
    service.get("/v1/customers", Answer(raw.replace(b"CUT", b"Lea \\ud83d")))
    account = connected("stripe")

    assert account.sync("customers").error is None
    assert account.rows("customers")["cus_SampleA1b2C3"]["name"].startswith("Lea ")
