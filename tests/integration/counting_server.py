"""A service that counts: when each request came, how many at a time, and what it answered."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b"{}")


@dataclass
class Counting:
    """What came, in order; `answer` decides what goes back, and may take its time."""

    answer: Callable[[str], Answer] = lambda _path: OK
    times: list[float] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def most_in(self, seconds: float) -> int:
        """The most requests in any rolling window of so many seconds."""
        times, first, most = sorted(self.times), 0, 0
        for place, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, place - first + 1)
        return most

    def begin(self, path: str) -> None:
        with self.lock:
            self.times.append(time.monotonic())
            self.paths.append(path)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def end(self) -> None:
        with self.lock:
            self.at_once -= 1


@contextmanager
def counting(answer: Callable[[str], Answer] = lambda _path: OK) -> Iterator[Counting]:
    """A counting service on a port of its own."""
    service = Counting(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            service.begin(self.path)
            try:
                status, headers, body = service.answer(self.path)
            finally:
                service.end()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
