"""Zendesk: every request of full, incremental and selective syncs, and what the answers mean."""

import time
from datetime import UTC, datetime

import pytest

from tests.contract.pages import API, exported, rated, timed
from tests.contract.samples import METRIC_SET, ORGANIZATION, RATING, TICKET, USER
from tests.contract.service import Answer

TICKETS = f"{API}/incremental/tickets/cursor"
USERS = f"{API}/incremental/users/cursor"
ORGANIZATIONS = f"{API}/incremental/organizations"
RATINGS = f"{API}/satisfaction_ratings"
METERED = {**TICKET, "metric_set": METRIC_SET}
EXPORTS = {
    "tickets": (TICKETS, "tickets", TICKET, {}),
    "users": (USERS, "users", USER, {}),
    "ticket_metrics": (TICKETS, "tickets", METERED, {"include": "metric_sets"}),
}


def ticket(number, **changes):
    return {**TICKET, "id": number, **changes}


@pytest.fixture
def account(connected):
    return connected("zendesk")


@pytest.mark.parametrize("resource", EXPORTS)
def test_only_the_first_request_of_an_export_names_a_time(service, account, resource):
    path, kind, record, more = EXPORTS[resource]
    answers = [exported(kind, record, cursor="MTc3=", end=False), exported(kind, cursor="MTc4=")]
    service.get(path, *answers, exported(kind, cursor="MTc4="))

    assert [account.sync(resource).error for _ in range(2)] == [None, None]
    always = {"per_page": "1000", **more}
    assert [asked.params for asked in service.asked] == [
        {"start_time": "0", **always},
        {"cursor": "MTc3=", **always},
        {"cursor": "MTc4=", **always},
    ]
    assert {asked.headers["Authorization"] for asked in service.asked} == {"Bearer access-1"}
    assert account.checkpoint(resource).cursor == {"position": {"cursor": "MTc4="}}


def test_a_full_sync_starts_at_the_beginning_again(service, account):
    service.get(TICKETS, exported("tickets", ticket(1), ticket(2)), exported("tickets", ticket(1)))
    account.sync("tickets")

    assert account.sync("tickets", sync_type="FULL_SYNC").resources[0].counts.deleted == 0
    assert [asked.params.get("start_time") for asked in service.asked] == ["0", "0"]
    assert account.live("tickets") == {"1", "2"}  # the export holds recent changes back


def test_a_deleted_ticket_keeps_its_last_good_copy(service, account):
    scrubbed = ticket(1, status="deleted", subject="SCRUBBED", generated_timestamp=1777800000)
    service.get(TICKETS, exported("tickets", ticket(1)), exported("tickets", scrubbed))

    counts = [account.sync("tickets").resources[0].counts for _ in range(2)]
    assert [(c.created, c.deleted) for c in counts] == [(1, 0), (0, 1)]
    row = account.rows("tickets")["1"]
    assert (row["subject"], row["status"]) == ("Order did not arrive", "open")
    assert row["deleted_at"] is not None


OLD = "2020-01-01T00:00:00Z"
ORDER = [
    ({"updated_at": OLD, "generated_timestamp": 1777718333}, "new"),
    ({"generated_timestamp": 1777718331}, "old"),
]


@pytest.mark.parametrize(("stamps", "kept"), ORDER, ids=["system change", "older version"])
def test_versions_of_a_ticket_are_ordered_by_when_they_were_made(service, account, stamps, kept):
    """System changes leave `updated_at` alone."""
    changed = ticket(1, subject="new", **stamps)
    service.get(
        TICKETS, exported("tickets", ticket(1, subject="old")), exported("tickets", changed)
    )

    assert [account.sync("tickets").error for _ in range(2)] == [None, None]
    row = account.rows("tickets")["1"]
    assert row["subject"] == kept
    assert row["source_updated_at"] >= datetime.fromtimestamp(1777718332, UTC)


def test_rows_that_come_again_count_once(service, account):
    first = exported("tickets", ticket(1), ticket(2), end=False, cursor="a")
    service.get(TICKETS, first, exported("tickets", ticket(2), ticket(3), ticket(3), cursor="b"))

    counts = account.sync("tickets").resources[0].counts
    assert (counts.processed, counts.created, counts.updated) == (3, 3, 0)


def test_metrics_are_keyed_by_ticket_and_go_with_it(service, account):
    other = {**METERED, "id": 2, "metric_set": {**METRIC_SET, "id": 5, "ticket_id": 2}}
    gone = {**METERED, "id": 2, "status": "deleted", "metric_set": None}
    service.get(TICKETS, exported("tickets", METERED, other), exported("tickets", gone))

    assert [account.sync("ticket_metrics").error for _ in range(2)] == [None, None]
    rows = account.rows("ticket_metrics")
    assert {key: row["metric_id"] for key, row in rows.items()} == {"35436": "9901001", "2": "5"}
    assert account.live("ticket_metrics") == {"35436"}


def test_inactive_users_are_gone_and_suspended_ones_are_not(service, account):
    service.get(
        USERS,
        exported("users", USER, {**USER, "id": 2}),
        exported("users", {**USER, "suspended": True}, {**USER, "id": 2, "active": False}),
    )

    assert [account.sync("users").error for _ in range(2)] == [None, None]
    assert account.live("users") == {"20978392011"}
    assert account.rows("users")["20978392011"]["suspended"] is True


def test_organizations_go_on_from_the_end_time_until_a_page_is_short(service, account):
    many = [{**ORGANIZATION, "id": number} for number in range(1, 1001)]
    service.get(
        ORGANIZATIONS,
        timed(*many, end_time=1777601000),
        timed(many[-1], ORGANIZATION, end_time=1777602000),
        timed(end_time=None, end=True),
    )

    assert [account.sync("organizations").error for _ in range(2)] == [None, None]
    starts = [asked.params["start_time"] for asked in service.asked]
    assert starts == ["0", "1777601000", "1777602000"]
    assert {asked.params["per_page"] for asked in service.asked} == {"1000"}
    assert len(account.live("organizations")) == 1001


def test_a_full_page_at_the_end_of_the_stream_is_the_last(service, account):
    many = [{**ORGANIZATION, "id": number} for number in range(1, 1001)]
    service.get(ORGANIZATIONS, timed(*many, end_time=1777601000, end=True))

    assert account.sync("organizations").resources[0].counts.created == 1000


def test_a_second_with_more_than_a_page_is_passed_and_the_list_read_besides(service, account):
    many = [{**ORGANIZATION, "id": number} for number in range(1, 1001)]
    later = {**ORGANIZATION, "id": 2000}
    service.get(ORGANIZATIONS, timed(*many, end_time=1777601000), start_time="0")
    service.get(ORGANIZATIONS, timed(*many, end_time=1777601000), start_time="1777601000")
    rest = [{**ORGANIZATION, "id": number} for number in range(1001, 1101)]
    service.get(f"{API}/organizations", listed_by_cursor(*rest), **{"page[size]": "100"})
    service.get(ORGANIZATIONS, timed(later, end_time=1777602000, end=True), start_time="1777601001")

    result = account.sync("organizations")

    assert result.error is None
    assert any("one second holds more records" in line for line in account.log(result))
    assert account.live("organizations") == {str(n) for n in (*range(1, 1101), 2000)}
    assert account.checkpoint("organizations").cursor == {"position": {"time": 1777602000}}


def listed_by_cursor(*records):
    meta = {"has_more": False, "after_cursor": None, "before_cursor": None}
    return {"organizations": list(records), "meta": meta, "links": {"next": None}}


def test_ratings_are_paged_by_cursor_and_read_again_for_weeks(service, account):
    began = time.time()
    service.get(RATINGS, rated(RATING, after="eyJv"), rated({**RATING, "id": 2}), rated())

    assert [account.sync("satisfaction_ratings").error for _ in range(2)] == [None, None]
    first, second, third = (asked.params for asked in service.asked)
    always = {"page[size]": "100", "score": "received"}
    assert first == always
    assert second == {**always, "page[after]": "eyJv"}
    days = (began - int(third.pop("start_time"))) / 86400
    assert third == always
    assert 14 <= days <= 60
    assert account.live("satisfaction_ratings") == {"35121", "2"}


MANY = ["tickets", "users", "organizations", "ticket_metrics"]


@pytest.mark.parametrize("resource", MANY)
def test_ids_are_read_by_the_hundred(service, account, resource):
    kind = "tickets" if resource == "ticket_metrics" else resource
    sample = {"tickets": TICKET, "users": USER, "organizations": ORGANIZATION}[kind]

    def shown(asked):
        numbers = [int(number) for number in asked.params["ids"].split(",")]
        return {kind: [{**sample, "id": n, "metric_set": {"ticket_id": n}} for n in numbers]}

    service.get(f"{API}/{kind}/show_many", shown)
    ids = [str(number) for number in range(1, 132)]

    assert account.sync(resource, sync_type="SELECTIVE", ids=ids).error is None
    assert [len(asked.params["ids"].split(",")) for asked in service.asked] == [100, 31]
    included = {asked.params.get("include") for asked in service.asked}
    assert included == ({"metric_sets"} if resource == "ticket_metrics" else {None})
    assert account.live(resource) == set(ids)


def test_a_ticket_that_show_many_does_not_know_is_gone(service, account):
    service.get(TICKETS, exported("tickets", ticket(1), ticket(2)))
    service.get(f"{API}/tickets/show_many", {"tickets": [ticket(1)], "count": 1})
    account.sync("tickets")

    account.sync("tickets", sync_type="SELECTIVE", ids=["1", "2"])
    assert account.live("tickets") == {"1"}
    assert account.checkpoint("tickets").cursor == {"position": {"cursor": "c1"}}


LOST = {"error": "RecordNotFound", "description": "Not found"}
NO_SUCH = {"error": {"title": "InvalidEndpoint", "message": "Not found"}}
CLOSED = [
    ("record", Answer(LOST, 404), True),
    ("endpoint", Answer(NO_SUCH, 404), False),
    ("endpoint name", Answer({"error": "InvalidEndpoint", "description": "Not found"}, 404), False),
    ("page", Answer(b"<!DOCTYPE html><title>No help desk</title>", 404), False),
]


@pytest.mark.parametrize(("answer", "gone"), [c[1:] for c in CLOSED], ids=[c[0] for c in CLOSED])
def test_a_missing_account_is_no_missing_rating(service, account, answer, gone):
    service.get(RATINGS, rated(RATING))
    service.get(f"{RATINGS}/35121", answer)
    account.sync("satisfaction_ratings")

    result = account.sync("satisfaction_ratings", sync_type="SELECTIVE", ids=["35121"])
    assert (result.error is None) == gone
    assert (account.live("satisfaction_ratings") == set()) == gone


STALE = {"errors": [{"code": "InvalidCursor", "title": "Invalid cursor", "detail": "Too old"}]}


def test_a_cursor_that_is_not_known_any_more_leads_to_a_full_read(service, account):
    account.remember("tickets", {"position": {"cursor": "ancient"}})
    service.get(TICKETS, Answer(STALE, 400), cursor="ancient")
    service.get(TICKETS, exported("tickets", TICKET), start_time="0")

    result = account.sync("tickets")
    assert result.error is None
    assert any(line.startswith("WARNING Reading everything") for line in account.log(result))
    assert account.live("tickets") == {"35436"}
