"""Mappings that change at an awkward moment: in a read, under new keys, in many rows."""

import pytest
from sqlalchemy.exc import OperationalError

from integrations_pipeline.errors import TransientError
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import Checkpoint
from integrations_pipeline.sync import get_sync_job_history, get_sync_logs
from integrations_pipeline.sync.committing import Committer
from integrations_pipeline.sync.mapping import mapper_of, remapping, save_mapping
from integrations_pipeline.sync.mapping.hashing import hash_key
from integrations_pipeline.transport.client import ServiceClient
from tests.conftest import connect, sync
from tests.integration import rotated_store
from tests.integration.rotated_store import fill, keys_of, rotated
from tests.integration.support import one_row
from tests.integration.test_mapping import CONTACTS, customs, job_title, properties
from tests.unit.mapped import mapping, step

hasty, mine = rotated_store.hasty, rotated_store.mine


@pytest.fixture
def ref(store, sandbox, tenant_id) -> IntegrationRef:
    return connect(store, sandbox, tenant_id, "hubspot")


def test_a_read_that_stopped_does_not_bring_back_the_old_mapping(
    store, sandbox, ref, monkeypatch
) -> None:
    whole, pages = ServiceClient.get, []

    def two_pages(self, path, *words, **options):
        pages.append(path)
        if pages.count("/crm/v3/objects/contacts") > 2:
            raise TransientError("The line is cut.")
        return whole(self, path, *words, **options)

    save_mapping(store, ref, job_title("trim"))
    monkeypatch.setattr(ServiceClient, "get", two_pages)
    assert sync(store, ref, resources=["contacts"]).status is JobStatus.FAILED
    with store.tenant(ref.tenant_id) as session:
        mark = session.get_one(Checkpoint, (ref.tenant_id, ref.id, "contacts", ""))
    assert mark.progress["staged"] > 0
    monkeypatch.undo()
    save_mapping(store, ref, job_title(step("case", to="upper")))

    result = sync(store, ref, resources=["contacts"])

    assert result.status is JobStatus.COMPLETED, result.error
    titles = properties(sandbox, "jobtitle")
    wanted = {key: {"job_title": t.upper() if t else t} for key, t in titles.items()}
    assert customs(store, ref) == wanted


def test_rows_are_mapped_anew_some_at_a_time(store, sandbox, ref, monkeypatch) -> None:
    monkeypatch.setattr(remapping, "ROWS", 50)
    sync(store, ref, resources=["contacts"])
    save_mapping(store, ref, mapping("who", "properties.email", "hash", **CONTACTS))

    sync(store, ref, resources=["contacts"])

    found = customs(store, ref)
    mails = properties(sandbox, "email")
    pairs = {(mails[key], custom["who"]) for key, custom in found.items()}
    assert len(pairs) == len({mail for mail, _ in pairs}) == len({who for _, who in pairs}) > 250
    job = get_sync_job_history(store, ref, limit=1)[0]
    told = [line.message for line in get_sync_logs(store, ref, job["id"])]
    assert f"The field mappings changed: {len(found)} stored records have new values." in told


def test_mappings_that_are_taken_back_halfway_leave_nothing_behind(
    store, sandbox, ref, monkeypatch
) -> None:
    monkeypatch.setattr(remapping, "ROWS", 50)
    save_mapping(store, ref, job_title())
    sync(store, ref, resources=["contacts"])
    before = customs(store, ref)
    save_mapping(store, ref, job_title(step("case", to="upper")))
    whole, rounds = remapping._Remapping._next, []

    def cut_short(self, connection):
        rounds.append(connection)
        if len(rounds) > 1:
            raise RuntimeError
        return whole(self, connection)

    monkeypatch.setattr(remapping._Remapping, "_next", cut_short)
    assert sync(store, ref, resources=["contacts"]).status is JobStatus.FAILED
    assert sum(custom != before[key] for key, custom in customs(store, ref).items()) > 10
    monkeypatch.setattr(remapping._Remapping, "_next", whole)
    save_mapping(store, ref, job_title())

    result = sync(store, ref, resources=["contacts"])

    assert (result.error, result.resources[0].mode) == (None, "incremental")
    assert customs(store, ref) == before


def test_an_answer_that_got_lost_does_not_count_rows_twice(
    store, sandbox, ref, monkeypatch
) -> None:
    sync(store, ref, resources=["contacts"])
    save_mapping(store, ref, mapping("who", "properties.email", "parse_number", **CONTACTS))
    once, lost = Committer._once, []

    def answer_lost(self, work):
        found = once(self, work)
        if not lost and isinstance(found, tuple) and found[2]:
            lost.append(found)
            raise OperationalError("COMMIT", None, ConnectionError("gone"))
        return found

    monkeypatch.setattr(Committer, "_once", answer_lost)
    result = sync(store, ref, resources=["contacts"])

    assert len(lost) == 1
    job = get_sync_job_history(store, ref, limit=1)[0]
    counted = job["resources"]["contacts"]["rejected"]
    assert counted == result.resources[0].counts.rejected == lost[0][2]


def test_narrow_and_selective_syncs_read_mapped_fields_too(store, sandbox, ref) -> None:
    save_mapping(store, ref, job_title())
    titles = properties(sandbox, "jobtitle")
    some = sorted(key for key, title in titles.items() if title)[:3]

    sync(store, ref, resources=["contacts"], fields=["email"])
    assert {key: custom["job_title"] for key, custom in customs(store, ref).items()} == titles

    for key in some:
        sandbox.change("hubspot", "contacts", key, {"jobtitle": f"No {key}"})
    sync(store, ref, resources=["contacts"], sync_type="SELECTIVE", ids=some)
    found = customs(store, ref)
    assert {key: found[key]["job_title"] for key in some} == {key: f"No {key}" for key in some}


def test_pseudonyms_stay_when_keys_are_rotated(mine, hasty) -> None:
    fill(mine, 4)
    tenant = one_row(mine, "SELECT id FROM integrations.tenant LIMIT 1").id
    secret = hash_key(mine, tenant)
    (old,) = keys_of(mine)

    report = rotated(mine)

    assert report.deleted == 1
    assert keys_of(mine) != [old]
    assert hash_key(mine, tenant) == secret
    assert len(secret) == 32


def test_tenants_have_keys_of_their_own(store, tenant_id) -> None:
    from integrations_pipeline.oauth import create_tenant

    other = create_tenant(store, f"{tenant_id.hex[:12]}-other", "Other")

    assert hash_key(store, tenant_id) != hash_key(store, other)


def test_mappings_that_push_are_apart(store, sandbox, ref) -> None:
    spec = mapping("jobtitle", "title", "trim", direction="push", **CONTACTS)
    save_mapping(store, ref, spec)

    (row,) = mapper_of(store, ref, "contacts", "push").rows([{"title": " Queen "}])

    assert row.values == {"jobtitle": "Queen"}
    assert mapper_of(store, ref, "contacts") is None
