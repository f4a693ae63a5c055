"""What a service answers: a status, a body and headers. An error travels as an exception."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from starlette.responses import Response


@dataclass(frozen=True)
class Reply:
    """One answer: text is sent as HTML, None as an empty body, anything else as JSON."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_json(self) -> bool:
        return self.body is not None and not isinstance(self.body, str)

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, str):
            return self.body.encode()
        return orjson.dumps(self.body, option=orjson.OPT_NON_STR_KEYS)

    @property
    def media_type(self) -> str | None:
        if self.body is None:
            return None
        return "application/json" if self.is_json else "text/html"

    def response(self) -> Response:
        return Response(
            self.encoded(), self.status, headers=dict(self.headers), media_type=self.media_type
        )


class ApiError(Exception):
    """The request fails with this answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply
