"""`make bench`: engine and floor in one run on one machine, medians into results.json."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.engine import opened

RESULTS = Path(__file__).parent / "results.json"
SIZES = [int(n) for n in os.environ.get("INTEGRATIONS_BENCH_RECORDS", "10000,100000").split(",")]
LATENCIES = [int(n) for n in os.environ.get("INTEGRATIONS_BENCH_LATENCIES_MS", "0").split(",")]
RUNS = int(os.environ.get("INTEGRATIONS_BENCH_RUNS", "3"))
SUBJECTS = ("floor", "engine")


def measured(subject: str, url: str, folder: Path) -> dict[str, float]:
    """One run of a subject in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.subject", subject, url, str(folder)]
    done = subprocess.run(command, capture_output=True, check=True)
    found: dict[str, float] = orjson.loads(done.stdout)
    return found


def compared(records: int, latency_ms: int, folder: Path) -> list[dict[str, object]]:
    """The subjects by turns against one API, so that both meet the same machine."""
    command = [sys.executable, "-m", "benchmarks.api", str(records), str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as api:
        assert api.stdout is not None
        url = f"http://127.0.0.1:{api.stdout.readline().strip()}"
        runs = [{s: measured(s, url, folder) for s in SUBJECTS} for _ in range(RUNS)]
        api.terminate()
    return [row(subject, records, latency_ms, [r[subject] for r in runs]) for subject in SUBJECTS]


def row(
    subject: str, records: int, latency_ms: int, runs: list[dict[str, float]]
) -> dict[str, object]:
    """A line of the results: medians."""
    if any(run["rows"] != records for run in runs):
        raise SystemExit(f"{subject} loaded {[run['rows'] for run in runs]} of {records} records.")
    middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return {
        "benchmark": "full_sync",
        "subject": subject,
        "records": records,
        "latency_ms": latency_ms,
        "runs": len(runs),
        "wall_s": round(middle["wall_s"], 3),
        "cpu_s": round(middle["cpu_s"], 3),
        "peak_mb": round(middle["peak_mb"], 1),
        "rate_per_s": round(records / middle["wall_s"], 1),
    }


def main() -> None:
    """Measure, print, write."""
    console = Console(width=120)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded Postgres may run as another user
        store = opened(folder, "http://127.0.0.1:1")  # starts Postgres once, for all runs
        for records in SIZES:
            for latency in LATENCIES:
                console.print(f"{records:,} records, {latency} ms, {RUNS} runs each …")
                rows += compared(records, latency, folder)
        store.close()
    table = Table(*(str(key) for key in rows[0]), box=box.SIMPLE_HEAD)
    for line in rows:
        table.add_row(*(str(value) for value in line.values()))
    console.print(table)
    RESULTS.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    console.print(f"Written to {RESULTS.name}.")


if __name__ == "__main__":
    main()
