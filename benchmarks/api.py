"""A fast loopback API of 1 KB records: by cursor, by time of change, by page number.

/v1/customers?starting_after=cus_...    Stripe's form, 1000 a page
/v1/customers?updated_since=1750000000  the same, of what changed at or after that second
/numbered?page=3                        {"data", "page", "pages", "total"}
/change?to=2                            1 % of the records change (to=0: as they were at first)
"""

import asyncio
import sys
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

from benchmarks.pages import EPOCH, PAGE, Records

Query = dict[str, str]


class Api:
    """The answers; `records` is what they tell of at the moment."""

    def __init__(self, total: int) -> None:
        self._records = Records(total)
        self._routes: dict[str, Callable[[Query], bytes]] = {
            "/v1/customers": self._listed,
            "/numbered": self._numbered,
            "/change": self._changed,
        }

    def answer(self, target: str) -> bytes:
        """The whole HTTP answer to a request's target."""
        path, _, query = target.partition("?")
        route = self._routes.get(path)
        status = "200 OK" if route else "404 Not Found"
        body = route(dict(parse_qsl(query))) if route else b"{}"
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: "
        return b"%s%d\r\n\r\n%s" % (head.encode(), len(body), body)

    def _listed(self, query: Query) -> bytes:
        after = query.get("starting_after", "")
        start = int(after.removeprefix("cus_")) + 1 if after else 0
        since = _since(query)
        if since is not None:
            numbers = self._records.since(since, start - 1)
            rows, more = self._records.rows(numbers[:PAGE]), len(numbers) > PAGE
            last = numbers[:PAGE][-1] if numbers else -1
        else:
            rows, more = self._records.page(_page_at(start)), start + PAGE < self._records.total
            last = start + PAGE - 1
        # `next` repeats the last id for clients that know no other way to the next page
        following = b'"cus_%09d"' % last if more else b"null"
        form = b'{"object":"list","data":[%s],"has_more":%s,"next":%s}'
        return form % (rows, b"true" if more else b"false", following)

    def _numbered(self, query: Query) -> bytes:
        page, total = int(query.get("page", "1")), self._records.total
        since = _since(query)
        if since is not None:
            numbers = self._records.since(since, -1)
            total = len(numbers)
            rows = self._records.rows(numbers[(page - 1) * PAGE : page * PAGE])
        else:
            rows = self._records.page(page - 1) if (page - 1) * PAGE < total else b""
        form = b'{"data":[%s],"page":%d,"pages":%d,"total":%d}'
        return form % (rows, page, -(-total // PAGE), total)

    def _changed(self, query: Query) -> bytes:
        self._records = Records(self._records.total, int(query["to"]), int(time.time()))
        return b"{}"


def _since(query: Query) -> int | None:
    """The lower bound, where it leaves something out."""
    since = int(float(query.get("updated_since") or 0))
    return since if since > EPOCH else None


def _page_at(start: int) -> int:
    """The page that begins with this record.

    Raises:
        ValueError: none does.
    """
    if start % PAGE:
        raise ValueError(f"No page begins with record {start}.")
    return start // PAGE


async def serve(total: int, latency: float) -> None:
    """Answer on a free port, which is printed, until the process is ended."""
    api = Api(total)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(latency)
                writer.write(api.answer(request.split(b" ", 2)[1].decode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
