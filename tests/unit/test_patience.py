"""What counts as an outage of the database, and for how long it is sat out."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from integrations_pipeline.store.patience import is_outage, patiently

LOST = psycopg.OperationalError("server closed the connection unexpectedly")
OUTAGES = {
    "refused": OperationalError("", {}, psycopg.OperationalError("connection refused")),
    "lost": OperationalError("", {}, LOST),
    "closed": OperationalError("", {}, psycopg.OperationalError("the connection is closed")),
    "shutting down": OperationalError("", {}, errors.AdminShutdown("")),
    "crashed": OperationalError("", {}, errors.CrashShutdown("")),
    "starting up": OperationalError("", {}, errors.CannotConnectNow("")),
    "too many": OperationalError("", {}, errors.TooManyConnections("")),
    "broken": OperationalError("", {}, errors.ConnectionFailure("")),
    "invalidated": InterfaceError("", {}, psycopg.InterfaceError(""), connection_invalidated=True),
}
FAULTS = {
    "a duplicate": IntegrityError("", {}, errors.UniqueViolation("")),
    "a deadlock": OperationalError("", {}, errors.DeadlockDetected("")),
    "a timeout": OperationalError("", {}, errors.QueryCanceled("")),
    "a full disk": OperationalError("", {}, errors.DiskFull("")),
    "misuse": InterfaceError("", {}, psycopg.InterfaceError("")),
    "our own": ValueError(),
}


class Failing:
    """Fails a number of times."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.left, self.calls = error, times, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


@pytest.mark.parametrize("kind", OUTAGES)
def test_an_outage_is_sat_out(kind) -> None:
    call = Failing(OUTAGES[kind], 2)

    assert (patiently(call, seconds=30), call.calls) == ("done", 3)


@pytest.mark.parametrize("kind", FAULTS)
def test_any_other_fault_is_told_at_once(kind) -> None:
    call = Failing(FAULTS[kind], 1)

    with pytest.raises(type(FAULTS[kind])):
        patiently(call, seconds=30)
    assert call.calls == 1


def test_patience_ends() -> None:
    call = Failing(OUTAGES["starting up"], 1000)

    with pytest.raises(DBAPIError):
        patiently(call, seconds=0.5)
    assert 1 < call.calls < 1000


def test_an_interrupt_ends_it_at_once() -> None:
    assert not is_outage(KeyboardInterrupt())
