"""Records that were set aside: which of them come back, and who may see them."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, text

from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import SyncRequest, create_sync_job
from integrations_pipeline.sync.batches import Batch
from integrations_pipeline.sync.committing import Committer, Target
from integrations_pipeline.sync.leases import claim_sync_job, finish_sync_job
from integrations_pipeline.sync.letters import count_letters, set_aside
from integrations_pipeline.sync.loading import Loader
from integrations_pipeline.sync.records import Change
from integrations_pipeline.transport.usage import Usage
from tests.conftest import connect, sync
from tests.integration.test_sync_with_sandbox import rows

CUSTOMERS = "customers"


def under_a_job(store: Store, ref: IntegrationRef, work: Callable[[Target], Any]) -> Any:
    """Do something as a running job would."""
    job_id = create_sync_job(store, ref, SyncRequest(resources=[CUSTOMERS]))
    claim = claim_sync_job(store, ref, job_id)
    target = Target(
        tenant_id=ref.tenant_id,
        integration_id=ref.id,
        job_id=job_id,
        fence=claim.fence,
        resource=CUSTOMERS,
        scope="",
        moves_checkpoint=True,
    )
    try:
        return work(target)
    finally:
        finish_sync_job(store, claim, JobStatus.COMPLETED, Usage())


def put_aside(store: Store, ref: IntegrationRef, raw: dict[str, Any]) -> None:
    fault = Change(raw["id"], orjson.dumps(raw), fault="The mapping said no.")
    under_a_job(
        store,
        ref,
        lambda target: Committer(store, target).run(lambda c: set_aside(c, target, [fault])),
    )


@pytest.fixture
def synced(store, sandbox, tenant_id) -> tuple[IntegrationRef, dict[str, Any]]:
    """An integration, and one of its customers."""
    ref = connect(store, sandbox, tenant_id, "stripe")
    sync(store, ref, resources=[CUSTOMERS])
    return ref, next(iter(rows(store, ref, CUSTOMERS).values()))["raw"]


def replay(store: Store, ref: IntegrationRef) -> None:
    assert sync(store, ref, resources=[CUSTOMERS], sync_type="SELECTIVE", replay=True).error is None


def test_of_several_letters_of_a_record_the_latest_counts(store, synced) -> None:
    ref, raw = synced
    put_aside(store, ref, {**raw, "name": "older"})
    put_aside(store, ref, {**raw, "name": "newest"})
    assert count_letters(store, ref) == 2

    replay(store, ref)

    assert rows(store, ref, CUSTOMERS)[raw["id"]]["raw"]["name"] == "newest"
    assert count_letters(store, ref) == 0


def test_a_record_that_was_deleted_since_stays_deleted(store, sandbox, synced) -> None:
    ref, raw = synced
    put_aside(store, ref, {**raw, "name": "changed"})
    sandbox.delete("stripe", CUSTOMERS, raw["id"])
    sync(store, ref, resources=[CUSTOMERS])
    assert count_letters(store, ref) == 0

    replay(store, ref)

    assert rows(store, ref, CUSTOMERS)[raw["id"]]["deleted_at"] is not None


def test_a_full_read_closes_the_letters_of_what_is_gone(store, synced) -> None:
    ref, raw = synced
    put_aside(store, ref, {**raw, "id": "cus_NeverThere"})

    sync(store, ref, resources=[CUSTOMERS], sync_type="FULL_SYNC")

    assert count_letters(store, ref) == 0


def test_only_its_tenant_sees_a_letter(store, synced) -> None:
    ref, raw = synced
    put_aside(store, ref, raw)
    count = text("SELECT count(*) FROM integrations.dead_letter WHERE integration_id = :i")

    with store.system() as session:
        assert session.scalar(count, {"i": ref.id}) == 0
    with store.tenant(ref.tenant_id) as session:
        assert session.scalar(count, {"i": ref.id}) == 1


def test_what_a_full_read_shows_again_after_its_end_was_told_is_there(store, synced) -> None:
    ref, raw = synced
    changes = [
        Change(key, row["raw_bytes"], bytes(row["content_hash"]))
        for key, row in with_bytes(store, ref).items()
    ]
    shown = next(change for change in changes if change.key == raw["id"])
    place = {"began": "2026-01-01T00:00:00+00:00", "position": {}}

    def read(target: Target) -> None:
        loader = Loader(store, ref.connector, ref.connector.resource(CUSTOMERS), target)
        for batch in (
            Batch(begins=True, progress=place, pages=0),
            Batch(changes=[*changes, Change(raw["id"])], progress=place),
            Batch(changes=[shown], progress=place),
            Batch(pages=0, complete=True, whole=True, cursor={"since": place["began"]}),
        ):
            loader.load(batch)
        loader.close()

    under_a_job(store, ref, read)

    assert rows(store, ref, CUSTOMERS)[raw["id"]]["deleted_at"] is None


def with_bytes(store: Store, ref: IntegrationRef) -> dict[str, Any]:
    found = rows(store, ref, CUSTOMERS)
    for row in found.values():
        row["raw_bytes"] = orjson.dumps(row["raw"])
    return found


def test_a_full_read_that_stopped_is_forgotten_when_changes_are_read(store, sandbox, synced):
    ref, _ = synced

    def begin(target: Target) -> int:
        loader = Loader(store, ref.connector, ref.connector.resource(CUSTOMERS), target)
        place = {"began": "2026-01-01T00:00:00+00:00", "position": {}}
        loader.load(Batch(begins=True, progress=place, pages=0))
        loader.load(Batch(changes=[Change("cus_1", b"{}", b"1")], progress=place))
        loader.close()
        return Committer(store, target).run(staged)

    def staged(connection: Connection) -> int:
        count = "SELECT count(*) FROM integrations.staged_batch WHERE integration_id = %(i)s"
        return connection.exec_driver_sql(count, {"i": ref.id}).scalar_one()

    assert under_a_job(store, ref, begin) == 1
    assert sync(store, ref, resources=[CUSTOMERS]).resources[0].mode == "incremental"

    assert under_a_job(store, ref, lambda target: Committer(store, target).run(staged)) == 0
