"""`kill -9` in the middle of a sync loses and doubles nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import get_sync_job_history
from tests.conftest import Sandbox, connect, point_at, sync

CASES = [
    ("hubspot", "contacts", 0.2),
    ("stripe", "customers", 0.2),
    ("zendesk", "tickets", 1.2),  # its pages hold 1,000
]


def digest_here(store: Store, ref: IntegrationRef, resource: str) -> str:
    """A checksum over the raw records in Postgres, in the order of their ids."""
    sql = (
        f"SELECT id, raw FROM {ref.connector.name}.{resource} "
        "WHERE integration_id = :i AND deleted_at IS NULL"
    )
    with store.tenant(ref.tenant_id) as session:
        return digest(session.execute(text(sql), {"i": ref.id}).all(), ref)


def digest(found: Any, ref: IntegrationRef) -> str:
    records = sorted((str(key), comparable(raw, ref)) for key, raw in found)
    return sha256(orjson.dumps(records, option=orjson.OPT_SORT_KEYS)).hexdigest()


def comparable(raw: dict[str, Any], ref: IntegrationRef) -> dict[str, Any]:
    """The part of a record that every way of reading shows: HubSpot sends what was asked for."""
    if ref.connector.name != "hubspot":
        return raw
    asked = {"email", "firstname", "lastname", "phone", "lifecyclestage", "hubspot_owner_id"}
    return {k: v for k, v in raw["properties"].items() if k in asked}


def live(sandbox: Sandbox, ref: IntegrationRef, resource: str) -> list[tuple[str, Any]]:
    records = sandbox.records(ref.connector.name, resource)
    kept = [r for r in records if r.get("status") != "deleted"]
    return [(str(record["id"]), record) for record in kept]


def start_sync(
    store: Store, ref: IntegrationRef, home: Path, *more: str, **options: Any
) -> subprocess.Popen[bytes]:
    """The command that a person would type, as a process of its own."""
    environment = {
        **os.environ,
        "DATABASE_URL": store.url.render_as_string(hide_password=False),
        "INTEGRATIONS_HOME": str(home),
        "INTEGRATIONS_LEASE_SECONDS": "5",
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(store.settings.connector_overrides),
    }
    program = str(Path(sys.executable).parent / "integrations")
    return subprocess.Popen([program, "sync", ref.key, *more], env=environment, **options)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def processed(store: Store, ref: IntegrationRef) -> int:
    """Rows so far of the sync that runs; -1 until it does."""
    history = get_sync_job_history(store, ref)
    running = [job["processed"] for job in history if job["status"] == "RUNNING"]
    return running[0] if running else -1


@pytest.mark.parametrize(("service", "resource", "pause"), CASES)
@pytest.mark.parametrize("after_rows", [0, 500, 1500])
def test_the_next_sync_after_a_kill_equals_the_source(
    store, make_sandbox, tenant_id, tmp_path, home, service, resource, pause, after_rows
) -> None:
    sandbox = point_at(store, make_sandbox(records=3000), tmp_path)
    ref = connect(store, sandbox, tenant_id, service)
    sandbox.fault(service, "slow", count=10_000, seconds=pause, path=resource)
    process = start_sync(store, ref, home, "--resource", resource)
    wait_for(lambda: processed(store, ref) >= after_rows)

    process.send_signal(signal.SIGKILL)
    process.wait()
    sandbox.send("DELETE", f"/sandbox/{service}/faults")
    keys = sorted(key for key, _ in live(sandbox, ref, resource))
    sandbox.change(
        service,
        resource,
        keys[0],
        {"phone": "+1 555 0100"} if service != "zendesk" else {"priority": "urgent"},
    )
    sandbox.delete(service, resource, keys[1])
    result = sync(store, ref, resources=[resource])

    assert result.status is JobStatus.COMPLETED, result.error
    assert digest_here(store, ref, resource) == digest(live(sandbox, ref, resource), ref)
    died = [job for job in get_sync_job_history(store, ref) if job["status"] == "FAILED"]
    assert len(died) == 1
    assert "stopped reporting" in died[0]["error"]
