"""Opening the store: migrations that agree with the models, once, whoever comes first."""

import base64
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.columns import text as text_column
from integrations_pipeline.errors import ConfigurationError, MasterKeyError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import open_store
from integrations_pipeline.store.tables import SCHEMA, Base
from tests.integration.support import owner

ALL = tuple(CONNECTORS.values())
STATE = """
    SELECT (SELECT count(*) FROM integrations.data_key),
        (SELECT count(*) FROM integrations.alembic_version),
        (SELECT count(*) FROM integrations.warehouse_table),
        (SELECT count(*) FROM pg_tables WHERE schemaname IN ('hubspot', 'stripe', 'zendesk'))
"""
RESOURCES = sum(len(connector.resources) for connector in ALL)
WRITABLE = sum(one.push is not None for connector in ALL for one in connector.resources)


def state(settings: Settings) -> tuple[Any, ...]:
    engine = create_engine(settings.database_url.get_secret_value(), poolclass=NullPool)
    with engine.connect() as connection:
        return tuple(connection.execute(text(STATE)).one())


def schemas(settings: Settings) -> set[str]:
    engine = create_engine(settings.database_url.get_secret_value(), poolclass=NullPool)
    sql = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'"
    with engine.connect() as connection:
        return set(connection.scalars(text(sql)))


def _of_ours(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    if kind == "table":
        return thing.schema == SCHEMA and name != "alembic_version"
    return kind != "index"


def test_the_models_equal_the_migrated_schema(store) -> None:
    options = {"include_schemas": True, "include_object": _of_ours, "compare_type": True}
    with owner(store) as connection:
        context = MigrationContext.configure(connection, opts=options)

        assert compare_metadata(context, Base.metadata) == []


def test_opening_twice_acts_once(fresh) -> None:
    for _ in range(2):
        open_store(fresh, ALL).close()

    assert state(fresh) == (1, 1, RESOURCES, RESOURCES + WRITABLE)


def test_a_second_opening_opens_what_the_first_sealed(fresh) -> None:
    from tests.unit.test_crypto import PLACE

    first, second = open_store(fresh, ALL), open_store(fresh, ALL)

    assert second.keyring.open(first.keyring.seal("x", PLACE), PLACE) == "x"
    first.close()
    second.close()


def _open(url: str, home: str) -> str:
    settings = Settings(home=home)
    settings.database_url = SecretStr(url)
    open_store(settings, CONNECTORS.values()).close()
    return "open"


def test_four_processes_at_once_act_once(fresh) -> None:
    spawn = multiprocessing.get_context("spawn")
    url, home = fresh.database_url.get_secret_value(), str(fresh.home)
    with ProcessPoolExecutor(4, mp_context=spawn) as pool:
        opened = list(pool.map(_open, [url] * 4, [home] * 4))

    assert opened == ["open"] * 4
    assert state(fresh) == (1, 1, RESOURCES, RESOURCES + WRITABLE)


def wrong_key() -> SecretStr:
    return SecretStr(base64.b64encode(os.urandom(32)).decode())


def test_a_wrong_master_key_changes_nothing(fresh) -> None:
    open_store(fresh, ALL).close()
    before = state(fresh)
    fresh.master_key = wrong_key()
    hubspot = CONNECTORS["hubspot"]
    owners = replace(hubspot.resources[-1], name="new_owners", columns=(text_column("email"),))
    more = replace(hubspot, resources=(*hubspot.resources, owners))

    for connectors in (ALL, (more,)):
        with pytest.raises(MasterKeyError, match="wrong"):
            open_store(fresh, connectors)
    assert state(fresh) == before


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "no base64!"])
def test_without_a_usable_master_key_an_empty_database_stays_empty(fresh, key) -> None:
    fresh.master_key = SecretStr(key)
    before = schemas(fresh)

    with pytest.raises(MasterKeyError):
        open_store(fresh, ALL)
    assert schemas(fresh) == before


def test_an_unreachable_server_is_named_without_its_password(fresh) -> None:
    fresh.database_url = SecretStr("postgresql://ada:hidden-word@127.0.0.1:9/db")

    with pytest.raises(ConfigurationError, match=r"(?s)127\.0\.0\.1:9/db.*DATABASE_URL") as refused:
        open_store(fresh, ALL)
    assert "hidden-word" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://h:port/db"])
def test_a_senseless_address_is_a_configuration_error(fresh, url) -> None:
    fresh.database_url = SecretStr(url)

    with pytest.raises(ConfigurationError):
        open_store(fresh, ALL)
