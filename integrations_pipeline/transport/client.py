"""The HTTP client of one connected account: every request of a sync goes through here."""

import threading
from collections.abc import Mapping
from copy import copy
from typing import Any, Protocol

import requests
from tenacity import Retrying, retry_if_exception_type, stop_before_delay

from integrations_pipeline.connectors.auth import Carriage, HeaderAuth
from integrations_pipeline.connectors.base import MAX_BODY_BYTES, Connector
from integrations_pipeline.errors import (
    AnswerError,
    FenceLostError,
    ServiceError,
    TransientError,
)
from integrations_pipeline.transport.account import Priority
from integrations_pipeline.transport.answers import TokenRefused, body_of, content_of, plain
from integrations_pipeline.transport.carriage import carried, origin
from integrations_pipeline.transport.limits import Limits, Result
from integrations_pipeline.transport.reactions import ahead_of
from integrations_pipeline.transport.retrying import (
    ATTEMPTS,
    Request,
    hopeless,
    judge,
    request_of,
    wait_before_retry,
)
from integrations_pipeline.transport.session import new_session
from integrations_pipeline.transport.sockets import OpenSockets
from integrations_pipeline.transport.usage import Usage
from integrations_pipeline.transport.writing import never_sent, send_once

CONNECT_SECONDS = 10.0
CONNECTIONS = 32
"""Kept open at most: for resources, and pages of each, that are read side by side."""


class TokenSource(Protocol):
    """Where the client gets its token, anew for every request."""

    def token(self) -> str:
        """A token that is valid now."""
        ...

    def renew(self, rejected: str) -> str:
        """Another token, after the service refused `rejected`."""
        ...


class ServiceClient:
    """Requests to one account: bearer token, shared limits, bounded retries, bounded bodies."""

    def __init__(
        self,
        connector: Connector,
        base_url: str,
        tokens: TokenSource,
        *,
        limits: Limits | None = None,
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
        self.priority = Priority.INCREMENTAL
        """Who waits behind whom where the account's limits are short; each part has its own."""
        self._tokens = tokens
        self._carriage = carriage
        self._sockets = OpenSockets()
        self._session = new_session(
            allow_private=allow_private,
            connections=CONNECTIONS,
            total_seconds=timeout * 5,
            sockets=self._sockets,
        )
        self._limits = limits or Limits(connector.label)
        self._timeout = timeout
        self._retry_seconds = retry_seconds

    def part(self) -> "ServiceClient":
        """The same client, which counts what goes through it by itself as well."""
        mine = copy(self)
        mine.usage = Usage(whole=self.usage)
        return mine

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
                f"in answer to {method} {plain(path)}."
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
        request = request_of(method, path, params, body, max_bytes, self._retry_seconds)
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=lambda state: (
                hopeless(request, state) or stop_before_delay(self._retry_seconds)(state)
            ),
            wait=wait_before_retry,
            sleep=self._rest,
            reraise=True,
        )
        return retrying(self._authorized, request)

    def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form: bool = False,
        key: str = "",
    ) -> Any:
        """What answers a request that changes something; None for an empty answer.

        It is repeated only where the last try certainly did nothing, or where the service knows
        it again by its idempotency `key`.

        Raises:
            OutcomeUnknownError: it may have been done, or not.
            ServiceError: it was not done; the kind says what to do.
            FenceLostError: the job was taken away; nobody knows.
        """
        request = request_of(
            method, path, params, body, MAX_BODY_BYTES, self._retry_seconds, form=form, key=key
        )
        return send_once(
            lambda: self._authorized(request),
            request.begun.is_set,
            repeatable=bool(key),
            stop=lambda state: hopeless(request, state),
            wait=wait_before_retry,
            sleep=self._rest,
            retry_seconds=self._retry_seconds,
        )

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

    def _rest(self, seconds: float) -> None:
        self.usage.add(retries=1)
        self.wait(seconds)

    def abort(self) -> None:
        """Set `stop`, and end the requests that wait for an answer: they raise FenceLostError.

        A refresh of the token is let end, since its answer may hold the only copy of the next one.
        """
        self.stop.set()
        self._sockets.abort()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _authorized(self, request: Request) -> Any:
        """One request, and once more with another token when the first is refused."""
        token = self._tokens.token()
        request.tries += 1
        try:
            return self._send(request, token)
        except TokenRefused:
            token = self._tokens.renew(token)
        try:
            return self._send(request, token)
        except TokenRefused as refusal:
            raise refusal.reason from None

    def _send(self, request: Request, token: str) -> Any:
        if self.stop.is_set():
            raise FenceLostError("The job was stopped.")
        request.begun.clear()
        leave = self._limits.enter(
            request.method, request.path, self.priority, request.patience, self.wait
        )
        result = Result(wants_retry=request.tries < ATTEMPTS)
        try:
            page = self._exchange(request, token, result)
            result.answered, result.body = True, page
            return page
        except (ServiceError, TokenRefused) as error:
            judge(error, result)
            raise
        finally:
            request.may_repeat = self._limits.leave(leave, result)

    def _exchange(self, request: Request, token: str, result: Result) -> Any:
        self.token_used = token
        self.usage.add(calls=1)
        where = f"{request.method} {plain(request.path)}"
        headers, params = carried(self._carriage, token)
        request.begun.set()
        try:
            with self._session.request(
                request.method,
                self._address(request.path),
                params={**request.params, **params},
                data=request.content,
                headers={**self._headers(), **request.headers, **headers},
                timeout=(CONNECT_SECONDS, self._timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                result.headers = response.headers
                self.clock_ahead = ahead_of(response.headers.get("Date", ""))
                raw = body_of(response, self.connector.label, where, request.max_bytes)
            self.usage.add(received_bytes=len(raw))
        except requests.RequestException as error:
            kind = type(error).__name__
            if never_sent(error):
                request.begun.clear()
            senseless = isinstance(error, ValueError | requests.TooManyRedirects)
        else:
            kind = ""
        if self.stop.is_set():  # what was cut off can look whole
            raise FenceLostError("The job was stopped while it waited for an answer.")
        if not kind:
            return content_of(self.connector, response, raw, where, token)
        # raised out here: the library's error tells the whole address, also as a mere context
        if senseless:
            raise AnswerError(f"{self.connector.label} leads {where} elsewhere ({kind}).")
        raise TransientError(f"{self.connector.label} did not answer {where} ({kind}).")

    def _address(self, path: str) -> str:
        whole = path.startswith(("http://", "https://"))
        address = path if whole else self.base_url + path
        if origin(address) != self._origin:
            raise AnswerError(f"{self.connector.label} gave a link that leads to another host.")
        return address

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", **self.connector.headers}
