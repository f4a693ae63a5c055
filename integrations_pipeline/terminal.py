"""What all commands share: the store opened for a command, tables and JSON."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.logs import configure_logging
from integrations_pipeline.settings import load_settings
from integrations_pipeline.store import Store, open_store

SHORT = {
    "processed": "read",
    "unchanged": "same",
    "created": "new",
    "updated": "changed",
    "deleted": "gone",
    "rejected": "bad",
    "seconds": "s",
    "created_at": "at",
    "sync_type": "type",
}
"""Headings that keep a table within 80 columns."""
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
"""What steers a terminal, breaks a line or turns its direction, instead of being read."""
WHOLE = 12
"""Characters: a status, a date, a count."""
console = Console()
errors = Console(stderr=True)


@contextmanager
def opened(level: str = "CRITICAL") -> Iterator[Store]:
    """The store that the settings name. A command tells people what matters: it logs nothing."""
    configure_logging(level)
    store = open_store(load_settings(), CONNECTORS.values())
    try:
        yield store
    finally:
        store.close()


def show(value: object, as_json: bool, *, empty: str, spare: Sequence[str] = ()) -> None:
    """Print rows as a table, or anything as JSON.

    `spare`: columns that are left out, one after the other, where the terminal is too narrow.
    """
    if as_json:
        sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif isinstance(value, list) and value:
        console.print(_fitting(value, spare))
    else:
        console.print(empty)


def _fitting(rows: list[dict[str, object]], spare: Sequence[str]) -> Table:
    for name in ("", *spare):
        rows = [{k: v for k, v in row.items() if k != name} for row in rows]
        table = _table(rows)
        wide = console.options.update(max_width=10_000)
        if console.measure(table, options=wide).maximum <= console.width:
            break
    return table


def _table(rows: list[dict[str, object]]) -> Table:
    """Short values stay whole, long ones are folded: nothing is cut off."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    cells = [[cell(one) for one in row.values()] for row in rows]
    for name, column in zip(rows[0], zip(*cells, strict=True), strict=True):
        short = max(len(one) for one in column) <= WHOLE
        heading = SHORT.get(name, name.replace("_", " "))
        table.add_column(heading, no_wrap=short, overflow="fold")
    for row in cells:
        table.add_row(*row)
    return table


def cell(value: object) -> Text:
    """A value as a table shows it."""
    if isinstance(value, datetime):
        return Text(f"{value:%m-%d %H:%M}")
    return plain("" if value is None else str(value))


def plain(text: str) -> Text:
    """A text that is not ours, as it reads: no markup, no emoji codes, nothing for the terminal."""
    return Text(UNSEEN.sub(" ", text))


def tell(on: Console, *parts: str | Text) -> None:
    """Print one line: strings are ours, with markup; texts are somebody else's (`plain`)."""
    ours = (Text.from_markup(one) if isinstance(one, str) else one for one in parts)
    on.print(Text.assemble(*ours), soft_wrap=True)
