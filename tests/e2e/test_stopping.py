"""A sync at the terminal is stopped: by Ctrl-C, by `kill`, from another terminal, by a freeze."""

import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import get_sync_job_history
from integrations_pipeline.sync.deaths import end_dead_jobs
from tests.conftest import connect, point_at, sync
from tests.e2e.test_commands import run
from tests.e2e.test_kill import digest, digest_here, live, processed, start_sync, wait_for

SILENCE = 30.0
SOON = 6.0
"""Much less than a page takes; it takes about one second when nothing else happens here."""


@pytest.fixture
def ref(store, make_sandbox, tenant_id, tmp_path):
    """An account whose customers take half a minute per page; everything else is there at once."""
    sandbox = point_at(store, make_sandbox(records=300), tmp_path)
    sandbox.fault("stripe", "slow", count=10_000, seconds=SILENCE, path="/customers")
    return connect(store, sandbox, tenant_id, "stripe")


def start(store, ref, home, **options) -> subprocess.Popen[bytes]:
    """A sync that has read its products and waits for its customers."""
    names = ("--resource", "customers", "--resource", "products")
    process = start_sync(store, ref, home, *names, **options)
    wait_for(lambda: parts(store, ref).get("products") == "COMPLETED")
    return process


def parts(store, ref) -> dict[str, str]:
    jobs = get_sync_job_history(store, ref, limit=1)
    return {name: part["status"] for job in jobs for name, part in job["resources"].items()}


def stored(store, ref, resource) -> int:
    with store.tenant(ref.tenant_id) as session:
        found = session.execute(
            text(f"SELECT count(*) FROM stripe.{resource} WHERE integration_id = :i"), {"i": ref.id}
        )
        return found.scalar_one()


def status_of(store, ref) -> str:
    return get_sync_job_history(store, ref, limit=1)[0]["status"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "kill"])
def test_a_signal_ends_a_sync_whose_service_is_silent(store, ref, home, number) -> None:
    process = start(store, ref, home, stderr=subprocess.PIPE)
    began = time.monotonic()

    process.send_signal(number)
    process.send_signal(number)  # people press it twice
    _, said = process.communicate(timeout=SILENCE)

    assert time.monotonic() - began < SOON
    assert process.returncode == 130
    assert b"Traceback" not in said
    by = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    told = f"{ref.key}: stopped by {by}; what was committed is kept."
    assert f"Cancelled: {told}" in said.decode()
    assert get_sync_job_history(store, ref, limit=1)[0]["error"] == told
    assert status_of(store, ref) == "CANCELLED"
    assert parts(store, ref) == {"customers": "CANCELLED", "products": "COMPLETED"}
    assert stored(store, ref, "products") > 0


def test_another_terminal_cancels_it(store, ref, home) -> None:
    process = start(store, ref, home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    environment = {"INTEGRATIONS_HOME": str(home)}
    began = time.monotonic()

    done = run(store, "cancel", ref.key, **environment)
    job_id = get_sync_job_history(store, ref, limit=1)[0]["id"]
    told, said = process.communicate(timeout=SILENCE)

    assert (done.returncode, done.stdout.split()) == (0, ["Cancelled:", job_id])
    assert time.monotonic() - began < 2 * SOON  # a process had to begin first
    assert process.returncode == 1
    assert b"cancelled by" in b" ".join(said.split())
    assert b"Traceback" not in said
    assert b"products" in told
    assert stored(store, ref, "products") > 0
    assert "No sync waits" in run(store, "cancel", ref.key, **environment).stdout
    late = run(store, "cancel", ref.key, job_id, **environment)
    assert (late.returncode, "CANCELLED already" in late.stderr) == (2, True)
    again = run(store, "retry", ref.key, job_id, **environment)
    assert (again.returncode, again.stdout.startswith("New job: ")) == (0, True)
    assert status_of(store, ref) == "PENDING"


INTERRUPTED = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from integrations_pipeline.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "name", ["integrations_pipeline.cli", "typer", "pydantic", "integrations_pipeline.settings"]
)
def test_ctrl_c_while_the_program_loads_ends_it_quietly(home, name) -> None:
    words = [sys.executable, "-c", INTERRUPTED.format(name=name), "list"]
    environment = {"INTEGRATIONS_HOME": str(home)}

    done = subprocess.run(words, env=environment, capture_output=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def is_ended(store, ref) -> bool:
    """Whether the integration's job was found dead; others' dead jobs are ended as well."""
    end_dead_jobs(store)
    return get_sync_job_history(store, ref)[-1]["status"] == "FAILED"


def test_a_frozen_sync_that_was_followed_by_another_writes_nothing_more(
    store, make_sandbox, tenant_id, tmp_path, home
) -> None:
    sandbox = point_at(store, make_sandbox(records=2000), tmp_path)
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "slow", count=10_000, seconds=0.3, path="/customers")
    process = start_sync(
        store, ref, home, "--resource", "customers", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(lambda: processed(store, ref) >= 300)
    process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: is_ended(store, ref))  # its lease must run out first
        sandbox.send("DELETE", "/sandbox/stripe/faults")
        result = sync(store, ref, resources=["customers"])
    finally:
        process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=60)

    assert result.status is JobStatus.COMPLETED, result.error
    assert process.returncode == 2
    assert b"ended or taken over" in b" ".join(said.split())
    assert digest_here(store, ref, "customers") == digest(live(sandbox, ref, "customers"), ref)
    first = get_sync_job_history(store, ref)[-1]
    assert (first["status"], "stopped reporting" in first["error"]) == ("FAILED", True)
    with store.tenant(tenant_id) as session:
        writers = session.scalars(text("SELECT DISTINCT job_id FROM stripe.customers")).all()
    assert writers == [result.job_id]


def test_a_sync_that_must_wait_for_hours_says_so_and_ends(
    store, make_sandbox, tenant_id, tmp_path, home
) -> None:
    sandbox = point_at(store, make_sandbox(records=50), tmp_path)
    ref = connect(store, sandbox, tenant_id, "zendesk")
    sandbox.fault("zendesk", "rate_limit", count=1000, seconds=7200, path="organizations")
    environment = {
        "INTEGRATIONS_HOME": str(home),
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(store.settings.connector_overrides),
    }

    done = run(store, "sync", ref.key, "--resource", "organizations", **environment)

    assert done.returncode == 75
    assert "asks to wait until" in done.stderr
    assert "Traceback" not in done.stderr
    assert status_of(store, ref) == "PENDING"
