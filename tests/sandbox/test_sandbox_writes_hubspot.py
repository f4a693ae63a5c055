"""HubSpot's writes: single objects, batches, unique values, scopes, and replies that get lost."""

import httpx
import hubspot as hubspot_sdk
import pytest
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInputForCreate,
    BatchInputSimplePublicObjectBatchInputUpsert,
    SimplePublicObjectBatchInputForCreate,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.contacts.exceptions import ApiException

CONTACTS = "/crm/v3/objects/contacts"
TYPES = ("contacts", "companies", "deals", "tickets")
WRITES = " ".join(f"crm.objects.{name}.{kind}" for name in TYPES for kind in ("read", "write"))
TITLES = {"contacts": "city", "companies": "name", "deals": "dealname", "tickets": "subject"}


def writer(sandbox, account="acme", scope=WRITES):
    token = sandbox.connect("hubspot", account, scope=f"oauth {scope}")["access_token"]
    return sandbox.api("hubspot", account, token)


@pytest.fixture
def hubspot(sandbox):
    return writer(sandbox)


def effects(sandbox, service="hubspot", account="acme"):
    return sandbox.http.get(f"/sandbox/{service}/{account}/effects").json()


def traced(*rows):
    return {"inputs": [{"objectWriteTraceId": f"row-{n}", **row} for n, row in enumerate(rows)]}


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


def test_batch_create_tells_who_failed(sandbox, hubspot):
    taken = next(
        row for row in sandbox.records("hubspot", "contacts") if row["properties"]["email"]
    )
    rows = [
        {"properties": {"email": "one@b.example"}},
        {"properties": {"shoe_size": "43"}},
        {"properties": {"email": taken["properties"]["email"]}},
        {"properties": {"email": "one@b.example"}},
        {"properties": {"email": "two@b.example"}},
    ]
    answer = hubspot.post(f"{CONTACTS}/batch/create", json=traced(*rows))
    body = answer.json()
    failed = {e["context"]["objectWriteTraceId"][0]: e["category"] for e in body["errors"]}

    assert answer.status_code == 207
    assert [row["objectWriteTraceId"] for row in body["results"]] == ["row-0", "row-4"]
    assert body["numErrors"] == 3
    assert failed == {
        "row-1": "VALIDATION_ERROR",
        "row-2": "CONFLICT",
        "row-3": "VALIDATION_ERROR",
    }
    assert effects(sandbox)["contacts"]["created"] == 2


def test_batch_without_trace_ids_fails_as_a_whole(sandbox, hubspot):
    rows = [{"properties": {"city": "Oslo"}}, {"properties": {"shoe_size": "43"}}]
    answer = hubspot.post(f"{CONTACTS}/batch/create", json={"inputs": rows})
    good = hubspot.post(f"{CONTACTS}/batch/create", json={"inputs": rows[:1]})

    assert answer.status_code == 400
    assert good.status_code == 201
    assert effects(sandbox)["contacts"]["created"] == 1


def test_batch_update_reports_missing_objects(sandbox, hubspot):
    ids = [row["id"] for row in sandbox.records("hubspot", "deals")[:2]]
    path = "/crm/v3/objects/deals/batch/update"
    rows = [{"id": key, "properties": {"dealname": "Same"}} for key in (*ids, "1")]
    answer = hubspot.post(path, json={"inputs": rows})
    twice = hubspot.post(path, json={"inputs": [rows[0], rows[0]]})

    assert answer.status_code == 207
    assert [row["id"] for row in answer.json()["results"]] == ids
    assert answer.json()["errors"][0]["context"] == {"ids": ["1"]}
    assert twice.status_code == 400


def test_upsert_by_email(sandbox, hubspot):
    old = next(row for row in sandbox.records("hubspot", "contacts") if row["properties"]["email"])
    emails = (old["properties"]["email"], "new@b.example")
    by_email = {"idProperty": "email", "properties": {"city": "Kyoto"}}
    rows = traced(*({"id": email, **by_email} for email in emails))
    first = hubspot.post(f"{CONTACTS}/batch/upsert", json=rows).json()["results"]
    again = hubspot.post(f"{CONTACTS}/batch/upsert", json=rows).json()["results"]
    read = {"idProperty": "email", "properties": ["city"], "inputs": [{"id": e} for e in emails]}
    back = hubspot.post(f"{CONTACTS}/batch/read", json=read).json()["results"]

    assert [(row["new"], row["objectWriteTraceId"]) for row in first] == [
        (False, "row-0"),
        (True, "row-1"),
    ]
    assert [row["new"] for row in again] == [False, False]
    assert [row["id"] for row in first] == [row["id"] for row in again]
    assert [row["properties"]["city"] for row in back] == ["Kyoto", "Kyoto"]
    assert first[0]["id"] == old["id"]
    assert effects(sandbox)["contacts"]["created"] == 1


def test_a_unique_property_of_ones_own(sandbox):
    scope = f"{WRITES} crm.schemas.companies.write"
    client = writer(sandbox, scope=scope)
    path, companies = "/crm/v3/properties/companies", "/crm/v3/objects/companies"
    row = {"id": "e-1", "idProperty": "erp_id", "properties": {"name": "Harbor"}}
    before = client.post(f"{companies}/batch/upsert", json={"inputs": [row]})
    asked = {"name": "erp_id", "label": "ERP", "type": "string", "fieldType": "text"}
    made = client.post(path, json=asked | {"hasUniqueValue": True})
    first, second = (
        client.post(f"{companies}/batch/upsert", json={"inputs": [row]}).json()["results"][0]
        for _ in range(2)
    )

    assert before.status_code == 400
    assert made.status_code == 201
    assert client.get(f"{path}/erp_id").json()["hasUniqueValue"]
    assert client.post(path, json=asked).status_code == 409
    assert (first["new"], second["new"]) == (True, False)
    assert client.get(f"{companies}/e-1?idProperty=erp_id").json()["id"] == first["id"]
    changed = client.patch(f"{companies}/e-1?idProperty=erp_id", json={"properties": {"city": "X"}})
    assert changed.json()["id"] == first["id"]
    assert client.get(f"{companies}/Harbor?idProperty=name").status_code == 400


def test_batch_archive(sandbox, hubspot):
    ids = [row["id"] for row in sandbox.records("hubspot", "tickets")[:3]]
    body = {"inputs": [{"id": key} for key in (*ids, "1")]}
    path = "/crm/v3/objects/tickets/batch/archive"

    assert [hubspot.post(path, json=body).status_code for _ in range(2)] == [204, 204]
    assert effects(sandbox)["tickets"]["deleted"] == 3


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CONTACTS),
        ("POST", f"{CONTACTS}/batch/upsert"),
        ("PATCH", f"{CONTACTS}/51001"),
        ("DELETE", f"{CONTACTS}/51001"),
    ],
)
def test_writes_need_their_scope(sandbox, method, path):
    reader = writer(sandbox, scope="crm.objects.contacts.read crm.objects.deals.write")
    answer = reader.request(method, path, json={"properties": {}, "inputs": []})

    assert answer.status_code == 403
    context = answer.json()["errors"][0]["context"]
    assert context["requiredGranularScopes"] == ["crm.objects.contacts.write"]
    assert effects(sandbox) == {}


def test_accounts_are_apart(sandbox, hubspot):
    made = hubspot.post(CONTACTS, json={"properties": {"email": "a@b.example"}}).json()
    other = writer(sandbox, "globex")

    assert other.get(f"{CONTACTS}/{made['id']}").status_code == 404
    same = other.post(CONTACTS, json={"properties": {"email": "a@b.example"}})
    assert same.status_code == 201
    assert effects(sandbox, account="globex") == effects(sandbox)


def test_writes_draw_on_the_budget(sandbox, hubspot, clock):
    clock.freeze()
    path = f"{CONTACTS}/1"
    answers = [hubspot.delete(path).status_code for _ in range(111)]

    assert answers == [204] * 110 + [429]


def test_lost_replies_leave_the_write_done(sandbox, hubspot):
    sandbox.fault("hubspot", "lost_reply", count=2)
    assert hubspot.get(CONTACTS).status_code == 200
    bad = hubspot.post(CONTACTS, json={"properties": {"shoe_size": "43"}})
    with pytest.raises(httpx.RemoteProtocolError):
        hubspot.post(CONTACTS, json={"properties": {"email": "a@b.example"}})
    read = hubspot.get(f"{CONTACTS}/a@b.example?idProperty=email")
    with pytest.raises(httpx.TransportError):
        hubspot.delete(f"{CONTACTS}/{read.json()['id']}")

    assert bad.status_code == 400
    assert read.status_code == 200
    assert effects(sandbox)["contacts"] == {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "deleted": 1,
    }
    assert sandbox.http.delete("/sandbox/hubspot/acme/effects").status_code == 204
    assert effects(sandbox) == {}


def test_late_errors_hit_a_share_of_the_writes(sandbox, hubspot):
    sandbox.fault("hubspot", "late_error", count=1000, share=0.3)
    answers = [hubspot.post(CONTACTS, json={"properties": {}}).status_code for _ in range(60)]

    assert set(answers) == {201, 503}
    assert 8 <= answers.count(503) <= 30
    assert effects(sandbox)["contacts"]["created"] == 60


@pytest.mark.parametrize("share", [0, 1.5, "half", True])
def test_shares_that_do_not_exist(sandbox, share):
    fault = {"kind": "lost_reply", "share": share}
    assert sandbox.http.post("/sandbox/hubspot/faults", json=fault).status_code == 422


def test_writes_survive_a_restart(start, tmp_path):
    scope = f"{WRITES} crm.schemas.contacts.write"
    first = start(state_file=tmp_path / "state.json")
    client = writer(first, scope=scope)
    asked = {"name": "erp_id", "label": "ERP", "type": "string", "fieldType": "text"}
    client.post("/crm/v3/properties/contacts", json=asked | {"hasUniqueValue": True})
    company = first.records("hubspot", "companies")[0]["id"]
    link = {"to": {"id": company}, "types": [{"associationTypeId": 279}]}
    body = {"properties": {"erp_id": "e-1"}, "associations": [link]}
    made = client.post(CONTACTS, json=body).json()
    again = writer(start(state_file=tmp_path / "state.json"))
    read = again.get(f"{CONTACTS}/e-1?idProperty=erp_id&associations=companies").json()

    assert read["id"] == made["id"]
    assert read["associations"]["companies"]["results"][0]["id"] == company


@pytest.fixture
def sdk(sandbox):
    def configured(package, name, config):
        configuration = package.Configuration()
        configuration.access_token = config["access_token"]
        configuration.host = sandbox.address("hubspot", "api_base_url")
        return getattr(package, name)(package.ApiClient(configuration))

    token = sandbox.clients["hubspot", "acme"]["keys"]["private_app"]
    return hubspot_sdk.Client.create(access_token=token, api_factory=configured).crm.contacts


def test_the_official_library_writes_one(sandbox, sdk):
    new = SimplePublicObjectInputForCreate(properties={"email": "a@b.example"}, associations=[])
    made = sdk.basic_api.create(simple_public_object_input_for_create=new)
    change = SimplePublicObjectInput(properties={"city": "Oslo"})
    changed = sdk.basic_api.update(made.id, simple_public_object_input=change)
    with pytest.raises(ApiException) as caught:
        sdk.basic_api.create(simple_public_object_input_for_create=new)
    sdk.basic_api.archive(made.id)

    assert changed.updated_at > made.updated_at
    assert caught.value.status == 409
    assert effects(sandbox)["contacts"]["deleted"] == 1


def test_the_official_library_writes_batches(sdk):
    rows = [
        SimplePublicObjectBatchInputForCreate(
            properties=properties, associations=[], object_write_trace_id=trace
        )
        for trace, properties in (("a", {"email": "a@b.example"}), ("b", {"shoe_size": "43"}))
    ]
    some = BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows)
    create = sdk.batch_api.create
    partly = create(batch_input_simple_public_object_batch_input_for_create=some)
    row = SimplePublicObjectBatchInputUpsert(
        id="a@b.example", id_property="email", properties={"city": "Oslo"}
    )
    batch = BatchInputSimplePublicObjectBatchInputUpsert(inputs=[row])
    upserted = sdk.batch_api.upsert(batch_input_simple_public_object_batch_input_upsert=batch)

    assert partly.num_errors == 1
    assert partly.errors[0].context == {"objectWriteTraceId": ["b"]}
    assert upserted.results[0].new is False
    assert upserted.results[0].id == partly.results[0].id
