"""Filters in each service's own words: what is asked, and that nothing wanted is left out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from integrations_pipeline.connectors.narrowing import FilterParam, bounds, equals, outward
from tests.contract.pages import API, exported, found, listed, page, rated
from tests.contract.samples import CUSTOMER, DEAL, ORGANIZATION, RATING, TICKET, USER

AT = "2026-05-02T10:38:52Z"
SECONDS = 1777718332
HALF = "2026-05-02T10:38:52.500Z"

STRIPE_ASKED = [
    ("customers", {"email": "lea.moreau@example.com"}, {"email": "lea.moreau@example.com"}),
    ("customers", {"email": {"ne": "x"}}, {}),
    ("customers", {"name": "Lea Moreau"}, {}),
    ("customers", {"created_at": {"gte": AT}}, {"created[gte]": f"{SECONDS}"}),
    ("customers", {"created_at": {"gt": HALF}}, {"created[gt]": f"{SECONDS}"}),
    ("customers", {"created_at": {"lt": HALF}}, {"created[lt]": f"{SECONDS + 1}"}),
    ("customers", {"created_at": {"lte": AT}}, {"created[lte]": f"{SECONDS}"}),
    ("customers", {"created_at": AT}, {"created": f"{SECONDS}"}),
    ("customers", {"created_at": HALF}, {}),
    ("products", {"active": True}, {"active": "true"}),
    ("subscriptions", {"status": "active"}, {"status": "active"}),
    ("subscriptions", {"status": {"in": ["active"]}}, {"status": "all"}),
    ("subscriptions", {"customer_id": "cus_1"}, {"status": "all", "customer": "cus_1"}),
    (
        "invoices",
        {"customer_id": "cus_1", "status": "paid"},
        {"customer": "cus_1", "status": "paid"},
    ),
    ("invoices", {"subscription_id": "sub_1"}, {"subscription": "sub_1"}),
    ("invoices", {"due_date": {"lt": AT}}, {"due_date[lt]": f"{SECONDS}"}),
    ("payment_intents", {"customer_id": "cus_1"}, {"customer": "cus_1"}),
]


@pytest.mark.parametrize(("resource", "filters", "params"), STRIPE_ASKED)
def test_stripe_lists_take_filters_as_parameters(service, connected, resource, filters, params):
    service.get(f"/v1/{resource}", listed())

    assert connected("stripe").sync(resource, filters=filters).error is None
    assert service.asked[0].params == {"limit": "100", **params}


HUBSPOT_ASKED = [
    ({"stage": "won"}, [("dealstage", "EQ", "won")]),
    ({"amount": {"gte": 5}}, [("amount", "GTE", "5")]),
    ({"created_at": {"gte": AT}}, [("createdate", "GTE", f"{SECONDS}000")]),
    ({"created_at": {"lt": "2026-05-02T10:38:52.0005Z"}}, [("createdate", "LT", f"{SECONDS}001")]),
    ({"is_closed_won": True}, [("hs_is_closed_won", "EQ", "true")]),
]


@pytest.mark.parametrize(("filters", "conditions"), HUBSPOT_ASKED)
def test_hubspot_searches_by_what_means_the_same_there(service, connected, filters, conditions):
    path = "/crm/v3/objects/deals"
    service.post(f"{path}/search", found())
    service.get(path, page(), archived="true")

    assert connected("hubspot").sync("deals", filters=filters).error is None
    body = service.to(f"{path}/search")[0].json
    asked = [
        (f["propertyName"], f["operator"], f["value"]) for f in body["filterGroups"][0]["filters"]
    ]
    assert [
        one for one in asked if one[0] not in ("hs_lastmodifieddate", "hs_object_id")
    ] == conditions


@pytest.mark.parametrize("filters", [{"stage": {"ne": "lost"}}, {"stage": {"gt": "a"}}])
def test_hubspot_is_not_asked_where_its_search_would_leave_more_out(service, connected, filters):
    path = "/crm/v3/objects/deals"
    missing = {**DEAL, "id": "2", "properties": {**DEAL["properties"], "dealstage": None}}
    service.get(path, page(DEAL, missing), archived=None)
    service.get(path, page(), archived="true")
    account = connected("hubspot")

    assert account.sync("deals", filters=filters).error is None
    assert account.live("deals") == ({"77120", "2"} if "ne" in filters["stage"] else {"77120"})


ZENDESK_SINCE = [
    ({"updated_at": {"gte": AT}}, f"{SECONDS}"),
    ({"created_at": {"gt": HALF}}, f"{SECONDS}"),
    ({"created_at": {"gte": "2026-01-01T00:00:00Z"}, "updated_at": {"gte": AT}}, f"{SECONDS}"),
    ({"updated_at": {"lt": AT}}, "0"),
    ({"status": "open"}, "0"),
]


@pytest.mark.parametrize(("filters", "start"), ZENDESK_SINCE)
def test_zendesk_exports_begin_where_the_filters_let_them(service, connected, filters, start):
    path = f"{API}/incremental/tickets/cursor"
    service.get(path, exported("tickets", TICKET))

    assert connected("zendesk").sync("tickets", filters=filters).error is None
    assert service.asked[0].params["start_time"] == start


def test_zendesk_exports_never_begin_in_the_last_minutes(service, connected):
    service.get(f"{API}/incremental/users/cursor", exported("users", USER))
    late = datetime.now(UTC).isoformat()

    account = connected("zendesk")
    assert account.sync("users", filters={"updated_at": {"gte": late}}).error is None
    asked = int(service.asked[0].params["start_time"])
    assert asked < (datetime.now(UTC) - timedelta(minutes=2)).timestamp()
    assert account.live("users") == set()


RATED = [
    ({"created_at": {"gte": AT}}, {"start_time": f"{SECONDS}"}),
    ({"updated_at": {"lt": HALF}}, {"end_time": f"{SECONDS + 1}"}),
    ({"updated_at": {"gte": AT}}, {}),
    ({"created_at": {"lt": AT}}, {}),
]


@pytest.mark.parametrize(("filters", "params"), RATED)
def test_ratings_take_the_bounds_that_hold_either_way(service, connected, filters, params):
    service.get(f"{API}/satisfaction_ratings", rated(RATING))

    assert connected("zendesk").sync("satisfaction_ratings", filters=filters).error is None
    always = {"page[size]": "100", "score": "received"}
    assert service.asked[0].params == {**always, **params}


def test_a_metric_may_be_older_than_its_ticket_and_takes_no_bound(service, connected):
    service.get(f"{API}/incremental/tickets/cursor", exported("tickets"))

    filters = {"updated_at": {"gte": AT}}
    assert connected("zendesk").sync("ticket_metrics", filters=filters).error is None
    assert service.asked[0].params["start_time"] == "0"


IDS = [
    ("hubspot", "deals", DEAL, "77120", "name", {"amount": {"gt": 1}}),
    ("stripe", "customers", CUSTOMER, "cus_SampleA1b2C3", "email", {"currency": "eur"}),
    ("zendesk", "organizations", ORGANIZATION, "509974001", "name", {"name": "Harbor Bikes"}),
]


@pytest.mark.parametrize(("name", "resource", "record", "key", "field", "filters"), IDS)
def test_ids_fields_and_filters_narrow_together(
    service, connected, name, resource, record, key, field, filters
):
    if name == "hubspot":
        service.post(
            "/crm/v3/objects/deals/batch/read", {"status": "COMPLETE", "results": [record]}
        )
    elif name == "stripe":
        service.get(f"/v1/customers/{key}", record)
    else:
        service.get(f"{API}/organizations/show_many", {"organizations": [record]})
    account = connected(name)

    result = account.sync(
        resource, sync_type="SELECTIVE", ids=[key], fields=[field], filters=filters
    )

    assert result.error is None
    row = account.rows(resource)[key]
    assert row[field]
    if name == "hubspot":
        asked = service.asked[0].json
        assert set(asked["properties"]) == {"dealname", "amount", "hs_merged_object_ids"}
    else:
        kept = {"id", "email", "name", "updated_at"}
        assert set(row["raw"]) <= kept


@pytest.mark.parametrize(
    ("operator", "exact", "whole"),
    [("gte", 1.5, 1), ("gt", 1.5, 1), ("lt", 1.5, 2), ("lte", 1.5, 2), ("lt", 2.0, 2)],
)
def test_bounds_are_rounded_outward(operator, exact, whole):
    assert outward(operator, exact) == whole


def test_parameters_say_values_as_the_service_writes_them():
    moment = datetime(2026, 5, 2, 10, 38, 52, tzinfo=UTC)

    assert equals("active").asked("eq", value=False) == {"active": "false"}
    assert equals("amount").asked("eq", Decimal("1.50")) == {"amount": "1.50"}
    assert equals("at").asked("eq", moment) == {"at": "2026-05-02T10:38:52+00:00"}
    assert equals("at").asked("gt", moment) == {}
    assert bounds("at").asked("in", [moment]) == {}
    assert FilterParam({"gte": "since"}).asked("gte", moment) == {
        "since": "2026-05-02T10:38:52+00:00"
    }
