"""Pages fetched side by side: ahead of one walk, or for several walks at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, TypeVar

Asked = Mapping[str, Any] | None
"""What tells one request from another: parameters, or a position."""
Key = TypeVar("Key")
Item = TypeVar("Item")


class Ahead:
    """Answers that are fetched before they are asked for; no more than are expected at a time."""

    def __init__(self, ask: Callable[[Any], dict[str, Any]], workers: int) -> None:
        self._ask = ask
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pages")
        self._coming: dict[tuple[Any, ...], Future[dict[str, Any]]] = {}

    def __enter__(self) -> "Ahead":
        """Fetch from now on."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Fetch no more; what is on its way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def answer(self, asked: Asked) -> dict[str, Any]:
        """The answer to a request: the one that is coming, else a new one."""
        coming = self._coming.pop(_key(asked), None)
        return self._ask(asked) if coming is None else coming.result()

    def expect(self, requests: Iterable[Asked]) -> None:
        """Fetch these from now on, and nothing else that was expected before."""
        expected = {_key(asked): asked for asked in requests}
        for key in self._coming.keys() - expected.keys():
            self._coming.pop(key).cancel()
        for key, asked in expected.items():
            if key not in self._coming:
                self._coming[key] = self._pool.submit(self._ask, asked)


def abreast(
    walks: Iterator[tuple[Key, Iterator[Item]]], workers: int
) -> Iterator[tuple[Key, Item | None]]:
    """What several walks give, as it comes, each with its walk's key; None where one has ended.

    A walk begins when another has ended and its end was taken; each fetches one page at a time.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pages")
    running: dict[Future[Item | None], tuple[Key, Iterator[Item]]] = {}
    try:
        while True:
            while len(running) < workers and (walk := next(walks, None)) is not None:
                running[pool.submit(next, walk[1], None)] = walk
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            future = done.pop()
            key, pages = running.pop(future)
            item = future.result()
            if item is not None:
                running[pool.submit(next, pages, None)] = (key, pages)
            yield key, item
    finally:
        # whoever stops listening does not wait for what is being fetched
        pool.shutdown(wait=False, cancel_futures=True)


def _key(asked: Asked) -> tuple[Any, ...]:
    return tuple(sorted((name, str(value)) for name, value in (asked or {}).items()))
