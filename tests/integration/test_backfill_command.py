"""`integrations backfill`: the forecast comes first, and nothing begins without a yes."""

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest
from typer.testing import CliRunner

from integrations_pipeline import backfill_commands, cli
from integrations_pipeline.errors import RequestError
from integrations_pipeline.sync import get_sync_job_history
from tests.conftest import connect, sync
from tests.integration.test_sync_with_sandbox import rows


@pytest.fixture
def ref(store, sandbox, tenant_id, monkeypatch):
    """A connected Stripe account that the command finds."""

    @contextmanager
    def opened():
        yield store

    monkeypatch.setattr(backfill_commands, "opened", opened)
    return connect(store, sandbox, tenant_id, "stripe")


def run(ref, *options: str):
    command = ["backfill", ref.key, "--resource", "customers", *options]
    return CliRunner().invoke(cli.app, command)


def some_days(store, ref) -> tuple[list[str], set[str]]:
    """Options that name the days of some customers, and these customers."""
    sync(store, ref, resources=["customers"])
    found = rows(store, ref, "customers")
    first = sorted(row["created_at"] for row in found.values())[len(found) // 2].date()
    inside = {key for key, row in found.items() if first <= row["created_at"].date()}
    until = datetime.now(UTC).date() + timedelta(days=1)
    return ["--since", str(first), "--until", str(until)], inside


def test_a_dry_run_only_tells_the_cost(store, ref) -> None:
    options, inside = some_days(store, ref)
    before = len(get_sync_job_history(store, ref))

    told = orjson.loads(run(ref, *options, "--dry-run", "--json").stdout)["forecast"]

    assert [one["resource"] for one in told] == ["customers"]
    assert told[0]["records"] == len(inside)
    assert told[0]["calls"] == -(-len(inside) // 100)
    assert told[0]["seconds"] > 0
    assert (told[0]["by"], told[0]["basis"]) == ("creation", "our rows of these days")
    assert len(get_sync_job_history(store, ref)) == before


def test_the_forecast_is_shown_as_a_table(store, ref) -> None:
    options, inside = some_days(store, ref)

    shown = run(ref, *options, "--dry-run").stdout

    assert all(word in shown for word in ("resource", "records", "calls", str(len(inside))))


def test_without_a_terminal_somebody_must_have_said_yes(store, ref) -> None:
    options, _ = some_days(store, ref)
    before = len(get_sync_job_history(store, ref))

    result = run(ref, *options)

    assert isinstance(result.exception, RequestError)
    assert "--yes" in str(result.exception)
    assert len(get_sync_job_history(store, ref)) == before


def test_with_a_yes_the_days_are_read(store, ref) -> None:
    options, inside = some_days(store, ref)

    result = run(ref, *options, "--yes")

    assert result.exit_code == 0, result.output
    job = get_sync_job_history(store, ref)[0]
    assert (job["sync_type"], job["trigger"], job["status"]) == (
        "SELECTIVE",
        "backfill",
        "COMPLETED",
    )
    assert job["resources"]["customers"]["mode"] == "backfill"
    assert job["resources"]["customers"]["processed"] == len(inside)


@pytest.mark.parametrize(("name", "day"), [("--since", "yesterday"), ("--until", "2026-13-01")])
def test_a_day_that_is_none_is_refused(ref, name, day) -> None:
    options = {"--since": str(date(2026, 1, 1)), "--until": str(date(2026, 2, 1)), name: day}

    result = run(ref, *(word for pair in options.items() for word in pair))

    assert isinstance(result.exception, RequestError)
    assert day in str(result.exception)
