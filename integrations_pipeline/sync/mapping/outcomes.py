"""Columns of JSON values in pandas: made, changed in places, handed on with what went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Outcome:
    """A column after a step; the reasons of values that it can't handle, by their place."""

    values: "pd.Series[Any]"
    faults: dict[int, str] = field(default_factory=dict)


def series(values: Sequence[Any], index: "pd.Index[Any] | None" = None) -> "pd.Series[Any]":
    """The values as they are: no type is guessed."""
    return pd.Series(values, index=index, dtype=object)


def is_text(values: "pd.Series[Any]") -> list[bool]:
    """Which of the values are texts."""
    return [isinstance(value, str) for value in values]


def put(values: "pd.Series[Any]", *changed: "pd.Series[Any]") -> "pd.Series[Any]":
    """The column with other values in some places."""
    for some in changed:
        if len(some) == len(values):
            return some.astype(object)
    array = values.to_numpy(dtype=object, copy=True)
    for some in changed:
        array[some.index.to_numpy()] = some.astype(object).to_numpy()
    return pd.Series(array, index=values.index, dtype=object)
