"""Zendesk's background jobs for many records."""

import pytest

from tests.sandbox.zendesk_writes import API, TICKET, counted, effects, finished, writer


@pytest.fixture
def zendesk(sandbox):
    return writer(sandbox)


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
