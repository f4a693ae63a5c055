"""An answer has a time to be over by: status, headers, body and trailers together.

A timeout of a socket only limits the silence between two bytes.
"""

import http.client
import io
import socket
import time
from typing import Any


class _Timed(io.RawIOBase):
    """What a socket reads, until a moment."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        super().__init__()
        self._raw, self._sock = raw, sock
        self._silence = sock.gettimeout()
        self._ends = time.monotonic() + seconds

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """The next bytes.

        Raises:
            TimeoutError: the time is over, or there was silence for too long.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("The answer trickles.")
        self._sock.settimeout(left if self._silence is None else min(left, self._silence))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Close both."""
        self._raw.close()
        super().close()


class Hurried:
    """A connection whose answers must be over in `total_seconds`; None: whenever."""

    total_seconds: float | None = None

    def response_class(self, sock: socket.socket, **options: Any) -> http.client.HTTPResponse:
        """The answer; named so by the standard library, which calls it for each."""
        response = http.client.HTTPResponse(sock, **options)
        if self.total_seconds is not None:
            raw = response.fp.detach()
            response.fp = io.BufferedReader(_Timed(raw, sock, self.total_seconds))
        return response
