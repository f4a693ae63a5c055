"""An answer's body: read within bounds, understood, or turned into the error that it means."""

from typing import Any

import orjson
import requests

from integrations_pipeline.connectors.access import Reaction
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import AnswerError, ServiceError
from integrations_pipeline.transport.parsing import parse
from integrations_pipeline.transport.reactions import error_of, says_failure

CHUNK = 64 * 1024


class TokenRefused(Exception):  # noqa: N818 - a signal inside the client, never seen outside
    """The service did not take the token; `reason` is the error if another one fares no better."""

    def __init__(self, reason: ServiceError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def plain(path: str) -> str:
    """A path without its query, for people and logs."""
    return path.partition("?")[0]


def body_of(response: requests.Response, label: str, where: str, max_bytes: int) -> bytes:
    """The body, counted while it streams: a length header proves nothing.

    Raises:
        AnswerError: it is longer than `max_bytes`.
        requests.RequestException: it broke off.
    """
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_content(CHUNK):
        size += len(chunk)
        if size > max_bytes:
            limit = max_bytes // (1024 * 1024)
            raise AnswerError(f"{label} sent more than {limit} MiB in answer to {where}.")
        chunks.append(chunk)
    return b"".join(chunks)


def content_of(
    connector: Connector, response: requests.Response, raw: bytes, where: str, token: str
) -> Any:
    """The JSON value of an answer; None for an empty one (204).

    Raises:
        TokenRefused: another token may help.
        ServiceError: it is no success; the kind says what to do.
    """
    if not 200 <= response.status_code < 300:
        raise _refusal(connector, response, raw, where, token)
    if response.status_code == 204:
        return None
    try:
        page = parse(raw)
    except orjson.JSONDecodeError as error:
        kind = "HTML" if raw.lstrip()[:1] == b"<" else "broken JSON"
        raise AnswerError(f"{connector.label} sent {kind} in answer to {where}.") from error
    if says_failure(connector, response.status_code, page):
        raise _refusal(connector, response, raw, where, token)
    return page


def _refusal(
    connector: Connector, response: requests.Response, raw: bytes, where: str, token: str
) -> Exception:
    reaction, error = error_of(
        connector, response.status_code, response.headers, raw, where, (token,)
    )
    return TokenRefused(error) if reaction is Reaction.REFRESH else error
