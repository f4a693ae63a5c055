"""What all commands share: the store opened for a command, tables and JSON."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.settings import load_settings
from integrations_pipeline.store import Store, open_store

console = Console()
errors = Console(stderr=True)


@contextmanager
def opened() -> Iterator[Store]:
    """The store that the settings name."""
    store = open_store(load_settings(), CONNECTORS.values())
    try:
        yield store
    finally:
        store.close()


def show(value: object, as_json: bool, *, empty: str) -> None:
    """Print rows as a table, or anything as JSON."""
    if as_json:
        sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif isinstance(value, list) and value:
        table = Table(*(name.replace("_", " ") for name in value[0]), box=box.SIMPLE_HEAD)
        for row in value:
            table.add_row(*(cell(cell) for cell in row.values()))
        console.print(table)
    else:
        console.print(empty)


def cell(value: object) -> str:
    """A value as a table shows it."""
    if isinstance(value, datetime):
        return f"{value:%m-%d %H:%M:%S}"
    return "" if value is None else str(value)
