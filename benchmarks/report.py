"""Rows of results, and how they are shown."""

import statistics
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]
ARROW = "_arrow"
"""Ends the name of a benchmark in which dlt is given Arrow tables that somebody's code has made."""


def row(key: tuple[str, str], records: int, latency: int, runs: list[dict[str, float]]) -> Row:
    """A line of the results: medians."""
    benchmark, subject = key
    if subject == f"dlt{ARROW}":
        benchmark, subject = benchmark + ARROW, "dlt_best"
    middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return {
        "benchmark": benchmark,
        "subject": subject,
        "records": records,
        "latency_ms": latency,
        "runs": len(runs),
        "wall_s": round(middle["wall_s"], 4),
        "cpu_s": round(middle["cpu_s"], 4),
        "peak_mb": round(middle["peak_mb"], 1),
        "rate_per_s": round(records / middle["wall_s"], 1),
    }


def show(console: Console, rows: list[Row]) -> None:
    """A block's figures, and what the engine takes of each subject's time and CPU."""
    first = rows[0]
    title = f"{first['records']:,} records, {first['latency_ms']} ms per answer"
    heads = ("", "subject", "seconds", "records/s", "CPU s per 100,000", "peak MB")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, head in enumerate((*heads, "engine's speed", "engine's CPU")):
        table.add_column(head, justify="left" if number < 2 else "right")
    for line in sorted(rows, key=lambda line: str(line["benchmark"])):
        table.add_row(*_cells(line, _engine(rows, line)))
    console.print(table)


def _engine(rows: list[Row], line: Row) -> Row | None:
    """The engine's line beside this one."""
    benchmark = str(line["benchmark"]).removesuffix(ARROW)
    beside = [row for row in rows if row["benchmark"] == benchmark and row is not line]
    return next((row for row in beside if row["subject"] == "engine"), None)


def _cells(line: Row, engine: Row | None) -> list[str]:
    return [
        str(line["benchmark"]),
        "the requests alone" if line["subject"] == "fetch" else str(line["subject"]),
        f"{line['wall_s']:,.2f}",
        f"{line['rate_per_s']:,.0f}",
        f"{line['cpu_s'] * 100_000 / line['records']:.2f}",
        f"{line['peak_mb']:,.0f}",
        f"{line['wall_s'] / engine['wall_s']:.2f} x" if engine else "",
        f"{engine['cpu_s'] / line['cpu_s']:.2f} x" if engine and line["cpu_s"] else "",
    ]
