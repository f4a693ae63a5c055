"""Zendesk's writes: single records, jobs, conflicts, idempotency, and replies that get lost."""

import httpx
import pytest

API = "/api/v2"
TICKET = {"ticket": {"subject": "Late", "comment": {"body": "Where is it?"}}}
PLURALS = {"ticket": "tickets", "user": "users", "organization": "organizations"}


def writer(sandbox, account="acme", scope="read write"):
    token = sandbox.connect("zendesk", account, scope=scope)["access_token"]
    return sandbox.api("zendesk", account, token)


@pytest.fixture
def zendesk(sandbox):
    return writer(sandbox)


def effects(sandbox, account="acme"):
    return sandbox.http.get(f"/sandbox/zendesk/{account}/effects").json()


def counted(created=0, updated=0, unchanged=0, deleted=0):
    return {"created": created, "updated": updated, "unchanged": unchanged, "deleted": deleted}


def finished(client, clock, answer):
    """The results of a job once its time is up."""
    assert answer.status_code == 200, answer.text
    status = answer.json()["job_status"]
    clock.advance(1)
    job = client.get(status["url"]).json()["job_status"]
    assert (job["id"], job["status"], job["progress"]) == (
        status["id"],
        "completed",
        job["total"],
    )
    return job["results"]


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


def test_tickets_are_made_once_for_a_key(sandbox, zendesk, clock):
    headers = {"Idempotency-Key": "op-1"}

    def post(client=zendesk, **changes):
        ticket = TICKET["ticket"] | changes
        return client.post(f"{API}/tickets", json={"ticket": ticket}, headers=headers)

    first, again, other = post(), post(), post(subject="Other")

    assert first.json() == again.json()
    assert [a.headers["x-idempotency-lookup"] for a in (first, again)] == ["miss", "hit"]
    assert (other.status_code, other.json()["error"]) == (400, "IdempotentRequestError")
    assert effects(sandbox)["tickets"]["created"] == 1
    assert post(writer(sandbox, "globex")).headers["x-idempotency-lookup"] == "miss"
    clock.advance(7_201)
    assert post(writer(sandbox), subject="Other").status_code == 201


def test_a_job_from_queue_to_end(sandbox, zendesk, clock):
    clock.freeze()
    sandbox.http.post("/sandbox/settings", json={"zendesk_job_seconds": 9})
    users = [{"name": f"User {n}", "external_id": f"u-{n}"} for n in range(100)]
    answer = zendesk.post(f"{API}/users/create_many.json", json={"users": users})
    seen = [answer.json()["job_status"]]
    path = f"{API}/job_statuses/{seen[0]['id']}.json"
    created = []
    for _ in range(4):
        seen.append(zendesk.get(path).json()["job_status"])
        created.append(effects(sandbox).get("users", counted())["created"])
        clock.advance(3)

    assert [job["status"] for job in seen] == [
        "queued",
        "queued",
        "working",
        "working",
        "completed",
    ]
    assert created == [0, 0, 0, 100]
    assert [row["index"] for row in seen[-1]["results"]] == list(range(100))
    user = zendesk.get(f"{API}/users?external_id=u-42").json()["users"][0]
    assert seen[-1]["results"][42] == {
        "index": 42,
        "id": user["id"],
        "action": "create",
        "status": "Created",
        "success": True,
    }
    clock.advance(4_000)
    assert writer(sandbox).get(path).status_code == 404


def test_jobs_tell_who_failed(sandbox, zendesk, clock):
    rows = [TICKET["ticket"], {"subject": "Nothing said"}, TICKET["ticket"]]
    made = finished(
        zendesk, clock, zendesk.post(f"{API}/tickets/create_many", json={"tickets": rows})
    )
    ids = [made[0]["id"], made[2]["id"]]
    each = [{"id": ids[0], "priority": "low"}, {"id": 999_999, "priority": "low"}]
    path = f"{API}/tickets/update_many"
    updated = finished(zendesk, clock, zendesk.put(path, json={"tickets": each}))
    all_of_them = f"{path}?ids={ids[0]},{ids[1]}"
    same = finished(zendesk, clock, zendesk.put(all_of_them, json={"ticket": {"type": "task"}}))
    path = f"{API}/tickets/destroy_many?ids={ids[0]},999999"
    gone = finished(zendesk, clock, zendesk.delete(path))

    assert made[1] == {
        "index": 1,
        "error": "TicketCreateFailed",
        "details": "Description: cannot be blank",
    }
    assert [row.get("success", row.get("error")) for row in updated] == [True, "TicketUpdateFailed"]
    assert [(row["id"], row["status"]) for row in same] == [(key, "Updated") for key in ids]
    assert [row.get("status", row.get("error")) for row in gone] == [
        "Deleted",
        "TicketDeleteFailed",
    ]
    assert effects(sandbox)["tickets"] == counted(created=2, updated=3, deleted=1)


def test_users_are_upserted_in_bulk(sandbox, zendesk, clock):
    old = next(row for row in sandbox.records("zendesk", "users") if row["external_id"])
    rows = [{"external_id": old["external_id"], "notes": "seen"}, {"name": "Iris"}, {"email": "x"}]
    path = f"{API}/users/create_or_update_many"
    results = finished(zendesk, clock, zendesk.post(path, json={"users": rows}))

    assert [row.get("action") for row in results] == ["update", "create", None]
    assert results[0]["id"] == old["id"]
    assert "Name" in results[2]["details"]


def test_thirty_jobs_may_run(sandbox, zendesk, clock):
    clock.freeze()
    path, body = f"{API}/organizations/create_many", {"organizations": [{"name": "Harbor"}]}
    answers = [zendesk.post(path, json=body) for _ in range(31)]

    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert answers[-1].json()["error"] == "TooManyJobs"
    assert "zendesk-ratelimit-inflight-jobs" in answers[-1].headers
    clock.advance(1)
    assert zendesk.post(path, json=body).status_code == 200
    assert effects(sandbox)["organizations"]["created"] == 1


def test_jobs_survive_a_restart(start, clock, tmp_path):
    clock.freeze()
    first = start(state_file=tmp_path / "state.json", zendesk_job_seconds=60.0)
    users = {"users": [{"name": "Iris", "external_id": "u-1"}]}
    answer = writer(first).post(f"{API}/users/create_many", json=users).json()["job_status"]
    again = start(state_file=tmp_path / "state.json")
    clock.advance(61)
    job = writer(again).get(f"{API}/job_statuses/{answer['id']}").json()["job_status"]

    assert job["results"][0]["success"]
    assert [row for row in again.records("zendesk", "users") if row["external_id"] == "u-1"]


@pytest.mark.parametrize(
    ("scope", "status"), [("read", 403), ("read users:write", 201), ("write", 201)]
)
def test_writes_need_their_scope(sandbox, scope, status):
    client = writer(sandbox, scope=scope)

    assert client.post(f"{API}/users", json={"user": {"name": "Iris"}}).status_code == status
    assert client.get(f"{API}/tickets").status_code == (200 if "read" in scope else 403)
    if "users" in scope:
        assert client.post(f"{API}/tickets", json=TICKET).status_code == 403


def test_accounts_are_apart(sandbox, zendesk):
    user = {"user": {"name": "Iris", "email": "iris@b.example"}}
    answers = [
        client.post(f"{API}/users", json=user) for client in (zendesk, writer(sandbox, "globex"))
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert effects(sandbox, "globex") == effects(sandbox) == {"users": counted(created=1)}


def test_one_user_is_updated_five_times_a_minute(sandbox, zendesk, clock):
    clock.freeze()
    ids = [row["id"] for row in sandbox.records("zendesk", "users")[9:11]]
    body = {"user": {"notes": "x"}}
    answers = [zendesk.put(f"{API}/users/{ids[0]}", json=body) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert zendesk.put(f"{API}/users/{ids[1]}", json=body).status_code == 200
    made = [zendesk.post(f"{API}/tickets", json=TICKET).status_code for _ in range(101)]
    assert set(made) == {201}


def test_lost_replies_leave_the_write_done(sandbox, zendesk, clock):
    headers = {"Idempotency-Key": "op-1"}
    path = f"{API}/tickets"
    sandbox.fault("zendesk", "lost_reply", path="/tickets")
    with pytest.raises(httpx.RemoteProtocolError):
        zendesk.post(path, json=TICKET, headers=headers)
    again = zendesk.post(path, json=TICKET, headers=headers)
    sandbox.fault("zendesk", "late_error")
    users = {"users": [{"name": "Iris", "external_id": "u-1"}]}
    late = zendesk.post(f"{API}/users/create_many", json=users)
    clock.advance(1)

    assert again.headers["x-idempotency-lookup"] == "hit"
    assert late.status_code == 503
    assert zendesk.get(f"{API}/users?external_id=u-1").json()["count"] == 1
    assert effects(sandbox)["tickets"] == effects(sandbox)["users"] == counted(created=1)
