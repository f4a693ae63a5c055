"""Tables of records follow the declarations: new and moved columns are filled from raw."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.columns import (
    Column,
    TimeFormat,
    integer,
    json,
    number,
    timestamp,
)
from integrations_pipeline.connectors.columns import text as column
from integrations_pipeline.connectors.stripe import PRODUCTS, STRIPE
from integrations_pipeline.oauth import create_tenant
from integrations_pipeline.store import Store, open_store
from tests.integration.support import owner

RAW = """{"id": "p", "name": "Lamp", "price": {"cents": "1250", "was": 99}, "created": 1710072000,
    "odd": "not a number", "tags": ["a"], "empty": "", "nil": null}"""


def declared(*columns: Column) -> Connector:
    """Stripe with nothing but products of these columns."""
    return replace(STRIPE, resources=(replace(PRODUCTS, columns=columns),))


def reopened(store: Store, connector: Connector) -> Store:
    store.close()
    return open_store(store.settings, [connector])


def with_rows(settings: Any, connector: Connector) -> tuple[Store, list[UUID]]:
    """A store in which two tenants have a product each."""
    store = open_store(settings, [connector])
    tenants = [create_tenant(store, f"t{uuid4().hex[:10]}", "T") for _ in range(2)]
    sql = """
        INSERT INTO stripe.products (tenant_id, integration_id, id, raw, content_hash, job_id, name)
        VALUES (:t, :t, 'p', CAST(:raw AS jsonb), '\\x00', :t, 'Lamp')
    """
    for tenant in tenants:
        with store.tenant(tenant) as session:
            session.execute(text(sql), {"t": tenant, "raw": RAW})
    return store, tenants


def seen(store: Store, tenants: list[UUID], name: str) -> list[Any]:
    found = []
    for tenant in tenants:
        with store.tenant(tenant) as session:
            found += session.scalars(text(f'SELECT "{name}"::text FROM stripe.products')).all()
    return found


NEW = [
    (integer("cents", "price.cents"), "1250"),
    (integer("cents", "price.now|price.was"), "99"),
    (number("odd"), None),
    (json("tags"), '["a"]'),
    (json("nil"), None),
    (column("empty"), None),
    (column("absent", "price.none.deeper"), None),
    (timestamp("created_at", "created", TimeFormat.SECONDS), "2024-03-10 12:00:00+00"),
]


@pytest.mark.parametrize(("added", "value"), NEW)
def test_a_new_column_is_filled_for_every_tenant(fresh, added, value) -> None:
    store, tenants = with_rows(fresh, declared(column("name")))

    store = reopened(store, declared(column("name"), added))

    assert seen(store, tenants, added.name) == [value, value]
    assert seen(store, tenants, "name") == ["Lamp", "Lamp"]
    store.close()


def test_a_column_whose_source_moved_is_filled_again(fresh) -> None:
    store, tenants = with_rows(fresh, declared(column("name"), column("price", "price.was")))

    store = reopened(store, declared(column("name"), integer("price", "price.cents")))

    assert seen(store, tenants, "price") == ["1250", "1250"]
    store.close()


def test_a_refill_leaves_the_wall_standing(fresh) -> None:
    store, _ = with_rows(fresh, declared(column("name")))

    store = reopened(store, declared(column("name"), column("price", "price.was")))

    sql = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = 'products'"
    with owner(store) as connection:
        assert tuple(connection.execute(text(sql)).one()) == (True, True)
    with store.system() as session:
        assert session.scalar(text("SELECT count(*) FROM stripe.products")) == 0
    store.close()


def test_an_unchanged_declaration_rewrites_nothing(fresh) -> None:
    store, _ = with_rows(fresh, declared(column("name")))
    sql = "SELECT xmin::text, ctid::text FROM stripe.products ORDER BY tenant_id"
    with owner(store) as connection:
        before = connection.execute(text(sql)).all()

    store = reopened(store, declared(column("name")))

    with owner(store) as connection:
        assert connection.execute(text(sql)).all() == before
    store.close()
