"""Full and incremental syncs of all three services against the stateful sandbox."""

from typing import Any

import pytest
from sqlalchemy import text

from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from tests.conftest import Sandbox, connect, sync

SERVICES = ("hubspot", "stripe", "zendesk")


def rows(store: Store, ref: IntegrationRef, resource: str) -> dict[str, Any]:
    """Every row of an integration's resource, by id."""
    sql = f"SELECT * FROM {ref.connector.name}.{resource} WHERE integration_id = :i"
    with store.tenant(ref.tenant_id) as session:
        return {r["id"]: dict(r) for r in session.execute(text(sql), {"i": ref.id}).mappings()}


def live(found: dict[str, Any]) -> dict[str, Any]:
    return {key: row for key, row in found.items() if row["deleted_at"] is None}


@pytest.mark.parametrize("service", SERVICES)
def test_a_first_sync_finds_every_record(store, sandbox, tenant_id, service) -> None:
    ref = connect(store, sandbox, tenant_id, service)

    result = sync(store, ref)

    assert result.status is JobStatus.COMPLETED, result.error
    found = {name: len(live(rows(store, ref, name))) for name in ref.connector.resource_names}
    assert found == sandbox.counts(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_second_sync_writes_nothing_and_asks_little(store, sandbox, tenant_id, service) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    sync(store, ref)
    before = {name: rows(store, ref, name) for name in ref.connector.resource_names}
    sandbox.forget_requests()

    result = sync(store, ref, sync_type="INCREMENTAL")

    assert result.status is JobStatus.COMPLETED, result.error
    for one in result.resources:
        assert (one.counts.created, one.counts.updated, one.counts.deleted) == (0, 0, 0), one
    assert {name: rows(store, ref, name) for name in before} == before
    # satisfaction ratings are read again for 28 days, as customers change them late
    assert len(sandbox.requests(service)) <= 2 * len(ref.connector.resources) + 1


CHANGES = [
    ("hubspot", "contacts", {"firstname": "Renamed"}, "first_name"),
    ("hubspot", "deals", {"dealname": "Renamed"}, "name"),
    ("stripe", "customers", {"name": "Renamed"}, "name"),
    ("stripe", "products", {"name": "Renamed"}, "name"),
    ("zendesk", "tickets", {"subject": "Renamed"}, "subject"),
    ("zendesk", "users", {"name": "Renamed"}, "name"),
    ("zendesk", "organizations", {"name": "Renamed"}, "name"),
]


@pytest.mark.parametrize(("service", "resource", "fields", "column"), CHANGES)
def test_changes_arrive_and_nothing_else_is_rewritten(
    store, sandbox, tenant_id, service, resource, fields, column
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    sync(store, ref, resources=[resource])
    before = rows(store, ref, resource)
    keys = sorted(live(before))
    sandbox.change(service, resource, keys[0], fields)
    sandbox.delete(service, resource, keys[1])
    created = sandbox.create(service, resource, fields)

    result = sync(store, ref, resources=[resource], sync_type="INCREMENTAL")

    assert result.status is JobStatus.COMPLETED, result.error
    counts = result.resources[0].counts
    assert (counts.created, counts.updated, counts.deleted) == (1, 1, 1)
    after = rows(store, ref, resource)
    assert after[keys[0]][column] == "Renamed"
    assert after[keys[1]]["deleted_at"] is not None
    assert after[created][column] == "Renamed"
    touched = {keys[0], keys[1], created}
    assert {k: r for k, r in after.items() if k not in touched} == {
        k: r for k, r in before.items() if k not in touched
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_full_sync_finds_deletions_that_nobody_told(store, sandbox, tenant_id, service) -> None:
    resource = {"hubspot": "contacts", "stripe": "customers", "zendesk": "tickets"}[service]
    ref = connect(store, sandbox, tenant_id, service)
    sync(store, ref, resources=[resource])
    victim = sorted(live(rows(store, ref, resource)))[3]
    sandbox.delete(service, resource, victim)

    result = sync(store, ref, resources=[resource], sync_type="FULL_SYNC")

    assert result.resources[0].counts.deleted == 1
    assert rows(store, ref, resource)[victim]["deleted_at"] is not None


def test_a_resource_without_a_change_feed_is_compared(store, sandbox: Sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sync(store, ref, resources=["owners"])
    keys = sorted(live(rows(store, ref, "owners")))
    sandbox.change("hubspot", "owners", keys[0], {"firstName": "Renamed"})
    sandbox.delete("hubspot", "owners", keys[1])

    result = sync(store, ref, resources=["owners"])

    counts = result.resources[0].counts
    assert (counts.updated, counts.deleted) == (1, 1)


def test_deals_can_be_joined_with_their_companies(store, sandbox: Sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sync(store, ref, resources=["companies", "deals"])
    sql = """
        SELECT count(*) FROM hubspot.deals d
        JOIN hubspot.companies c ON c.tenant_id = d.tenant_id AND d.company_ids ? c.id
    """
    with store.tenant(tenant_id) as session:
        joined = session.execute(text(sql)).scalar()

    assert joined == sandbox.counts("hubspot")["deals"]
