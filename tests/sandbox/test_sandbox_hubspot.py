"""HubSpot's lists, batches, associations, archive and limits."""

import pytest

TYPES = ("contacts", "companies", "deals", "tickets")


@pytest.fixture
def hubspot(sandbox):
    return sandbox.api("hubspot")


def walk(client, path, **params):
    """All rows of a list, page by page."""
    rows = []
    while True:
        page = client.get(path, params=params).json()
        rows += page["results"]
        if "paging" not in page:
            return rows
        params["after"] = page["paging"]["next"]["after"]


@pytest.mark.parametrize("resource", TYPES)
def test_paging_to_the_end_gives_the_counted_rows(sandbox, hubspot, resource):
    rows = walk(hubspot, f"/crm/v3/objects/{resource}", limit=7)

    assert len({row["id"] for row in rows}) == len(rows) == sandbox.counts("hubspot")[resource]
    assert [int(row["id"]) for row in rows] == sorted(int(row["id"]) for row in rows)


def test_owners_have_their_own_form(sandbox, hubspot):
    live = walk(hubspot, "/crm/v3/owners/", limit=5)
    archived = walk(hubspot, "/crm/v3/owners/", archived="true")

    assert len(live) == sandbox.counts("hubspot")["owners"] == 12
    assert len(archived) == 3
    assert all(owner["userId"] is None for owner in archived)
    assert all(owner["userIdIncludingInactive"] for owner in archived)
    assert walk(hubspot, "/crm/v3/owners", email=live[3]["email"]) == [live[3]]


def test_archived_rows_come_only_when_asked_for(hubspot):
    archived = walk(hubspot, "/crm/v3/objects/contacts", archived="true")
    live = walk(hubspot, "/crm/v3/objects/contacts", limit=100)

    assert len(archived) == 15
    assert all(row["archivedAt"] for row in archived)
    assert not {row["id"] for row in archived} & {row["id"] for row in live}


def test_next_link_can_be_followed_as_it_is(sandbox, hubspot):
    first = hubspot.get("/crm/v3/objects/contacts?limit=2&properties=email,city").json()
    second = hubspot.get(first["paging"]["next"]["link"]).json()

    assert first["paging"]["next"]["link"].startswith(f"{sandbox.url}/hubspot/crm/v3/objects/")
    assert "city" in second["results"][0]["properties"]
    assert second["results"][0]["id"] == first["paging"]["next"]["after"]


def test_default_properties_and_asked_ones(hubspot):
    plain = hubspot.get("/crm/v3/objects/contacts?limit=1").json()["results"][0]
    asked = hubspot.get("/crm/v3/objects/contacts?limit=1&properties=phone,nonsense").json()

    assert set(plain["properties"]) == {
        "createdate",
        "email",
        "firstname",
        "hs_object_id",
        "lastmodifieddate",
        "lastname",
    }
    assert set(asked["results"][0]["properties"]) == {
        "createdate",
        "hs_object_id",
        "lastmodifieddate",
        "phone",
    }


def test_values_are_text_or_null(sandbox):
    values = [v for r in sandbox.records("hubspot", "deals") for v in r["properties"].values()]

    assert all(value is None or isinstance(value, str) for value in values)
    assert None in values


@pytest.mark.parametrize("query", ["limit=101", "limit=0", "limit=x", "after=x"])
def test_bad_list_parameters(hubspot, query):
    answer = hubspot.get(f"/crm/v3/objects/contacts?{query}")

    assert answer.status_code == 400
    assert answer.json()["category"] == "VALIDATION_ERROR"
    assert answer.json()["correlationId"]


def test_too_many_properties_for_an_address(hubspot):
    names = ",".join(f"property_number_{number}" for number in range(500))

    assert hubspot.get("/crm/v3/objects/contacts", params={"properties": names}).status_code == 414


def test_associations_run_both_ways(hubspot):
    path = "/crm/v3/objects/contacts?limit=1&associations=companies,deals"
    contact = hubspot.get(path).json()["results"][0]
    link = contact["associations"]["companies"]["results"][0]
    company = hubspot.get(f"/crm/v3/objects/companies/{link['id']}?associations=contacts").json()

    assert link["type"] == "contact_to_company"
    back = [row["id"] for row in company["associations"]["contacts"]["results"]]
    assert contact["id"] in back


def test_one_object_by_id_and_by_email(hubspot):
    contact = hubspot.get("/crm/v3/objects/contacts?limit=1").json()["results"][0]
    email = contact["properties"]["email"]

    assert hubspot.get(f"/crm/v3/objects/0-1/{contact['id']}").json() == contact
    assert hubspot.get(f"/crm/v3/objects/contacts/{email}?idProperty=email").json() == contact
    missing = hubspot.get("/crm/v3/objects/contacts/1")
    assert (missing.status_code, missing.json()["category"]) == (404, "OBJECT_NOT_FOUND")


def test_batch_read_reports_the_missing(hubspot):
    ids = [row["id"] for row in walk(hubspot, "/crm/v3/objects/deals", limit=100)][:3]
    url = "/crm/v3/objects/deals/batch/read"
    whole = hubspot.post(url, json={"inputs": [{"id": i} for i in ids], "properties": ["amount"]})
    partial = hubspot.post(url, json={"inputs": [{"id": ids[0]}, {"id": "5"}]})
    large = hubspot.post(url, json={"inputs": [{"id": str(i)} for i in range(101)]})

    assert [row["id"] for row in whole.json()["results"]] == ids
    assert partial.status_code == 207
    assert partial.json()["errors"][0]["context"] == {"ids": ["5"]}
    assert large.status_code == 400


def test_property_metadata_covers_all_properties(sandbox, hubspot):
    described = hubspot.get("/crm/v3/properties/contacts").json()["results"]
    names = {row["name"] for row in described}

    assert names == set(sandbox.records("hubspot", "contacts")[0]["properties"])
    assert {row["type"] for row in described} >= {"string", "number", "datetime", "enumeration"}
    assert next(row for row in described if row["name"] == "email")["hasUniqueValue"]


def test_new_property_appears_in_the_metadata(sandbox, hubspot):
    contact = sandbox.records("hubspot", "contacts")[0]
    sandbox.change("hubspot", "contacts", contact["id"], {"shoe_size": 43, "vip": True})

    described = hubspot.get("/crm/v3/properties/contacts").json()["results"]
    shown = hubspot.get(f"/crm/v3/objects/contacts/{contact['id']}?properties=shoe_size,vip")
    assert {"shoe_size", "vip"} <= {row["name"] for row in described}
    assert shown.json()["properties"]["shoe_size"] == "43"
    assert shown.json()["properties"]["vip"] == "true"


def test_changes_move_all_update_stamps(sandbox, clock):
    contact = sandbox.records("hubspot", "contacts")[0]
    clock.advance(5)
    changed = sandbox.change("hubspot", "contacts", contact["id"], {"firstname": None})

    stamp = changed["updatedAt"]
    assert stamp > contact["updatedAt"]
    assert changed["properties"]["lastmodifieddate"] == stamp
    assert changed["properties"]["hs_lastmodifieddate"] == stamp
    assert changed["properties"]["firstname"] is None


def test_delete_archives(sandbox, hubspot):
    contact = sandbox.records("hubspot", "contacts")[0]

    assert sandbox.delete("hubspot", "contacts", contact["id"]) == 204
    assert hubspot.get(f"/crm/v3/objects/contacts/{contact['id']}").status_code == 404
    archived = hubspot.get(f"/crm/v3/objects/contacts/{contact['id']}?archived=true").json()
    assert archived["archivedAt"] == archived["updatedAt"]
    assert sandbox.delete("hubspot", "contacts", contact["id"]) == 404


def test_data_has_the_odd_records_of_real_life(start):
    contacts = start(records=300).records("hubspot", "contacts")
    texts = [row["properties"]["message"] or "" for row in contacts]
    stamps = [row["updatedAt"] for row in contacts]

    assert any("🚲" in text for text in texts)
    assert any("DROP TABLE" in text for text in texts)
    assert any(len(text) > 5_000 for text in texts)
    assert any(row["properties"]["email"] is None for row in contacts)
    assert max(stamps.count(stamp) for stamp in stamps) >= 10
    assert max(stamps) < "2026-11-01"


def test_ten_second_limit_is_per_account_and_announced(sandbox, clock):
    clock.freeze()
    client, other = sandbox.api("hubspot", "acme"), sandbox.api("hubspot", "globex")
    answers = [client.get("/crm/v3/owners?limit=1") for _ in range(111)]

    assert [answer.status_code for answer in answers] == [200] * 110 + [429]
    assert answers[0].headers["X-HubSpot-RateLimit-Max"] == "110"
    assert answers[9].headers["X-HubSpot-RateLimit-Remaining"] == "100"
    assert answers[-1].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert other.get("/crm/v3/owners?limit=1").status_code == 200
    clock.advance(10)
    assert client.get("/crm/v3/owners?limit=1").status_code == 200


def test_unknown_paths_and_types(hubspot):
    assert hubspot.get("/crm/v3/objects/unicorns").status_code == 400
    assert hubspot.get("/crm/v3/nothing").status_code == 404
    assert hubspot.put("/crm/v3/objects/contacts", json={}).status_code == 404
    assert hubspot.post("/crm/v3/objects/deals/search", content=b"no json").status_code == 400
