"""What answers tell about the limits of an account, each service in its own form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from integrations_pipeline.connectors.access import Quota, ResetForm, Told
from integrations_pipeline.connectors.paging import dig

MOST = 10**9


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a limit is used, as an answer tells it; None is not told."""

    limit: int | None
    used: int | None
    whole_in: float | None = None
    """Seconds until the whole limit is there again."""


def tally(quota: Quota, headers: Mapping[str, str], body: Any) -> Tally | None:
    """What an answer tells about a limit; None where that is nothing, or junk."""
    told = quota.told
    if told is None:
        return None
    values = _values(told, headers, body)
    limit, remaining = _count(values.get("limit")), _count(values.get("remaining"))
    used = _count(values.get("used"))
    if limit == 0:  # it would be no limit at all
        return None
    whole = limit if limit is not None else quota.requests or None
    if used is None and remaining is not None and whole is not None:
        used = max(0, whole - remaining)
    if limit is None and used is None:
        return None
    return Tally(limit, used, seconds_until(values.get("reset"), told.reset_as))


def _values(told: Told, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
    if told.header:
        found = re.search(told.pattern, headers.get(told.header, ""))
        return found.groupdict() if found else {}
    names = {"limit": told.limit, "remaining": told.remaining, "reset": told.reset}
    return {
        what: dig(body, name) if told.in_body else headers.get(name)
        for what, name in names.items()
        if name
    }


def _count(value: Any) -> int | None:
    try:
        count = int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 <= count <= MOST else None


def seconds_until(value: Any, form: ResetForm, now: datetime | None = None) -> float | None:
    """The seconds from now to a moment that a service names; junk is None."""
    now = now or datetime.now(UTC)
    try:
        if form is ResetForm.ISO:
            return max(0.0, (_moment(str(value)) - now).total_seconds())
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if form is not ResetForm.SECONDS:
        number = number / (1000 if form is ResetForm.EPOCH_MS else 1) - now.timestamp()
    return max(0.0, number) if number < MOST else None


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = parsedate_to_datetime(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
