"""A requests session that reaches public addresses only, with timeouts and no redirects."""

import logging
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from integrations_pipeline.errors import AnswerError
from integrations_pipeline.transport.guard import pool_classes
from integrations_pipeline.transport.sockets import OpenSockets

USER_AGENT = "integrations-pipeline/0.1"
BODY_BYTES = 1024 * 1024
TOTAL_SECONDS = 60.0

# Whatever level an application logs at: these would tell addresses with keys in them, and tokens.
# Each by itself, as clients made by OpenAPI's generator set the level of `urllib3` back.
for talkative in (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
    "requests_oauthlib",
    "oauthlib",
):
    logging.getLogger(talkative).setLevel(logging.ERROR)


class _Adapter(HTTPAdapter):
    """Connects where it may; of a body that is read at once it takes no more than the limit."""

    def __init__(
        self,
        *,
        guard: bool,
        body_bytes: int,
        total_seconds: float | None,
        sockets: OpenSockets,
        **options: Any,
    ) -> None:
        self._classes = pool_classes(guard=guard, total_seconds=total_seconds, sockets=sockets)
        self._body_bytes = body_bytes
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> requests.Response:
        response = super().send(request, stream, *args, **kwargs)
        if not stream or response.is_redirect:  # requests reads a redirect's body itself
            _read_bounded(response, self._body_bytes)
        return response


def _read_bounded(response: requests.Response, limit: int) -> None:
    chunks: list[bytes] = []
    size = 0
    with response:
        for chunk in response.iter_content(64 * 1024):
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise AnswerError(f"The answer is larger than {limit // 1024} KiB.")
    response._content = b"".join(chunks)  # noqa: SLF001 - where requests keeps a body it has read


def guarded(
    session: requests.Session,
    *,
    allow_private: bool,
    connections: int = 8,
    body_bytes: int = BODY_BYTES,
    total_seconds: float | None = None,
    sockets: OpenSockets | None = None,
) -> None:
    """Put the guard and our name on a session; it follows no redirects and no proxy settings.

    `sockets` gets to know what the session opens.
    """
    sockets = sockets or OpenSockets()
    for scheme in ("https://", "http://"):
        adapter = _Adapter(
            guard=not allow_private,
            body_bytes=body_bytes,
            total_seconds=TOTAL_SECONDS if total_seconds is None else total_seconds,
            sockets=sockets,
            pool_connections=4,
            pool_maxsize=connections,
        )
        session.mount(scheme, adapter)
    session.trust_env = False
    session.max_redirects = 0  # a redirect could carry a secret to another host
    session.headers["User-Agent"] = USER_AGENT


def new_session(
    *,
    allow_private: bool,
    connections: int = 8,
    total_seconds: float | None = None,
    sockets: OpenSockets | None = None,
) -> requests.Session:
    """A session for one service; see `guarded`."""
    session = requests.Session()
    guarded(
        session,
        allow_private=allow_private,
        connections=connections,
        total_seconds=total_seconds,
        sockets=sockets,
    )
    return session
