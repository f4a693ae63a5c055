"""HubSpot's batches: create, update, upsert, archive."""

import pytest

from tests.sandbox.hubspot_writes import CONTACTS, WRITES, effects, traced, writer


@pytest.fixture
def hubspot(sandbox):
    return writer(sandbox)


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
