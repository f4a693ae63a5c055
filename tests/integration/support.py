"""What several integration tests do: look behind the wall, age tokens, run things side by side."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from integrations_pipeline.alerts import open_alerts
from integrations_pipeline.oauth import IntegrationRef, create_integration
from integrations_pipeline.store import Place, Store
from tests.conftest import Sandbox

SERVICES = ("hubspot", "stripe", "zendesk")


@contextmanager
def owner(store: Store) -> Iterator[Connection]:
    """A transaction of the database's owner, who stands outside the wall."""
    engine = create_engine(store.url, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def run_sql(store: Store, sql: str, **values: Any) -> None:
    """Change something behind the product's back."""
    with owner(store) as connection:
        connection.execute(text(sql), values)


def one_row(store: Store, sql: str, **values: Any) -> Any:
    """The only row of a query, seen by the owner."""
    with owner(store) as connection:
        return connection.execute(text(sql), values).one()


def token_row(store: Store, ref: IntegrationRef) -> Any:
    """The integration's stored token."""
    return one_row(
        store, "SELECT * FROM integrations.oauth_token WHERE integration_id = :id", id=ref.id
    )


def refresh_token(store: Store, ref: IntegrationRef) -> str:
    """The stored refresh token, opened."""
    place = Place(ref.tenant_id, ref.id, "oauth_token.refresh_token")
    return store.keyring.open(bytes(token_row(store, ref).refresh_token), place)


def integration_row(store: Store, ref: IntegrationRef) -> Any:
    """The integration, as stored."""
    return one_row(store, "SELECT * FROM integrations.integration WHERE id = :id", id=ref.id)


def expire(store: Store, ref: IntegrationRef, left: str = "-1 second") -> None:
    """Let the token have `left` of an hour's life."""
    run_sql(
        store,
        "UPDATE integrations.oauth_token SET expires_at = now() + CAST(:left AS interval), "
        "obtained_at = now() + CAST(:left AS interval) - interval '1 hour' "
        "WHERE integration_id = :id",
        id=ref.id,
        left=left,
    )


def end_rest(store: Store, ref: IntegrationRef) -> None:
    """Let the pause after failed refreshes be over."""
    run_sql(
        store,
        "UPDATE integrations.oauth_token SET refresh_not_before = now() "
        "WHERE integration_id = :id AND refresh_not_before IS NOT NULL",
        id=ref.id,
    )


def alerts_of(store: Store, ref: IntegrationRef) -> list[Any]:
    """The integration's open alerts."""
    return [one for one in open_alerts(store) if one.integration == ref.key]


def token_requests(sandbox: Sandbox, service: str) -> int:
    """How often the service's token endpoint was asked."""
    return sum("token" in sent["path"] for sent in sandbox.requests(service))


def at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    """Results or errors of calls that begin together."""
    start = threading.Barrier(count)

    def one(_: int) -> Any:
        start.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def integration(
    store: Store, sandbox: Sandbox, tenant_id: UUID, service: str = "hubspot", slug: str = ""
) -> IntegrationRef:
    """An integration of the sandbox's acme account that is not connected yet."""
    client = sandbox.client(service)
    return create_integration(
        store,
        tenant_id,
        service,
        slug or service,
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        settings=client["settings"],
    )
