"""Backfills: which days are asked for, in which chunks, and where one goes on that had stopped."""

from datetime import UTC, date, datetime, timedelta

import pytest

from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import Checkpoint
from integrations_pipeline.sync import SyncRequest
from integrations_pipeline.sync.forecasting import forecast
from tests.contract.pages import API, exported, found, listed
from tests.contract.samples import CUSTOMER, DEAL, TICKET
from tests.contract.service import Answer

DAY = 86_400
SINCE, UNTIL = date(2026, 1, 1), date(2026, 5, 1)
BORN = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
DAYS = (UNTIL - SINCE).days
RANGE = {"sync_type": "SELECTIVE", "since": SINCE, "until": UNTIL}


def customer(number: int, created: int) -> dict:
    return {**CUSTOMER, "id": f"cus_{number}", "created": created}


class Customers:
    """Stripe's list with some customers a day; it fails for one day as long as it is told to."""

    def __init__(self, per_day: int = 1) -> None:
        self.failing: int | None = None
        self.asked: list[tuple[int, int]] = []
        count = DAYS * per_day
        step = DAY // per_day
        self.rows = [customer(n, BORN + n * step) for n in range(count)][::-1]

    def __call__(self, asked):
        since, until = (int(asked.params[f"created[{end}]"]) for end in ("gte", "lt"))
        if self.failing is not None and since <= BORN + self.failing * DAY < until:
            return Answer({"error": {"type": "invalid_request_error", "message": "No."}}, 400)
        if "starting_after" not in asked.params:
            self.asked.append(((since - BORN) // DAY, (until - BORN) // DAY))
        rows = [row for row in self.rows if since <= row["created"] < until]
        after = asked.params.get("starting_after")
        start = next((n + 1 for n, row in enumerate(rows) if row["id"] == after), 0)
        return listed(*rows[start : start + 100], more=start + 100 < len(rows))

    @property
    def days(self) -> list[int]:
        return sorted(day for since, until in self.asked for day in range(since, until))


@pytest.fixture
def account(connected, store):
    store.settings.page_workers = 1
    return connected("stripe")


def progress(account, resource):
    with account.store.tenant(account.ref.tenant_id) as session:
        found = session.query(Checkpoint).filter_by(
            integration_id=account.ref.id, resource=resource
        )
        return {row.scope: row.progress for row in found}


def test_each_day_is_asked_for_once_the_latest_first_in_fitting_chunks(service, account):
    customers = Customers()
    service.get("/v1/customers", customers)

    assert account.sync("customers", **RANGE).error is None
    assert customers.days == list(range(DAYS))
    assert [until - since for since, until in customers.asked] == [7, 28, 85]
    assert customers.asked == sorted(customers.asked, reverse=True)
    assert len(account.live("customers")) == DAYS


def test_crowded_days_make_small_chunks(service, account):
    customers = Customers(per_day=1200)
    service.get("/v1/customers", customers)
    days = {**RANGE, "until": SINCE + timedelta(days=20)}

    assert account.sync("customers", **days).error is None
    assert [until - since for since, until in customers.asked] == [7, 4, 4, 4, 1]
    assert customers.days == list(range(20))


def test_a_backfill_goes_on_where_it_stopped_and_then_begins_anew(service, account):
    customers = Customers()
    customers.failing = 100
    service.get("/v1/customers", customers)

    stopped = account.sync("customers", **RANGE)
    assert stopped.status is JobStatus.FAILED
    assert customers.days == list(range(113, DAYS))
    assert len(account.live("customers")) == 7
    (left,) = progress(account, "customers").values()
    assert left == {"left": [[BORN, BORN + 113 * DAY]]}

    customers.failing = None
    result = account.sync("customers", **RANGE)
    assert result.error is None
    assert customers.days == list(range(DAYS))  # none of them twice
    assert any("Going on with a backfill" in line for line in account.log(result))
    assert len(account.live("customers")) == DAYS
    assert list(progress(account, "customers").values()) == [None]

    customers.asked.clear()
    again = account.sync("customers", **RANGE)
    assert again.error is None
    assert customers.days == list(range(DAYS))
    assert again.resources[0].counts.unchanged == DAYS


def test_another_range_knows_nothing_of_the_stopped_one(service, account):
    customers = Customers()
    customers.failing = 100
    service.get("/v1/customers", customers)
    account.sync("customers", **RANGE)
    customers.failing, customers.asked = None, []

    shorter = {**RANGE, "since": date(2026, 1, 2)}
    assert account.sync("customers", **shorter).error is None
    assert customers.days == list(range(1, DAYS))


def test_the_live_checkpoint_stays(service, account):
    account.remember("customers", {"since": "2026-11-01T00:00:00+00:00"})
    service.get("/v1/customers", Customers())

    assert account.sync("customers", **RANGE).error is None
    assert account.checkpoint("customers").cursor == {"since": "2026-11-01T00:00:00+00:00"}


def ticket(number, stamp):
    return {**TICKET, "id": number, "generated_timestamp": stamp}


TICKETS = f"{API}/incremental/tickets/cursor"
END = BORN + DAYS * DAY


def test_an_export_begins_at_the_first_day_and_is_left_behind_the_last(service, connected):
    first = exported("tickets", ticket(1, BORN), ticket(2, BORN + 9), cursor="a", end=False)
    last = exported("tickets", ticket(3, END - 1), ticket(4, END), cursor="b", end=False)
    service.get(TICKETS, first, start_time=f"{BORN}", cursor=None)
    service.get(TICKETS, last, cursor="a", start_time=None)
    service.may_get(TICKETS, exported("tickets", ticket(5, END + 9), cursor="c"), cursor="b")

    account = connected("zendesk")
    assert account.sync("tickets", **RANGE).error is None
    assert account.live("tickets") == {"1", "2", "3"}


def test_an_export_goes_on_from_the_page_where_it_stopped(service, connected):
    first = exported("tickets", ticket(1, BORN), cursor="a", end=False)
    service.get(TICKETS, first, start_time=f"{BORN}")
    service.get(TICKETS, Answer({"error": "Nope"}, 400), cursor="a")
    service.get(TICKETS, exported("tickets", ticket(2, BORN + 5), cursor="b"), cursor="a")
    account = connected("zendesk")

    assert account.sync("tickets", **RANGE).status is JobStatus.FAILED
    assert account.sync("tickets", **RANGE).error is None
    assert account.live("tickets") == {"1", "2"}
    assert list(progress(account, "tickets").values()) == [None]


def counted(account, *resources):
    request = SyncRequest(resources=resources, **RANGE)
    return forecast(account.store, account.ref, request)


def test_hubspot_counts_the_records_of_a_forecast(service, connected):
    service.post("/crm/v3/objects/deals/search", found(DEAL, total=4321, after="1"))

    (one,) = counted(connected("hubspot"), "deals")

    asked = service.asked[0].json
    bounds = {
        (f["operator"], f["value"])
        for f in asked["filterGroups"][0]["filters"]
        if f["propertyName"] == "createdate"
    }
    assert bounds == {("GTE", f"{BORN}000"), ("LTE", f"{END * 1000 - 1}")}
    assert (one.records, one.calls, one.basis) == (4321, 22, "the service's count")
    assert (one.by, one.seconds) == ("creation", None)


def test_a_count_of_all_is_better_than_none(service, connected):
    service.get(f"{API}/tickets/count", {"count": {"value": 2500, "refreshed_at": None}})

    (one,) = counted(connected("zendesk"), "tickets")

    assert (one.records, one.calls, one.by) == (2500, 3, "last change")
    assert one.basis == "the service's count of all its records"


def test_without_a_count_our_own_rows_are_counted(service, account):
    service.get("/v1/customers", listed(customer(1, BORN), customer(2, BORN - 1)))
    account.sync("customers")

    (one,) = counted(account, "customers")

    assert (one.records, one.calls, one.basis) == (1, 1, "our rows of these days")
    assert one.seconds is not None


def test_without_count_and_rows_nothing_is_known(service, account):
    (one,) = counted(account, "customers")

    assert (one.records, one.calls, one.seconds, one.basis) == (None, None, None, "unknown")
    assert service.asked == []


def test_a_count_that_fails_is_no_fault(service, connected):
    service.get(f"{API}/users/count", Answer({"error": "Forbidden"}, 403))

    assert counted(connected("zendesk"), "users")[0].basis == "unknown"
