"""Parking: a job whose service asks for a long wait goes on by itself when that is over."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations_pipeline.errors import (
    AnswerError,
    ConflictError,
    FenceLostError,
    RateLimitedError,
    TransientError,
)
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import (
    SyncRequest,
    create_sync_job,
    execute_sync_job,
    get_sync_job_history,
    get_sync_logs,
)
from integrations_pipeline.sync.cancelling import cancel_sync_job
from integrations_pipeline.sync.jobs import find_sync_job
from integrations_pipeline.sync.launching import overdue_launches, take_launches
from integrations_pipeline.sync.leases import check_held, claim_sync_job
from integrations_pipeline.sync.parking import LONGEST, MOST_PARKS, park, wait_of
from integrations_pipeline.transport.usage import Usage
from tests.conftest import connect
from tests.integration.support import integration_row, run_sql
from tests.integration.test_sync_with_sandbox import rows

HOURS = 2
NAMES = ("users", "organizations")


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """An account that lets users be read, and then asks to wait for two hours."""
    store.settings.resource_workers = 1  # one after the other
    sandbox.fault("zendesk", "rate_limit", count=1000, seconds=3600 * HOURS, path="organizations")
    return connect(store, sandbox, tenant_id, "zendesk")


@pytest.fixture
def parked(store, ref):
    return execute_sync_job(store, ref, create_sync_job(store, ref, SyncRequest(resources=NAMES)))


def let_time_pass(store, sandbox, job_id) -> None:
    """As if the two hours were over, for us and for the service."""
    sandbox.send("DELETE", "/sandbox/zendesk/faults")
    run_sql(store, "DELETE FROM integrations.quota_account")
    run_sql(
        store,
        "UPDATE integrations.integration_sync_job SET not_before = now() WHERE id = :id",
        id=job_id,
    )


def job_of(store, ref):
    return get_sync_job_history(store, ref, limit=1)[0]


def test_a_long_wait_parks_the_job_and_frees_the_integration(store, ref, parked) -> None:
    row = find_sync_job(store, ref, parked.job_id)

    assert (parked.status, row.status, row.parks) == (JobStatus.PENDING, "PENDING", 1)
    waits = row.not_before - datetime.now(UTC)
    assert timedelta(hours=HOURS, minutes=-2) < waits < timedelta(hours=HOURS, minutes=1)
    parts = {name: part["status"] for name, part in job_of(store, ref)["resources"].items()}
    assert parts == {"users": "COMPLETED", "organizations": "PENDING"}
    assert integration_row(store, ref).status == "ACTIVE"
    assert len(rows(store, ref, "users")) > 0


def test_a_warning_says_until_when_and_why(store, ref, parked) -> None:
    until = find_sync_job(store, ref, parked.job_id).not_before

    (line,) = [
        one for one in get_sync_logs(store, ref, parked.job_id) if "asks to wait" in one.message
    ]

    assert line.level == "WARNING"
    for told in (line.message, parked.error):
        assert f"{until:%Y-%m-%d %H:%M} UTC" in told
        assert f"{ref.key} organizations: Zendesk" in told


def test_nobody_launches_it_before_its_time(store, sandbox, ref, parked) -> None:
    job_id = parked.job_id
    assert job_id not in [one.job_id for one in take_launches(store, limit=1000)]
    assert take_launches(store, job_id=job_id) == []
    assert job_id not in [one.job_id for one in overdue_launches(store, limit=1000)]

    let_time_pass(store, sandbox, job_id)

    assert job_id in [one.job_id for one in take_launches(store, limit=1000)]


def test_no_run_takes_it_before_its_time(store, ref, parked) -> None:
    before = find_sync_job(store, ref, parked.job_id)

    with pytest.raises(
        ConflictError, match=f"{before.id} is not due before {before.not_before:%F}"
    ):
        execute_sync_job(store, ref, parked.job_id)

    row = find_sync_job(store, ref, parked.job_id)
    told = ("status", "parks", "not_before", "error", "fence", "launched_at")
    assert [getattr(row, name) for name in told] == [getattr(before, name) for name in told]


def test_then_only_what_is_left_is_read_and_all_is_counted(store, sandbox, ref, parked) -> None:
    let_time_pass(store, sandbox, parked.job_id)
    sandbox.forget_requests()

    result = execute_sync_job(store, ref, parked.job_id)

    assert result.status is JobStatus.COMPLETED, result.error
    assert [one.name for one in result.resources] == ["organizations"]
    assert not [sent for sent in sandbox.requests("zendesk") if "users" in sent["path"]]
    job = job_of(store, ref)
    assert {part["status"] for part in job["resources"].values()} == {"COMPLETED"}
    assert (job["status"], job["error"]) == ("COMPLETED", None)
    assert job["api_calls"] == parked.usage.calls + result.usage.calls
    assert len(rows(store, ref, "organizations")) == sandbox.counts("zendesk")["organizations"]


def test_a_job_that_was_parked_too_often_fails_with_the_reason(store, ref) -> None:
    job_id = create_sync_job(store, ref, SyncRequest(resources=NAMES))
    run_sql(
        store,
        "UPDATE integrations.integration_sync_job SET parks = :parks WHERE id = :id",
        parks=MOST_PARKS,
        id=job_id,
    )

    result = execute_sync_job(store, ref, job_id)

    assert result.status is JobStatus.FAILED
    job = job_of(store, ref)
    assert (job["status"], job["error"]) == ("FAILED", result.error)
    assert f"{ref.key} organizations" in job["error"]
    parts = {name: part["status"] for name, part in job["resources"].items()}
    assert parts == {"users": "COMPLETED", "organizations": "FAILED"}


def test_a_short_wait_is_sat_out(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    sandbox.fault("zendesk", "rate_limit", count=1, seconds=1, path="organizations")

    result = execute_sync_job(
        store, ref, create_sync_job(store, ref, SyncRequest(resources=["organizations"]))
    )

    assert (result.status, find_sync_job(store, ref, result.job_id).parks) == ("COMPLETED", 0)


def test_whoever_parked_or_lost_a_job_can_not_write_for_it(store, ref) -> None:
    claims = [claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest()))]
    first = park(store, claims[0], Usage(), seconds=60, reason="slow down")
    assert park(store, claims[0], Usage(), seconds=600, reason="again") == first  # it was done
    claims.append(claim_sync_job(store, ref, create_sync_job(store, ref, SyncRequest())))
    cancel_sync_job(store, ref, claims[1].job_id, by="ada")
    assert park(store, claims[1], Usage(), seconds=60, reason="late") is None

    for claim in claims:
        with pytest.raises(FenceLostError):
            check_held(store, claim)


def transient(seconds) -> TransientError:
    error = TransientError("The account fails.")
    error.retry_after = seconds
    return error


def test_only_waits_that_a_run_can_not_sit_out_park_a_job(store) -> None:
    limit = store.settings.retry_seconds
    waits = {
        limit + 1: [RateLimitedError("", retry_after=limit + 1), transient(limit + 1)],
        None: [
            RateLimitedError("", retry_after=limit),
            RateLimitedError(""),
            RateLimitedError("", retry_after=LONGEST.total_seconds() + 1),
            RateLimitedError("", retry_after=float("inf")),
            RateLimitedError("", retry_after=float("nan")),
            transient(None),
            AnswerError(""),
            ValueError(),
        ],
    }

    for expected, errors in waits.items():
        assert {wait_of(store, error) for error in errors} == {expected}
