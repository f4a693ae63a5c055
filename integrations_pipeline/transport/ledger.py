"""The quota ledger: the state of every account, shared by all processes through Postgres.

A change is one short transaction that holds the account's row, and is never open while a service
is asked. Where the database is away, a process goes on with the state that it knew last.
"""

import threading
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Protocol, TypeVar

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from integrations_pipeline.store.patience import is_outage
from integrations_pipeline.transport.account import Account

log = structlog.get_logger("integrations_pipeline.transport")
T = TypeVar("T")
Act = Callable[[list[Account], float], T]
"""Changes the states of the keys, in their order; takes the ledger's time as well."""
AWAY_SECONDS = 5.0
"""So long a database that failed is not asked again."""
STATE = TypeAdapter(Account)
BEGIN = """
    SET LOCAL synchronous_commit = off;
    SET LOCAL lock_timeout = '10s';
    SET LOCAL idle_in_transaction_session_timeout = '3s'
"""
# the clock is read after the lock is there: times must not go back from one change to the next
HOLD = text("""
    WITH held AS MATERIALIZED (
        SELECT key, state FROM integrations.quota_account
        WHERE key = ANY(:keys) ORDER BY key FOR UPDATE
    )
    SELECT key, state::text AS state, extract(epoch FROM clock_timestamp())::float8 AS now FROM held
""")
ADD = text("""
    INSERT INTO integrations.quota_account (key) SELECT unnest(CAST(:keys AS text[]))
    ON CONFLICT DO NOTHING
""")
# the longest windows are days; what was not asked for a month is forgotten
CLEAN = text("""
    DELETE FROM integrations.quota_account WHERE key IN (
        SELECT key FROM integrations.quota_account
        WHERE updated_at < clock_timestamp() - interval '32 days' LIMIT 100 FOR UPDATE SKIP LOCKED)
""")
WRITE = text("""
    UPDATE integrations.quota_account
    SET state = CAST(:state AS jsonb), updated_at = clock_timestamp() WHERE key = :key
""")
LOOK = text("""
    SELECT extract(epoch FROM clock_timestamp())::float8 AS now, (
        SELECT state::text FROM integrations.quota_account WHERE key = :key) AS state
""")


class Ledger(Protocol):
    """Where the states of accounts are kept."""

    def change(self, keys: Sequence[str], act: Act[T]) -> T:
        """Do something to the states of these keys; nobody else does meanwhile."""
        ...

    def look(self, key: str) -> tuple[Account, float]:
        """A state as it is now, and the ledger's time."""
        ...


class MemoryLedger:
    """Known to this process only."""

    def __init__(self) -> None:
        self._states: dict[str, Account] = {}
        self._lock = threading.Lock()

    def change(self, keys: Sequence[str], act: Act[T]) -> T:
        """See `Ledger`."""
        with self._lock:
            return act([self._states.setdefault(key, Account()) for key in keys], time.time())

    def look(self, key: str) -> tuple[Account, float]:
        """See `Ledger`."""
        with self._lock:
            return deepcopy(self._states.get(key, Account())), time.time()

    def learn(self, key: str, state: Account) -> None:
        """Take over a state."""
        with self._lock:
            self._states[key] = state


class PostgresLedger:
    """Shared by all processes on one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known = MemoryLedger()
        self._away_until = 0.0
        self._turn = threading.Lock()

    def change(self, keys: Sequence[str], act: Act[T]) -> T:
        """See `Ledger`."""
        if time.monotonic() >= self._away_until:
            try:
                return self._patiently(keys, act)
            except SQLAlchemyError as error:
                self._fail(error)
        return self._known.change(keys, act)

    def look(self, key: str) -> tuple[Account, float]:
        """See `Ledger`."""
        if time.monotonic() >= self._away_until:
            try:
                with self._engine.connect() as connection:
                    row = connection.execute(LOOK, {"key": key}).one()
            except SQLAlchemyError as error:
                self._fail(error)
            else:
                return _read(row.state), row.now
        return self._known.look(key)

    def _patiently(self, keys: Sequence[str], act: Act[T]) -> T:
        """A change, and again where the database only refused this one, as in a deadlock."""
        retrying = Retrying(
            retry=retry_if_exception(_is_unlucky), stop=stop_after_attempt(3), reraise=True
        )
        with self._turn:  # one connection is enough: they would only wait for the row
            result: T = retrying(self._change, keys, act)
        return result

    def _change(self, keys: Sequence[str], act: Act[T]) -> T:
        result = self._try(keys, act)
        if result is None:
            with self._engine.begin() as connection:  # apart: else it waits while it holds a row
                connection.execute(CLEAN)
                connection.execute(ADD, {"keys": sorted(keys)})
            result = self._try(keys, act)
        if result is None:
            raise DBAPIError("no row", None, LookupError("the row was deleted at once"))
        return result[0]

    def _try(self, keys: Sequence[str], act: Act[T]) -> tuple[T] | None:
        """What the change gives, in a tuple; None: there is no row yet."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(BEGIN)
            rows = {row.key: row for row in connection.execute(HOLD, {"keys": list(keys)})}
            if len(rows) < len(keys):
                return None
            states = [_read(rows[key].state) for key in keys]
            result = act(states, max(row.now for row in rows.values()))
            for key, state in zip(keys, states, strict=True):
                told = STATE.dump_json(state).decode()
                connection.execute(WRITE, {"key": key, "state": told})
        for key, state in zip(keys, states, strict=True):
            self._known.learn(key, state)
        return (result,)

    def _fail(self, error: SQLAlchemyError) -> None:
        self._away_until = time.monotonic() + AWAY_SECONDS
        log.warning("limits are not shared: the database did not answer", kind=type(error).__name__)


def _is_unlucky(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and not is_outage(error)


def _read(state: str | None) -> Account:
    try:
        return STATE.validate_json(state or "{}")
    except ValueError:  # written by another version of us
        return Account()
