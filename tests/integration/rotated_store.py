"""A database of its own, full of sealed values, whose keys are rotated."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, text

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.store import Place, Store, open_store, rotation
from integrations_pipeline.store.datakeys import open_keyring
from integrations_pipeline.store.models import (
    Integration,
    IntegrationWebhook,
    OAuthState,
    OAuthToken,
    Tenant,
)
from integrations_pipeline.store.rotation import rotate
from integrations_pipeline.store.sealed import SEALED
from tests.integration.support import one_row, owner

PROGRAM = str(Path(sys.executable).parent / "integrations")
MODELS = (Integration, OAuthToken, OAuthState, IntegrationWebhook)


def wait_for(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)


@pytest.fixture
def mine(fresh) -> Iterator[Store]:
    """A store on an empty database."""
    made = open_store(fresh, CONNECTORS.values())
    yield made
    made.close()


def fill(store: Store, count: int) -> None:
    """Integrations of two tenants, each with every kind of sealed value."""
    tenants = [uuid4(), uuid4()]
    made = [(tenants[number % 2], uuid4(), number) for number in range(count)]
    rows = [values(store, *one) for one in made]
    with store.system() as session:
        named = [{"id": one, "slug": f"t{n}", "name": "T"} for n, one in enumerate(tenants)]
        session.execute(insert(Tenant), named)
        for index, model in enumerate(MODELS):
            session.execute(insert(model), [row[index] for row in rows])


def values(store: Store, tenant: UUID, one: UUID, number: int) -> tuple[dict[str, Any], ...]:
    def seal(name: str, row: UUID = one) -> bytes:
        return store.keyring.seal(f"{name} of {one}", Place(tenant, row, name))

    state, webhook, name = uuid4(), uuid4(), f"i{number}"
    return (
        {
            "tenant_id": tenant,
            "id": one,
            "key": f"t--{name}",
            "slug": name,
            "name": name,
            "type": "hubspot",
            "client_secret": seal("integration.client_secret"),
        },
        {
            "tenant_id": tenant,
            "integration_id": one,
            "access_token": seal("oauth_token.access_token"),
            "refresh_token": seal("oauth_token.refresh_token") if number % 3 else None,
        },
        {
            "tenant_id": tenant,
            "id": state,
            "integration_id": one,
            "user_id": one,
            "state_hash": os.urandom(32),
            "session_hash": b"x",
            "redirect_uri": "http://x",
            "expires_at": "2001-01-01",
            "code_verifier": seal("oauth_state.code_verifier", state),
        },
        {
            "tenant_id": tenant,
            "id": webhook,
            "integration_id": one,
            "secret": seal("integration_webhook.secret", webhook),
        },
    )


def check_all(store: Store) -> int:
    """Open every value with keys that are read now; how many there are."""
    opened = 0
    with owner(store) as connection:
        keyring = open_keyring(connection, rotation.master_key(store.settings))
        for one in SEALED:
            for row in connection.execute(select(one.table)).mappings():
                for column in one.columns:
                    if row[column] is not None:
                        name = f"{one.name}.{column}"
                        place = Place(row["tenant_id"], row[one.row_id], name)
                        found = keyring.open(bytes(row[column]), place)
                        assert found == f"{name} of {row[one.integration_id]}"
                        opened += 1
    return opened


def keys_of(store: Store) -> list[UUID]:
    with owner(store) as connection:
        sql = "SELECT id FROM integrations.data_key ORDER BY created_at"
        return list(connection.scalars(text(sql)))


def under(store: Store, table: str, column: str, key: UUID) -> int:
    sql = f"SELECT count(*) FROM integrations.{table} WHERE substring({column}, 2, 16) = :key"
    return one_row(store, sql, key=key.bytes)[0]


def environment(store: Store, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": store.url.render_as_string(hide_password=False),
        "INTEGRATIONS_HOME": str(store.settings.home),
        **more,
    }


def run(store: Store, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words],
        env=environment(store, **more),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def hasty(monkeypatch) -> None:
    """No time for others to see the new key: there are no others."""
    monkeypatch.setattr(rotation, "SETTLE_SECONDS", 0.0)


def rotated(store: Store) -> rotation.Report:
    return rotate(store, lambda *_: None)
