"""The story of a job at the terminal: its lines, its cost, and what comes while it runs."""

import subprocess
import sys
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from integrations_pipeline.oauth import create_integration
from integrations_pipeline.sync import SyncRequest, create_sync_job, log_sync
from integrations_pipeline.sync.launching import end_pending_job
from tests.conftest import connect, sync
from tests.e2e.test_commands import PROGRAM, run
from tests.e2e.test_kill import wait_for


@pytest.fixture
def home_of(home) -> dict[str, str]:
    return {"INTEGRATIONS_HOME": str(home), "COLUMNS": "160"}


@pytest.fixture
def idle(store, tenant_id):
    return create_integration(store, tenant_id, "stripe", "s", client_id="c", client_secret="s")


def test_logs_show_the_newest_job_s_lines_and_what_it_cost(
    store, sandbox, tenant_id, home_of
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    result = sync(store, ref, resources=["products"])

    newest = run(store, "logs", ref.key, **home_of)
    named = run(store, "logs", ref.key, str(result.job_id), "--json", **home_of)

    assert newest.returncode == 0, newest.stderr
    assert "products: Reading full." in newest.stdout
    assert "api calls" in newest.stdout
    assert "MANUAL pull by manual: COMPLETED" in newest.stdout
    told = orjson.loads(named.stdout)
    assert told["id"] == str(result.job_id)
    assert told["logs"][0]["message"] == "Reading full."
    assert told["resources"]["products"]["api_calls"] > 0


def test_logs_can_be_chosen_and_name_the_record_concerned(store, idle, home_of) -> None:
    job_id = create_sync_job(store, idle, SyncRequest())
    log_sync(store, idle, job_id, "INFO", "All is well.", resource="products")
    details = {"record": "prod_7"}
    log_sync(store, idle, job_id, "WARNING", "Odd.", resource="products", details=details)

    shown = run(store, "logs", idle.key, "--level", "warning", **home_of).stdout
    other = run(store, "logs", idle.key, "--resource", "invoices", **home_of).stdout

    assert "Warning: products: Odd. (record prod_7)" in shown
    assert "All is well" not in shown
    assert "Odd" not in other


def test_followed_logs_go_on_until_the_job_has_ended(store, idle, home_of, tmp_path: Path) -> None:
    job_id = create_sync_job(store, idle, SyncRequest())
    log_sync(store, idle, job_id, "INFO", "First line.")
    path = tmp_path / "shown.txt"
    url = store.url.render_as_string(hide_password=False)
    with path.open("w") as shown:
        process = subprocess.Popen(
            [PROGRAM, "logs", idle.key, "--follow"],
            env={**home_of, "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"},
            stdout=shown,
            stderr=sys.stderr,
        )
    try:
        wait_for(lambda: "First line." in path.read_text())
        log_sync(store, idle, job_id, "INFO", "Second line.")
        wait_for(lambda: "Second line." in path.read_text())
        assert process.poll() is None
        end_pending_job(store, idle, job_id, "CANCELLED", "Nobody wants it.")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()

    assert path.read_text().count("First line.") == 1
    assert "CANCELLED: Nobody wants it." in path.read_text()


def test_the_history_is_read_in_pages(store, idle, home_of) -> None:
    made = {str(create_sync_job(store, idle, SyncRequest())) for _ in range(3)}

    first = run(store, "history", idle.key, "--limit", "2", "--json", **home_of)
    ids = [job["id"] for job in orjson.loads(first.stdout)]
    rest = run(store, "history", idle.key, "--before", ids[-1], "--json", **home_of)
    table = run(store, "history", idle.key, "--limit", "2", **home_of)

    assert {*ids, *(job["id"] for job in orjson.loads(rest.stdout))} == made
    assert UUID(ids[-1])
    assert f"--before {ids[-1]}" in table.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--level", "LOUD"], "Known: INFO, WARNING, ERROR"),
        (["not-a-job"], "is no job's id"),
        (["00000000-0000-0000-0000-000000000000"], "there is no sync job"),
        ([], "there was no sync yet"),
    ],
    ids=["level", "no id", "unknown", "none"],
)
def test_what_cannot_be_shown_is_named(store, idle, home_of, words, said) -> None:
    if "--level" in words:
        create_sync_job(store, idle, SyncRequest())

    done = run(store, "logs", idle.key, *words, **home_of)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
