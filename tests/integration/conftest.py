"""A database of a test's own, beside the shared one."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine

from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Store
from tests.integration.big_syncs import MakeBig, big, open_big


@pytest.fixture
def fresh(base_store: Store, home: Path) -> Iterator[Settings]:
    """Settings that name an empty database."""
    name = f"fresh_{uuid4().hex}"
    engine = create_engine(base_store.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        url = base_store.url.set(database=name).render_as_string(hide_password=False)
        settings = Settings(home=home)
        settings.database_url = SecretStr(url)
        yield settings
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def make_big(base_store: Store, home: Path, tmp_path: Path) -> Iterator[MakeBig]:
    """Makes sources of many records, each with an integration that reads it."""
    open_big(base_store.settings).close()
    with ExitStack() as stack:
        yield partial(big, base_store, home, tmp_path, stack)
