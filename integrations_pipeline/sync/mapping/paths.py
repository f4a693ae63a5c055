"""Source paths: where a mapping finds a value in a record.

`address.city` goes down into objects, `lines.0.sku` takes a place in a list, `fields[id=42].value`
the first object in a list whose `id` reads 42. Alternatives are joined by `|`, best first.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

LONGEST = 300
_KEY = r"[^.\[\]|=]+"
_STEP = rf"{_KEY}|\[{_KEY}=[^\[\]|]*\]"
_PATH = re.compile(rf"{_KEY}(?:\[{_KEY}=[^\[\]|]*\]|\.{_KEY})*")
Getter = Callable[[Mapping[str, Any]], Any]
Step = Callable[[Any], Any]


def check_path(source: str) -> str:
    """The source path, as it is.

    Raises:
        ValueError: it is none.
    """
    if len(source) > LONGEST or not all(_PATH.fullmatch(one) for one in source.split("|")):
        raise ValueError(
            f"{source[:60]!r} is no path such as name, address.city or tags[id=5].value"
        )
    return source


def getter(source: str) -> Getter:
    """What takes the value at a source path out of a record; None where there is none."""
    ways = [_way(one) for one in source.split("|")]
    return ways[0] if len(ways) == 1 else partial(_first, ways)


def plain_keys(path: str) -> list[str]:
    """The keys at the beginning of one path, up to its first choice from a list."""
    return path.split("[", maxsplit=1)[0].split(".")


def _way(path: str) -> Getter:
    keys = re.findall(_STEP, path)
    if not any(key.isdigit() or key.startswith("[") for key in keys):
        return partial(_down, tuple(keys))
    return partial(_walk, tuple(_step(key) for key in keys))


def _down(keys: tuple[str, ...], value: Any) -> Any:
    try:
        for key in keys:
            value = value.get(key)
    except AttributeError:  # no object
        return None
    return value


def _walk(steps: tuple[Step, ...], value: Any) -> Any:
    for step in steps:
        value = step(value)
    return value


def _first(ways: list[Getter], record: Mapping[str, Any]) -> Any:
    found = (way(record) for way in ways)
    return next((value for value in found if value is not None), None)


def _step(key: str) -> Step:
    if key.startswith("["):
        name, _, wanted = key[1:-1].partition("=")
        return partial(_chosen, name, wanted)
    return partial(_inside, key)


def _chosen(name: str, wanted: str, value: Any) -> Any:
    rows = value if isinstance(value, list) else []
    found = (row for row in rows if isinstance(row, dict) and str(row.get(name)) == wanted)
    return next(found, None)


def _inside(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list) and key.isdigit() and len(key) < 10 and int(key) < len(value):
        return value[int(key)]
    return None
