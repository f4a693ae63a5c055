"""Stripe: every request of full, incremental and selective syncs, and what the answers mean."""

import time
import typing
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from stripe.params import WebhookEndpointCreateParams

from integrations_pipeline.connectors.stripe import STRIPE
from tests.contract.pages import listed
from tests.contract.samples import (
    CUSTOMER,
    EVENT,
    INVOICE,
    ITEM,
    PAYMENT_INTENT,
    PRODUCT,
    SUBSCRIPTION,
)
from tests.contract.service import Answer

SAMPLES = {
    "customers": CUSTOMER,
    "invoices": INVOICE,
    "subscriptions": SUBSCRIPTION,
    "payment_intents": PAYMENT_INTENT,
    "products": PRODUCT,
}
GONE = Answer(
    {
        "error": {
            "type": "invalid_request_error",
            "code": "resource_missing",
            "param": "id",
            "message": "No such object",
        }
    },
    404,
)


def named(record, key, **changes):
    return {**record, "id": key, **changes}


def event(key, record, kind="customer.updated", created=1777601650):
    return {**EVENT, "id": key, "type": kind, "created": created, "data": {"object": record}}


@pytest.fixture
def account(connected):
    return connected("stripe")


@pytest.fixture
def read_once(service, account):
    """Reads a resource in full, so that the next sync is incremental."""

    def read(resource, *records):
        service.get(f"/v1/{resource}", listed(*records))
        assert account.sync(resource).error is None
        service.forget()

    return read


@pytest.mark.parametrize("resource", SAMPLES)
def test_a_full_sync_pages_by_the_last_id(service, account, resource):
    one, path = SAMPLES[resource], f"/v1/{resource}"
    more = {} if resource != "subscriptions" else {"status": "all"}
    service.get(path, listed(named(one, "x_3"), named(one, "x_2"), more=True), listed(one))

    assert account.sync(resource).error is None
    assert [asked.params for asked in service.asked] == [
        {"limit": "100", **more},
        {"limit": "100", "starting_after": "x_2", **more},
    ]
    assert account.live(resource) == {"x_3", "x_2", one["id"]}
    for asked in service.asked:
        assert asked.headers["Stripe-Version"] == "2026-10-28.endive" == stripe.api_version
        assert asked.headers["Authorization"] == "Bearer access-1"
        assert asked.headers["Accept"] == "application/json"


@pytest.mark.parametrize("resource", SAMPLES)
def test_changes_come_from_the_event_log(service, account, read_once, resource):
    began, one = int(time.time()), SAMPLES[resource]
    read_once(resource, one)
    service.get("/v1/events", listed(event("evt_1", one)))
    service.get(f"/v1/{resource}/{one['id']}", named(one, one["id"], metadata={"new": "yes"}))

    assert account.sync(resource).error is None
    asked = service.to("/v1/events")[0]
    declared = STRIPE.resource(resource).changes.types
    assert sorted(asked.query["types[]"]) == sorted(declared)
    assert began - 3600 < int(asked.params["created[gte]"]) < began - 60
    assert set(asked.params) == {"types[]", "created[gte]", "limit"}
    assert asked.params["limit"] == "100"
    assert account.rows(resource)[one["id"]]["metadata"] == {"new": "yes"}


KNOWN = typing.get_args(
    typing.get_args(WebhookEndpointCreateParams.__annotations__["enabled_events"])[0]
)
PREFIX = {"subscriptions": "customer.subscription"}


@pytest.mark.parametrize("resource", SAMPLES)
def test_event_types_are_stripes_and_complete(resource):
    prefix = PREFIX.get(resource, resource.removesuffix("s"))
    types = set(STRIPE.resource(resource).changes.types)
    all_of_it = {t for t in KNOWN if t.rpartition(".")[0] == prefix} - {"invoice.upcoming"}

    assert len(types) <= 20
    assert types == all_of_it


def test_an_object_is_read_again_once_however_many_events_name_it(service, account, read_once):
    read_once("customers")
    newest = [event(f"evt_{n}", CUSTOMER, created=1777601700 - n) for n in range(3)]
    older = event("evt_9", named(CUSTOMER, "cus_2"))
    service.get("/v1/events", listed(*newest, more=True), listed(older))
    service.get("/v1/customers/cus_SampleA1b2C3", CUSTOMER)
    service.get("/v1/customers/cus_2", named(CUSTOMER, "cus_2"))

    assert account.sync("customers").resources[0].counts.created == 2
    first, second = service.to("/v1/events")
    assert second.params.pop("starting_after") == "evt_2"
    assert {**second.query, "starting_after": None} == {**first.query, "starting_after": None}


def test_events_met_again_in_the_overlap_are_not_followed_twice(service, account, read_once):
    read_once("customers")
    now = int(time.time())
    known = event("evt_1", CUSTOMER, created=now)
    fresh = event("evt_2", named(CUSTOMER, "cus_2"), created=now)
    service.get("/v1/events", listed(known), listed(fresh, known))
    service.get("/v1/customers/cus_SampleA1b2C3", CUSTOMER)
    service.get("/v1/customers/cus_2", named(CUSTOMER, "cus_2"))

    assert [account.sync("customers").error for _ in range(2)] == [None, None]
    assert len(service.to("/v1/customers/cus_SampleA1b2C3")) == 1


DELETED = {"id": CUSTOMER["id"], "object": "customer", "deleted": True}


@pytest.mark.parametrize("answer", [Answer(DELETED), GONE], ids=["deleted", "missing"])
def test_what_cannot_be_read_again_is_gone(service, account, read_once, answer):
    read_once("customers", CUSTOMER, named(CUSTOMER, "cus_2"))
    service.get("/v1/events", listed(event("evt_1", CUSTOMER, "customer.deleted")))
    service.get("/v1/customers/cus_SampleA1b2C3", answer)

    assert account.sync("customers").resources[0].counts.deleted == 1
    assert account.live("customers") == {"cus_2"}
    assert account.rows("customers")["cus_SampleA1b2C3"]["email"] == "lea.moreau@example.com"


def test_a_canceled_subscription_stays(service, account, read_once):
    read_once("subscriptions", SUBSCRIPTION)
    ended = named(SUBSCRIPTION, "sub_1SampleQ", status="canceled", canceled_at=1777700000)
    gone = event("evt_1", ended, "customer.subscription.deleted")
    service.get("/v1/events", listed(gone))
    service.get("/v1/subscriptions/sub_1SampleQ", ended)

    assert account.sync("subscriptions").error is None
    row = account.rows("subscriptions")["sub_1SampleQ"]
    assert (row["status"], row["deleted_at"]) == ("canceled", None)
    assert row["canceled_at"] == datetime.fromtimestamp(1777700000, UTC)


def test_the_event_is_only_a_hint(service, account, read_once):
    read_once("customers")
    service.get("/v1/events", listed(EVENT))
    service.get("/v1/customers/cus_SampleA1b2C3", CUSTOMER)

    assert account.sync("customers").error is None
    assert account.rows("customers")["cus_SampleA1b2C3"]["email"] == "lea.moreau@example.com"


@pytest.mark.parametrize(("days", "path"), [(29, "/v1/events"), (31, "/v1/customers")])
def test_events_older_than_thirty_days_are_forgotten(service, account, days, path):
    since = datetime.now(UTC) - timedelta(days=days)
    account.remember("customers", {"since": since.isoformat(), "recent": []})
    service.get(path, listed())

    result = account.sync("customers", sync_type="INCREMENTAL")
    assert result.error is None
    told = [line for line in account.log(result) if line.startswith("WARNING")]
    assert len(told) == (days > 30)
    assert all("Reading everything" in line for line in told)


def test_lines_beyond_the_first_are_fetched(service, account):
    lines = [{"id": f"il_{n}", "amount": n} for n in range(13)]
    url = "/v1/invoices/in_1SampleQ/lines"
    short = {**INVOICE, "lines": listed(*lines[:10], more=True, url=url)}
    service.get("/v1/invoices", listed(short))
    service.get(url, listed(*lines[10:12], more=True, url=url), listed(lines[12], url=url))

    assert account.sync("invoices").error is None
    asked = [(a.params["limit"], a.params["starting_after"]) for a in service.to(url)]
    assert asked == [("100", "il_9"), ("100", "il_11")]
    kept = account.rows("invoices")["in_1SampleQ"]["raw"]["lines"]
    assert (kept["data"], kept["has_more"]) == (lines, False)


def test_items_of_a_subscription_are_fetched_by_the_address_it_names(service, account, read_once):
    read_once("subscriptions")
    inner = {**SUBSCRIPTION["items"], "has_more": True}
    service.get("/v1/events", listed(event("evt_1", SUBSCRIPTION, "customer.subscription.updated")))
    service.get("/v1/subscriptions/sub_1SampleQ", {**SUBSCRIPTION, "items": inner})
    service.get("/v1/subscription_items", listed({**ITEM, "id": "si_2"}))

    assert account.sync("subscriptions").error is None
    asked = service.to("/v1/subscription_items")[0].params
    wanted = {"subscription": "sub_1SampleQ", "starting_after": "si_SampleQ", "limit": "100"}
    assert asked == wanted
    kept = account.rows("subscriptions")["sub_1SampleQ"]["raw"]["items"]["data"]
    assert [item["id"] for item in kept] == ["si_SampleQ", "si_2"]


def test_ids_are_read_one_by_one(service, account, read_once):
    read_once("products", PRODUCT, named(PRODUCT, "prod_2"))
    before = account.checkpoint("products").cursor
    service.get("/v1/products/prod_SampleQ", named(PRODUCT, "prod_SampleQ", name="Renamed"))
    service.get("/v1/products/prod_2", GONE)

    result = account.sync("products", sync_type="SELECTIVE", ids=["prod_SampleQ", "prod_2"])
    assert result.error is None
    assert account.live("products") == {"prod_SampleQ"}
    assert account.checkpoint("products").cursor == before


def test_an_id_that_the_merchant_chose_can_be_read(service, account, read_once):
    """Ids of products are the merchant's own text, dots included."""
    read_once("products")
    service.get("/v1/events", listed(event("evt_1", {"id": "com.example.team"}, "product.updated")))
    service.get("/v1/products/com.example.team", named(PRODUCT, "com.example.team"))

    assert account.sync("products").error is None
    assert account.live("products") == {"com.example.team"}


FILTERS = [
    ("customers", {"email": "lea.moreau@example.com"}, {"email": "lea.moreau@example.com"}),
    ("invoices", {"status": "paid"}, {"status": "paid"}),
    ("products", {"active": True}, {"active": "true"}),
    ("products", {"name": "Team plan"}, {}),
]


@pytest.mark.parametrize(("resource", "filters", "sent"), FILTERS)
def test_filters_that_the_list_knows_are_sent(service, account, resource, filters, sent):
    service.get(f"/v1/{resource}", listed(SAMPLES[resource]))

    assert account.sync(resource, filters=filters).resources[0].counts.created == 1
    assert service.asked[0].params == {"limit": "100", **sent}


def test_an_event_without_an_id_is_passed_over(service, account, read_once):
    read_once("invoices")
    service.get("/v1/events", listed(event("evt_1", {"object": "invoice"}, "invoice.will_be_due")))

    assert account.sync("invoices").error is None
