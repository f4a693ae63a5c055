"""Fixtures that all levels share: a real Postgres, a real sandbox, connected accounts."""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
import requests
import structlog
import uvicorn

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.oauth import (
    IntegrationRef,
    create_integration,
    create_tenant,
    create_user,
    exchange_code_for_token,
    generate_auth_url,
)
from integrations_pipeline.sandbox.server import SandboxConfig, create_app, overrides
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Store, open_store
from integrations_pipeline.store.crypto import create_master_key
from integrations_pipeline.sync import JobResult, SyncRequest, create_sync_job, execute_sync_job

SESSION = "browser-session"


@pytest.fixture(autouse=True)
def usual_logs() -> Iterator[None]:
    """A command that a test runs in this process sets how the process logs."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the developer's shell must not reach the tests."""
    import os

    for name in list(os.environ):
        if name.startswith("INTEGRATIONS_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A data folder with a master key and an embedded Postgres, one per test process.

    Not below pytest's own folder: the server may run as another user, who has no way in there.
    """
    folder = Path(tempfile.mkdtemp(prefix="integrations-test-"))
    create_master_key(folder / "master.key")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def base_store(home: Path) -> Iterator[Store]:
    """The store of this test process."""
    store = open_store(Settings(home=home), CONNECTORS.values())
    yield store
    store.close()


@pytest.fixture
def store(base_store: Store) -> Iterator[Store]:
    """The same database with short waits, for one test."""
    settings = base_store.settings.model_copy(update={"retry_seconds": 5.0, "lease_seconds": 5})
    mine = Store(base_store.url, settings, base_store.keyring)
    yield mine
    mine.close()


@pytest.fixture
def tenant_id(store: Store) -> UUID:
    """A tenant of its own for each test: the wall keeps tests apart as well."""
    slug = f"t{uuid4().hex[:12]}"
    return create_tenant(store, slug, slug.upper())


class Sandbox:
    """A running sandbox and its control endpoints."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **params: str) -> dict:
        response = requests.get(self.url + path, params=params, timeout=30)
        response.raise_for_status()
        return response.json()

    def send(self, method: str, path: str, body: dict | None = None) -> requests.Response:
        response = requests.request(method, self.url + path, json=body, timeout=30)
        response.raise_for_status()
        return response

    def client(self, service: str, account: str = "acme") -> dict:
        accounts = self.get("/sandbox/accounts")
        return next(a for a in accounts if (a["service"], a["account"]) == (service, account))

    def counts(self, service: str, account: str = "acme") -> dict[str, int]:
        return self.get(f"/sandbox/{service}/{account}/counts")

    def records(self, service: str, resource: str, account: str = "acme") -> list[dict]:
        return self.get(f"/sandbox/{service}/{account}/records/{resource}")["records"]

    def create(self, service: str, resource: str, fields: dict) -> str:
        path = f"/sandbox/{service}/acme/records/{resource}"
        return str(self.send("POST", path, fields).json()["id"])

    def change(self, service: str, resource: str, key: str, fields: dict) -> None:
        self.send("PATCH", f"/sandbox/{service}/acme/records/{resource}/{key}", fields)

    def delete(self, service: str, resource: str, key: str) -> None:
        self.send("DELETE", f"/sandbox/{service}/acme/records/{resource}/{key}")

    def fault(self, service: str, kind: str, **more: object) -> None:
        self.send("POST", f"/sandbox/{service}/faults", {"kind": kind, **more})

    def requests(self, service: str) -> list[dict]:
        return self.get("/sandbox/requests", service=service)["requests"]

    def forget_requests(self) -> None:
        self.send("DELETE", "/sandbox/requests")


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Starts sandboxes of a test's own, each on its own port."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(**options: object) -> Sandbox:
        config = SandboxConfig(
            auto_approve=True, **{"records": 300, "zendesk_held_back_seconds": 0.0, **options}
        )
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(config),
                port=0,
                log_level="critical",  # it complains of slow answers that it does not wait for
                access_log=False,
                timeout_graceful_shutdown=1,
            )
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the sandbox did not start"
            time.sleep(0.01)
        servers.append((server, thread))
        port = server.servers[0].sockets[0].getsockname()[1]
        return Sandbox(f"http://127.0.0.1:{port}")

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox], store: Store, tmp_path: Path) -> Sandbox:
    """A sandbox that the store's connectors are pointed at."""
    return point_at(store, make_sandbox(), tmp_path)


def point_at(store: Store, sandbox: Sandbox, folder: Path) -> Sandbox:
    """Let the store's settings lead to a sandbox, the way an operator would."""
    path = folder / "overrides.yaml"
    path.write_bytes(orjson.dumps(overrides(sandbox.url)))
    store.settings.connector_overrides = path
    store.settings.__dict__.pop("overrides", None)
    return sandbox


def connect(store: Store, sandbox: Sandbox, tenant_id: UUID, service: str) -> IntegrationRef:
    """An integration of the sandbox's acme account, connected through the OAuth flow."""
    client = sandbox.client(service)
    ref = create_integration(
        store,
        tenant_id,
        service,
        service,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        settings=client["settings"],
    )
    code, state = authorize(store, ref)
    return exchange_code_for_token(store, state=state, code=code, session_id=SESSION)


def authorize(store: Store, ref: IntegrationRef, **options: bool) -> tuple[str, str]:
    """What the browser does up to the redirect back to us: the code and the state it brings."""
    _, query = callback(store, ref, **options)
    return query["code"], query["state"]


def callback(store: Store, ref: IntegrationRef, **options: bool) -> tuple[str, dict[str, str]]:
    """The path and the parameters that the browser comes back with."""
    from urllib.parse import parse_qsl, urlsplit

    user = create_user(store, ref.tenant_id, "ada@example.com", "Ada", "ADMIN")
    address = generate_auth_url(store, ref, user_id=user, session_id=SESSION, **options)
    answer = requests.get(address, allow_redirects=False, timeout=30)
    back = urlsplit(answer.headers["Location"])
    return back.path, dict(parse_qsl(back.query))


def sync(store: Store, ref: IntegrationRef, **request: object) -> JobResult:
    """A sync, carried out here."""
    return execute_sync_job(store, ref, create_sync_job(store, ref, SyncRequest(**request)))
