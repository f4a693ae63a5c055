"""Where a worker works, and how it differs from a usual process: clock, mark, pauses."""

import sys
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from sqlalchemy import event

from integrations_pipeline.oauth import care, claims, provider
from integrations_pipeline.store import Store


@dataclass(frozen=True)
class Place:
    """Where a worker works, and how it differs from a usual process."""

    url: str
    home: str
    overrides: str
    key: str
    mark: float = claims.MARK.total_seconds()
    """Seconds after which a claim may be taken over."""
    skew: float = 0.0
    """Seconds that its clock is ahead."""
    control: str = ""
    pauses: tuple[str, ...] = ()
    """Where it waits at `control`: claiming, claimed, answered, committing, committed."""
    id: str = field(default="", kw_only=True)


def lower_mark(setattr_: Callable[[Any, str, Any], None], seconds: float) -> None:
    """Let a claim be stale after so many seconds, and be renewed four times in them."""
    setattr_(claims, "MARK", timedelta(seconds=seconds))
    setattr_(care, "MARK", timedelta(seconds=seconds))
    setattr_(claims, "BEAT_SECONDS", seconds / 4)


def shift_clock(skew: timedelta) -> None:
    """Every module of ours reads a clock that is wrong; so does `time.time`."""

    class _Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Shifted(datetime, metaclass=_Kind):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + skew

    usual = time.time
    time.time = lambda: usual() + skew.total_seconds()
    for name, module in list(sys.modules.items()):
        if name.startswith("integrations_pipeline") and isinstance(module, types.ModuleType):
            for known, value in list(vars(module).items()):
                if value is datetime:
                    setattr(module, known, Shifted)


def pause_where_told(store: Store, where: Place) -> None:
    """Wait at chosen points of a refresh until the test lets us go on, or kills us."""

    def stop_at(point: str) -> None:
        if point in where.pauses:
            requests.get(f"{where.control}/pause/{point}:{where.id}", timeout=90)

    def around(owner: Any, name: str, before: str, after: str) -> None:
        usual = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            stop_at(before)
            found = usual(*args, **kwargs)
            stop_at(after)
            return found

        setattr(owner, name, watched)

    around(claims, "claim", "claiming", "claimed")
    around(provider.OAuthClient, "refresh", "", "answered")
    around(claims, "replace", "replacing", "committed")
    replace = claims.replace

    def watched_commit(*args: Any) -> bool:
        def before_commit(_: Any) -> None:
            stop_at("committing")

        event.listen(store.engine, "commit", before_commit)
        try:
            return replace(*args)
        finally:
            event.remove(store.engine, "commit", before_commit)

    if "committing" in where.pauses:
        claims.replace = watched_commit
