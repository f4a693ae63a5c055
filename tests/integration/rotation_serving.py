"""Another process that serves while keys are rotated, and counts what fails."""

import multiprocessing
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import select, update

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.oauth import find_integration, get_valid_token
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Place, Store, open_store
from integrations_pipeline.store.models import Integration, OAuthToken
from tests.integration.rotated_store import wait_for

THREADS = 6


class Serving:
    """Threads that read, refresh and seal without an end, and count what fails."""

    def __init__(self, store: Store, counts: Any, stop: Any) -> None:
        self.store, self.counts, self.stop = store, counts, stop
        with store.system() as session:
            query = select(Integration.tenant_id, Integration.id, Integration.key)
            self.all = [tuple(row) for row in session.execute(query)]
        self.refs = [find_integration(store, key) for _, _, key in self.all[:20]]

    def run(self, number: int) -> None:
        work = (self.read, self.refresh, self.valid)[number % 3]
        chance = random.Random(number)
        while not self.stop.is_set():
            try:
                tried, failed = work(chance), 0
            except Exception as error:  # noqa: BLE001 - counted, and told
                print(f"serving failed: {error!r}", file=sys.stderr)
                tried, failed = 1, 1
            with self.counts.get_lock():
                self.counts[0] += tried
                self.counts[1] += failed

    def token(self, session: Any, tenant: UUID, one: UUID) -> OAuthToken:
        return session.get_one(OAuthToken, (tenant, one))

    def open(self, row: OAuthToken, column: str) -> None:
        name = f"oauth_token.{column}"
        place = Place(row.tenant_id, row.integration_id, name)
        assert (
            self.store.keyring.open(bytes(getattr(row, column)), place)
            == f"{name} of {row.integration_id}"
        )

    def read(self, chance: random.Random) -> int:
        tenant, one, _ = chance.choice(self.all)
        with self.store.tenant(tenant) as session:
            row = self.token(session, tenant, one)
        columns = ["access_token", "refresh_token"] if row.refresh_token else ["access_token"]
        for column in columns:
            self.open(row, column)
        return len(columns)

    def refresh(self, chance: random.Random) -> int:
        """As the vault does: read, ask, seal, and store what nobody else has replaced."""
        tenant, one, _ = chance.choice(self.all)
        with self.store.tenant(tenant) as session:
            row = self.token(session, tenant, one)
        self.open(row, "access_token")
        name = "oauth_token.access_token"
        sealed = self.store.keyring.seal(f"{name} of {one}", Place(tenant, one, name))
        with self.store.tenant(tenant) as session:
            session.execute(
                update(OAuthToken)
                .where(OAuthToken.tenant_id == tenant, OAuthToken.integration_id == one)
                .where(OAuthToken.version == row.version)
                .values(access_token=sealed, version=row.version + 1)
            )
        return 1

    def valid(self, chance: random.Random) -> int:
        ref = chance.choice(self.refs)
        assert get_valid_token(self.store, ref) == f"oauth_token.access_token of {ref.id}"
        return 1


def serve(url: str, home: str, counts: Any, stop: Any) -> None:
    settings = Settings(home=Path(home))
    settings.database_url = SecretStr(url)
    store = open_store(settings, CONNECTORS.values())
    serving = Serving(store, counts, stop)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(serving.run, range(THREADS)))
    store.close()


@contextmanager
def served(store: Store) -> Iterator[Any]:
    """Another process serves; its counts: tried and failed."""
    spawn = multiprocessing.get_context("spawn")
    counts, stop = spawn.Array("q", 2), spawn.Event()
    url = store.url.render_as_string(hide_password=False)
    process = spawn.Process(target=serve, args=(url, str(store.settings.home), counts, stop))
    process.start()
    try:
        more(counts)
        yield counts
    finally:
        stop.set()
        process.join(60)
    assert process.exitcode == 0


def more(counts: Any) -> None:
    """Wait until some more was served."""
    before = counts[0]
    wait_for(lambda: counts[0] > before + 100)
