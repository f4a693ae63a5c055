"""The open sockets of a session: whoever waits for an answer on one can be interrupted."""

import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet


class OpenSockets:
    """What a session has open; safe to use from several threads."""

    def __init__(self) -> None:
        self._open: WeakSet[socket.socket] = WeakSet()
        self._aborted = False
        self._lock = threading.Lock()

    def add(self, sock: socket.socket) -> None:
        """Remember a socket; after `abort` it is shut down at once."""
        with self._lock:
            self._open.add(sock)
            if self._aborted:
                _shut_down(sock)

    def abort(self) -> None:
        """End all that reads or writes on them, now and later."""
        with self._lock:
            self._aborted = True
            for sock in list(self._open):
                _shut_down(sock)


class Interruptible:
    """A connection that tells which sockets it opens."""

    sockets: OpenSockets
    sock: socket.socket

    def connect(self) -> None:
        """Connect; TLS has put a socket of its own over the first one."""
        super().connect()  # type: ignore[misc]
        self.sockets.add(self.sock)

    def _new_conn(self) -> Any:
        sock = super()._new_conn()  # type: ignore[misc]
        self.sockets.add(sock)
        return sock


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # closed already
        # not the method of a TLS socket, which would first forget its keys under the reader
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
