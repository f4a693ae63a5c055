"""Zendesk's incremental exports: cursors, held-back rows, side-loads, deletes and limits."""

import base64
from collections import Counter

import pytest


@pytest.fixture
def zendesk(sandbox):
    return sandbox.api("zendesk")


def exported(client, resource, **params):
    """A whole cursor export with the cursor it ended at."""
    rows = []
    params = {"start_time": 0} | params
    while True:
        page = client.get(f"/api/v2/incremental/{resource}/cursor", params=params).json()
        rows += page[resource]
        if page["end_of_stream"]:
            return rows, page["after_cursor"]
        params.pop("start_time", None)
        params["cursor"] = page["after_cursor"]


def continued(client, resource, cursor):
    params = {"cursor": cursor}
    return client.get(f"/api/v2/incremental/{resource}/cursor", params=params).json()


def test_ticket_export_has_live_and_deleted_tickets(sandbox, zendesk):
    rows, _ = exported(zendesk, "tickets", per_page=30)
    statuses = Counter(row["status"] == "deleted" for row in rows)
    stamps = [row["generated_timestamp"] for row in rows]
    live = [row for row in rows if row["status"] != "deleted"]

    assert statuses[False] == sandbox.counts("zendesk")["tickets"]
    assert statuses[True] == 10
    assert {r["subject"] for r in rows if r["status"] == "deleted"} == {"SCRUBBED"}
    assert stamps == sorted(stamps)
    assert sorted(live, key=lambda row: row["id"]) == sandbox.records("zendesk", "tickets")


def test_user_export_has_active_and_inactive_users(sandbox, zendesk):
    rows, _ = exported(zendesk, "users")
    active = [row for row in rows if row["active"]]

    assert len(active) == sandbox.counts("zendesk")["users"] == 68
    assert len(rows) - len(active) == 5
    assert Counter(row["role"] for row in active)["admin"] == 1


def test_organization_export_goes_by_time(start):
    sandbox = start(records=600)
    client = sandbox.api("zendesk")
    page = client.get("/api/v2/incremental/organizations?start_time=0&per_page=25").json()
    seen = {row["id"]: row for row in page["organizations"]}
    while not page["end_of_stream"]:
        assert page["count"] == 25
        assert f"start_time={page['end_time']}" in page["next_page"]
        page = client.get(page["next_page"]).json()
        seen |= {row["id"]: row for row in page["organizations"]}

    assert len(seen) == sandbox.counts("zendesk")["organizations"] == 60


def test_organization_export_without_rows(sandbox, zendesk, clock):
    path = f"/api/v2/incremental/organizations?start_time={int(clock()) - 5}"

    assert zendesk.get(path).json() == {
        "organizations": [],
        "count": 0,
        "end_time": None,
        "next_page": None,
        "end_of_stream": True,
    }


def test_cursor_has_the_real_form_and_links_lead_on(sandbox, zendesk):
    page = zendesk.get("/api/v2/incremental/tickets/cursor.json?start_time=0&per_page=5").json()
    last = page["tickets"][-1]
    decoded = base64.b64decode(page["after_cursor"]).decode()
    following = zendesk.get(page["after_url"]).json()

    assert decoded == f"{last['generated_timestamp']}.0||{last['id']}"
    assert page["after_url"].startswith(f"{sandbox.url}/zendesk/acme/api/v2/incremental/tickets/")
    assert len(following["tickets"]) == 5
    assert not {r["id"] for r in following["tickets"]} & {r["id"] for r in page["tickets"]}


def test_cursor_stays_good_and_brings_only_changes(sandbox, zendesk):
    _, cursor = exported(zendesk, "tickets")
    assert continued(zendesk, "tickets", cursor)["tickets"] == []
    ticket = sandbox.records("zendesk", "tickets")[0]
    changed = sandbox.change("zendesk", "tickets", ticket["id"], {"priority": "urgent"})
    new = sandbox.create("zendesk", "tickets", {"subject": "Hello"})

    page = continued(zendesk, "tickets", cursor)
    assert page["tickets"] == [changed, new]
    assert changed["updated_at"] > ticket["updated_at"]
    assert changed["generated_timestamp"] > ticket["generated_timestamp"]
    assert continued(zendesk, "tickets", page["after_cursor"])["tickets"] == []


def test_changes_of_the_last_span_are_held_back(start, clock):
    sandbox = start(zendesk_held_back_seconds=60)
    client = sandbox.api("zendesk")
    _, cursor = exported(client, "users")
    user = sandbox.records("zendesk", "users")[20]
    sandbox.change("zendesk", "users", user["id"], {"name": "Someone Else"})

    assert continued(client, "users", cursor)["users"] == []
    clock.advance(61)
    assert [row["id"] for row in continued(client, "users", cursor)["users"]] == [user["id"]]


@pytest.mark.parametrize("path", ["tickets/cursor", "users/cursor", "organizations"])
def test_start_time_inside_the_held_back_span(start, clock, path):
    client = start(zendesk_held_back_seconds=60).api("zendesk")
    answer = client.get(f"/api/v2/incremental/{path}?start_time={int(clock()) - 50}")

    assert answer.status_code == 400
    assert answer.json()["error"] == "StartTimeTooRecent"


@pytest.mark.parametrize(
    "query", ["", "start_time=now", "start_time=0&per_page=1001", "cursor=@@@", "cursor=YWJj"]
)
def test_bad_export_parameters(zendesk, query):
    assert zendesk.get(f"/api/v2/incremental/tickets/cursor?{query}").status_code == 400


def test_deletes_show_in_the_exports(sandbox, zendesk):
    cursors = {name: exported(zendesk, name)[1] for name in ("tickets", "users")}
    ticket, user, organization = (
        sandbox.records("zendesk", name)[15]
        if name != "organizations"
        else sandbox.records("zendesk", name)[0]
        for name in ("tickets", "users", "organizations")
    )
    before = sandbox.counts("zendesk")
    for name, row in (("tickets", ticket), ("users", user), ("organizations", organization)):
        assert sandbox.delete("zendesk", name, row["id"]) == 204
        assert sandbox.delete("zendesk", name, row["id"]) == 404

    gone = continued(zendesk, "tickets", cursors["tickets"])["tickets"]
    inactive = continued(zendesk, "users", cursors["users"])["users"]
    organizations = zendesk.get("/api/v2/incremental/organizations?start_time=0").json()
    after = sandbox.counts("zendesk")
    assert [(r["id"], r["status"], r["subject"]) for r in gone] == [
        (ticket["id"], "deleted", "SCRUBBED")
    ]
    assert [(row["id"], row["active"]) for row in inactive] == [(user["id"], False)]
    assert organizations["organizations"][-1]["deleted_at"]
    assert {name: before[name] - after[name] for name in after} == {
        "tickets": 1,
        "users": 1,
        "organizations": 1,
        "ticket_metrics": 1,
        "satisfaction_ratings": 0,
    }


def test_deleted_tickets_can_be_left_out(zendesk):
    rows, _ = exported(zendesk, "tickets", exclude_deleted="true")

    assert "deleted" not in {row["status"] for row in rows}


def test_metric_sets_come_along(sandbox, zendesk):
    rows, _ = exported(zendesk, "tickets", include="metric_sets")
    ids = ",".join(str(row["id"]) for row in rows[:3])
    shown = zendesk.get(f"/api/v2/tickets/show_many?ids={ids}&include=metric_sets").json()

    assert all(row["metric_set"]["ticket_id"] == row["id"] for row in rows + shown["tickets"])
    live = sorted((r["metric_set"] for r in rows if r["status"] != "deleted"), key=_id)
    assert live == sandbox.records("zendesk", "ticket_metrics")
    assert "metric_set" not in exported(zendesk, "tickets")[0][0]


def _id(row):
    return row["id"]


def test_change_of_metrics_brings_the_ticket_again(sandbox, zendesk):
    _, cursor = exported(zendesk, "tickets")
    metric = sandbox.records("zendesk", "ticket_metrics")[0]
    sandbox.change("zendesk", "ticket_metrics", metric["id"], {"reopens": 9})
    ticket = continued(zendesk, "tickets", cursor)["tickets"][0]

    assert ticket["id"] == metric["ticket_id"]
    assert ticket["updated_at"] < "2026-11-01"


def test_exports_share_ten_requests_a_minute(sandbox, zendesk, clock):
    clock.freeze()
    paths = ["tickets/cursor", "users/cursor", "organizations"]
    answers = [
        zendesk.get(f"/api/v2/incremental/{paths[turn % 3]}?start_time=0") for turn in range(11)
    ]
    limited = answers[-1]

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[2].headers["zendesk-ratelimit-incremental-exports"] == (
        "total=10; remaining=7; resets=60"
    )
    assert answers[0].headers["X-Rate-Limit"] == "700"
    assert answers[0].headers["ratelimit-remaining"] == "699"
    assert limited.headers["Retry-After"] == "60"
    assert limited.json()["error"] == "APIRateLimitExceeded"
    assert zendesk.get("/api/v2/users/me").status_code == 200
    clock.advance(60)
    assert zendesk.get("/api/v2/incremental/organizations?start_time=0").status_code == 200
