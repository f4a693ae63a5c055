"""The HTTP client of one connected account: every request of a sync goes through here."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay
from tenacity.wait import wait_random_exponential

from integrations_pipeline.connectors.access import Reaction
from integrations_pipeline.connectors.auth import Carriage, HeaderAuth
from integrations_pipeline.connectors.base import MAX_BODY_BYTES, Connector
from integrations_pipeline.errors import (
    AnswerError,
    FenceLostError,
    RateLimitedError,
    ServiceError,
    TransientError,
)
from integrations_pipeline.transport.carriage import carried, origin
from integrations_pipeline.transport.pacing import pacer_of
from integrations_pipeline.transport.parsing import parse
from integrations_pipeline.transport.reactions import ahead_of, error_of, says_failure
from integrations_pipeline.transport.session import new_session

ATTEMPTS = 6
CHUNK = 64 * 1024
_BACKOFF = wait_random_exponential(multiplier=0.5, max=30)


class TokenSource(Protocol):
    """Where the client gets its token, anew for every request."""

    def token(self) -> str:
        """A token that is valid now."""
        ...

    def renew(self, rejected: str) -> str:
        """Another token, after the service refused `rejected`."""
        ...


@dataclass(slots=True)
class Usage:
    """What a job asked of the service so far; safe to add to from several threads."""

    calls: int = 0
    received_bytes: int = 0
    waited_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, calls: int = 0, received_bytes: int = 0, waited_seconds: float = 0.0) -> None:
        """Add to the sums."""
        with self._lock:
            self.calls += calls
            self.received_bytes += received_bytes
            self.waited_seconds += waited_seconds


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Mapping[str, Any]
    body: Mapping[str, Any] | None
    max_bytes: int


class ServiceClient:
    """Requests to one account: bearer token, pacing, bounded retries, bounded bodies."""

    def __init__(
        self,
        connector: Connector,
        base_url: str,
        tokens: TokenSource,
        *,
        account: str,
        carriage: Carriage = HeaderAuth(),  # noqa: B008 - frozen
        allow_private: bool = False,
        timeout: float = 60.0,
        retry_seconds: float = 300.0,
    ) -> None:
        self.connector = connector
        self.base_url = base_url.rstrip("/")
        self._origin = origin(self.base_url)
        self.usage = Usage()
        self.stop = threading.Event()
        """Set it to end all waiting: the job is not ours any more."""
        self.clock_ahead: float | None = None
        """Seconds that our clock was ahead of the service's, by the `Date` of its last answer."""
        self.token_used: str | None = None
        """The credential of the last request."""
        self._tokens = tokens
        self._carriage = carriage
        self._session = new_session(allow_private=allow_private, total_seconds=timeout * 5)
        self._pacer = pacer_of(account, connector.quotas)
        self._timeout = timeout
        self._retry_seconds = retry_seconds

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> dict[str, Any]:
        """The JSON object at a path of the API."""
        return self.request("GET", path, params=params, max_bytes=max_bytes)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that answers a reading POST, such as a search."""
        return self.request("POST", path, body=body)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> dict[str, Any]:
        """The JSON object that answers a request; see `ask`."""
        page = self.ask(method, path, params=params, body=body, max_bytes=max_bytes)
        if not isinstance(page, dict):
            raise AnswerError(
                f"{self.connector.label} sent a {type(page).__name__} instead of an object "
                f"in answer to {method} {_plain(path)}."
            )
        return page

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> Any:
        """Send a request that is safe to repeat, and repeat it while that may help.

        `path` is below the API's base address; a link that the service gave must stay there.

        Raises:
            ServiceError: the kind says what to do.
            FenceLostError: the job was taken away while we waited.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=lambda state: _hopeless(state) or stop_before_delay(self._retry_seconds)(state),
            wait=_wait_before_retry,
            sleep=self.wait,
            reraise=True,
        )
        request = _Request(method, path, params or {}, body, max_bytes)
        return retrying(self._authorized, request)

    def authorize(self) -> None:
        """Make sure that there is a token, before anything is asked of the service.

        Raises:
            ConnectAgainError: there is none.
        """
        self._tokens.token()

    def wait(self, seconds: float) -> None:
        """Sleep, and count it; ends at once when the job is stopped."""
        self.usage.add(waited_seconds=seconds)
        if self.stop.wait(seconds):
            raise FenceLostError("The job was stopped while it waited.")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _authorized(self, request: "_Request") -> Any:
        """One request, and once more with another token when the first is refused."""
        token = self._tokens.token()
        try:
            return self._send(request, token)
        except _TokenRefused:
            token = self._tokens.renew(token)
        try:
            return self._send(request, token)
        except _TokenRefused as refusal:
            raise refusal.reason from None

    def _send(self, request: "_Request", token: str) -> Any:
        if self.stop.is_set():
            raise FenceLostError("The job was stopped.")
        self._pacer.admit(request.path, self.wait)
        self.token_used = token
        self.usage.add(calls=1)
        where = f"{request.method} {_plain(request.path)}"
        headers, params = carried(self._carriage, token)
        try:
            with self._session.request(
                request.method,
                self._address(request.path),
                params={**request.params, **params},
                data=None if request.body is None else orjson.dumps(request.body),
                headers={**self._headers(request.body is not None), **headers},
                timeout=(10.0, self._timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                self.clock_ahead = ahead_of(response.headers.get("Date", ""))
                raw = self._read(response, where, request.max_bytes)
        except requests.RequestException as error:
            kind = type(error).__name__
        else:
            return self._understand(response, raw, where, token)
        # raised out here: the library's error tells the whole address, also as a mere context
        raise TransientError(f"{self.connector.label} did not answer {where} ({kind}).")

    def _address(self, path: str) -> str:
        whole = path.startswith(("http://", "https://"))
        address = path if whole else self.base_url + path
        if origin(address) != self._origin:
            raise AnswerError(f"{self.connector.label} gave a link that leads to another host.")
        return address

    def _headers(self, has_body: bool) -> dict[str, str]:
        headers = {"Accept": "application/json", **self.connector.headers}
        return {**headers, "Content-Type": "application/json"} if has_body else headers

    def _read(self, response: requests.Response, where: str, max_bytes: int) -> bytes:
        """The body, counted while it streams: a length header proves nothing."""
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > max_bytes:
                limit = max_bytes // (1024 * 1024)
                raise AnswerError(
                    f"{self.connector.label} sent more than {limit} MiB in answer to {where}."
                )
            chunks.append(chunk)
        self.usage.add(received_bytes=size)
        return b"".join(chunks)

    def _understand(self, response: requests.Response, raw: bytes, where: str, token: str) -> Any:
        if not 200 <= response.status_code < 300:
            raise self._refusal(response, raw, where, token)
        try:
            page = parse(raw)
        except orjson.JSONDecodeError as error:
            kind = "HTML" if raw.lstrip()[:1] == b"<" else "broken JSON"
            raise AnswerError(
                f"{self.connector.label} sent {kind} in answer to {where}."
            ) from error
        if says_failure(self.connector, response.status_code, page):
            raise self._refusal(response, raw, where, token)
        return page

    def _refusal(
        self, response: requests.Response, raw: bytes, where: str, token: str
    ) -> Exception:
        reaction, error = error_of(
            self.connector, response.status_code, response.headers, raw, where, (token,)
        )
        return _TokenRefused(error) if reaction is Reaction.REFRESH else error


def _plain(path: str) -> str:
    """A path without its query, for people and logs."""
    return path.partition("?")[0]


class _TokenRefused(Exception):  # noqa: N818 - a signal between two methods, never seen outside
    def __init__(self, reason: ServiceError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _wait_before_retry(state: RetryCallState) -> float:
    """At least what the service asks for; otherwise random, growing."""
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after", None)
    return _BACKOFF(state) if asked is None else float(asked) + 0.1


def _hopeless(state: RetryCallState) -> bool:
    """Faults get a few tries; a rate limit as many as the deadline allows."""
    error = state.outcome.exception() if state.outcome else None
    return state.attempt_number >= ATTEMPTS and not isinstance(error, RateLimitedError)
