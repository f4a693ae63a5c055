"""No secret ever leaks: every service, way and failure, and then a search of every place."""

import logging
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import create_engine

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.processes import free_port
from integrations_pipeline.sandbox.server import SandboxConfig, create_app, overrides
from integrations_pipeline.settings import load_settings
from integrations_pipeline.store import open_store
from integrations_pipeline.store.crypto import create_master_key
from integrations_pipeline.store.datakeys import read_keys
from integrations_pipeline.store.masterkey import master_key
from integrations_pipeline.transport.client import ServiceClient
from tests.conftest import Sandbox
from tests.e2e.canaries import Canaries, Evidence, Heard, Search
from tests.e2e.canary_servers import SANDBOX_THREAD, Wire, repeating, serving
from tests.e2e.canary_story import dagster_runs, echoes, endings, everyday
from tests.e2e.canary_world import PROGRAM, PUT_THERE, World
from tests.e2e.test_kill import wait_for
from tests.integration.test_all_services import WAYS

KINDS = (
    "terminal",
    "files",
    "integrations database",
    "Dagster database",
    "records' tables",
    "answers of Dagster",
    "answers of the web process",
    "alerts",
    "logs of this process",
    "log lines of the pipeline",
    "tracebacks",
    "errors, innermost included",
    "results of functions",
    "process arguments",
    "process environment",
)


pytestmark = pytest.mark.timeout(900)  # the first test sets the whole world up


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence()


@pytest.fixture(scope="module")
def world(base_store, home, evidence) -> Iterator[World]:
    """Everything that can happen, has happened; all places were looked into."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        began = _begin(stack, patch, base_store.url, evidence)
        log, process = _served(began, stack)
        by_key = [began.connect_by_key(*one) for one in WAYS]
        repeaters = echoes(began)
        wait_for(lambda: "Ctrl-C stops" in log.read_text() or process.poll() is not None, 120)
        assert process.poll() is None, log.read_text()[-2000:]
        refs = {name: began.connect_by_web(name) for name in CONNECTORS}
        everyday(began, refs, patch)
        dagster_runs(began, refs, repeaters)
        endings(began, refs, by_key)
        evidence.processes(process.pid, without=PUT_THERE)
        _stop(process)
        _look(began, base_store.url, home)
        yield began


def _begin(stack, patch, server, evidence) -> World:
    """A database and a data folder of its own, the servers, and ears everywhere."""
    canaries = Canaries()
    folder = Path(stack.enter_context(_folder()))
    password, name = f"pw-{uuid4()}", f"canary_{uuid4().hex[:8]}"
    canaries.add("database password", password)
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    echo = stack.enter_context(repeating(canaries))
    app = create_app(SandboxConfig(auto_approve=True, records=300, zendesk_held_back_seconds=0.0))
    sandbox = Sandbox(stack.enter_context(serving(Wire(app, canaries))))
    (folder / "overrides.yaml").write_bytes(orjson.dumps(overrides(sandbox.url)))
    web, alert = free_port(8700), f"alert-{uuid4()}"
    canaries.add("alert address", alert)
    url = server.set(database=name, password=password)
    for variable, value in {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "INTEGRATIONS_HOME": str(folder / "home"),
        "INTEGRATIONS_LOG_LEVEL": "DEBUG",
        "INTEGRATIONS_CONNECTOR_OVERRIDES": str(folder / "overrides.yaml"),
        "INTEGRATIONS_PUBLIC_URL": f"http://127.0.0.1:{web}",
        "INTEGRATIONS_ALERT_URL": f"{echo.url}/alerts/{alert}",
        "INTEGRATIONS_RETRY_SECONDS": "0",
    }.items():
        patch.setenv(variable, value)
    patch.setattr(ServiceClient, "wait", lambda _, seconds: time.sleep(min(seconds, 0.02)))
    patch.setattr("integrations_pipeline.oauth.identity.RETRY_SECONDS", 5.0)
    patch.setattr("integrations_pipeline.transport.retrying.ATTEMPTS", 2)
    create_master_key(folder / "home" / "master.key")
    store = open_store(load_settings(), CONNECTORS.values())
    stack.callback(store.close)
    heard, root = Heard(evidence, deaf_to=SANDBOX_THREAD), logging.getLogger()
    patch.setattr(root, "level", logging.DEBUG)
    patch.setattr(root, "handlers", [*root.handlers, heard])
    root.manager._clear_cache()
    world = World(
        folder / "home", store, sandbox, echo, f"http://127.0.0.1:{web}", evidence, canaries
    )
    world.hear_structlog()
    return world


def _folder():
    import tempfile

    return tempfile.TemporaryDirectory(prefix="integrations-canary-")


def _served(world: World, stack: ExitStack) -> tuple[Path, subprocess.Popen[bytes]]:
    """The whole stack, begun: it is ready later."""
    (world.home / "logs").mkdir()
    log = world.home / "logs" / "serve.log"
    with log.open("wb") as output:
        words = [PROGRAM, "serve", "--port", world.web.rpartition(":")[2]]
        process = subprocess.Popen(words, stdout=output, stderr=output)
    stack.callback(_stop, process)
    return log, process


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Also where the story breaks off: its children stop with it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(60)


def _look(world: World, server, home) -> None:
    """Into every place, and for everything that must not be there."""
    found, canaries = world.evidence, world.canaries
    found.add("log lines of the pipeline", "structlog", world.log.getvalue())
    for alert in world.echo.alerts:
        found.add("alerts", "posted", alert)
    found.files(world.home, without=["master.key"])
    found.add("files", "Postgres log", (home / "postgres" / "log").read_bytes())
    found.database("integrations", world.store.url)
    found.database("Dagster", world.store.url.set(database=f"{world.store.url.database}_dagster"))
    for account in world.sandbox.get("/sandbox/accounts"):
        canaries.add(f"client secret of {account['service']}", account["client_secret"])
        for way, key in account["keys"].items():
            add = canaries.add_private_key if way == "service_account" else canaries.add
            add(f"{way} of {account['service']}", key)
            canaries.add("password of custom", key.partition(":")[2] if way == "basic" else "")
    canaries.add("master key", (world.home / "master.key").read_text().strip())
    with create_engine(world.store.url).connect() as connection:
        keys = read_keys(connection, master_key(world.store.settings)).unwrapped
    canaries.add("data key", *keys.values())


def _people(sandbox: Sandbox) -> Canaries:
    """Names and addresses of those whom the synced records are about."""
    people = Canaries()
    for record in sandbox.records("hubspot", "contacts"):
        found = record["properties"]
        people.add("contact at HubSpot", found["email"])
        people.add("name at HubSpot", f"{found['firstname']} {found['lastname']}")
    for record in sandbox.records("stripe", "customers"):
        people.add("customer at Stripe", record["email"], record["name"])
    for record in sandbox.records("zendesk", "users"):
        people.add("user at Zendesk", record["email"], record["name"])
    return people


@pytest.fixture(scope="module")
def secrets(world) -> Search:
    return Search(world.canaries.needles())


@pytest.fixture(scope="module")
def people(world) -> Search:
    return Search(_people(world.sandbox).needles())


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_in(world, secrets, kind) -> None:
    assert world.evidence.found(secrets, kind) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "records' tables"])
def test_nobody_is_named_in(world, people, kind) -> None:
    assert world.evidence.found(people, kind) == []


def test_the_errors_of_refused_statements_hide_what_was_bound(world) -> None:
    told = [
        raw.decode() for label, raw in world.evidence.pieces["tracebacks"] if "refused" in label
    ]

    assert len(told) == 2
    assert not [one for one in told if "[parameters:" in one or "Failing row" in one]


def test_everything_was_searched(world, record_property) -> None:
    pieces = world.evidence.pieces
    figures = {kind: (len(pieces[kind]), world.evidence.bytes(kind)) for kind in KINDS}
    people = _people(world.sandbox)
    told = {
        "kinds of secrets": len(world.canaries.kinds),
        "secrets": len(world.canaries),
        "people": len(people),
        "spellings": len(world.canaries.needles()) + len(people.needles()),
        "pieces": sum(count for count, _ in figures.values()),
        "bytes": sum(size for _, size in figures.values()),
    }
    for name, value in told.items():
        record_property(name, value)
    print(orjson.dumps({**told, "places": figures}, option=orjson.OPT_INDENT_2).decode())

    assert set(pieces) == set(KINDS)
    assert [raw for _, raw in pieces["Dagster database"] if b"No things" in raw]
    assert told["kinds of secrets"] >= 20
    assert sorted(CONNECTORS) == sorted(
        kind.removeprefix("client secret of ")
        for kind in world.canaries.kinds
        if kind.removeprefix("client secret of ") in CONNECTORS
    )
