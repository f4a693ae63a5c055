"""Accounts connected to a scripted service, without consent and without our own pacing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, text

from integrations_pipeline.oauth import IntegrationRef, create_integration, store_oauth_token
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.sync_models import Checkpoint, StagedBatch
from integrations_pipeline.sync import JobResult, get_sync_logs
from tests.conftest import sync
from tests.contract.pages import FIRST, full_read, page
from tests.contract.service import Service, scripted

ROOTS = {"hubspot": "", "stripe": "", "zendesk": "/{subdomain}"}
TOKENS = {
    "hubspot": "/oauth/2026-03/token",
    "stripe": "/v1/oauth/token",
    "zendesk": "/acme/oauth/tokens",
}
SETTINGS = {"zendesk": {"subdomain": "acme"}}


@dataclass(frozen=True)
class Account:
    """A connected account: synced, then looked at."""

    store: Store
    ref: IntegrationRef

    def sync(self, *resources: str, **request: Any) -> JobResult:
        return sync(self.store, self.ref, resources=list(resources), **request)

    def rows(self, resource: str) -> dict[str, dict[str, Any]]:
        table = f"{self.ref.connector.name}.{resource}"
        sql = text(f"SELECT * FROM {table} WHERE integration_id = :i")
        with self.store.tenant(self.ref.tenant_id) as session:
            found = session.execute(sql, {"i": self.ref.id}).mappings().all()
        return {row["id"]: dict(row) for row in found}

    def live(self, resource: str) -> set[str]:
        return {key for key, row in self.rows(resource).items() if row["deleted_at"] is None}

    def staged(self, resource: str) -> set[str]:
        """Ids that a full read has met which has not come to its end."""
        query = select(StagedBatch.seen).where(
            StagedBatch.integration_id == self.ref.id, StagedBatch.resource == resource
        )
        with self.store.tenant(self.ref.tenant_id) as session:
            return {key for seen in session.scalars(query) for key in seen}

    def checkpoint(self, resource: str) -> Checkpoint | None:
        with self.store.tenant(self.ref.tenant_id) as session:
            return session.get(Checkpoint, (self.ref.tenant_id, self.ref.id, resource, ""))

    def remember(self, resource: str, cursor: dict[str, Any]) -> None:
        """Let the last read have ended there."""
        names = {"tenant_id": self.ref.tenant_id, "integration_id": self.ref.id}
        with self.store.tenant(self.ref.tenant_id) as session:
            session.merge(Checkpoint(**names, resource=resource, scope="", cursor=cursor))

    def log(self, result: JobResult) -> list[str]:
        lines = get_sync_logs(self.store, self.ref, result.job_id)
        return [f"{line.level} {line.message}" for line in lines]

    def status(self) -> str:
        with self.store.tenant(self.ref.tenant_id) as session:
            return session.get_one(Integration, (self.ref.tenant_id, self.ref.id)).status


@pytest.fixture
def service() -> Iterator[Service]:
    """Fails the test when an answer was left over, or something else was asked for."""
    with scripted() as one:
        yield one
        one.check()


@pytest.fixture
def connected(
    store: Store, tenant_id: UUID, service: Service, tmp_path: Path
) -> Callable[[str], Account]:
    """Connects an account of a service; quotas and associations are off unless a test is theirs."""

    def connect(name: str, *, associations: bool = False) -> Account:
        _point_at(store, service, tmp_path)
        made = create_integration(
            store,
            tenant_id,
            name,
            name,
            client_id="app-1",
            client_secret="sk_app",
            settings=SETTINGS.get(name, {}),
        )
        resources = made.connector.resources
        if not associations:
            resources = tuple(replace(one, associations=()) for one in resources)
        ref = replace(made, connector=replace(made.connector, quotas=(), resources=resources))
        until = datetime.now(UTC) + timedelta(hours=1)
        store_oauth_token(store, ref, TokenSet("access-1", "refresh-1", until, _scopes(ref)))
        return Account(store, ref)

    return connect


@pytest.fixture
def declare(service):
    """Declares answers to the first resource of a service, and HubSpot's empty archive."""

    def on(name, *answers, archive=True):
        service.get(FIRST[name][1], *answers, **({"archived": None} if name == "hubspot" else {}))
        if name == "hubspot" and archive:
            service.get(FIRST[name][1], page(), archived="true")

    return on


@pytest.fixture
def load(service, connected):
    """Reads records of a resource and gives the stored rows."""

    def read(name, resource, *records):
        full_read(service, name, resource, *(_carried(resource, one) for one in records))
        account = connected(name)
        result = account.sync(resource)
        assert result.error is None
        assert result.resources[0].counts.created == len(records)
        return account.rows(resource)

    return read


def _scopes(ref: IntegrationRef) -> tuple[str, ...]:
    """All that reading takes; the services' own names for it."""
    way = ref.connector.ways["oauth"]
    needed = [scope for one in way.resource_scopes.values() for scope in one.read]
    return tuple(dict.fromkeys((*way.scopes, *needed)))


def _carried(resource, record):
    return {"id": 35436, "metric_set": record} if resource == "ticket_metrics" else record


def _point_at(store: Store, service: Service, folder: Path) -> None:
    addresses = {
        name: {
            "authorize_url": f"{service.url}{root}/authorize",
            "token_url": f"{service.url}{TOKENS[name]}",
            "api_base_url": f"{service.url}{root}",
            "allow_private_network": True,
        }
        for name, root in ROOTS.items()
    }
    path = folder / "overrides.yaml"
    path.write_bytes(orjson.dumps(addresses))
    store.settings.connector_overrides = path
    store.settings.__dict__.pop("overrides", None)
