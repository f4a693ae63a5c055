"""`kill -9` between the service's answer and our commit: nothing is made twice."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.e2e.test_kill import wait_for
from tests.integration.outgoing import connect, effects, intents, push, send, states
from tests.integration.support import owner

COUNT = 300
CASES = [
    ("hubspot", "contacts", "create", {"email": "{}@kill.example"}),
    ("hubspot", "deals", "create", {"name": "Kill {}"}),
    ("stripe", "customers", "create", {"name": "Kill {}"}),
    ("zendesk", "tickets", "create", {"subject": "Kill {}", "description": "{}"}),
]


def start_push(store: Any, ref: Any, home: Path, resource: str) -> subprocess.Popen[bytes]:
    """The command that a person would type, as a process of its own."""
    environment = {
        **os.environ,
        "DATABASE_URL": store.url.render_as_string(hide_password=False),
        "INTEGRATIONS_HOME": str(home),
        "INTEGRATIONS_LEASE_SECONDS": "5",
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(store.settings.connector_overrides),
    }
    program = str(Path(sys.executable).parent / "integrations")
    command = [program, "sync", ref.key, "--resource", resource, "--direction", "push"]
    return subprocess.Popen(command, env=environment)


def made(sandbox: Any, service: str, resource: str) -> int:
    return effects(sandbox, service).get(resource, {}).get("created", 0)


def kill_before_commit(store: Any, sandbox: Any, home: Path, ref: Any, resource: str) -> None:
    """Kill the push once the service has made records of which our ledger does not know yet.

    The counters are held locked meanwhile: what a commit writes last.
    """
    service = ref.connector.name
    process = start_push(store, ref, home, resource)
    running = text(
        "SELECT count(*) FROM integrations.resource_sync "
        "WHERE tenant_id = :t AND status = 'RUNNING'"
    )
    lock = text(
        "SELECT 1 FROM integrations.resource_sync "
        "WHERE tenant_id = :t AND status = 'RUNNING' FOR UPDATE"
    )
    with owner(store) as watching, owner(store) as holding:
        wait_for(
            lambda: (
                bool(watching.scalar(running, {"t": ref.tenant_id})) or process.poll() is not None
            )
        )
        holding.execute(lock, {"t": ref.tenant_id})
        known = states(store, ref).get("DONE", 0)
        wait_for(lambda: made(sandbox, service, resource) > known or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait()


def kill_and_resume(
    store: Any, sandbox: Any, home: Path, tenant_id: Any, case: tuple[Any, ...], kills: int
) -> None:
    """Kill the push several times, and let another one go on."""
    service, resource, operation, data = case
    ref = connect(store, sandbox, tenant_id, service)
    rows = [{k: v.format(n) for k, v in data.items()} for n in range(COUNT)]
    send(store, ref, resource, *rows, operation=operation)
    for _ in range(kills):
        kill_before_commit(store, sandbox, home, ref, resource)
    died = [one.state for one in intents(store, ref)]
    assert "SENDING" in died

    for _ in range(3):
        assert push(store, ref, resource).error is None
        if set(states(store, ref)) == {"DONE"}:
            break

    assert states(store, ref) == {"DONE": COUNT}
    assert made(sandbox, service, resource) == COUNT
    assert len({one.remote_id for one in intents(store, ref)}) == COUNT


@pytest.mark.parametrize("case", CASES, ids=["-".join(case[:3]) for case in CASES])
def test_a_killed_push_makes_nothing_twice(store, sandbox, tenant_id, home, case) -> None:
    kill_and_resume(store, sandbox, home, tenant_id, case, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", CASES, ids=["-".join(case[:3]) for case in CASES])
def test_a_push_killed_many_times_makes_nothing_twice(
    store, sandbox, tenant_id, home, case
) -> None:
    kill_and_resume(store, sandbox, home, tenant_id, case, kills=12)
