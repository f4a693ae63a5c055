"""HubSpot: every request of full, incremental and selective syncs, and what the answers mean."""

import time
from types import SimpleNamespace

import pytest
from hubspot.crm.contacts import ApiClient, PublicObjectSearchRequest

from tests.contract.pages import found, page
from tests.contract.samples import ARCHIVED, COMPANY, CONTACT, DEAL, HUBSPOT_TICKET, OWNER
from tests.contract.service import Answer

OBJECTS = "/crm/v3/objects"
CRM = {"contacts": CONTACT, "companies": COMPANY, "deals": DEAL, "tickets": HUBSPOT_TICKET}
MINUTE_MS = 60_000


def numbered(record, number, **properties):
    inner = {**record["properties"], "hs_object_id": str(number), **properties}
    return {**record, "id": str(number), "properties": inner}


def condition(body, name, operator):
    filters = body["filterGroups"][0]["filters"]
    asked = [f for f in filters if (f["propertyName"], f["operator"]) == (name, operator)]
    return asked[0]["value"] if asked else None


@pytest.fixture
def account(connected):
    return connected("hubspot")


@pytest.fixture
def read_once(service, account):
    """Reads a resource in full, so that the next sync is incremental."""

    def read(resource, *records):
        path = f"{OBJECTS}/{resource}"
        service.get(path, page(*records), archived=None)
        service.get(path, page(), archived="true")
        assert account.sync(resource).error is None
        service.forget()
        return path

    return read


@pytest.mark.parametrize("resource", CRM)
def test_a_full_sync_pages_through_the_list_and_then_the_archive(service, account, resource):
    path, record = f"{OBJECTS}/{resource}", CRM[resource]
    service.get(path, page(record, after="51302"), page(numbered(record, 51302)), archived=None)
    service.get(path, page(ARCHIVED, after="51289"), page(), archived="true")

    assert account.sync(resource).error is None
    asked = [(a.method, a.params["limit"], a.params.get("after")) for a in service.asked]
    assert asked == [("GET", "100", after) for after in (None, "51302", None, "51289")]
    assert account.live(resource) == {record["id"], "51302"}
    names = set(record["properties"]) - {"createdate", "hs_object_id"}
    stamps = {"lastmodifieddate", "hs_lastmodifieddate"}
    assert all(names - stamps <= set(a.params["properties"].split(",")) for a in service.asked)
    assert "hs_merged_object_ids" in service.asked[0].params["properties"]


def test_requests_carry_the_token_and_ask_for_json(service, account, read_once):
    path = read_once("contacts")
    service.post(f"{path}/search", found())
    service.get(path, page(), archived="true")

    assert account.sync("contacts").error is None
    for asked in service.asked:
        assert asked.headers["Authorization"] == "Bearer access-1"
        assert asked.headers["Accept"] == "application/json"
    assert service.asked[0].headers["Content-Type"].startswith("application/json")


STAMPS = dict.fromkeys(CRM, "hs_lastmodifieddate") | {"contacts": "lastmodifieddate"}


@pytest.mark.parametrize(("resource", "stamp"), STAMPS.items())
def test_changes_are_searched_between_fixed_bounds_by_id(
    service, account, read_once, resource, stamp
):
    began = time.time() * 1000
    path, record = read_once(resource), CRM[resource]
    two = found(numbered(record, 9), numbered(record, 77), total=3, after="2")
    service.post(f"{path}/search", two, found(numbered(record, 80)))
    service.get(path, page(), archived="true")

    assert account.sync(resource).error is None
    first, second = (asked.json for asked in service.to(f"{path}/search"))
    assert [condition(b, "hs_object_id", "GT") for b in (first, second)] == ["0", "77"]
    since, until = (int(condition(first, stamp, op)) for op in ("GTE", "LTE"))
    assert began - 60 * MINUTE_MS < since < began - MINUTE_MS
    assert began < until <= time.time() * 1000
    for body in (first, second):
        assert body["sorts"] == [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
        assert (body["limit"], "after" in body, len(body["filterGroups"])) == (200, False, 1)
        assert [condition(body, stamp, op) for op in ("GTE", "LTE")] == [str(since), str(until)]
    assert account.live(resource) == {"9", "77", "80"}


def filtered(service, account, resource, filters):
    """The one search request of a sync with filters."""
    path = f"{OBJECTS}/{resource}"
    service.post(f"{path}/search", found())
    service.get(path, page(), archived="true")
    assert account.sync(resource, filters=filters).error is None
    return service.to(f"{path}/search")[0]


def test_the_search_body_is_one_that_the_sdk_knows(service, account):
    filters = {"lifecycle_stage": {"in": ["lead"]}, "email": "a@b.example"}
    asked = filtered(service, account, "contacts", filters)

    request = ApiClient().deserialize(SimpleNamespace(data=asked.raw), "PublicObjectSearchRequest")
    assert isinstance(request, PublicObjectSearchRequest)
    known = ApiClient().sanitize_for_serialization(request)
    assert known["filterGroups"] == asked.json["filterGroups"]
    assert condition(asked.json, "email", "EQ") == "a@b.example"


def test_a_search_has_at_most_six_conditions(service, account):
    stages = {"stage": "a", "pipeline": "b", "owner_id": "c"}
    amounts = {"amount": {"gt": 1, "lt": 9}, "currency": "EUR"}
    asked = filtered(service, account, "deals", stages | amounts)

    assert len(asked.json["filterGroups"][0]["filters"]) <= 6


def test_a_search_takes_dates_in_milliseconds(service, account):
    asked = filtered(service, account, "deals", {"close_date": {"gte": "2026-07-01T00:00:00Z"}})

    assert condition(asked.json, "closedate", "GTE") == "1782864000000"


def test_a_search_names_properties_only(service, account):
    asked = filtered(service, account, "deals", {"created_at": {"gte": "2026-07-01T00:00:00Z"}})

    names = {f["propertyName"] for f in asked.json["filterGroups"][0]["filters"]}
    assert names <= {"hs_object_id", "hs_lastmodifieddate", "createdate"}


def test_more_than_ten_thousand_rows_with_one_stamp_end(service, account, read_once):
    path = read_once("contacts")
    rows = [numbered(CONTACT, 1000 + n) for n in range(10_250)]

    def searched(asked):
        body = asked.json
        assert "after" not in body
        above = int(condition(body, "hs_object_id", "GT"))
        left = [row for row in rows if int(row["id"]) > above]
        more = "200" if len(left) > 200 else None
        return found(*left[:200], total=len(left), after=more)

    service.post(f"{path}/search", searched)
    service.get(path, page(), archived="true")

    assert account.sync("contacts").resources[0].counts.created == 10_250
    assert len(service.to(f"{path}/search")) == 52


def test_the_overlap_reaches_back_from_each_sync(service, account, read_once):
    path = read_once("deals")
    service.post(f"{path}/search", found(DEAL), found(DEAL))
    service.get(path, page(), page(), archived="true")

    assert [account.sync("deals").resources[0].counts.created for _ in range(2)] == [1, 0]
    first, second = (a.json for a in service.to(f"{path}/search"))
    stamp = "hs_lastmodifieddate"
    assert condition(first, stamp, "LTE") > condition(second, stamp, "GTE")
    assert condition(second, stamp, "GTE") > condition(first, stamp, "GTE")


def test_ids_are_read_by_the_hundred(service, account):
    ids = [str(number) for number in range(1, 131)]

    def batch(asked):
        return {"status": "COMPLETE", "results": [numbered(DEAL, **i) for i in inputs(asked)]}

    def inputs(asked):
        return [{"number": one["id"]} for one in asked.json["inputs"]]

    service.post(f"{OBJECTS}/deals/batch/read", batch)

    assert account.sync("deals", sync_type="SELECTIVE", ids=ids).error is None
    assert [len(asked.json["inputs"]) for asked in service.asked] == [100, 30]
    asked = set(service.asked[0].json["properties"])
    assert {"dealname", "amount", "hs_merged_object_ids"} <= asked
    assert account.live("deals") == set(ids)
    assert account.checkpoint("deals") is None


def test_an_id_that_a_batch_does_not_know_is_gone(service, account, read_once):
    path = read_once("deals", DEAL, numbered(DEAL, 77121))
    error = {"status": "error", "category": "OBJECT_NOT_FOUND", "context": {"ids": ["77121"]}}
    body = {"status": "COMPLETE", "results": [DEAL], "numErrors": 1, "errors": [error]}
    service.post(f"{path}/batch/read", Answer(body, 207))

    result = account.sync("deals", sync_type="SELECTIVE", ids=["77120", "77121"])
    assert (result.error, result.resources[0].counts.deleted) == (None, 1)
    assert account.live("deals") == {"77120"}
    assert account.rows("deals")["77121"]["name"] == "Fleet renewal"


def test_archived_records_become_tombstones(service, account, read_once):
    path = read_once("contacts", CONTACT, numbered(CONTACT, 51288))
    service.post(f"{path}/search", found())
    service.get(path, page(ARCHIVED), archived="true")

    assert account.sync("contacts").resources[0].counts.deleted == 1
    assert account.live("contacts") == {"51301"}
    assert account.rows("contacts")["51288"]["email"] == "mina.park@example.com"


@pytest.mark.parametrize("merged", ["51309", "51309;51310"])
def test_merged_records_become_tombstones(service, account, read_once, merged):
    losers = {"51309", "51310"}
    path = read_once("contacts", CONTACT, *(numbered(CONTACT, n) for n in losers))
    winner = numbered(CONTACT, 51301, hs_merged_object_ids=merged, firstname="Min")
    service.post(f"{path}/search", found(winner))
    service.get(path, page(), archived="true")

    assert account.sync("contacts").error is None
    assert account.live("contacts") == {"51301"} | (losers - set(merged.split(";")))
    assert account.rows("contacts")["51301"]["merged_object_ids"] == merged


def test_a_full_sync_buries_what_the_list_no_longer_shows(service, account, read_once):
    path = read_once("contacts", CONTACT, numbered(CONTACT, 51302))
    service.get(path, page(CONTACT), archived=None)
    service.get(path, page(), archived="true")

    counts = account.sync("contacts", sync_type="FULL_SYNC").resources[0].counts
    assert (counts.created, counts.unchanged, counts.deleted) == (0, 1, 1)
    assert account.live("contacts") == {"51301"}


def test_owners_are_compared_whole(service, account):
    renamed = {**OWNER, "firstName": "Samira"}
    gone = {**OWNER, "id": "4", "userId": None, "archived": True}
    service.get("/crm/v3/owners/", page(OWNER, {**OWNER, "id": "4"}), page(renamed), archived=None)
    service.get("/crm/v3/owners/", page(), page(gone), archived="true")

    assert [account.sync("owners").error for _ in range(2)] == [None, None]
    assert {asked.params["limit"] for asked in service.asked} == {"500"}
    assert account.live("owners") == {"41200987"}
    assert account.rows("owners")["41200987"]["first_name"] == "Samira"


def test_a_field_that_is_no_column_is_asked_for_by_its_own_name(service, account):
    service.get("/crm/v3/properties/deals", page({"name": "hs_forecast_amount"}))
    service.get(f"{OBJECTS}/deals", page(DEAL), page())

    assert account.sync("deals", fields=["amount", "hs_forecast_amount"]).error is None
    asked = service.to(f"{OBJECTS}/deals")[0].params["properties"].split(",")
    assert asked == ["hs_merged_object_ids", "amount", "hs_forecast_amount"]
