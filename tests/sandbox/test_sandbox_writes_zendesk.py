"""Zendesk's writes of single records: life, values, duplicates, conflicts."""

import pytest

from tests.sandbox.zendesk_writes import API, PLURALS, TICKET, counted, effects, writer


@pytest.fixture
def zendesk(sandbox):
    return writer(sandbox)


def exported(client, resource, start):
    path = f"{API}/incremental/{resource}/cursor?start_time={int(start)}"
    return client.get(path).json()[resource]


@pytest.mark.parametrize("name", PLURALS)
def test_life_of_a_record(sandbox, zendesk, clock, name):
    clock.freeze()
    plural = PLURALS[name]
    path, field = f"{API}/{plural}", "subject" if name == "ticket" else "name"
    before = sandbox.counts("zendesk")[plural]
    given = {"comment": {"body": "Hello"}, field: "First", "external_id": "x-1"}
    made = zendesk.post(path, json={name: given})
    record = made.json()[name]
    clock.advance(2)
    own = f"{path}/{record['id']}"
    changed = zendesk.put(f"{own}.json", json={name: {field: "Second"}}).json()[name]
    clock.advance(2)
    same = zendesk.put(own, json={name: {field: "Second"}}).json()[name]

    assert made.status_code == 201
    assert (record[field], changed[field]) == ("First", "Second")
    assert changed["updated_at"] > record["updated_at"] == record["created_at"]
    assert same == changed == zendesk.get(own).json()[name]
    assert sandbox.counts("zendesk")[plural] == before + 1
    assert zendesk.delete(own).status_code == (200 if name == "user" else 204)
    assert zendesk.delete(own).status_code == zendesk.put(own, json={name: {}}).status_code == 404
    assert sandbox.counts("zendesk")[plural] == before
    assert effects(sandbox)[plural] == counted(created=1, updated=1, unchanged=1, deleted=1)


def test_exports_show_writes(zendesk, clock):
    clock.freeze()
    start = clock() - 1
    made = zendesk.post(f"{API}/tickets", json=TICKET).json()["ticket"]
    assert [row["id"] for row in exported(zendesk, "tickets", start)] == [made["id"]]

    clock.advance(5)
    user = zendesk.post(f"{API}/users", json={"user": {"name": "Iris"}}).json()["user"]
    zendesk.delete(f"{API}/tickets/{made['id']}")
    assert exported(zendesk, "tickets", start + 3)[0]["status"] == "deleted"
    assert exported(zendesk, "users", start + 3) == [user]


def test_people_of_a_ticket(sandbox, zendesk):
    someone = {"requester": {"name": "Iris Holm", "email": "iris@b.example"}}
    tickets = [
        zendesk.post(f"{API}/tickets", json={"ticket": TICKET["ticket"] | more}).json()["ticket"]
        for more in (someone, someone, {})
    ]
    iris = zendesk.get(f"{API}/users/search?query=iris@b.example").json()["users"]

    assert [row["name"] for row in iris] == ["Iris Holm"]
    me = zendesk.get(f"{API}/users/me").json()["user"]
    assert [t["requester_id"] for t in tickets] == [iris[0]["id"], iris[0]["id"], me["id"]]
    assert tickets[0]["description"] == "Where is it?"
    assert effects(sandbox)["users"]["created"] == 1


def test_values_are_merged_or_replaced(zendesk):
    ticket = {
        **TICKET["ticket"],
        "tags": ["a", "b"],
        "custom_fields": [{"id": 27642, "value": "1"}],
    }
    made = zendesk.post(f"{API}/tickets", json={"ticket": ticket}).json()["ticket"]
    path = f"{API}/tickets/{made['id']}"
    first = zendesk.put(path, json={"ticket": {"additional_tags": ["c"], "remove_tags": ["a"]}})
    second = zendesk.put(path, json={"ticket": {"tags": ["d"], "custom_fields": []}})
    user = {"user": {"name": "Iris", "user_fields": {"tier": "gold", "x": 1}}}
    iris = zendesk.post(f"{API}/users", json=user).json()["user"]
    change = {"user": {"user_fields": {"tier": "silver"}, "unheard_of": 1}}
    changed = zendesk.put(f"{API}/users/{iris['id']}", json=change).json()["user"]

    assert first.json()["ticket"]["tags"] == ["b", "c"]
    assert second.json()["ticket"]["tags"] == ["d"]
    assert second.json()["ticket"]["custom_fields"] == [{"id": 27642, "value": "1"}]
    assert changed["user_fields"] == {"tier": "silver", "x": 1}


@pytest.mark.parametrize(
    ("name", "given", "field", "error"),
    [
        ("ticket", {"subject": "Nothing said"}, "base", "BlankValue"),
        ("ticket", {"comment": "x", "status": "asleep"}, "status", "InvalidValue"),
        ("ticket", {"comment": "x", "requester_id": 1}, "requester_id", "InvalidValue"),
        ("ticket", {"comment": "x", "requester": {"email": "iris@"}}, "email", "InvalidFormat"),
        ("ticket", {"comment": "x", "tags": "a b"}, "tags", "InvalidValue"),
        ("user", {"email": "iris@b.example"}, "name", "BlankValue"),
        ("user", {"name": "Iris", "email": "iris@"}, "email", "InvalidFormat"),
        ("user", {"name": "Iris", "role": "king"}, "role", "InvalidValue"),
        ("user", {"name": "Iris", "organization_id": 7}, "organization_id", "InvalidValue"),
        ("user", {"name": "Iris", "suspended": "no"}, "suspended", "InvalidValue"),
        ("organization", {"name": " "}, "name", "BlankValue"),
        ("organization", {"name": "X", "organization_fields": 1}, "organization_fields", ""),
    ],
)
def test_values_that_are_not_taken(sandbox, zendesk, name, given, field, error):
    answer = zendesk.post(f"{API}/{PLURALS[name]}", json={name: given})
    problem = answer.json()

    assert (answer.status_code, problem["error"]) == (422, "RecordInvalid")
    assert field in problem["details"]
    assert error in problem["details"][field][0]["error"]
    assert effects(sandbox) == {}


def test_bodies_that_are_not_taken(zendesk):
    ids = ",".join(map(str, range(101)))

    assert zendesk.post(f"{API}/users", json={"name": "Iris"}).status_code == 400
    assert zendesk.post(f"{API}/users/create_many", json={"users": {}}).status_code == 400
    assert zendesk.post(f"{API}/users/create_many", json={"users": [{}] * 101}).status_code == 400
    assert zendesk.put(f"{API}/users/update_many", json={"users": [{}]}).status_code == 400
    assert zendesk.delete(f"{API}/users/destroy_many?ids={ids}").status_code == 400
    assert zendesk.delete(f"{API}/users/destroy_many").status_code == 400
    assert zendesk.get(f"{API}/users/search").status_code == 400
    assert zendesk.get(f"{API}/job_statuses/none.json").status_code == 404


def test_duplicates(sandbox, zendesk):
    organization = sandbox.records("zendesk", "organizations")[0]
    one = {"user": {"name": "Iris", "email": "iris@b.example", "external_id": "u-1"}}
    assert zendesk.post(f"{API}/users", json=one).status_code == 201
    again = zendesk.post(f"{API}/users", json=one)
    same = {"organization": {"name": organization["name"]}}

    assert again.status_code == 422
    errors = [entry[0]["error"] for entry in again.json()["details"].values()]
    assert errors == ["DuplicateValue"] * 2
    assert zendesk.post(f"{API}/organizations", json=same).status_code == 422


def test_upserts(sandbox, zendesk):
    user = {"name": "Iris", "email": "iris@b.example", "external_id": "u-1"}
    path = f"{API}/users/create_or_update"
    first = zendesk.post(path, json={"user": user})
    by_email = zendesk.post(path, json={"user": {"email": "IRIS@b.example", "notes": "x"}})
    by_id = zendesk.post(path, json={"user": {"external_id": "u-1", "email": "new@b.example"}})
    path = f"{API}/organizations/create_or_update"
    organization = {"name": "Harbor", "external_id": "o-1"}
    made = zendesk.post(path, json={"organization": organization})
    renamed = zendesk.post(path, json={"organization": organization | {"name": "Port"}})
    taken = zendesk.post(path, json={"organization": {"name": "Port"}})
    found = zendesk.get(f"{API}/organizations/search?external_id=o-1").json()["organizations"]

    assert [answer.status_code for answer in (first, by_email, by_id)] == [201, 200, 200]
    assert len({answer.json()["user"]["id"] for answer in (first, by_email, by_id)}) == 1
    assert [answer.status_code for answer in (made, renamed, taken)] == [201, 200, 422]
    assert [row["name"] for row in found] == ["Port"]
    assert effects(sandbox)["users"]["created"] == 1


def test_safe_updates(zendesk, clock):
    clock.freeze()
    made = zendesk.post(f"{API}/tickets", json=TICKET).json()["ticket"]
    path = f"{API}/tickets/{made['id']}"
    clock.advance(2)
    safe = {"safe_update": True, "updated_stamp": made["updated_at"]}
    first = zendesk.put(path, json={"ticket": safe | {"priority": "high"}})
    second = zendesk.put(path, json={"ticket": safe | {"priority": "low"}})
    stamp = first.json()["ticket"]["updated_at"]
    third = zendesk.put(path, json={"ticket": safe | {"type": "task", "updated_stamp": stamp}})
    bad = zendesk.put(path, json={"ticket": safe | {"updated_stamp": "then"}})

    assert [first.status_code, third.status_code, bad.status_code] == [200, 200, 422]
    assert (second.status_code, second.json()["error"]) == (409, "UpdateConflict")
    assert third.json()["ticket"]["priority"] == "high"


def test_closed_tickets_stay_as_they_are(sandbox, zendesk):
    rows = sandbox.records("zendesk", "tickets")
    closed = next(row["id"] for row in rows if row["status"] == "closed")
    answer = zendesk.put(f"{API}/tickets/{closed}", json={"ticket": {"subject": "x"}})

    assert (answer.status_code, list(answer.json()["details"])) == (422, ["status"])


def test_a_comment_is_a_change(sandbox, zendesk, clock):
    clock.freeze()
    made = zendesk.post(f"{API}/tickets", json=TICKET).json()["ticket"]
    clock.advance(2)
    path = f"{API}/tickets/{made['id']}"
    said = zendesk.put(path, json={"ticket": {"comment": {"body": "x"}, "description": "y"}})

    assert said.json()["ticket"]["updated_at"] > made["updated_at"]
    assert said.json()["ticket"]["description"] == "Where is it?"
