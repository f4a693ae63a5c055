"""Full reads that would delete much are held, and asked about."""

from dataclasses import replace
from random import Random

import pytest

from integrations_pipeline.oauth.policies import change_policy
from integrations_pipeline.store.states import JobStatus
from tests.conftest import connect, sync
from tests.integration.big_source import empty
from tests.integration.big_syncs import Big
from tests.integration.support import alerts_of, one_row, run_sql


def alert_kinds(big: Big) -> list[str]:
    return [alert.kind for alert in alerts_of(big.store, big.ref)]


@pytest.mark.parametrize("records", [1, 3000])
def test_an_empty_answer_is_held(make_big, records) -> None:
    big = make_big(records)
    assert big.sync().status is JobStatus.COMPLETED
    before = (big.state(), big.checkpoint()[0])
    big.source.fail("/v1/records", empty)

    result = big.sync(sync_type="FULL_SYNC")

    assert result.status is JobStatus.FAILED
    assert f"{records:,} would be deleted" in result.error
    assert "--accept-deletions" in result.error
    assert (big.state(), big.checkpoint()[0], big.staged()) == (*before, 0)
    assert alert_kinds(big) == ["held"]
    big.source.faults.clear()
    assert big.sync(sync_type="FULL_SYNC").status is JobStatus.COMPLETED
    assert (big.state(), alert_kinds(big)) == (before[0], [])


def test_deletions_that_are_accepted_are_carried_out(make_big) -> None:
    big = make_big(2000)
    assert big.sync().status is JobStatus.COMPLETED
    big.source.delete(Random(1).sample(sorted(big.source.records), 1800), told=False)
    assert big.sync(sync_type="FULL_SYNC").status is JobStatus.FAILED
    assert alert_kinds(big) == ["held"]

    result = big.sync(sync_type="FULL_SYNC", accept_deletions=True)

    assert result.status is JobStatus.COMPLETED, result.error
    assert result.resources[0].counts.deleted == 1800
    assert (big.state(), alert_kinds(big)) == (big.source.digest(), [])
    rows = "SELECT count(*) FROM big.records WHERE integration_id = :id"
    assert one_row(big.store, rows, id=big.ref.id)[0] == 2000  # the last good copies stay


@pytest.mark.parametrize(
    ("share", "deleted", "held"),
    [(0.1, 99, False), (0.1, 101, True), (0.9, 800, False), (0, 1, True)],
)
def test_the_share_is_a_rule_of_the_integration(make_big, share, deleted, held) -> None:
    big = make_big(1000)
    assert big.sync().status is JobStatus.COMPLETED
    rules = change_policy(big.store, big.ref, {"max_deleted_share": share})
    big.ref = replace(big.ref, policy=rules)
    big.source.delete(sorted(big.source.records)[:deleted], told=False)
    big.source.add(500)  # new ones do not outweigh those that go

    result = big.sync(sync_type="FULL_SYNC")

    assert (result.status is JobStatus.FAILED) == held, result.error
    assert (big.state() == big.source.digest()) == (not held)


def test_another_resources_read_does_not_end_the_alert(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sync(store, ref, resources=["companies", "owners"])
    run_sql(
        store,
        "INSERT INTO hubspot.companies "
        "(tenant_id, integration_id, id, raw, content_hash, job_id) "
        "SELECT tenant_id, integration_id, 'x' || n || id, '{}', '', job_id "
        "FROM hubspot.companies, "
        "generate_series(1, 20) AS n WHERE integration_id = :id",
        id=ref.id,
    )

    held = sync(store, ref, resources=["companies"], sync_type="FULL_SYNC")
    sync(store, ref, resources=["owners"], sync_type="FULL_SYNC")

    assert held.status is JobStatus.FAILED
    assert [alert.kind for alert in alerts_of(store, ref)] == ["held"]
    sync(store, ref, resources=["companies"], sync_type="FULL_SYNC", accept_deletions=True)
    assert alerts_of(store, ref) == []
