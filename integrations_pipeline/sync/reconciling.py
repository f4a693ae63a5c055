"""The three-way merge: what we want, what was last synced, and what the service has now.

Pure functions of values; nothing here knows a service, a database or a clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from integrations_pipeline.store.policy import ConflictRule, FieldOwner

Same = Callable[[str, Any, Any], bool]
"""Whether two values of a field mean the same."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that both sides changed since it was last synced."""

    base: Any
    ours: Any
    theirs: Any

    def told(self) -> dict[str, Any]:
        """The three values by name."""
        return {"base": self.base, "ours": self.ours, "theirs": self.theirs}


@dataclass(slots=True)
class Merged:
    """What becomes of each field that we want to write: it is in exactly one of these."""

    send: dict[str, Any] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    """Nothing to do: equal already, or only the service changed it."""
    foreign: list[str] = field(default_factory=list)
    """The source owns it."""
    lost: list[str] = field(default_factory=list)
    """Conflicts that the source won."""
    held: dict[str, Conflict] = field(default_factory=dict)
    """Conflicts that a person must decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How conflicts end."""

    conflicts: ConflictRule
    owner: Callable[[str], FieldOwner]
    ours_is_newer: bool
    """Decides under `newest_wins`."""


def same(_: str, one: Any, other: Any) -> bool:
    """Whether two JSON values mean the same; an empty text is no value.

    Of objects only the keys of `one` count: what is written is merged into what is there.
    """
    if one in (None, "") or other in (None, ""):
        return one in (None, "") and other in (None, "")
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(same(key, value, other.get(key)) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same("", a, b) for a, b in pairs)
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    if isinstance(one, int | float) or isinstance(other, int | float):
        return _number(one) == _number(other)
    return bool(one == other)


def merge(
    ours: Mapping[str, Any],
    base: Mapping[str, Any] | None,
    theirs: Mapping[str, Any],
    rules: Rules,
    equal: Same = same,
) -> Merged:
    """Decide field by field. `base` None: nobody knows what was there; a difference is a conflict.

    Of the other two a missing field is one without a value.
    """
    merged = Merged()
    for name, value in ours.items():
        there = theirs.get(name)
        owner = rules.owner(name)
        if owner is FieldOwner.SOURCE:
            merged.foreign.append(name)
        elif equal(name, value, there):
            merged.kept.append(name)
        elif owner is FieldOwner.OURS:
            merged.send[name] = value
        else:
            known = None if base is None else base.get(name)
            _shared(merged, name, Conflict(known, value, there), base is not None, rules, equal)
    return merged


def _shared(
    merged: Merged,
    name: str,
    three: Conflict,
    knows_base: bool,
    rules: Rules,
    equal: Same,
) -> None:
    """A field that both sides may change, and that differs."""
    if knows_base and equal(name, three.theirs, three.base):
        merged.send[name] = three.ours
    elif knows_base and equal(name, three.ours, three.base):
        merged.kept.append(name)
    elif rules.conflicts is ConflictRule.HOLD:
        merged.held[name] = three
    elif we_win(rules):
        merged.send[name] = three.ours
    else:
        merged.lost.append(name)


def we_win(rules: Rules) -> bool:
    """Whether a conflict ends with what we want."""
    if rules.conflicts is ConflictRule.NEWEST_WINS:
        return rules.ours_is_newer
    return rules.conflicts is ConflictRule.OURS_WINS


def _number(value: Any) -> Decimal | None:
    """The number that a value is, or stands for."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
