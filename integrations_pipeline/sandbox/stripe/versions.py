"""How an object looks in an answer: its nested lists cut, its shape that of an API version."""

import re
from typing import Any

from integrations_pipeline.sandbox.tables import Record

CURRENT = "2026-10-28.endive"
_LAST_ACACIA = "2025-02-24.acacia"
_BASIL = "2025-03-31"
_NESTED_ROWS = 10
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


def default_version(account: str) -> str:
    """The version an account gets without asking, and in its events: one account lags behind."""
    return _LAST_ACACIA if account == "globex" else CURRENT


def is_version(text: str) -> bool:
    """Whether the text can be the name of an API version."""
    return _NAME.fullmatch(text) is not None


def rendered(record: Record, version: str) -> Record:
    """The object as the API shows it."""
    if record.get("deleted"):
        return {name: record[name] for name in ("id", "object", "deleted")}
    shown = {name: _cut(value) for name, value in record.items()}
    return shown if version[:10] >= _BASIL else _before_basil(shown)


def _cut(value: Any) -> Any:
    """A nested list shows its first rows and says that there are more."""
    if not isinstance(value, dict) or value.get("object") != "list":
        return value
    rows = value["data"]
    return {**value, "data": rows[:_NESTED_ROWS], "has_more": len(rows) > _NESTED_ROWS}


def _before_basil(record: Record) -> Record:
    if record["object"] == "subscription":
        item = record["items"]["data"][0]
        period = ("current_period_start", "current_period_end")
        return {**record, **{name: item[name] for name in period}}
    if record["object"] == "invoice":
        details = (record["parent"] or {}).get("subscription_details", {})
        old = {name: value for name, value in record.items() if name != "parent"}
        return {
            **old,
            "subscription": details.get("subscription"),
            "paid": record["status"] == "paid",
        }
    return record
