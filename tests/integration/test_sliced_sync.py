"""A long list that is read in slices of time, as a whole sync."""

from itertools import count

import pytest

from integrations_pipeline.errors import AnswerError
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import batches
from integrations_pipeline.transport.client import ServiceClient
from tests.conftest import connect, point_at, sync
from tests.integration.test_sync_with_sandbox import live, rows


@pytest.fixture
def ref(store, make_sandbox, tenant_id, tmp_path):
    sandbox = point_at(store, make_sandbox(records=1500), tmp_path)
    return sandbox, connect(store, sandbox, tenant_id, "stripe")


def asked(sandbox) -> list[str]:
    return [one["query"] for one in sandbox.requests("stripe") if one["path"] == "/v1/customers"]


def test_a_full_sync_in_slices_meets_every_record_once(store, ref) -> None:
    sandbox, account = ref
    sandbox.forget_requests()

    result = sync(store, account, resources=["customers"])

    assert result.error is None
    total = sandbox.counts("stripe")["customers"]
    assert len(live(rows(store, account, "customers"))) == total
    assert total <= result.resources[0].counts.processed <= total + 5  # of the border's second
    assert any("created" in query and "gte" in query for query in asked(sandbox))


def test_a_sliced_sync_that_stopped_goes_on(store, ref, monkeypatch) -> None:
    sandbox, account = ref
    calls, get = count(1), ServiceClient.get

    def failing(client, path, *args, **options):
        if next(calls) > 10:
            raise AnswerError("Enough.")
        return get(client, path, *args, **options)

    monkeypatch.setattr(batches, "GROUP_SECONDS", 0)  # every page is kept at once
    with monkeypatch.context() as patch:
        patch.setattr(ServiceClient, "get", failing)
        stopped = sync(store, account, resources=["customers"])
    sandbox.forget_requests()

    result = sync(store, account, resources=["customers"])

    assert stopped.status is JobStatus.FAILED
    assert result.error is None
    assert all("created" in query for query in asked(sandbox))  # no page before the slices again
    total = sandbox.counts("stripe")["customers"]
    assert len(live(rows(store, account, "customers"))) == total


def test_filters_that_bound_the_creation_are_not_sliced(store, ref) -> None:
    sandbox, account = ref
    sync(store, account, resources=["customers"])
    stamps = sorted(row["created_at"] for row in rows(store, account, "customers").values())
    border = stamps[len(stamps) // 4]
    sandbox.forget_requests()

    filters = {"created_at": {"gte": border.isoformat()}}
    result = sync(store, account, resources=["customers"], sync_type="SELECTIVE", filters=filters)

    assert result.error is None
    assert result.resources[0].counts.processed == sum(stamp >= border for stamp in stamps)
    assert len({query.partition("starting_after")[0] for query in asked(sandbox)}) <= 2
