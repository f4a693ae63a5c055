"""Mapped fields in syncs: custom properties, records set aside, changes of mappings."""

from typing import Any

import pytest
from sqlalchemy import text

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync.letters import open_letters
from integrations_pipeline.sync.mapping import (
    list_mappings,
    mapper_of,
    remove_mapping,
    save_mapping,
)
from tests.conftest import Sandbox, connect, sync
from tests.integration.test_sync_with_sandbox import live, rows
from tests.unit.mapped import mapping, step

CONTACTS = {"resource": "contacts"}


@pytest.fixture
def ref(store, sandbox, tenant_id) -> IntegrationRef:
    return connect(store, sandbox, tenant_id, "hubspot")


def customs(store: Store, ref: IntegrationRef, resource: str = "contacts") -> dict[str, Any]:
    return {key: row["custom"] for key, row in live(rows(store, ref, resource)).items()}


def properties(sandbox: Sandbox, name: str) -> dict[str, Any]:
    records = sandbox.records("hubspot", "contacts")
    return {r["id"]: r["properties"].get(name) for r in records if not r.get("archived")}


def job_title(*steps: Any) -> Any:
    return mapping("job_title", "properties.jobtitle", *steps, **CONTACTS)


def listings(sandbox: Sandbox, resource: str) -> list[dict]:
    path = f"/crm/v3/objects/{resource}"
    return [sent for sent in sandbox.requests("hubspot") if sent["path"].endswith(path)]


def test_a_property_that_is_no_column_is_read_and_transformed(store, sandbox, ref) -> None:
    save_mapping(store, ref, job_title("trim", step("case", to="upper")))

    result = sync(store, ref, resources=["contacts"])

    assert result.status is JobStatus.COMPLETED, result.error
    wanted = {k: v.strip().upper() if v else v for k, v in properties(sandbox, "jobtitle").items()}
    found = {key: custom["job_title"] for key, custom in customs(store, ref).items()}
    assert found == wanted
    assert any(found.values())


def test_a_changed_record_is_mapped_by_an_incremental_sync(store, sandbox, ref) -> None:
    save_mapping(store, ref, job_title("trim"))
    sync(store, ref, resources=["contacts"])
    key = next(iter(customs(store, ref)))
    sandbox.change("hubspot", "contacts", key, {"jobtitle": " Queen "})

    result = sync(store, ref, resources=["contacts"])

    assert result.resources[0].mode == "incremental"
    assert customs(store, ref)[key] == {"job_title": "Queen"}


def test_what_a_transform_cant_handle_is_set_aside_and_the_rest_goes_on(
    store, sandbox, ref
) -> None:
    bad = set(list(properties(sandbox, "city"))[:5])
    for key in bad:
        sandbox.change("hubspot", "contacts", key, {"city": f"Nowhere {key}"})
    cities = properties(sandbox, "city")
    table = {city: city.upper() for key, city in cities.items() if city and key not in bad}
    save_mapping(
        store, ref, mapping("city", "properties.city", step("lookup", table=table), **CONTACTS)
    )

    result = sync(store, ref, resources=["contacts"])

    assert result.status is JobStatus.COMPLETED, result.error
    assert set(customs(store, ref)) == set(cities) - bad
    assert result.resources[0].counts.rejected == len(bad)
    letters = open_letters(store, ref, "contacts", limit=1000)
    assert {letter.record_id for letter in letters} == bad
    assert {letter.reason for letter in letters} == {"city: is not in the table (step 1, lookup)"}


def test_a_changed_mapping_is_applied_without_asking_the_service(store, sandbox, ref) -> None:
    save_mapping(store, ref, job_title())
    sync(store, ref, resources=["contacts"])
    before = rows(store, ref, "contacts")
    save_mapping(store, ref, job_title(step("default", value="none")))
    sandbox.forget_requests()

    result = sync(store, ref, resources=["contacts"])

    assert result.resources[0].mode == "incremental"
    assert listings(sandbox, "contacts") == listings_of_archived(sandbox)
    after = rows(store, ref, "contacts")
    for key, row in after.items():
        old = before[key]["custom"]
        assert row["custom"] == ({"job_title": old["job_title"] or "none"} if old else {})
        # what stayed the same was not written again
        assert (row["synced_at"] == before[key]["synced_at"]) is (row["custom"] == old)
        assert row["content_hash"] == before[key]["content_hash"]


def listings_of_archived(sandbox: Sandbox) -> list[dict]:
    return [one for one in listings(sandbox, "contacts") if "archived=true" in str(one)]


def test_a_field_that_was_never_read_is_read_for_its_resource_only(store, sandbox, ref) -> None:
    resources = ["contacts", "companies"]
    sync(store, ref, resources=resources)
    save_mapping(store, ref, job_title())

    result = sync(store, ref, resources=resources)

    assert {one.name: one.mode for one in result.resources} == {
        "contacts": "full",
        "companies": "incremental",
    }
    wanted = {key: {"job_title": title} for key, title in properties(sandbox, "jobtitle").items()}
    assert customs(store, ref) == wanted


def test_a_field_that_is_stored_is_not_read_again(store, sandbox, ref) -> None:
    sync(store, ref, resources=["contacts"])
    save_mapping(store, ref, mapping("mail", "properties.email", **CONTACTS))

    result = sync(store, ref, resources=["contacts"])

    assert result.resources[0].mode == "incremental"
    wanted = {key: {"mail": mail} for key, mail in properties(sandbox, "email").items()}
    assert customs(store, ref) == wanted


def test_a_removed_mapping_takes_its_values_with_it(store, sandbox, ref) -> None:
    save_mapping(store, ref, job_title())
    sync(store, ref, resources=["contacts"])
    remove_mapping(store, ref, "contacts", "job_title")

    result = sync(store, ref, resources=["contacts"])

    assert result.resources[0].mode == "incremental"
    assert set(map(str, customs(store, ref).values())) == {"{}"}
    # in the meantime it is not asked for: to map it again means to read it again
    save_mapping(store, ref, job_title())
    assert sync(store, ref, resources=["contacts"]).resources[0].mode == "full"


def test_stored_rows_that_the_new_mapping_cant_handle_are_told(store, sandbox, ref) -> None:
    sync(store, ref, resources=["contacts"])
    save_mapping(store, ref, mapping("mail", "properties.email", "parse_number", **CONTACTS))

    result = sync(store, ref, resources=["contacts"])

    mails = properties(sandbox, "email")
    bad = {key for key, mail in mails.items() if mail}
    assert result.resources[0].counts.rejected == len(bad) > 0
    assert {one.record_id for one in open_letters(store, ref, limit=1000)} == bad
    assert set(map(str, customs(store, ref).values())) == {"{'mail': None}"}


def test_a_pseudonym_is_the_same_in_all_services_of_a_tenant(
    store, sandbox, ref, tenant_id
) -> None:
    other = connect(store, sandbox, tenant_id, "stripe")
    save_mapping(store, ref, mapping("who", "properties.email", "hash", **CONTACTS))
    save_mapping(store, other, mapping("who", "email", "hash", resource="customers"))

    (one,) = mapper_of(store, ref, "contacts")([{"properties": {"email": "ada@example.com"}}])
    (two,) = mapper_of(store, other, "customers")([{"email": "ada@example.com"}])

    assert one.custom == two.custom
    assert b"ada" not in one.custom


def test_mappings_of_one_integration_are_its_own(store, sandbox, ref, tenant_id) -> None:
    save_mapping(store, ref, job_title("trim"))
    save_mapping(store, ref, job_title(step("case", to="lower")))
    other = connect(store, sandbox, tenant_id, "zendesk")

    assert list_mappings(store, ref) == [job_title(step("case", to="lower"))]
    assert list_mappings(store, other) == []
    assert mapper_of(store, other, "tickets") is None
    with pytest.raises(RequestError, match="nothing is mapped to 'job_title'"):
        remove_mapping(store, other, "contacts", "job_title")


def test_without_mappings_pandas_stays_out(store, sandbox, ref) -> None:
    import subprocess
    import sys

    code = "import integrations_pipeline.sync, sys; print('pandas' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
    with store.tenant(ref.tenant_id) as session:
        found = session.scalars(text("SELECT count(*) FROM integrations.mapping_state")).one()
    assert found == 0
