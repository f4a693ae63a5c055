"""`integrations demo` from an empty folder: everything, through Dagster's own processes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import pytest

from integrations_pipeline.connectors import CONNECTORS

SERVICES = {"HUBSPOT", "STRIPE", "ZENDESK"}


def demo(home: Path) -> subprocess.CompletedProcess[bytes]:
    program = str(Path(sys.executable).parent / "integrations")
    return subprocess.run(
        [program, "demo", "--once", "--json"],
        env={**os.environ, "INTEGRATIONS_HOME": str(home)},
        capture_output=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def first() -> Iterator[tuple[Path, dict]]:
    home = Path(tempfile.mkdtemp(prefix="integrations-demo-"))
    done = demo(home)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    yield home, orjson.loads(done.stdout)
    shutil.rmtree(home)


def test_every_account_is_connected_and_synced(first) -> None:
    _, report = first

    assert set(report) == {"connected", "integrations", "runs", "urls"}
    names = [name.replace("_", "-") for name in CONNECTORS]
    assert set(report["connected"]) == {f"{t}--{n}" for t in ("acme", "globex") for n in names}
    found = {(entry["tenant"], entry["type"]) for entry in report["integrations"]}
    assert found == {(t, s) for t in ("acme", "globex") for s in SERVICES}
    assert {entry["status"] for entry in report["integrations"]} == {"ACTIVE"}
    assert {run["status"] for run in report["runs"]} == {"SUCCESS"}
    hubspot = next(e for e in report["integrations"] if e["type"] == "HUBSPOT")
    assert hubspot["resources"]["contacts"] == 2000


def test_a_second_start_finds_its_data_and_stops_everything(first) -> None:
    home, report = first

    done = demo(home)

    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert orjson.loads(done.stdout)["integrations"] == report["integrations"]
    assert b"Connected acme--hubspot" not in done.stderr
    left = [
        p
        for p in psutil.process_iter(["cmdline"])
        if str(home) in " ".join(p.info["cmdline"] or [])
    ]
    assert left == []


def test_secrets_stay_out_of_every_log(first) -> None:
    home, _ = first
    secrets = secrets_of(home)

    logs = [p for p in (*(home / "logs").rglob("*"), *(home / "dagster").rglob("*")) if p.is_file()]

    assert logs
    for path in logs:
        content = path.read_text(errors="replace")
        assert not [s for s in secrets if s in content], path


def secrets_of(home: Path) -> set[str]:
    """Every token that the sandbox issued and still knows, and the master key."""
    issued = orjson.loads((home / "sandbox" / "state.json").read_bytes())["tokens"].values()
    names = ("token", "refresh_token")
    tokens = {row[name] for rows in issued for row in rows for name in names if row.get(name)}
    assert len(tokens) >= 12  # two for each of six accounts
    return tokens | {(home / "master.key").read_text().strip()}
