"""What a caller can choose about a sync, and where the choice makes no sense."""

import pytest
from sqlalchemy import text

from integrations_pipeline.errors import RequestError
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import SyncRequest, create_sync_job, get_sync_job_history
from tests.conftest import connect, sync
from tests.integration.sync_samples import RESOURCES
from tests.integration.test_sync_with_sandbox import live, rows


@pytest.mark.parametrize(("service", "resource"), RESOURCES.items())
def test_given_ids_are_read_and_missing_ones_are_gone(
    store, sandbox, tenant_id, service, resource
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    keys = sorted(str(record["id"]) for record in sandbox.records(service, resource))[:3]
    sync(store, ref, resources=[resource], sync_type="SELECTIVE", ids=keys)
    sandbox.delete(service, resource, keys[0])

    result = sync(store, ref, resources=[resource], sync_type="SELECTIVE", ids=keys)

    assert result.resources[0].counts.deleted == 1
    assert sorted(live(rows(store, ref, resource))) == keys[1:]


@pytest.mark.parametrize(("service", "resource"), RESOURCES.items())
def test_a_given_id_that_the_filters_leave_out_is_not_gone(
    store, sandbox, tenant_id, service, resource
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    sync(store, ref, resources=[resource])
    keys = sorted(live(rows(store, ref, resource)))[:20]
    column = {"hubspot": "email", "stripe": "email", "zendesk": "subject"}[service]

    result = sync(
        store,
        ref,
        resources=[resource],
        sync_type="SELECTIVE",
        ids=keys,
        filters={column: "nothing is called like this"},
    )

    assert result.error is None
    assert result.resources[0].counts.deleted == 0


def test_a_selective_sync_leaves_the_checkpoint_alone(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sync(store, ref, resources=["customers"], sync_type="SELECTIVE", ids=["cus_none"])

    result = sync(store, ref, resources=["customers"])

    assert result.resources[0].mode == "full"


@pytest.mark.parametrize(
    ("service", "resource", "filters"),
    [
        ("hubspot", "contacts", {"lifecycle_stage": "lead"}),
        ("hubspot", "deals", {"amount": {"gte": 10000}, "stage": {"ne": "closedlost"}}),
        ("stripe", "subscriptions", {"status": {"in": ["active", "trialing"]}}),
        ("stripe", "invoices", {"status": "paid", "total": {"gt": 10000}}),
        ("zendesk", "tickets", {"status": "open"}),
        ("zendesk", "satisfaction_ratings", {"score": "bad"}),
    ],
)
def test_filters_mean_the_same_at_every_service(
    store, sandbox, tenant_id, service, resource, filters
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    sync(store, ref, resources=[resource])
    everything = rows(store, ref, resource)
    with store.tenant(tenant_id) as session:
        session.execute(text(f"DELETE FROM {service}.{resource}"))

    result = sync(store, ref, resources=[resource], filters=filters, sync_type="FULL_SYNC")

    wanted = {key for key, row in live(everything).items() if fulfils(row, filters)}
    assert result.status is JobStatus.COMPLETED, result.error
    assert set(rows(store, ref, resource)) == wanted
    assert 0 < len(wanted) < len(everything)


def fulfils(row: dict, filters: dict) -> bool:
    """The same conditions, said once more in the plainest way."""
    tests = {
        "gte": lambda a, b: a is not None and a >= b,
        "gt": lambda a, b: a is not None and a > b,
        "ne": lambda a, b: a != b,
        "in": lambda a, b: a in b,
    }
    for name, wanted in filters.items():
        conditions = wanted if isinstance(wanted, dict) else {"in": [wanted]}
        if not all(tests[op](row[name], value) for op, value in conditions.items()):
            return False
    return True


@pytest.mark.parametrize(("service", "resource"), RESOURCES.items())
def test_fields_narrow_what_is_stored(store, sandbox, tenant_id, service, resource) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    field = "subject" if service == "zendesk" else "email"

    sync(store, ref, resources=[resource], fields=[field])

    row = next(iter(live(rows(store, ref, resource)).values()))
    kept = row["raw"]["properties"] if service == "hubspot" else row["raw"]
    # HubSpot adds the id and its stamps by itself; merges must be noticed whatever is chosen
    allowed = {field, "id", "generated_timestamp", "hs_object_id", "createdate"}
    allowed |= {"lastmodifieddate", "hs_lastmodifieddate", "hs_merged_object_ids"}
    assert field in kept
    assert set(kept) <= allowed


NARROW = [
    ("hubspot", "contacts", "firstname", "first_name"),
    ("stripe", "customers", "name", "name"),
    ("zendesk", "tickets", "subject", "subject"),
]


@pytest.mark.parametrize(("service", "resource", "field", "column"), NARROW)
def test_a_narrowed_read_leaves_the_other_fields_as_they_are(
    store, sandbox, tenant_id, service, resource, field, column
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    sync(store, ref, resources=[resource])
    before = rows(store, ref, resource)
    key = next(iter(live(before)))
    sandbox.change(service, resource, key, {field: "Renamed"})

    sync(store, ref, resources=[resource], sync_type="SELECTIVE", ids=[key], fields=[column])

    row = rows(store, ref, resource)[key]
    assert row[column] == "Renamed"
    kept = {c.name for c in ref.connector.resource(resource).columns} - {column}
    assert {n: row[n] for n in kept} == {n: before[key][n] for n in kept}
    assert set(row["raw"]) >= set(before[key]["raw"])
    again = sync(store, ref, resources=[resource])
    assert (again.resources[0].mode, again.error) == ("incremental", None)
    assert rows(store, ref, resource)[key]["raw"].keys() == before[key]["raw"].keys()


def test_a_narrowed_read_leaves_what_filtered_ones_brought(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    leads = {"resources": ["contacts"], "filters": {"lifecycle_stage": "lead"}}
    sync(store, ref, **leads)
    before = {key: row["raw"] for key, row in rows(store, ref, "contacts").items()}
    assert sync(store, ref, **leads).resources[0].mode == "incremental"
    sync(store, ref, resources=["contacts"], fields=["email"])
    assert sync(store, ref, resources=["contacts"], fields=["email"]).resources[0].mode != "full"

    sync(store, ref, **leads)

    after = {key: row["raw"] for key, row in rows(store, ref, "contacts").items()}
    assert {key: after[key] for key in before} == before


def test_a_field_that_only_the_service_knows_can_be_chosen(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    result = sync(store, ref, resources=["contacts"], fields=["email", "jobtitle"])

    assert result.status is JobStatus.COMPLETED, result.error
    row = next(iter(rows(store, ref, "contacts").values()))
    assert "jobtitle" in row["raw"]["properties"]


def test_a_field_that_nobody_knows_fails_with_the_reason(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    result = sync(store, ref, resources=["contacts"], fields=["shoe_size"])

    assert result.status is JobStatus.FAILED
    assert all(word in result.error for word in (ref.key, "contacts", "shoe_size"))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"sync_type": "SOMETIMES"}, "SOMETIMES"),
        ({"resources": ["spaceships"]}, "spaceships"),
        ({"resources": ["customers"], "fields": ["shoe_size"]}, "shoe_size"),
        ({"resources": ["customers"], "filters": {"shoe_size": 44}}, "shoe_size"),
        ({"resources": ["customers"], "filters": {"balance": {"near": 1}}}, "near"),
        ({"direction": "sideways"}, "sideways"),
        ({"resources": ["customers"], "ids": ["cus_1"]}, "SELECTIVE"),
    ],
)
def test_a_senseless_request_makes_no_job(store, sandbox, tenant_id, request_, words) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")

    with pytest.raises(RequestError, match=words) as refused:
        create_sync_job(store, ref, SyncRequest(**request_))

    assert ref.key in str(refused.value)
    assert get_sync_job_history(store, ref) == []
