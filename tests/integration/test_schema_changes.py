"""New and changed fields are told once, in the job's story and on its result; records stay raw."""

from typing import Any

import pytest
from sqlalchemy import select, text

from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.sync_models import SeenField
from integrations_pipeline.sync import JobResult, get_sync_job_history, get_sync_logs
from integrations_pipeline.sync.reporting import last_schema_changes
from tests.conftest import connect, sync

NEW = "New field shiny (boolean)."


@pytest.fixture
def ref(store, sandbox, tenant_id) -> IntegrationRef:
    """Stripe, with its products read once."""
    ref = connect(store, sandbox, tenant_id, "stripe")
    assert changes(sync(store, ref, resources=["products"])) == ()
    return ref


def changes(result: JobResult) -> tuple[str, ...]:
    (one,) = result.resources
    assert one.error is None
    return one.schema_changes


def warnings(store: Store, ref: IntegrationRef, result: JobResult) -> list[str]:
    lines = get_sync_logs(store, ref, result.job_id, level="WARNING")
    return [line.message for line in lines]


def fields(store: Store, ref: IntegrationRef) -> dict[str, SeenField]:
    query = select(SeenField).where(SeenField.integration_id == ref.id)
    with store.tenant(ref.tenant_id) as session:
        return {row.path: row for row in session.scalars(query)}


def product(sandbox: Any, at: int = 0) -> str:
    return str(sandbox.records("stripe", "products")[at]["id"])


def test_a_first_full_read_says_what_is_usual(store, sandbox, ref) -> None:
    known = fields(store, ref)

    assert set(sandbox.records("stripe", "products")[0]) <= set(known)
    assert known["active"].types == ["boolean"]
    assert known["created"].types == ["number"]
    assert known["metadata"].types == ["object"]
    assert not [path for path in known if path.startswith("metadata.")]


@pytest.mark.parametrize("sync_type", ["INCREMENTAL", "FULL_SYNC", "SELECTIVE"])
def test_a_new_field_is_told_once_and_kept_in_the_raw_record(
    store, sandbox, ref, sync_type
) -> None:
    key = product(sandbox)
    sandbox.change("stripe", "products", key, {"shiny": True})
    chosen = {"ids": [key]} if sync_type == "SELECTIVE" else {}

    first = sync(store, ref, resources=["products"], sync_type=sync_type, **chosen)
    sandbox.change("stripe", "products", product(sandbox, 1), {"shiny": False})
    second = sync(store, ref, resources=["products"], sync_type="INCREMENTAL")

    assert (changes(first), changes(second)) == ((NEW,), ())
    assert warnings(store, ref, first) == [NEW]
    assert first.resources[0].warnings == 1
    job = get_sync_job_history(store, ref)[1]
    assert job["resources"]["products"]["schema_changes"] == [NEW]
    assert job["warnings"] == 1
    with store.tenant(ref.tenant_id) as session:
        sql = "SELECT raw -> 'shiny' FROM stripe.products WHERE id = :id"
        assert session.scalar(text(sql), {"id": key}) is True


def test_another_type_is_told_with_the_one_before(store, sandbox, ref) -> None:
    sandbox.change("stripe", "products", product(sandbox), {"name": 7})

    result = sync(store, ref, resources=["products"], sync_type="INCREMENTAL")

    assert changes(result) == ("Field name holds number now; it held text.",)
    assert fields(store, ref)["name"].types == ["number", "text"]


def test_the_last_sync_s_changes_are_what_a_check_sees(store, sandbox, ref) -> None:
    resource = ref.connector.resource("products")
    assert last_schema_changes(store, ref, resource) == []

    sandbox.change("stripe", "products", product(sandbox), {"shiny": True})
    sync(store, ref, resources=["products"])
    assert last_schema_changes(store, ref, resource) == [NEW]

    sync(store, ref, resources=["products"])
    assert last_schema_changes(store, ref, resource) == []


def test_a_read_that_fails_tells_what_it_has_met(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sync(store, ref, resources=["customers"])
    keys = [record["id"] for record in sandbox.records("stripe", "customers")]
    sandbox.change("stripe", "customers", keys[0], {"shiny": True})
    sandbox.change("stripe", "customers", keys[-1], {"shiny": True})
    sandbox.fault("stripe", "html", path="/v1/customers/", count=50)

    failed = sync(store, ref, resources=["customers"], sync_type="INCREMENTAL")
    sandbox.send("DELETE", "/sandbox/stripe/faults")
    whole = sync(store, ref, resources=["customers"], sync_type="INCREMENTAL")

    assert failed.error
    told = [one for r in (failed, whole) for one in r.resources[0].schema_changes]
    assert told == [NEW]


def test_a_narrowed_first_read_says_nothing_about_what_is_usual(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    narrow = sync(store, ref, resources=["contacts"], fields=["email"])
    whole = sync(store, ref, resources=["contacts"])

    assert (changes(narrow), changes(whole)) == ((), ())
    assert "" in fields(store, ref)


def test_fields_stay_behind_the_tenant_s_wall(store, ref, sandbox) -> None:
    with store.tenant(ref.id) as session:  # somebody else
        assert session.scalars(select(SeenField)).all() == []
