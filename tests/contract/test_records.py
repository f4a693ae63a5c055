"""What becomes of each service's records: typed columns, and odd values that stop no sync."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from integrations_pipeline.connectors import CONNECTORS
from tests.contract import samples

SAMPLES = {
    ("hubspot", "contacts"): samples.CONTACT,
    ("hubspot", "companies"): samples.COMPANY,
    ("hubspot", "deals"): samples.DEAL,
    ("hubspot", "tickets"): samples.HUBSPOT_TICKET,
    ("hubspot", "owners"): samples.OWNER,
    ("stripe", "customers"): samples.CUSTOMER,
    ("stripe", "invoices"): samples.INVOICE,
    ("stripe", "subscriptions"): samples.SUBSCRIPTION,
    ("stripe", "payment_intents"): samples.PAYMENT_INTENT,
    ("stripe", "products"): samples.PRODUCT,
    ("zendesk", "tickets"): samples.TICKET,
    ("zendesk", "users"): samples.USER,
    ("zendesk", "organizations"): samples.ORGANIZATION,
    ("zendesk", "ticket_metrics"): samples.METRIC_SET,
    ("zendesk", "satisfaction_ratings"): samples.RATING,
}
ALL = pytest.mark.parametrize(("name", "resource"), SAMPLES, ids=lambda v: v)


def at(text):
    return datetime.fromisoformat(text)


def unix(seconds):
    return datetime.fromtimestamp(seconds, UTC)


COLUMNS = {
    ("hubspot", "contacts"): {
        "email": "mina.park@example.com",
        "first_name": "Mina",
        "last_name": None,
        "created_at": at("2026-02-11T08:20:31.114Z"),
        "source_updated_at": at("2026-06-02T14:05:09.870Z"),
    },
    ("hubspot", "companies"): {
        "name": "Harbor Bikes",
        "domain": "harborbikes.example",
        "industry": "RETAIL",
        "city": None,
    },
    ("hubspot", "deals"): {
        "name": "Fleet renewal",
        "amount": Decimal("12500.00"),
        "stage": "contractsent",
        "close_date": at("2026-07-15T00:00:00Z"),
        "owner_id": "41200987",
    },
    ("hubspot", "tickets"): {"subject": "Wheel wobbles", "pipeline": "0", "priority": "HIGH"},
    ("hubspot", "owners"): {
        "email": "sam@example.com",
        "user_id": 7301155,
        "teams": [{"id": "178", "name": "East", "primary": True}],
    },
    ("stripe", "customers"): {
        "email": "lea.moreau@example.com",
        "currency": "eur",
        "balance": 0,
        "delinquent": False,
        "livemode": False,
        "metadata": {"crm_id": "7"},
        "created_at": unix(1777601520),
    },
    ("stripe", "invoices"): {
        "number": "9F0A11C2-0001",
        "subscription_id": "sub_1SampleQ",
        "total": 4900,
        "amount_remaining": 0,
    },
    ("stripe", "subscriptions"): {
        "customer_id": "cus_SampleA1b2C3",
        "status": "active",
        "current_period_start": unix(1777600000),
        "current_period_end": unix(1780278400),
        "latest_invoice_id": "in_1SampleQ",
    },
    ("stripe", "payment_intents"): {"amount": 4900, "latest_charge_id": "ch_3SampleXyz"},
    ("stripe", "products"): {
        "active": True,
        "default_price_id": "price_1SampleQ",
        "updated_at": unix(1777590000),
        "source_updated_at": unix(1777590000),
    },
    ("zendesk", "tickets"): {
        "subject": "Order did not arrive",
        "requester_id": "20978392011",
        "channel": "email",
        "tags": ["shipping"],
        "custom_fields": [{"id": 27642, "value": "745"}],
        "source_updated_at": unix(1777718332),
    },
    ("zendesk", "users"): {
        "role": "end-user",
        "suspended": False,
        "phone": None,
        "user_fields": {"tier": "gold"},
        "created_at": at("2025-11-03T09:12:00Z"),
    },
    ("zendesk", "organizations"): {
        "domain_names": ["harborbikes.example"],
        "group_id": None,
        "organization_fields": {"region": "north"},
    },
    ("zendesk", "ticket_metrics"): {
        "metric_id": "9901001",
        "replies": 2,
        "reopens": 0,
        "reply_time_minutes": 41,
        "reply_time_business_minutes": 12,
        "first_resolution_minutes": None,
        "requester_wait_minutes": 1980,
        "solved_at": None,
    },
    ("zendesk", "satisfaction_ratings"): {
        "ticket_id": "35436",
        "score": "good",
        "comment": "Quick help",
        "reason": None,
    },
}


def key_at(resource):
    return "ticket_id" if resource == "ticket_metrics" else "id"


def empty(record, key):
    """The record with nothing but nulls, save for its key."""
    inner = {"properties": dict.fromkeys(record["properties"])} if "properties" in record else {}
    return {**dict.fromkeys(record), **inner, key: record[key]}


@ALL
def test_the_samples_become_typed_columns(load, name, resource):
    record, wanted = SAMPLES[name, resource], COLUMNS[name, resource]
    row = load(name, resource, record)[str(record[key_at(resource)])]

    assert {column: row[column] for column in wanted} == wanted
    assert row["raw"] == record


HUGE = {"hubspot": "9" * 18, "stripe": "x" * 255, "zendesk": 2**63 - 1}


@ALL
def test_odd_records_are_stored_as_they_came(load, name, resource):
    key, sample = key_at(resource), SAMPLES[name, resource]
    huge = {**sample, key: HUGE[name]}
    unknown = {**sample, key: "1", "brand_new": {"deep": [1, None, {"x": 0.25}]}}
    records = [huge, unknown, empty({**sample, key: "2"}, key), {key: "3"}]
    rows = load(name, resource, *records)

    assert {k: row["raw"] for k, row in rows.items()} == {str(r[key]): r for r in records}
    columns = {c.name for c in CONNECTORS[name].resource(resource).columns} - {key}
    assert {rows[k][column] for k in "23" for column in columns} == {None}


EMPTY = [
    ("hubspot", "contacts"),
    ("stripe", "customers"),
    ("zendesk", "users"),
    ("zendesk", "organizations"),
    ("zendesk", "satisfaction_ratings"),
]


@pytest.mark.parametrize(("name", "resource"), EMPTY)
def test_no_records_are_no_error(load, name, resource):
    assert load(name, resource) == {}


MOVED = [
    ("invoices", {**samples.INVOICE, "parent": None, "subscription": "sub_old"}, "sub_old"),
    ("invoices", {**samples.INVOICE, "subscription": None}, "sub_1SampleQ"),
    ("invoices", {**samples.INVOICE, "parent": {"type": "quote_details"}}, None),
    ("subscriptions", {**samples.SUBSCRIPTION, "items": None, "current_period_end": 5}, unix(5)),
    ("subscriptions", {**samples.SUBSCRIPTION, "current_period_end": None}, unix(1780278400)),
]


@pytest.mark.parametrize(("resource", "record", "stored"), MOVED)
def test_fields_are_found_where_they_were_and_where_they_moved(load, resource, record, stored):
    column = {"invoices": "subscription_id", "subscriptions": "current_period_end"}[resource]

    assert load("stripe", resource, record)[record["id"]][column] == stored


AMOUNTS = [("jpy", 4900), ("kwd", 12345), ("usd", 2**53 + 1)]


@pytest.mark.parametrize(("currency", "amount"), AMOUNTS)
def test_amounts_stay_in_minor_units(load, currency, amount):
    record = {**samples.PAYMENT_INTENT, "currency": currency, "amount": amount}
    row = load("stripe", "payment_intents", record)[record["id"]]

    assert (row["amount"], row["raw"]["amount"]) == (amount, amount)


def test_an_archived_owner_has_its_user_in_another_field(load):
    owner = {**samples.OWNER, "userId": None, "userIdIncludingInactive": 7301155}

    assert load("hubspot", "owners", owner)["41200987"]["user_id"] == 7301155
