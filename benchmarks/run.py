"""`make bench`: all subjects in one run on one machine, medians into results.json."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import orjson
from rich.console import Console

from benchmarks import chart, report, tables
from benchmarks.engine import connected, ended, opened
from benchmarks.measuring import Task
from benchmarks.plan import BENCHMARKS, PEERS, Plan, planned
from integrations_pipeline.store import Store
from integrations_pipeline.store.crypto import create_master_key

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
IMAGE = HERE.parent / "docs" / "images" / "benchmark.svg"
PEERS_PYTHON = HERE.parent / ".venv-peers" / "bin" / "python"
Samples = dict[tuple[str, str], list[dict[str, float]]]
"""What the runs took, by benchmark and subject."""


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    plan: Plan
    console: Console
    store: Store
    folder: Path

    @property
    def database(self) -> str:
        """The address of the database, in a form that all subjects understand."""
        # the host that counts is the socket's in the query; dlt wants the others to be there
        url = self.store.url.set(
            drivername="postgresql", host="localhost", port=5432, password="none"
        )
        return url.render_as_string(hide_password=False)

    def block(self, records: int, latency: int) -> list[report.Row]:
        """All runs of all subjects, by turns, against one API."""
        samples: Samples = defaultdict(list)
        runs = self.plan.runs(records, latency)
        with serving(records, latency) as url:
            for run in range(runs):
                title = f"{records:,} records, {latency} ms, run {run + 1} of {runs}"
                with self.console.status(title) as status:
                    self._alone(url, samples)
                    for subject in self.plan.subjects:
                        status.update(f"{title}: {subject}")
                        self._syncs(subject, records, url, samples)
        order = (*self.plan.subjects, "fetch")
        keys = sorted(samples, key=lambda key: order.index(key[1]))
        return [report.row(key, records, latency, samples[key]) for key in keys]

    def _alone(self, url: str, samples: Samples) -> None:
        task = Task("fetch", "full_sync", url, self.database, str(self.folder), "")
        samples["full_sync", "fetch"].append(measured(task))

    def _syncs(self, subject: str, records: int, url: str, samples: Samples) -> None:
        """A first sync, one without changes, and one after 1 % changed."""
        tables.clear(self.database)
        change(url, 0)
        name = connected(self.store) if subject == "engine" else uuid4().hex
        for benchmark in BENCHMARKS:
            changes = benchmark == "one_percent"
            if changes:
                change(url, 1)
            task = Task(subject, benchmark, url, self.database, str(self.folder), name)
            samples[benchmark, subject].append(measured(task))
            tables.check(self.database, subject, records, changed=changes)


@contextmanager
def serving(records: int, latency: int) -> Iterator[str]:
    """The fast API in a process of its own; gives its address."""
    command = [sys.executable, "-m", "benchmarks.api", str(records), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as api:
        assert api.stdout is not None
        try:
            yield f"http://127.0.0.1:{api.stdout.readline().strip()}"
        finally:
            api.terminate()


def change(url: str, to: int) -> None:
    """Let 1 % of the API's records change (0: let them be as at first)."""
    with urlopen(f"{url}/change?to={to}") as answer:
        answer.read()


def measured(task: Task) -> dict[str, float]:
    """One run of a subject in a fresh process.

    Raises:
        SystemExit: it failed.
    """
    python = str(PEERS_PYTHON) if task.subject in PEERS else sys.executable
    command = [python, "-m", "benchmarks.subject", json.dumps(asdict(task))]
    # elsewhere than here: what a subject leaves lying about vanishes with the folder
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=task.folder, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{task.subject} failed in {task.benchmark}:\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, print, write, draw."""
    os.environ.pop("DATABASE_URL", None)  # tables are emptied: never somebody's own server
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no server behind
    plan, console = planned(), Console(width=120)
    if plan.peers and not PEERS_PYTHON.exists():
        raise SystemExit("dlt is not installed: run `make peers` first.")
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded Postgres may run as another user
        create_master_key(folder / "master.key")
        store = opened(folder, "http://127.0.0.1:1")  # starts Postgres once, for all runs
        try:
            rows = everything(Bench(plan, console, store, folder))
        finally:
            ended(folder, store)
    IMAGE.write_text(chart.drawn(rows))
    console.print(f"Written: {RESULTS.name}, {IMAGE.name}.")


def everything(bench: Bench) -> list[report.Row]:
    """All blocks; what is measured is written at once, in place of what earlier runs say of it."""
    rows: list[report.Row] = orjson.loads(RESULTS.read_bytes()) if RESULTS.exists() else []
    for records, latency in bench.plan.blocks:
        block = bench.block(records, latency)
        report.show(bench.console, block)
        rows = [row for row in rows if _block(row) != (records, latency)]
        rows += [row for row in block if row["subject"] != "fetch"]
        rows.sort(key=_block)
        RESULTS.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    return rows


def _block(row: report.Row) -> tuple[int, int]:
    return row["records"], row["latency_ms"]


if __name__ == "__main__":
    main()
