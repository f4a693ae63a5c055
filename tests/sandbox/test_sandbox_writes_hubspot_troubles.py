"""HubSpot's writes: scopes, budget, replies that get lost, restarts."""

import httpx
import pytest

from tests.sandbox.hubspot_writes import CONTACTS, WRITES, effects, writer


@pytest.fixture
def hubspot(sandbox):
    return writer(sandbox)


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
