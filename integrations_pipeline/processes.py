"""Child processes: started in groups of their own, watched, stopped in reverse order."""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import requests

from integrations_pipeline.errors import ConfigurationError, ConflictError

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 10.0


def free_port(wanted: int, taken: Callable[[int, int], None] | None = None) -> int:
    """The wanted port of the loopback interface, or the next free one; `taken` is told of it."""
    for port in range(wanted, wanted + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                if port != wanted and taken is not None:
                    taken(wanted, port)
                return port
    raise ConfigurationError(f"No free port between {wanted} and {wanted + 200}.")


def stop_on_signals() -> None:
    """Let Ctrl-C and `kill` both end this process in the orderly way, wherever it was started."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def stop_once_on_signals() -> None:
    """Let the first Ctrl-C or `kill` begin an orderly end, which a second one does not disturb.

    The KeyboardInterrupt says which of them it was.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupt(caught: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt("Ctrl-C" if caught == signal.SIGINT else "SIGTERM")

    for number in numbers:
        signal.signal(number, interrupt)


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; it is free again however the process ends.

    Raises:
        ConflictError: another process holds it.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConflictError(
                f"Another process serves from {path.parent} already.",
                action="Stop it, or choose another folder with INTEGRATIONS_HOME.",
            ) from error
        yield


class Processes:
    """The processes that a command has started; leaving the block stops them all."""

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._environment = {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop all, the last one first."""
        self.stop()

    def start(self, name: str, program: str, *arguments: str) -> None:
        """Start a program that was installed beside this Python; its output goes to `NAME.log`."""
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                [str(Path(sys.executable).parent / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )

    def wait_ready(self, name: str, ready: Callable[[], bool], seconds: float = 90.0) -> None:
        """Wait until a process answers.

        Raises:
            ConfigurationError: it ended, or does not answer in time.
        """
        deadline = time.monotonic() + seconds
        answering = False
        while not answering:
            answering = ready()
            # another process may be the one that answers on the port
            code = self._running[name].poll()
            if code is not None or time.monotonic() > deadline:
                fate = f"ended with code {code}" if code is not None else "does not answer"
                raise ConfigurationError(
                    f"The process {name!r} {fate}.", action=f"See {self._logs / name}.log."
                )
            time.sleep(0.1)

    def ended(self) -> str | None:
        """The name of a process that has ended by itself, if there is one."""
        return next((n for n, p in self._running.items() if p.poll() is not None), None)

    def stop(self) -> None:
        """Stop all, the last one first; grandchildren go with their group."""
        for process in reversed(self._running.values()):
            _signal_group(process, signal.SIGTERM)
        for process in reversed(self._running.values()):
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self._running.clear()


def answers(url: str) -> Callable[[], bool]:
    """A check whether an address answers with success."""

    def check() -> bool:
        with suppress(requests.RequestException):
            return requests.get(url, timeout=5).ok
        return False

    return check


def listens(port: int) -> Callable[[], bool]:
    """A check whether something listens on a port."""

    def check() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return check


def _die_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed: nobody else would."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
