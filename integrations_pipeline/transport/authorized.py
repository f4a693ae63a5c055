"""A `requests` session for one connected account, for calls that the pipeline does not model."""

from collections.abc import Mapping
from typing import Any

import requests

from integrations_pipeline.connectors.auth import Carriage, QueryAuth
from integrations_pipeline.connectors.base import MAX_BODY_BYTES
from integrations_pipeline.transport.carriage import carried, origin
from integrations_pipeline.transport.client import TokenSource
from integrations_pipeline.transport.session import guarded

REDIRECTS = 5


class AuthorizedSession(requests.Session):
    """Takes paths below the API's address and authorizes each request anew.

    The credential goes to the API's own origin only (RFC 9700, 4.9), also after a redirect. An
    answer 401 is followed by one renewal and one more try. An answer may take five times as long
    as silence is allowed (`INTEGRATIONS_REQUEST_TIMEOUT_SECONDS`). Bodies above 8 MiB are refused
    unless `stream=True`; private networks are out of reach.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenSource,
        *,
        carriage: Carriage,
        headers: Mapping[str, str],
        allow_private: bool,
        timeout: float,
    ) -> None:
        super().__init__()
        guarded(
            self,
            allow_private=allow_private,
            body_bytes=MAX_BODY_BYTES,
            total_seconds=timeout * 5,
        )
        self.max_redirects = REDIRECTS
        self.headers.update({"Accept": "application/json", **headers})
        self.base_url = base_url.rstrip("/")
        self._tokens = tokens
        self._carriage = carriage
        self._timeout = timeout

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Any:
        """A request to a path below the API's address, or to a whole address.

        Raises:
            requests.RequestException: no answer; the text names no address.
            ConnectAgainError: the account must be connected again.
        """
        path = url if isinstance(url, str) else url.decode()
        below = not path or path.startswith(("/", "?"))
        address = self.base_url + path if below else path
        kwargs.setdefault("timeout", self._timeout)
        if not self._is_own(address):
            return self._send(method, address, None, args, kwargs)
        token = self._tokens.token()
        response = self._send(method, address, token, args, kwargs)
        if response.status_code != 401:
            return response
        response.close()
        return self._send(method, address, self._tokens.renew(token), args, kwargs)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Leave the credential behind when a redirect leads away."""
        if not self._is_own(prepared_request.url or ""):
            for name in carried(self._carriage, "")[0]:
                prepared_request.headers.pop(name, None)

    def _is_own(self, address: str) -> bool:
        return origin(address) == origin(self.base_url)

    def _send(
        self, method: str | bytes, address: str, token: str | None, args: Any, kwargs: Any
    ) -> requests.Response:
        try:
            response: requests.Response = super().request(
                method, address, *args, **{**kwargs, "auth": _Credential(self._carriage, token)}
            )
        except requests.RequestException as error:
            kind = type(error)
        else:
            if isinstance(self._carriage, QueryAuth):
                response.url = response.url.partition("?")[0]
            return response
        # the library's own text repeats the address, which may hold the key
        raise kind(f"No answer ({kind.__name__}).")


class _Credential(requests.auth.AuthBase):
    def __init__(self, carriage: Carriage, token: str | None) -> None:
        self._carriage = carriage
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            headers, params = carried(self._carriage, self._token)
            request.headers.update(headers)
            if params:
                request.prepare_url(request.url or "", params)
        return request
