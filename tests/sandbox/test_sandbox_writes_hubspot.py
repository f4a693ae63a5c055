"""HubSpot's writes of single objects: life, unique values, what is not taken."""

import pytest

from tests.sandbox.hubspot_writes import CONTACTS, TYPES, effects, writer

TITLES = {"contacts": "city", "companies": "name", "deals": "dealname", "tickets": "subject"}


@pytest.fixture
def hubspot(sandbox):
    return writer(sandbox)


def stamps(record):
    properties = record["properties"]
    return record["updatedAt"], properties.get("lastmodifieddate")


@pytest.mark.parametrize("resource", TYPES)
def test_life_of_an_object(sandbox, hubspot, resource):
    path, name = f"/crm/v3/objects/{resource}", TITLES[resource]
    before = sandbox.counts("hubspot")[resource]
    made = hubspot.post(path, json={"properties": {name: "First"}})
    key = made.json()["id"]
    changed = hubspot.patch(f"{path}/{key}", json={"properties": {name: "Second"}}).json()
    same = hubspot.patch(f"{path}/{key}", json={"properties": {name: "Second"}}).json()

    assert made.status_code == 201
    assert made.json()["properties"][name] == "First"
    assert changed["properties"][name] == "Second"
    assert changed["updatedAt"] > made.json()["updatedAt"]
    assert same == changed
    assert sandbox.counts("hubspot")[resource] == before + 1
    assert hubspot.get(f"{path}/{key}?properties={name}").json() == changed
    assert [hubspot.delete(f"{path}/{key}").status_code for _ in range(2)] == [204, 204]
    assert hubspot.get(f"{path}/{key}").status_code == 404
    assert hubspot.get(f"{path}/{key}?archived=true").json()["archivedAt"]
    assert effects(sandbox)[resource] == {
        "created": 1,
        "updated": 1,
        "unchanged": 1,
        "deleted": 1,
    }


def test_stamps_move_with_a_stopped_clock_too(hubspot, clock):
    clock.freeze()
    made = hubspot.post(CONTACTS, json={"properties": {"email": "a@b.example"}}).json()
    texts = ("one", "two", "three")
    path = f"{CONTACTS}/{made['id']}"
    seen = [hubspot.patch(path, json={"properties": {"city": t}}).json() for t in texts]
    moments = [stamps(record) for record in (made, *seen)]

    assert moments == sorted(set(moments))
    assert all(one == other for one, other in moments)


def test_search_finds_what_was_written(hubspot):
    made = hubspot.post(CONTACTS, json={"properties": {"email": "a@b.example"}}).json()
    same = {"propertyName": "email", "operator": "EQ", "value": "a@b.example"}
    body = {"filterGroups": [{"filters": [same]}], "properties": ["email"]}

    assert [row["id"] for row in hubspot.post(f"{CONTACTS}/search", json=body).json()["results"]]
    hubspot.patch(f"{CONTACTS}/{made['id']}", json={"properties": {"email": ""}})
    assert hubspot.post(f"{CONTACTS}/search", json=body).json()["total"] == 0


def test_taken_email_is_a_conflict_that_names_its_owner(hubspot):
    made = hubspot.post(CONTACTS, json={"properties": {"email": "a@b.example"}}).json()
    again = hubspot.post(CONTACTS, json={"properties": {"email": "A@b.example"}})
    other = hubspot.post(CONTACTS, json={"properties": {"email": "c@b.example"}}).json()
    taken = {"properties": {"email": "a@b.example"}}

    assert (again.status_code, again.json()["category"]) == (409, "CONFLICT")
    assert f"Existing ID: {made['id']}" in again.json()["message"]
    assert hubspot.patch(f"{CONTACTS}/{other['id']}", json=taken).status_code == 409
    hubspot.delete(f"{CONTACTS}/{made['id']}")
    assert hubspot.patch(f"{CONTACTS}/{other['id']}", json=taken).status_code == 200


@pytest.mark.parametrize(
    ("resource", "properties", "code"),
    [
        ("contacts", {"shoe_size": "43"}, "PROPERTY_DOESNT_EXIST"),
        ("contacts", {"hs_object_id": "7"}, "READ_ONLY_VALUE"),
        ("contacts", {"lastmodifieddate": "2026-01-01T00:00:00Z"}, "READ_ONLY_VALUE"),
        ("contacts", {"email": "nobody"}, "INVALID_EMAIL"),
        ("contacts", {"lifecyclestage": "friend"}, "INVALID_OPTION"),
        ("contacts", {"hs_email_optout": "maybe"}, "INVALID_OPTION"),
        ("contacts", {"date_of_birth": "1780409109870"}, "INVALID_DATE"),
        ("contacts", {"city": ["Oslo"]}, "INVALID_STRING"),
        ("companies", {"annualrevenue": "a lot"}, "INVALID_LONG"),
        ("deals", {"closedate": "soon"}, "INVALID_DATE"),
    ],
)
def test_values_that_are_not_taken(sandbox, hubspot, resource, properties, code):
    answer = hubspot.post(f"/crm/v3/objects/{resource}", json={"properties": properties})
    problem = answer.json()

    assert (answer.status_code, problem["category"]) == (400, "VALIDATION_ERROR")
    assert problem["message"].startswith("Property values were not valid: [")
    assert [entry["code"] for entry in problem["errors"]] == [code]
    assert problem["errors"][0]["context"] == {"propertyName": list(properties)}
    assert effects(sandbox) == {}


def test_values_are_stored_as_text(hubspot):
    given = {
        "hs_email_optout": True,
        "date_of_birth": "631152000000",
        "email": None,
        "city": "",
        "lifecyclestage": "lead",
    }
    contact = hubspot.post(CONTACTS, json={"properties": given}).json()["properties"]
    deal = {"amount": 12.5, "closedate": "1780409109870"}
    stored = hubspot.post("/crm/v3/objects/deals", json={"properties": deal}).json()["properties"]

    assert (contact["hs_email_optout"], contact["date_of_birth"]) == ("true", "1990-01-01")
    assert (contact["email"], contact["city"]) == (None, "")
    assert (stored["amount"], stored["closedate"]) == ("12.5", "2026-06-02T14:05:09.870Z")


def test_bodies_that_are_not_taken(hubspot):
    assert hubspot.post(CONTACTS, content=b"{").status_code == 400
    assert hubspot.post(CONTACTS, json={"properties": []}).status_code == 400
    assert hubspot.patch(f"{CONTACTS}/1", json={"properties": {}}).status_code == 404
    for name in ("create", "update", "upsert", "archive"):
        path = f"{CONTACTS}/batch/{name}"
        assert hubspot.post(path, json={"inputs": "all"}).status_code == 400
        too_many = {"inputs": [{"id": str(n), "properties": {}} for n in range(101)]}
        assert hubspot.post(path, json=too_many).status_code == 400


def test_associations_are_made_with_the_object(sandbox, hubspot):
    company = sandbox.records("hubspot", "companies")[0]["id"]
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}
    link = {"to": {"id": company}, "types": [kind]}
    made = hubspot.post(CONTACTS, json={"properties": {}, "associations": [link]}).json()
    read = hubspot.get(f"{CONTACTS}/{made['id']}?associations=companies").json()
    wrong = {"properties": {}, "associations": [link | {"to": {"id": "1"}}]}
    back = {"inputs": [{"id": company}]}
    linked = hubspot.post("/crm/v4/associations/companies/contacts/batch/read", json=back).json()

    assert read["associations"]["companies"]["results"] == [
        {"id": company, "type": "contact_to_company"}
    ]
    assert int(made["id"]) in [to["toObjectId"] for to in linked["results"][0]["to"]]
    assert hubspot.post(CONTACTS, json=wrong).status_code == 400
