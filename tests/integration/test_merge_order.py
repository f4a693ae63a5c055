"""Any sequence of versions and deletions, in any batches, ends in the newest version."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from integrations_pipeline.sync.batches import Batch
from integrations_pipeline.sync.committing import Target
from integrations_pipeline.sync.leases import claim_sync_job
from integrations_pipeline.sync.loading import Loader
from integrations_pipeline.sync.records import Change, Reader
from tests.integration.big_syncs import Big
from tests.integration.support import owner

ROWS = "SELECT xmin, * FROM big.records WHERE integration_id = :id"
KEYS = ("a", "b", "c")
FIRST = 1_700_000_000_000

event = st.tuples(st.sampled_from(KEYS), st.integers(-1, 5))
"""A record, and its version; -1: it is deleted."""
sequences = st.lists(st.lists(event, max_size=6), max_size=5)
"""What is there, in batches."""


@dataclass
class Model:
    """What should stand in the table."""

    versions: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)
    """Met again after the deletion in the very same version: restored, or a view from before."""

    def meet(self, key: str, version: int) -> None:
        """A version older than the known one says nothing."""
        if version < 0:
            if key in self.versions:
                self.gone.add(key)
        elif version >= self.versions.get(key, -1):
            if key in self.gone and version == self.versions[key]:
                self.unclear.add(key)
            self.versions[key] = version
            self.gone.discard(key)


class Table:
    """The rows of one integration, written by loaders."""

    def __init__(self, big: Big, reader: Reader, target: Target) -> None:
        self.big, self.reader, self.target = big, reader, target

    def loader(self) -> Loader:
        return Loader(self.big.store, self.big.ref.connector, self.resource, self.target)

    @property
    def resource(self):
        return self.big.ref.connector.resources[0]

    def change(self, key: str, version: int) -> Change:
        if version < 0:
            return Change(key)
        return self.reader.changes([{"id": key, "updated": FIRST + version, "amount": version}])[0]

    def load(self, batches: list, *, staged: bool, whole: bool = False) -> None:
        loader = self.loader()
        told = {"began": datetime.now(UTC).isoformat(), "position": None}
        if staged:
            loader.load(Batch(begins=True, progress=told))
        for batch in batches:
            changes = [self.change(*one) for one in batch]
            loader.load(Batch(changes=changes, progress=told if staged else None))
        if staged:
            loader.load(Batch(complete=True, whole=whole, cursor={"since": told["began"]}))
        loader.close()

    def rows(self) -> dict:
        with owner(self.big.store) as connection:
            found = connection.execute(text(ROWS), {"id": self.big.ref.id})
            return {row.id: row for row in found}

    def shown(self) -> tuple[dict[str, int], set[str]]:
        rows = self.rows()
        gone = {key for key, row in rows.items() if row.deleted_at is not None}
        return {key: row.amount for key, row in rows.items()}, gone


@pytest.fixture
def table(make_big):
    big = make_big(0)
    claim = claim_sync_job(big.store, big.ref, big.job())
    target = Target(
        tenant_id=big.ref.tenant_id,
        integration_id=big.ref.id,
        job_id=claim.job_id,
        fence=claim.fence,
        resource="records",
        scope="",
        moves_checkpoint=True,
    )
    return Table(big, Reader(big.ref.connector.resources[0]), target)


def model_of(*parts: list) -> Model:
    model = Model()
    for batches in parts:
        for batch in batches:
            for one in batch:
                model.meet(*one)
    return model


IN_TIME = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(before=sequences, after=sequences, staged=st.booleans())
@IN_TIME
def test_the_newest_version_stands(table, before, after, staged) -> None:
    table.big.forget()

    table.load(before, staged=False)
    table.load(after, staged=staged)

    model = model_of(before, after)
    versions, gone = table.shown()
    assert versions == model.versions
    assert gone ^ model.gone <= (model.unclear if staged else set())
    for key, row in table.rows().items():
        assert row.raw["amount"] == row.amount == versions[key]
        assert row.source_updated_at.timestamp() * 1000 == pytest.approx(FIRST + versions[key])


@given(before=sequences, staged=st.booleans())
@IN_TIME
def test_what_is_unchanged_is_not_rewritten(table, before, staged) -> None:
    table.big.forget()
    table.load(before, staged=False)
    rows = table.rows()
    same = [(key, row.amount) for key, row in rows.items() if row.deleted_at is None]
    older = [(key, version - 1) for key, version in same if version > 0]

    for batches in ([same, same], [older, same], [same + older]):
        table.load(batches, staged=staged, whole=True)

    assert table.rows() == rows


@given(before=sequences, after=sequences)
@IN_TIME
def test_a_whole_read_deletes_what_it_did_not_meet(table, before, after) -> None:
    table.big.forget()
    table.load(before, staged=False)

    table.load(after, staged=True, whole=True)

    met = {key for batch in after for key, version in batch if version >= 0}
    model = model_of(before, after)
    versions, gone = table.shown()
    assert versions == model.versions
    assert gone ^ (model.gone | (model.versions.keys() - met)) <= model.unclear
