"""From an answer that is no success to the error that says what to do about it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from integrations_pipeline.connectors.access import ErrorRule, Reaction
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import (
    ConnectAgainError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    ServiceError,
    StaleCursorError,
    TransientError,
    WrongAddressError,
)
from integrations_pipeline.transport.redact import clean

DEFAULTS = {
    401: Reaction.REFRESH,
    403: Reaction.FORBIDDEN,
    404: Reaction.NOT_FOUND,
    408: Reaction.RETRY,
    410: Reaction.NOT_FOUND,
    425: Reaction.RETRY,
    429: Reaction.RATE_LIMITED,
}

_ERRORS: dict[Reaction, type[ServiceError]] = {
    Reaction.REFRESH: ConnectAgainError,
    Reaction.CONNECT_AGAIN: ConnectAgainError,
    Reaction.FORBIDDEN: ForbiddenError,
    Reaction.NOT_FOUND: NotFoundError,
    Reaction.REJECTED: RejectedError,
    Reaction.STALE_CURSOR: StaleCursorError,
    Reaction.RETRY: TransientError,
}


def rule_for(connector: Connector, status: int, body: Any) -> ErrorRule:
    """The first line of the service's table that fits, else what the status means everywhere."""
    for rule in connector.errors:
        if rule.status == status and fits(rule, body):
            return rule
    fallback = Reaction.RETRY if status >= 500 else Reaction.REJECTED
    return ErrorRule(status, DEFAULTS.get(status, fallback))


def says_failure(connector: Connector, status: int, body: Any) -> bool:
    """Whether an answer with a good status is a failure by the service's own table."""
    rules = (rule for rule in connector.errors if rule.at)
    return any(rule.status == status and fits(rule, body) for rule in rules)


def fits(rule: ErrorRule, body: Any) -> bool:
    """Whether the value that a rule looks at is the one it means."""
    if not rule.at:
        return True
    value = dig(body, rule.at)
    return str(value) == rule.equals if rule.equals else value is not None


def error_of(
    connector: Connector,
    status: int,
    headers: Mapping[str, str],
    raw: bytes,
    where: str,
    secrets: tuple[str, ...] = (),
) -> tuple[Reaction, ServiceError]:
    """The reaction to an answer, and the error to raise where reacting does not help.

    `secrets` were sent with the request; the error does not repeat them.
    """
    body = _parse(raw)
    rule = _overruled(connector, headers, rule_for(connector, status, body))
    told = _explanation(connector, body, secrets)
    message = _message(connector, status, headers, body, where, told)
    if rule.reaction is Reaction.RATE_LIMITED:
        wait = retry_after(headers)
        return rule.reaction, RateLimitedError(
            message, retry_after=rule.wait_seconds if wait is None else wait
        )
    if rule.reaction is Reaction.WRONG_HOST:
        name = " and ".join(setting.name for setting in connector.settings) or "address"
        action = (
            f"Check the {name}; if it is right, the account is closed or must be connected again."
        )
        return rule.reaction, WrongAddressError(message, status=status, action=action)
    error = _ERRORS[rule.reaction](message, status=status)
    if isinstance(error, TransientError):
        error.retry_after = retry_after(headers) or rule.wait_seconds
    return rule.reaction, error


def _overruled(connector: Connector, headers: Mapping[str, str], rule: ErrorRule) -> ErrorRule:
    """The rule, unless the service says itself whether to try again."""
    verdict = headers.get(connector.retry_header, "") if connector.retry_header else ""
    if verdict == "true" and rule.reaction is Reaction.REJECTED:
        return replace(rule, reaction=Reaction.RETRY)
    if verdict == "false" and rule.reaction is Reaction.RETRY:
        return replace(rule, reaction=Reaction.REJECTED)
    return rule


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _explanation(connector: Connector, body: Any, secrets: tuple[str, ...]) -> str:
    found = (dig(body, path) for path in connector.message_at)
    reason = next((clean(text, secrets) for text in found if isinstance(text, str) and text), "")
    values = [value for path in connector.details_at if (value := dig(body, path))]
    details = [clean(str(value), secrets) for value in values]
    return "; ".join(part.rstrip(".") for part in (reason, *details) if part)


def _message(
    connector: Connector,
    status: int,
    headers: Mapping[str, str],
    body: Any,
    where: str,
    told: str,
) -> str:
    request_id = _request_id(connector, headers, body)
    trace = f" (request {request_id})" if request_id else ""
    return f"{connector.label} answered {status} to {where}{': ' if told else ''}{told}{trace}."


def _request_id(connector: Connector, headers: Mapping[str, str], body: Any) -> str:
    if connector.request_id_header:
        return _plain(headers.get(connector.request_id_header, ""))
    found = dig(body, connector.request_id_at) if connector.request_id_at else None
    return _plain(str(found or ""))


def _plain(request_id: str) -> str:
    """What an identifier can be; the text comes from outside and goes into logs."""
    return re.sub(r"[^\w.:-]", "", request_id, flags=re.ASCII)[:80]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, 10.2.3): a number or a date; junk is None."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def ahead_of(date: str) -> float | None:
    """Seconds that our clock is ahead of a `Date` header (RFC 9110, 6.6.1); None: it says none."""
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return None
    return (datetime.now(UTC) - told).total_seconds() if told.tzinfo else None
