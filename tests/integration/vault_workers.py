"""Processes that use one vault at the same time, and what they are told to do there.

A worker forks from a server process that has imported everything once; each opens the store by
itself. It begins on `go`, and a task that goes on and on ends when it is told so.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from pydantic import SecretStr

from integrations_pipeline.alerts import open_alerts
from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.oauth import (
    IntegrationRef,
    create_integration,
    exchange_code_for_token,
    find_integration,
    get_valid_token,
)
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Store, open_store
from tests.conftest import SESSION, authorize
from tests.integration.support import at_once, integration_row
from tests.integration.token_server import SECRET, TokenServer
from tests.integration.vault_oddities import Place, lower_mark, pause_where_told, shift_clock

START_SECONDS = 60.0
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


def place(store: Store, home: Path, ref: IntegrationRef, **more: Any) -> Place:
    """A worker's place at an integration of this store."""
    url = store.url.render_as_string(hide_password=False)
    return Place(url, str(home), str(store.settings.connector_overrides), ref.key, **more)


class Worker:
    """A process with a vault of its own."""

    def __init__(self, where: Place, task: Callable[..., Any], *args: Any) -> None:
        self._ours, theirs = _context.Pipe()
        self.process = _context.Process(target=_work, args=(theirs, where, task, args), daemon=True)
        self.process.start()
        theirs.close()
        self._ready = False

    def ready(self) -> "Worker":
        """Wait until it has opened the store."""
        if not self._ready:
            assert self._ours.poll(START_SECONDS), "the worker did not start"
            assert self._ours.recv() == "ready"
            self._ready = True
        return self

    def go(self) -> "Worker":
        """Let it begin."""
        self.ready()._ours.send("go")
        return self

    def end(self, seconds: float = 60.0) -> Any:
        """What its task returned; one that goes on and on ends now."""
        self._ours.send("end")
        return self.result(seconds)

    def result(self, seconds: float = 60.0) -> Any:
        """What its task returned."""
        assert self._ours.poll(seconds), "the worker does not come to an end"
        found = self._ours.recv()
        self.process.join()
        if isinstance(found, Exception):
            raise found
        return found

    def send_signal(self, number: signal.Signals) -> None:
        """SIGKILL, SIGSTOP, SIGCONT."""
        os.kill(self.process.pid, number)
        if number is signal.SIGKILL:
            self.process.join()

    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self.process.is_alive()


@contextmanager
def workers(places: list[Place], task: Callable[..., Any], *args: Any) -> Iterator[list[Worker]]:
    """Workers that begin together; none outlives the test."""
    made = [Worker(where, task, *args) for where in places]
    try:
        for worker in made:
            worker.ready()
        for worker in made:
            worker.go()
        yield made
    finally:
        for worker in made:
            if worker.is_alive():
                worker.send_signal(signal.SIGKILL)


def _work(
    parent: Connection, where: Place, task: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    lower_mark(setattr, where.mark)
    if where.skew:
        shift_clock(timedelta(seconds=where.skew))
    settings = Settings(home=Path(where.home), connector_overrides=Path(where.overrides))
    settings.database_url = SecretStr(where.url)
    store = open_store(settings, CONNECTORS.values())
    ref = find_integration(store, where.key)
    pause_where_told(store, where)
    parent.send("ready")
    parent.recv()
    try:
        found: Any = task(store, ref, parent.poll, *args)
    except Exception as error:  # noqa: BLE001 - the test looks at it
        found = RuntimeError(f"{type(error).__name__}: {error}")
    store.close()
    parent.send(found)


Ended = Callable[[], bool]


def ask(store: Store, ref: IntegrationRef, _: Ended, count: int) -> list[str]:
    """Ask the vault from many threads at once; tokens, or the errors' words."""
    return [str(one) for one in at_once(count, lambda: get_valid_token(store, ref))]


def call(store: Store, ref: IntegrationRef, _: Ended, count: int) -> tuple[int, list[str]]:
    """Call the service from many threads at once: how many calls, and what went wrong."""
    client = service_client(store, ref)
    client.authorize()
    found = at_once(count, lambda: client.get("/thing"))
    errors = [str(one) for one in found if isinstance(one, Exception)]
    return client.usage.calls, errors


def ask_on(
    store: Store, ref: IntegrationRef, ended: Ended
) -> tuple[int, list[str], dict[str, int]]:
    """Ask the vault on and on: how often, for which tokens, and what went wrong how often."""
    tokens: dict[str, None] = {}
    errors: dict[str, int] = {}
    count = 0
    while not ended():
        count += 1
        try:
            tokens[get_valid_token(store, ref)] = None
        except Exception as error:  # noqa: BLE001 - counted
            name = type(error).__name__
            errors[name] = errors.get(name, 0) + 1
        time.sleep(0.01)
    return count, list(tokens), errors


def call_on(store: Store, ref: IntegrationRef, ended: Ended) -> tuple[int, list[str]]:
    """Call the service on and on: how often, and what went wrong."""
    client = service_client(store, ref)
    calls, errors = 0, []
    while not ended():
        calls += 1
        try:
            client.get("/thing")
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(f"{type(error).__name__}: {error}")
        time.sleep(0.02)
    return calls, errors


def renew_on(store: Store, ref: IntegrationRef, ended: Ended) -> tuple[int, list[str]]:
    """Reject every token that the vault gives: how often, and what went wrong."""
    token, count, errors = get_valid_token(store, ref), 0, []
    while not ended():
        try:
            token = get_valid_token(store, ref, rejected=token)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(f"{type(error).__name__}: {error}")
            break
        count += 1
    return count, errors


def allow_loopback(store: Store, folder: Path) -> None:
    """Let custom services be on this machine, the way an operator would."""
    path = folder / "overrides.yaml"
    path.write_bytes(orjson.dumps({"custom": {"allow_private_network": True}}))
    store.settings.connector_overrides = path
    store.settings.__dict__.pop("overrides", None)


def connect_custom(
    store: Store, tenant_id: UUID, server: TokenServer, name: str = "thing"
) -> IntegrationRef:
    """A custom integration with the scripted server, connected through the whole flow."""
    declaration = {
        "base_url": f"{server.url}/api",
        "auth": {
            "type": "oauth2",
            "authorize_url": f"{server.url}/authorize",
            "token_url": f"{server.url}/token",
            "idle_days": 30,
        },
        "test": {"path": "/me", "account_id": "client"},
    }
    return connect_declared(store, tenant_id, name, declaration, name, SECRET)


def connect_declared(
    store: Store,
    tenant_id: UUID,
    name: str,
    declaration: Mapping[str, Any],
    client_id: str,
    client_secret: str,
) -> IntegrationRef:
    """A custom integration of this declaration, connected through the whole flow."""
    ref = create_integration(
        store,
        tenant_id,
        "custom",
        name,
        client_id=client_id,
        client_secret=client_secret,
        settings=declaration,
    )
    code, state = authorize(store, ref)
    return exchange_code_for_token(store, state=state, code=code, session_id=SESSION)


def is_usable(store: Store, ref: IntegrationRef) -> bool:
    """Whether a call to the service succeeds."""
    client = service_client(store, ref)
    try:
        client.get("/thing")
    except Exception:  # noqa: BLE001 - any failure is one
        return False
    finally:
        client.close()
    return True


def needs_person(store: Store, ref: IntegrationRef) -> bool:
    """Whether the connection is in ERROR, and an open alert says so."""
    alerts = {alert.integration for alert in open_alerts(store, ref.tenant_id)}
    return integration_row(store, ref).status == "ERROR" and ref.key in alerts
