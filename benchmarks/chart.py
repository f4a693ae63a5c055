"""The README's chart: bars of records per second, drawn from results.json."""

from html import escape
from pathlib import Path

import orjson

from benchmarks.report import Row

LABELS = {
    "engine": "this pipeline",
    "floor": "smallest script",
    "dlt_default": "dlt",
    "dlt_best": "dlt, best settings",
}
TITLES = {
    "full_sync": "First sync",
    "no_change": "Again, nothing changed",
    "one_percent": "Again, 1 % changed",
}
WIDTH, LEFT, BAR, LINE = 760, 130, 500, 24
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.muted { fill: #59636e }
rect { fill: #afb8c1 }
rect.engine { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc }
  .muted { fill: #9198a1 }
  rect { fill: #4a525c }
  rect.engine { fill: #4493f8 }
}
"""


def drawn(rows: list[Row]) -> str:
    """The chart as SVG: a panel for each benchmark and latency, of the size nearest to 100,000."""
    size = min({int(row["records"]) for row in rows}, key=lambda n: abs(n - 100_000))
    parts: list[str] = []
    top = 0
    for panel in panels([row for row in rows if row["records"] == size]):
        parts += _panel(panel, top)
        top += LINE * (len(panel) + 1) + 14
    about = f"{size:,} records of 1 KB; records kept in step per second, longer is better"
    parts.append(f'<text class="muted" x="0" y="{top + 12}">{about}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 20}" role="img">'
    label = f"<title>{about}</title><style>{STYLE}</style>"
    return "\n".join([head, label, *parts, "</svg>"]) + "\n"


def panels(rows: list[Row]) -> list[list[Row]]:
    """First syncs at every latency, then the others without any."""
    latencies = sorted({int(row["latency_ms"]) for row in rows})
    wanted = [("full_sync", latency) for latency in latencies]
    wanted += [(name, latencies[0]) for name in ("one_percent", "no_change")]
    found = [[row for row in rows if (row["benchmark"], row["latency_ms"]) == w] for w in wanted]
    return [panel for panel in found if panel]


def _panel(rows: list[Row], top: int) -> list[str]:
    """A title and a bar for each subject, on a scale of their own."""
    title = TITLES[str(rows[0]["benchmark"])]
    if latency := rows[0]["latency_ms"]:
        title += f", {latency} ms per answer"
    parts = [f'<text class="title" x="0" y="{top + 15}">{escape(title)}</text>']
    most = max(float(row["rate_per_s"]) for row in rows)
    for number, row in enumerate(sorted(rows, key=lambda row: -float(row["rate_per_s"]))):
        parts += _bar(row, top + LINE * (number + 1), float(row["rate_per_s"]) / most)
    return parts


def _bar(row: Row, top: int, share: float) -> list[str]:
    subject, width = str(row["subject"]), max(share * BAR, 1)
    kind = ' class="engine"' if subject == "engine" else ""
    end, rate = f"{LEFT + width + 8:.1f}", f"{row['rate_per_s']:,.0f}"
    return [
        f'<text x="0" y="{top + 14}">{escape(LABELS[subject])}</text>',
        f'<rect{kind} x="{LEFT}" y="{top + 2}" width="{width:.1f}" height="16" rx="2"/>',
        f'<text class="muted" x="{end}" y="{top + 15}">{rate}</text>',
    ]


def main() -> None:
    """Draw again from the results that are there."""
    here = Path(__file__).parent
    image = here.parent / "docs" / "images" / "benchmark.svg"
    image.write_text(drawn(orjson.loads((here / "results.json").read_bytes())))


if __name__ == "__main__":
    main()
