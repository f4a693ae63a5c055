"""Commands as people type them: keys, interrupts, errors, ports."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from integrations_pipeline.oauth import disconnect_integration
from integrations_pipeline.processes import free_port
from integrations_pipeline.sync import get_sync_job_history
from tests.conftest import connect, point_at
from tests.e2e.test_kill import processed, start_sync, wait_for

PROGRAM = str(Path(sys.executable).parent / "integrations")
COMMANDS = [
    ["list"],
    ["migrate"],
    ["serve"],
    ["web"],
    ["sync", "acme--crm"],
    ["connect", "acme--crm"],
    ["history", "acme--crm"],
    ["schedule", "acme--crm"],
]
BAD_KEYS = {
    "missing": None,
    "short": base64.b64encode(b"x" * 16).decode(),
    "no base64": "!" * 44,
    "wrong": base64.b64encode(b"x" * 32).decode(),
}


def run(store, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    url = store.url.render_as_string(hide_password=False)
    return subprocess.run(
        [PROGRAM, *words],
        env={**os.environ, "DATABASE_URL": url, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("kind", BAD_KEYS)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_without_the_right_key_every_command_ends_with_the_reason(
    store, tmp_path, words, kind
) -> None:
    key = BAD_KEYS[kind]
    environment = {"INTEGRATIONS_HOME": str(tmp_path)}
    if key is not None:
        environment["INTEGRATIONS_MASTER_KEY"] = key

    done = run(store, *words, **environment)

    assert done.returncode == 2
    assert "master key" in done.stderr
    assert "INTEGRATIONS_MASTER_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_reason_comes_soon(store, tmp_path) -> None:
    began = time.monotonic()

    run(store, "list", INTEGRATIONS_HOME=str(tmp_path))

    assert time.monotonic() - began < 5


def test_ctrl_c_cancels_a_sync_and_keeps_what_was_committed(
    store, make_sandbox, tenant_id, tmp_path, home
) -> None:
    sandbox = point_at(store, make_sandbox(records=3000), tmp_path)
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "slow", count=10_000, seconds=0.5)
    process = start_sync(store, ref, home)
    wait_for(lambda: processed(store, ref) >= 1000)

    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)

    job = get_sync_job_history(store, ref)[0]
    assert process.returncode == 130
    assert job["status"] == "CANCELLED"
    assert job["processed"] >= 1000


def test_a_sync_tells_its_counts_as_json(store, sandbox, tenant_id, home) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    environment = {
        "INTEGRATIONS_HOME": str(home),
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(store.settings.connector_overrides),
    }

    done = run(store, "sync", ref.key, "--resource", "owners", "--json", **environment)

    told = orjson.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (told["status"], told["resources"][0]["resource"]) == ("COMPLETED", "owners")
    assert told["resources"][0]["created"] == sandbox.counts("hubspot")["owners"]


def test_tables_show_integrations_syncs_and_history(store, sandbox, tenant_id, home) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    environment = {
        "INTEGRATIONS_HOME": str(home),
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(store.settings.connector_overrides),
        "COLUMNS": "160",
    }
    commands = {
        ("sync", ref.key, "--resource", "products"): "products",
        ("list",): ref.key,
        ("history", ref.key): "COMPLETED",
    }

    for words, shown in commands.items():
        done = run(store, *words, **environment)
        assert (done.returncode, shown in done.stdout) == (0, True), (done.stdout, done.stderr)


def test_an_account_that_is_not_connected_is_told_once(store, sandbox, tenant_id, home) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    disconnect_integration(store, ref)

    done = run(store, "sync", ref.key, INTEGRATIONS_HOME=str(home))

    assert done.returncode == 1
    assert done.stderr.count("not connected") == 1
    assert f"integrations connect {ref.key}" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sync", "nobody--x"], "nobody--x"),
        (["add", "fax", "--tenant", "a", "--name", "b", "--client-id", "c"], "fax"),
        (["schedule", "nobody--x", "* * *"], "nobody--x"),
    ],
)
def test_what_does_not_exist_is_named(store, home, words, said) -> None:
    more = ["--client-secret", "s"] if words[0] == "add" else []

    done = run(store, *words, *more, INTEGRATIONS_HOME=str(home))

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named_and_another_taken() -> None:
    said: list[tuple[int, int]] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]

        port = free_port(wanted, lambda a, b: said.append((a, b)))

    assert port != wanted
    assert said == [(wanted, port)]
