"""Dagster's own processes at work: the sensor, a schedule, and a run that is killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from sqlalchemy import URL

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.oauth import IntegrationRef, find_integration
from integrations_pipeline.orchestration.launch import DagsterClient
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Store, open_store
from integrations_pipeline.sync import SyncRequest, create_sync_job, get_sync_job_history
from integrations_pipeline.sync.reporting import table_state
from integrations_pipeline.sync.scheduling import set_schedule
from tests.conftest import Sandbox
from tests.e2e.test_demo import secrets_of
from tests.e2e.test_kill import wait_for


@dataclass(frozen=True)
class Stack:
    """A demo that goes on serving."""

    process: subprocess.Popen[bytes]
    home: Path
    store: Store
    dagster: DagsterClient
    sandbox: Sandbox

    def job(self, ref: IntegrationRef, job_id: Any) -> dict[str, Any]:
        history = get_sync_job_history(self.store, ref)
        return next(job for job in history if job["id"] == str(job_id))

    def worker(self) -> psutil.Process | None:
        """The process of a run: a child of the code server."""
        for process in psutil.Process(self.process.pid).children(recursive=True):
            if "spawn_main" in " ".join(process.cmdline()):
                return process
        return None


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    home = Path(tempfile.mkdtemp(prefix="integrations-stack-"))
    program = str(Path(sys.executable).parent / "integrations")
    log = home / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "demo", "--port", "8500"],
            env={**os.environ, "INTEGRATIONS_HOME": str(home), "INTEGRATIONS_LEASE_SECONDS": "5"},
            stdout=output,
            stderr=output,
        )
    wait_for(lambda: "Ctrl-C stops" in log.read_text() or process.poll() is not None, seconds=200)
    assert process.poll() is None, log.read_text()[-3000:]
    settings = Settings(home=home, _env_file=home / "settings.env")
    store = open_store(settings, CONNECTORS.values())
    overrides = settings.overrides["stripe"].api_base_url or ""
    sandbox = Sandbox(overrides.removesuffix("/stripe"))
    yield Stack(process, home, store, DagsterClient(settings.dagster_url), sandbox)
    store.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    shutil.rmtree(home)


def test_a_job_that_nobody_launched_gets_its_run_from_the_sensor(stack: Stack) -> None:
    ref = find_integration(stack.store, "acme--stripe")
    job_id = create_sync_job(stack.store, ref, SyncRequest(resources=["products"], trigger="test"))

    wait_for(lambda: stack.job(ref, job_id)["status"] == "COMPLETED", seconds=90)

    run_id = stack.job(ref, job_id)["run_id"]
    wait_for(lambda: stack.dagster.run_status(run_id) == "SUCCESS", seconds=60)


def test_two_runs_of_one_integration_go_one_after_the_other(stack: Stack) -> None:
    ref = find_integration(stack.store, "globex--stripe")
    request = SyncRequest(sync_type="FULL_SYNC", resources=["products", "subscriptions"])
    jobs = [create_sync_job(stack.store, ref, request) for _ in range(2)]
    for job_id in jobs:
        stack.dagster.launch(stack.store, job_id)  # or the sensor, if it is faster

    ended = {"COMPLETED", "FAILED", "CANCELLED"}
    wait_for(lambda: all(stack.job(ref, job)["status"] in ended for job in jobs), seconds=120)

    told = sorted((stack.job(ref, job_id) for job_id in jobs), key=lambda job: job["started_at"])
    assert [job["status"] for job in told] == ["COMPLETED", "COMPLETED"]
    assert told[0]["finished_at"] <= told[1]["started_at"]


def test_no_secret_stands_in_any_table(stack: Stack) -> None:
    clients = {account["client_secret"] for account in stack.sandbox.get("/sandbox/accounts")}
    secrets = [text.encode() for text in secrets_of(stack.home) | clients]

    for database in ("integrations", "integrations_dagster"):
        for table, content in dumped(stack.store.url.set(database=database)):
            assert not [s for s in secrets if s in content], (database, table)


def dumped(url: URL) -> Iterator[tuple[str, bytes]]:
    """Every table of a database as text, as its owner sees it."""
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(False)) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema'"
        ).fetchall()
        assert len(tables) > 10
        for (table,) in tables:
            with connection.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as copy:
                yield table, b"".join(copy)


def test_a_schedule_fires(stack: Stack) -> None:
    ref = find_integration(stack.store, "globex--hubspot")
    set_schedule(stack.store, ref, "* * * * *")

    def scheduled() -> list[dict[str, Any]]:
        history = get_sync_job_history(stack.store, ref)
        return [job for job in history if job["trigger"] == "schedule"]

    wait_for(lambda: any(job["status"] == "COMPLETED" for job in scheduled()), seconds=150)
    set_schedule(stack.store, ref, None)

    assert scheduled()[0]["sync_type"] == "SCHEDULED"


def test_a_killed_run_is_noticed_and_the_next_one_equals_the_source(stack: Stack) -> None:
    ref = find_integration(stack.store, "acme--stripe")
    stack.sandbox.fault("stripe", "slow", count=10_000, seconds=0.5)
    request = SyncRequest(sync_type="FULL_SYNC", resources=["customers"])
    job_id = create_sync_job(stack.store, ref, request)
    stack.dagster.launch(stack.store, job_id)
    wait_for(lambda: stack.job(ref, job_id)["processed"] >= 1000, seconds=90)

    worker = stack.worker()
    assert worker is not None
    worker.kill()

    wait_for(lambda: stack.job(ref, job_id)["status"] == "FAILED", seconds=90)
    run_id = stack.job(ref, job_id)["run_id"]
    wait_for(lambda: stack.dagster.run_status(run_id) == "FAILURE", seconds=120)
    stack.sandbox.send("DELETE", "/sandbox/stripe/faults")
    again = create_sync_job(stack.store, ref, request)
    stack.dagster.launch(stack.store, again)
    wait_for(lambda: stack.job(ref, again)["status"] == "COMPLETED", seconds=120)
    customers = ref.connector.resource("customers")
    assert customers is not None
    rows = table_state(stack.store, ref, customers).rows
    assert rows == stack.sandbox.counts("stripe")["customers"]
