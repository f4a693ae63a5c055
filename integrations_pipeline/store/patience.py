"""Sitting out a restart of the database."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_delay
from tenacity.wait import wait_random_exponential

T = TypeVar("T")
PATIENCE_SECONDS = 60.0
OUTAGES = ("08", "57P01", "57P02", "57P03", "53300")
"""SQLSTATEs, or their classes: connection lost, shutting down, crashed, starting up, full.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""


def patiently(call: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Do `call` again while the database is away, for that many seconds, and return its result.

    It must be one whole transaction that does no harm when it is repeated: where the connection
    breaks while it commits, nobody knows whether it did.

    Raises:
        DBAPIError: the database stayed away, or the fault is another one.
    """
    retrying = Retrying(
        retry=retry_if_exception(is_outage),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
    return retrying(call)


def is_outage(error: BaseException) -> bool:
    """Whether the database can't be reached for now, whatever is asked of it."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # the driver's own words: refused, closed, lost
        return error.connection_invalidated or isinstance(error, OperationalError)
    return error.connection_invalidated or state.startswith(OUTAGES)
