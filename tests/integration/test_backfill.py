"""Backfills of the three services: what they read, what they leave alone, what they refuse."""

from datetime import UTC, date, datetime, timedelta

import pytest

from integrations_pipeline.errors import RequestError
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import Checkpoint
from integrations_pipeline.sync import SyncRequest, check_request
from integrations_pipeline.sync.forecasting import forecast
from tests.conftest import connect, sync
from tests.integration.support import run_sql
from tests.integration.test_sync_with_sandbox import live, rows

STAMPS = {
    ("hubspot", "deals"): "created_at",
    ("stripe", "customers"): "created_at",
    ("stripe", "invoices"): "created_at",
    ("zendesk", "tickets"): "source_updated_at",
    ("zendesk", "users"): "source_updated_at",
    ("zendesk", "organizations"): "source_updated_at",
    ("zendesk", "ticket_metrics"): None,
    ("zendesk", "satisfaction_ratings"): "source_updated_at",
}


def days(found: dict, column: str) -> tuple[date, date]:
    """The middle half of the days that rows belong to."""
    stamps = sorted(row[column] for row in found.values() if row[column])
    since, until = stamps[len(stamps) // 4].date(), stamps[len(stamps) * 3 // 4].date()
    return since, max(until, since + timedelta(days=1))


def of_days(found: dict, column: str, since: date, until: date) -> set[str]:
    inside = (
        row[column] and since <= row[column].astimezone(UTC).date() < until
        for row in found.values()
    )
    return {key for key, is_inside in zip(found, inside, strict=True) if is_inside}


def forget(store, ref, resource) -> None:
    run_sql(
        store, f"DELETE FROM {ref.connector.name}.{resource} WHERE integration_id = :i", i=ref.id
    )


def backfill(store, ref, resource, since, until, **more):
    return sync(
        store, ref, resources=[resource], sync_type="SELECTIVE", since=since, until=until, **more
    )


def checkpoints(store, ref, resource) -> dict[str, Checkpoint]:
    with store.tenant(ref.tenant_id) as session:
        found = session.query(Checkpoint).filter_by(integration_id=ref.id, resource=resource).all()
    return {row.scope: row for row in found}


@pytest.mark.parametrize(("service", "resource"), [one for one, by in STAMPS.items() if by])
def test_a_backfill_reads_the_records_of_its_days(store, sandbox, tenant_id, service, resource):
    ref, column = connect(store, sandbox, tenant_id, service), STAMPS[service, resource]
    assert sync(store, ref, resources=[resource]).error is None
    everything = rows(store, ref, resource)
    before = checkpoints(store, ref, resource)[""].cursor
    since, until = days(everything, column)
    forget(store, ref, resource)

    result = backfill(store, ref, resource, since, until)

    assert result.error is None
    assert result.resources[0].mode == "backfill"
    found = rows(store, ref, resource)
    assert set(found) == of_days(everything, column, since, until)
    assert 0 < len(found) < len(everything)
    assert {key: row["raw"] for key, row in found.items()} == {
        key: everything[key]["raw"] for key in found
    }
    assert checkpoints(store, ref, resource)[""].cursor == before


def test_a_backfill_infers_no_deletions(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sync(store, ref, resources=["customers"])
    everything = rows(store, ref, "customers")
    sandbox.delete("stripe", "customers", next(iter(live(everything))))

    result = backfill(store, ref, "customers", date(2011, 1, 1), datetime.now(UTC).date())

    assert (result.error, result.resources[0].counts.deleted) == (None, 0)
    assert set(live(rows(store, ref, "customers"))) == set(live(everything))


def test_a_backfill_takes_filters(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sync(store, ref, resources=["contacts"])
    everything = rows(store, ref, "contacts")
    since, until = days(everything, "created_at")
    forget(store, ref, "contacts")

    filters = {"lifecycle_stage": "lead"}
    assert backfill(store, ref, "contacts", since, until, filters=filters).error is None

    inside = of_days(everything, "created_at", since, until)
    wanted = {key for key in inside if everything[key]["lifecycle_stage"] == "lead"}
    assert set(rows(store, ref, "contacts")) == wanted
    assert 0 < len(wanted) < len(inside)


def test_a_backfill_of_all_resources_takes_those_that_can(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    today = datetime.now(UTC).date()
    request = SyncRequest(sync_type="SELECTIVE", since=today - timedelta(days=1), until=today)

    assert check_request(ref, request) == ("contacts", "companies", "deals", "tickets")


TODAY = date(2026, 5, 4)
NONSENSE = [
    ({"since": TODAY, "until": TODAY}, "before it begins"),
    ({"since": TODAY, "until": date(2026, 1, 1)}, "before it begins"),
    ({"since": TODAY}, "first day"),
    ({"until": TODAY}, "first day"),
    ({"since": TODAY, "until": date(9999, 1, 1)}, "future"),
    ({"since": date(1900, 1, 1), "until": TODAY}, "before any service"),
    ({"since": date(2026, 1, 1), "until": TODAY, "ids": ["1"]}, "ids"),
    ({"since": date(2026, 1, 1), "until": TODAY, "fields": ["email"]}, "fields"),
    ({"since": date(2026, 1, 1), "until": TODAY, "sync_type": "FULL_SYNC"}, "SELECTIVE"),
    ({"since": date(2026, 1, 1), "until": TODAY, "sync_type": "MANUAL"}, "SELECTIVE"),
    ({"since": date(2026, 1, 1), "until": TODAY, "direction": "bidirectional"}, "pulled"),
    ({"since": date(2026, 1, 1), "until": TODAY, "resources": ["owners"]}, "owners"),
]


@pytest.mark.parametrize(("asked", "word"), NONSENSE)
def test_a_range_that_makes_no_sense_is_refused(store, sandbox, tenant_id, asked, word) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    with pytest.raises(RequestError) as caught:
        check_request(ref, SyncRequest(**{"sync_type": "SELECTIVE", **asked}))
    assert word in str(caught.value)


def test_a_backfill_waits_behind_all_others(store, sandbox, tenant_id, monkeypatch) -> None:
    from integrations_pipeline.transport.account import Priority
    from integrations_pipeline.transport.limits import Limits

    ref = connect(store, sandbox, tenant_id, "stripe")
    seen, enter = [], Limits.enter

    def watched(limits, *args, **options):
        seen.extend(one for one in (*args, *options.values()) if isinstance(one, Priority))
        return enter(limits, *args, **options)

    monkeypatch.setattr(Limits, "enter", watched)
    today = datetime.now(UTC).date()
    result = backfill(store, ref, "customers", today - timedelta(days=400), today)

    assert result.status is JobStatus.COMPLETED
    assert set(seen) == {Priority.BULK}


@pytest.mark.parametrize(("service", "resource"), [("hubspot", "deals"), ("zendesk", "users")])
def test_a_forecast_asks_the_service(store, sandbox, tenant_id, service, resource) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    count = len(sandbox.records(service, resource))
    today = datetime.now(UTC).date()
    request = SyncRequest(
        sync_type="SELECTIVE", resources=[resource], since=date(2011, 1, 1), until=today
    )

    (one,) = forecast(store, ref, request)

    assert one.records == count
    assert one.basis.startswith("the service's count")
    assert one.calls > 0
