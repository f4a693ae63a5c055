"""What tests of pushing share: accounts that may be written to, intents, and what came of them."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from integrations_pipeline.connectors.pushing import Push
from integrations_pipeline.oauth import (
    IntegrationRef,
    create_integration,
    exchange_code_for_token,
)
from integrations_pipeline.oauth.choosing import Choice
from integrations_pipeline.store import Store
from integrations_pipeline.store.outbound import Outbound
from integrations_pipeline.store.policy import SyncPolicy
from integrations_pipeline.sync import JobResult, outbox
from tests.conftest import SESSION, Sandbox, authorize, sync


def connect(
    store: Store, sandbox: Sandbox, tenant_id: UUID, service: str, **policy: Any
) -> IntegrationRef:
    """An account of the sandbox that may be read and written; what it wrote is found soon."""
    store.settings.retry_seconds = 120.0  # limits are waited for
    client = sandbox.client(service)
    ref = create_integration(
        store,
        tenant_id,
        service,
        service,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        settings=client["settings"],
        choice=Choice(direction="bidirectional"),
    )
    code, state = authorize(store, ref)
    ref = exchange_code_for_token(store, state=state, code=code, session_id=SESSION)
    return with_push(replace(ref, policy=SyncPolicy(**policy)))


def with_push(ref: IntegrationRef, *, settles: timedelta = timedelta(seconds=2)) -> IntegrationRef:
    """The integration; what was written can be found after `settles` instead of minutes."""

    def hurried(push: Push | None) -> Push | None:
        finds = {name: getattr(push, name, None) for name in ("by_external", "made")}
        sooner = {n: replace(f, settles=min(f.settles, settles)) for n, f in finds.items() if f}
        return replace(push, **sooner) if push else None

    resources = tuple(replace(one, push=hurried(one.push)) for one in ref.connector.resources)
    return replace(ref, connector=replace(ref.connector, resources=resources))


def push(store: Store, ref: IntegrationRef, resource: str, **request: Any) -> JobResult:
    """A push of one resource, carried out here."""
    return sync(store, ref, resources=[resource], **{"direction": "push", **request})


def both_ways(store: Store, ref: IntegrationRef, resource: str) -> JobResult:
    """A bidirectional sync of one resource."""
    return push(store, ref, resource, direction="bidirectional")


def send(
    store: Store, ref: IntegrationRef, resource: str, *rows: dict[str, Any], operation: str
) -> None:
    """Put rows into the resource's outbound table."""
    assert outbox.send(store, ref, resource, rows, operation) == len(rows)


def intents(store: Store, ref: IntegrationRef) -> list[Outbound]:
    """All intents of an integration, in the order in which they were written."""
    query = select(Outbound).where(Outbound.integration_id == ref.id).order_by(Outbound.id)
    with store.tenant(ref.tenant_id) as session:
        return list(session.scalars(query))


def states(store: Store, ref: IntegrationRef) -> dict[str, int]:
    """How many intents are in each state."""
    return dict(Counter(one.state for one in intents(store, ref)))


def effects(sandbox: Sandbox, service: str) -> dict[str, dict[str, int]]:
    """What writes have done to the account's records."""
    return sandbox.get(f"/sandbox/{service}/acme/effects")


def rows(store: Store, ref: IntegrationRef, resource: str) -> dict[str, dict[str, Any]]:
    """Every row of an integration's resource, by id."""
    sql = f"SELECT * FROM {ref.connector.name}.{resource} WHERE integration_id = :i"
    with store.tenant(ref.tenant_id) as session:
        return {r["id"]: dict(r) for r in session.execute(text(sql), {"i": ref.id}).mappings()}
