"""Faults on demand: what the next requests of a service suffer, and how answers are spoilt.

Some replace the answer (`rate_limit`, `error`, `expired_token`, `html`), one delays it (`slow`),
some spoil one that is a JSON object with status 200 (`drop`, `truncated`, `huge`, `loop`,
`wrong_types`). Two make the outcome of a write unknown to its caller: the service has carried it
out, and then the connection closes without an answer (`lost_reply`), or a 503 is all there is to
see (`late_error`). They pass by whatever does not write, and wait for a write that succeeds.

Each hits the next `count` requests, `path` narrows them to paths with that text in them, and with
a `share` below 1 only that part of them is hit, the same ones in every run.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.tables import Record

SPOILING_KINDS = frozenset({"drop", "truncated", "huge", "loop", "wrong_types"})
LOSING_KINDS = frozenset({"lost_reply", "late_error"})
KINDS = SPOILING_KINDS | LOSING_KINDS | {"rate_limit", "error", "slow", "expired_token", "html"}
HUGE_BYTES = 10 * 1024 * 1024
_PAGE = "<!doctype html><title>Scheduled maintenance</title><h1>We will be back soon</h1>"


@dataclass
class Fault:
    """One kind of trouble for the next requests, all or those whose path has a substring."""

    kind: str
    remaining: int = 1
    path: str = ""
    seconds: float = 1.5
    share: float = 1.0
    # The first looped answer of each endpoint and account, given again to every later request.
    looped: dict[tuple[str, str, str | None], Reply] = field(default_factory=dict)
    dice: random.Random = field(default_factory=lambda: random.Random("share"))

    def hits(self, path: str, *, is_token: bool, is_write: bool) -> bool:
        """Whether it is meant for this request, and its share, if any, falls on it."""
        if self.remaining < 1 or (self.kind in LOSING_KINDS and not is_write):
            return False
        named = bool(self.path) and self.path in path
        meant = named or not (self.path or is_token)
        return meant and (self.share >= 1 or self.dice.random() < self.share)


class Faults:
    """The faults waiting at each service, first come first served."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Fault]] = {}

    def add(self, service: str, fault: Fault) -> None:
        self._waiting.setdefault(service, []).append(fault)

    def clear(self, service: str) -> None:
        self._waiting.pop(service, None)

    def claim(
        self, service: str, path: str, *, is_token: bool, is_write: bool = False
    ) -> Fault | None:
        """The fault that hits this request; a token request is hit only if its path is named."""
        for fault in self._waiting.get(service, []):
            if fault.hits(path, is_token=is_token, is_write=is_write):
                fault.remaining -= 1
                return fault
        return None


def html_page() -> Reply:
    """What a proxy in front of a service shows: HTML, yet status 200."""
    return Reply(_PAGE)


def huge(body: Record) -> Record:
    """The same answer with ten megabytes more in it."""
    return {**body, "padding": "x" * HUGE_BYTES}


def wrong_types(body: Record, turn: int) -> object:
    """The same answer, its list turned into an object, a number or a list of strings in turn."""
    shape = _WRONG_SHAPES[turn % len(_WRONG_SHAPES)]
    wrong = {name: shape(v) if isinstance(v, list) else v for name, v in body.items()}
    return wrong if wrong != body else [str(body)]


_WRONG_SHAPES: tuple[Callable[[list[Any]], object], ...] = (
    lambda rows: {str(place): row for place, row in enumerate(rows)},
    len,
    lambda rows: [str(row) for row in rows],
)


def truncated(reply: Reply) -> Response:
    """JSON cut in the middle, under a content length that agrees with the cut."""
    content = reply.encoded()
    return Response(
        content[: len(content) // 2], headers=dict(reply.headers), media_type=reply.media_type
    )


class DroppedResponse(Response):
    """Promises the whole body, sends half of it and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


def dropped(reply: Reply) -> Response:
    """An answer whose connection breaks in the middle of the body."""
    return DroppedResponse(
        reply.encoded(), headers=dict(reply.headers), media_type=reply.media_type
    )


class VanishedResponse(Response):
    """No answer at all: the connection is closed before the first byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI has no word for this; the server's own cycle, behind receive, holds the transport.
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is None:
            start = {"type": "http.response.start", "status": 200}
            await send({**start, "headers": [(b"content-length", b"2")]})
            return
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass
