"""The requests alone: the same pages, read and thrown away. One by one, nothing can be faster."""

from collections.abc import Callable
from http.client import HTTPConnection

from benchmarks.measuring import Task
from benchmarks.pages import PAGE


def ready(task: Task) -> Callable[[], int]:
    """What is measured."""
    return lambda: run(task.url)


def run(url: str) -> int:
    """Fetch every page over one connection; returns the number of bytes."""
    connection = HTTPConnection(url.removeprefix("http://"))
    size, page, more = 0, 0, True
    while more:
        after = f"&starting_after=cus_{page * PAGE - 1:09d}" if page else ""
        connection.request("GET", f"/v1/customers?limit={PAGE}{after}")
        body = connection.getresponse().read()
        more = b'"has_more":true' in body[-100:]
        size += len(body)
        page += 1
    connection.close()
    return size
