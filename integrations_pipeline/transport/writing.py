"""Sending a request that changes something: never twice, unless the first certainly did nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay
from urllib3.exceptions import NewConnectionError

from integrations_pipeline.errors import AnswerError, OutcomeUnknownError, TransientError

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
Sent = TypeVar("Sent")


def never_sent(error: requests.RequestException) -> bool:
    """Whether the connection failed before the request could have left."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def encoded(body: Mapping[str, Any] | None, *, form: bool) -> tuple[bytes | None, str]:
    """The body's bytes and their type."""
    if body is None:
        return None, ""
    if form:
        return urlencode(list(_bracketed(body))).encode(), FORM
    return orjson.dumps(body), JSON


def _bracketed(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names with brackets, as Stripe reads them; null empties a field."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _bracketed(inner, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _bracketed(inner, f"{name}[{place}]")
    elif isinstance(value, bool):
        yield name, str(value).lower()
    else:
        yield name, "" if value is None else str(value)


def send_once(
    send: Callable[[], Sent],
    begun: Callable[[], bool],
    *,
    repeatable: bool,
    stop: Callable[[RetryCallState], bool],
    wait: Callable[[RetryCallState], float],
    sleep: Callable[[float], None],
    retry_seconds: float,
) -> Sent:
    """What `send` gives, after as many tries as are safe.

    `begun`: whether the last try may have reached the service. `repeatable`: the service knows
    the request again, so that a second one has no effect of its own.

    Raises:
        OutcomeUnknownError: the service may have done it, or not.
        TransientError: it certainly did not; the same may work later.
    """
    unknown: list[Exception] = []

    def may_repeat(error: BaseException) -> bool:
        if _leaves_open(error, begun=begun()):
            unknown.append(error)  # type: ignore[arg-type]
            return repeatable
        return isinstance(error, TransientError)

    retrying = Retrying(
        retry=retry_if_exception(may_repeat),
        stop=lambda state: stop(state) or stop_before_delay(retry_seconds)(state),
        wait=wait,
        sleep=sleep,
        reraise=True,
    )
    try:
        return retrying(send)
    except (TransientError, AnswerError) as error:
        if not unknown:
            raise
        raise OutcomeUnknownError(f"{error} Whether it was done is not known.") from error


def _leaves_open(error: BaseException, *, begun: bool) -> bool:
    """Whether the service may have done what was asked, for all that its answer tells."""
    if isinstance(error, TransientError):
        return begun and (error.status is None or error.status >= 500)
    return begun and isinstance(error, AnswerError)
