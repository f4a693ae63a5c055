"""Zendesk's lists, filters, single records and ratings."""

from collections import Counter

import pytest


@pytest.fixture
def zendesk(sandbox):
    return sandbox.api("zendesk")


def listed(client, resource, **params):
    """A whole list by cursor paging, its next links followed as they are."""
    page = client.get(f"/api/v2/{resource}", params={"page[size]": 100} | params).json()
    rows = page[resource]
    while page["meta"]["has_more"]:
        page = client.get(page["links"]["next"]).json()
        rows += page[resource]
    return rows


@pytest.mark.parametrize("size", [7, 100])
@pytest.mark.parametrize("resource", ["users", "organizations"])
def test_cursor_paging_to_the_end(sandbox, zendesk, resource, size):
    rows = listed(zendesk, resource, **{"page[size]": size})

    assert rows == sandbox.records("zendesk", resource)


def test_cursor_paging_backwards_and_sorted(zendesk):
    path = "/api/v2/tickets?sort=-updated_at&page[size]=5"
    first = zendesk.get(path).json()
    second = zendesk.get(first["links"]["next"]).json()
    back = zendesk.get(second["links"]["prev"]).json()
    stamps = [row["updated_at"] for row in first["tickets"] + second["tickets"]]

    assert stamps == sorted(stamps, reverse=True)
    assert back["tickets"] == first["tickets"]


def test_lists_leave_out_archived_tickets(sandbox, zendesk):
    tickets = listed(zendesk, "tickets")
    metrics = listed(zendesk, "ticket_metrics")
    live = sandbox.records("zendesk", "tickets")
    gone = {row["id"] for row in live} - {row["id"] for row in tickets}

    assert gone
    assert {row["status"] for row in live if row["id"] in gone} == {"closed"}
    assert {row["ticket_id"] for row in metrics} == {row["id"] for row in tickets}
    assert [row["id"] for row in metrics] == sorted((r["id"] for r in metrics), reverse=True)
    assert zendesk.get(f"/api/v2/tickets/{min(gone)}").status_code == 200


def test_offset_paging_ends_at_a_hundred_pages(zendesk):
    first = zendesk.get("/api/v2/users.json?per_page=10").json()
    second = zendesk.get(first["next_page"]).json()
    deep = zendesk.get("/api/v2/users?page=101")

    assert first["count"] == 68
    assert second["previous_page"]
    assert second["users"][0]["id"] > first["users"][-1]["id"]
    assert (deep.status_code, deep.json()["error"]) == (400, "InvalidPaginationDepth")


@pytest.mark.parametrize("query", ["page[size]=101", "page[size]=0", "page[after]=@@", "page=x"])
def test_bad_list_parameters(zendesk, query):
    assert zendesk.get(f"/api/v2/users?{query}").status_code == 400


def test_ratings_by_score_and_time(sandbox, zendesk):
    received = listed(zendesk, "satisfaction_ratings", score="received")
    everything = listed(zendesk, "satisfaction_ratings")
    commented = listed(zendesk, "satisfaction_ratings", score="good_with_comment")
    scores = Counter(row["score"] for row in everything)

    assert received == sandbox.records("zendesk", "satisfaction_ratings")
    assert scores["offered"] == len(everything) - len(received) > 0
    assert all(row["score"] == "good" and row["comment"] for row in commented)
    assert len(received) == sandbox.counts("zendesk")["satisfaction_ratings"]


def test_changed_rating_is_found_by_time(sandbox, zendesk, clock):
    rating = sandbox.records("zendesk", "satisfaction_ratings")[0]
    sandbox.change("zendesk", "satisfaction_ratings", rating["id"], {"score": "bad"})
    since = listed(zendesk, "satisfaction_ratings", start_time=int(clock()) - 30)
    until = listed(zendesk, "satisfaction_ratings", end_time=int(clock()) - 30)

    assert [row["id"] for row in since] == [rating["id"]]
    assert rating["id"] not in {row["id"] for row in until}
    assert sandbox.delete("zendesk", "satisfaction_ratings", rating["id"]) == 409


def test_single_records_and_show_many(sandbox, zendesk):
    users = sandbox.records("zendesk", "users")
    deleted = sandbox.records("zendesk", "tickets")[0]
    sandbox.delete("zendesk", "tickets", deleted["id"])
    ids = [users[2]["id"], users[9]["id"], 5]
    many = zendesk.get(f"/api/v2/users/show_many.json?ids={','.join(map(str, ids))}").json()
    missing = zendesk.get(f"/api/v2/tickets/{deleted['id']}.json")

    assert many["users"] == [users[2], users[9]]
    assert zendesk.get(f"/api/v2/users/{users[2]['id']}").json() == {"user": users[2]}
    assert (missing.status_code, missing.json()["error"]) == (404, "RecordNotFound")
    assert zendesk.get("/api/v2/users/show_many").status_code == 400


def test_user_filters(zendesk):
    query = "/api/v2/users?role[]=agent&role[]=admin&page[size]=100"
    agents = zendesk.get(query).json()["users"]
    external = zendesk.get("/api/v2/users?external_id=crm-3").json()["users"]

    assert len(agents) == 8
    assert [row["external_id"] for row in external] == ["crm-3"]


def test_who_and_where_the_token_is(zendesk):
    settings = zendesk.get("/api/v2/account/settings.json").json()["settings"]

    assert zendesk.get("/api/v2/users/me.json").json()["user"]["role"] == "admin"
    assert settings["account"]["subdomain"] == "acme"
    assert zendesk.get("/api/v2/ticket_fields").json()["count"] == 8


def test_relations_hold(sandbox):
    tickets = sandbox.records("zendesk", "tickets")
    everyone = {row["id"] for row in sandbox.records("zendesk", "users")}
    requesters = {row["requester_id"] for row in tickets}
    organizations = {row["id"] for row in sandbox.records("zendesk", "organizations")}

    assert len(requesters & everyone) > len(requesters) * 0.8
    assert {row["organization_id"] for row in tickets} - {None} <= organizations


def test_unknown_paths(zendesk):
    answer = zendesk.get("/api/v2/unicorns")

    assert (answer.status_code, answer.json()["error"]) == (404, "InvalidEndpoint")
