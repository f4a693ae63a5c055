"""What a range of days may be asked with, and of which resources."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import RequestError
from integrations_pipeline.store.states import Direction, SyncType

if TYPE_CHECKING:
    from integrations_pipeline.sync.jobs import SyncRequest


def has_span(request: "SyncRequest") -> bool:
    """Whether it asks for a range of days."""
    return request.since is not None or request.until is not None


def check_span(key: str, request: "SyncRequest") -> None:
    """Refuse a range that makes no sense.

    Raises:
        RequestError: it is not whole, empty, in the future, or does not go with the rest.
    """
    since, until = request.since, request.until
    if since is None or until is None:
        raise RequestError(f"{key}: a range has a first day (since) and an end (until).")
    latest = datetime.now(UTC).date() + timedelta(days=1)
    _refuse(since >= until, key, f"the range ends ({until}) before it begins ({since}).")
    _refuse(until > latest, key, f"{until} lies in the future; the latest end is {latest}.")
    _refuse(since < date(1970, 1, 2), key, f"{since} lies before any service began.")
    _refuse(
        request.sync_type != SyncType.SELECTIVE,
        key,
        f"a range is for a SELECTIVE sync; this is {request.sync_type}.",
    )
    _refuse(request.direction != Direction.PULL, key, "a range can be pulled, not pushed.")
    _refuse(bool(request.ids), key, "ask for a range or for ids, not for both.")
    _refuse(
        bool(request.fields),
        key,
        "a range is read with all fields: with some, the records would lose the others.",
    )


def spanned(connector: Connector, names: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Of these resources, those that can be read by a range of days.

    Raises:
        RequestError: one that was `asked` for by name can't, or none can.
    """
    able = {one.name for one in connector.resources if one.span is not None}
    wrong = [name for name in asked if name not in able]
    found = tuple(name for name in names if name in able)
    if wrong or not found:
        raise RequestError(
            f"{connector.label}: {', '.join(wrong or names)} can't be read by a range of days.",
            action=f"Possible: {', '.join(sorted(able)) or 'none'}; or run a FULL_SYNC.",
        )
    return found


def _refuse(wrong: bool, key: str, why: str) -> None:
    if wrong:
        raise RequestError(f"{key}: {why}")
