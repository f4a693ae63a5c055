"""HubSpot's search: operators, groups, windows, paging, its end, its lag and its limit."""

from datetime import datetime

import pytest


@pytest.fixture
def hubspot(sandbox):
    return sandbox.api("hubspot")


def searched(client, resource="contacts", **body):
    return client.post(f"/crm/v3/objects/{resource}/search", json=body)


def only(name, operator, **operand):
    return [{"filters": [{"propertyName": name, "operator": operator, **operand}]}]


def milliseconds(text):
    return str(round(datetime.fromisoformat(text).timestamp() * 1000))


SAMPLE = {"email": "Mina.Test@example.com", "city": "Oslo", "jobtitle": None, "phone": "007"}


@pytest.mark.parametrize(
    ("name", "operator", "operand", "found"),
    [
        ("email", "EQ", {"value": "mina.test@example.com"}, True),
        ("email", "NEQ", {"value": "mina.test@example.com"}, False),
        ("email", "IN", {"values": ["x", "mina.test@example.com"]}, True),
        ("email", "NOT_IN", {"values": ["mina.test@example.com"]}, False),
        ("email", "CONTAINS_TOKEN", {"value": "mina"}, True),
        ("email", "CONTAINS_TOKEN", {"value": "exam*"}, True),
        ("email", "CONTAINS_TOKEN", {"value": "exam"}, False),
        ("email", "NOT_CONTAINS_TOKEN", {"value": "mina"}, False),
        ("jobtitle", "HAS_PROPERTY", {}, False),
        ("jobtitle", "NOT_HAS_PROPERTY", {}, True),
        ("hs_object_id", "BETWEEN", {"value": "0", "highValue": "99999999"}, True),
        ("hs_object_id", "GT", {"value": "99999999"}, False),
        ("hs_object_id", "LT", {"value": "99999999"}, True),
        ("createdate", "GTE", {"value": "4102444800000"}, False),
        ("createdate", "LTE", {"value": "4102444800000"}, True),
    ],
)
def test_search_operators(sandbox, hubspot, name, operator, operand, found):
    contact = sandbox.create("hubspot", "contacts", SAMPLE)
    rows = searched(hubspot, filterGroups=only(name, operator, **operand), limit=200).json()

    assert (contact["id"] in [row["id"] for row in rows["results"]]) is found
    assert rows["total"] == len(rows["results"])


def test_search_groups_are_alternatives_and_filters_conditions(sandbox, hubspot):
    first, second, *_ = sandbox.records("hubspot", "contacts")
    first_id = {"propertyName": "hs_object_id", "operator": "EQ", "value": first["id"]}
    second_id = {"propertyName": "hs_object_id", "operator": "EQ", "value": second["id"]}

    either = searched(hubspot, filterGroups=[{"filters": [first_id]}, {"filters": [second_id]}])
    both = searched(hubspot, filterGroups=[{"filters": [first_id, second_id]}])
    assert [row["id"] for row in either.json()["results"]] == [first["id"], second["id"]]
    assert both.json() == {"total": 0, "results": []}


def test_search_window_over_the_update_stamp(sandbox, hubspot):
    rows = sandbox.records("hubspot", "companies")
    stamps = sorted(row["updatedAt"] for row in rows)
    low, high = stamps[3], stamps[9]
    window = {"value": milliseconds(low), "highValue": milliseconds(high)}
    groups = only("hs_lastmodifieddate", "BETWEEN", **window)
    found = searched(hubspot, "companies", filterGroups=groups, limit=200).json()

    assert {r["id"] for r in found["results"]} == {
        r["id"] for r in rows if low <= r["updatedAt"] <= high
    }


def test_search_pages_and_sorts(sandbox, hubspot):
    sort = [{"propertyName": "hs_object_id", "direction": "DESCENDING"}]
    first = searched(hubspot, sorts=sort, limit=25).json()
    second = searched(hubspot, sorts=sort, limit=25, after=first["paging"]["next"]["after"]).json()
    ids = [int(row["id"]) for row in first["results"] + second["results"]]

    assert first["total"] == sandbox.counts("hubspot")["contacts"]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 50


@pytest.mark.parametrize(
    "body",
    [
        {"after": "10001"},
        {"limit": 201},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": only("email", "HAS_PROPERTY") * 1 + [{"filters": [{}] * 7}]},
        {"filterGroups": only("nonsense", "HAS_PROPERTY")},
        {"filterGroups": only("email", "LIKE", value="x")},
        {"filterGroups": only("email", "EQ")},
        {"filterGroups": only("createdate", "GTE", value="2026-01-01T00:00:00Z")},
        {"sorts": ["email", "city"]},
        {"query": "x" * 3001},
        {"filterGroups": "email"},
        {"filterGroups": [{"filters": ["email"]}]},
        {"sorts": [5]},
    ],
)
def test_search_refuses(hubspot, body):
    answer = searched(hubspot, **body)

    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"


def test_search_ends_at_ten_thousand_results(start):
    client = start(records=10_020).api("hubspot")
    last = searched(client, after="9900", limit=200).json()
    beyond = searched(client, after="10000", limit=200).json()

    assert last["total"] == 10_020
    assert len(last["results"]) == 100
    assert beyond["results"] == []


def test_search_never_shows_archived_rows_or_associations(hubspot):
    archived = hubspot.get("/crm/v3/objects/contacts?archived=true&limit=1").json()["results"][0]
    groups = only("hs_object_id", "EQ", value=archived["id"])

    assert searched(hubspot, filterGroups=groups).json()["total"] == 0
    assert "associations" not in searched(hubspot, limit=1).json()["results"][0]


def test_search_lags_behind_changes(sandbox, hubspot, clock):
    sandbox.http.post("/sandbox/settings", json={"hubspot_search_lag_seconds": 60})
    contact = sandbox.records("hubspot", "contacts")[0]
    sandbox.change("hubspot", "contacts", contact["id"], {"city": "Atlantis"})
    new = sandbox.create("hubspot", "contacts", {"city": "Atlantis"})
    groups = only("city", "EQ", value="atlantis")

    assert searched(hubspot, filterGroups=groups).json()["total"] == 0
    assert hubspot.get(f"/crm/v3/objects/contacts/{new['id']}").status_code == 200
    clock.advance(61)
    assert searched(hubspot, filterGroups=groups).json()["total"] == 2


def test_search_limit_is_its_own_and_says_nothing(hubspot, clock):
    clock.freeze()
    answers = [searched(hubspot, limit=1) for _ in range(6)]

    assert answers[-1].status_code == 429
    assert answers[-1].json()["policyName"] == "SECONDLY"
    assert not any("ratelimit" in name for answer in answers for name in answer.headers)
    clock.advance(1)
    assert searched(hubspot, limit=1).status_code == 200
