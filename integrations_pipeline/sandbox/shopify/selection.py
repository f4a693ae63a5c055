"""As much of GraphQL as a query for an object's fields needs: names and braces."""

import re
from typing import Any

from integrations_pipeline.sandbox.tables import Record

_WORD = re.compile(r"\w+|[{}]|[^\s,]")
Selection = dict[str, "Selection"]


class UnreadableError(Exception):
    """The query is none that is understood here, or asks for an unknown field."""


def selected(query: str, data: Record) -> Record:
    """What the query asks of the data."""
    begin = query.find("{")
    words = _WORD.findall(query[begin + 1 :]) if begin >= 0 else []
    words.reverse()
    found: Record = _picked(_selection(words), data, "QueryRoot")
    return found


def _selection(words: list[str]) -> Selection:
    """The fields up to the closing brace; the words are taken from the end of the list."""
    fields: Selection = {}
    while words and words[-1] != "}":
        name = words.pop()
        if not name.isidentifier():
            raise UnreadableError(f"syntax error, unexpected {name!r}")
        opens = bool(words) and words[-1] == "{"
        if opens:
            words.pop()
        fields[name] = _selection(words) if opens else {}
    if not words:
        raise UnreadableError("syntax error, unexpected end of file")
    words.pop()
    return fields


def _picked(fields: Selection, data: Any, kind: str) -> Any:
    if isinstance(data, list):
        return [_picked(fields, entry, kind) for entry in data]
    unknown = [name for name in fields if name not in data]
    if unknown:
        raise UnreadableError(f"Field '{unknown[0]}' doesn't exist on type '{kind}'")
    return {
        name: _picked(inner, data[name], name) if inner else data[name]
        for name, inner in fields.items()
    }
