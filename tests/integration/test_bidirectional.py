"""Both sides change records: owners, conflicts, and no echo of our own writes."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from integrations_pipeline.store.policy import SyncPolicy
from integrations_pipeline.sync import outbox
from tests.integration.outgoing import (
    both_ways,
    connect,
    effects,
    intents,
    push,
    rows,
    send,
    states,
)
from tests.integration.support import alerts_of

CASES = [
    ("hubspot", "contacts", "phone", "firstname"),
    ("stripe", "customers", "phone", "name"),
    ("zendesk", "users", "phone", "name"),
]


@pytest.fixture
def synced(store, sandbox, tenant_id):
    """An account whose records were read, and the id of one of them."""

    def made(service: str, resource: str, **policy: Any) -> tuple[Any, str]:
        ref = connect(store, sandbox, tenant_id, service, **policy)
        assert both_ways(store, ref, resource).error is None
        live = {k: r for k, r in rows(store, ref, resource).items() if r["deleted_at"] is None}
        sandbox.forget_requests()
        return ref, sorted(live)[3]

    return made


def there(sandbox: Any, service: str, resource: str, key: str) -> dict[str, Any]:
    """A record as the service has it."""
    found = next(r for r in sandbox.records(service, resource) if str(r["id"]) == key)
    return found.get("properties", found)


def writes(sandbox: Any, service: str) -> int:
    """How many records writes have reached."""
    return sum(sum(one.values()) for one in effects(sandbox, service).values())


@pytest.mark.parametrize(("service", "resource", "ours", "theirs"), CASES)
def test_edits_of_different_fields_both_stay(
    store, sandbox, synced, service, resource, ours, theirs
) -> None:
    ref, key = synced(service, resource)
    send(store, ref, resource, {"id": key, ours: "+49 30 7"}, operation="update")
    sandbox.change(service, resource, key, {theirs: "Theirs"})

    assert both_ways(store, ref, resource).error is None

    found = there(sandbox, service, resource, key)
    assert (found[ours], found[theirs]) == ("+49 30 7", "Theirs")
    assert rows(store, ref, resource)[key]["phone"] == "+49 30 7"
    assert states(store, ref) == {"DONE": 1}


@pytest.mark.parametrize(("service", "resource", "ours", "theirs"), CASES)
def test_one_edit_settles_in_two_cycles_with_one_write_per_side(
    store, sandbox, synced, service, resource, ours, theirs
) -> None:
    ref, key = synced(service, resource)
    other = sorted(rows(store, ref, resource))[4]
    send(store, ref, resource, {"id": key, ours: "+49 30 7"}, operation="update")
    sandbox.change(service, resource, other, {theirs: "Theirs"})

    both_ways(store, ref, resource)
    settled = rows(store, ref, resource)
    second = both_ways(store, ref, resource).resources[0].counts

    assert (second.created, second.updated, second.deleted) == (0, 0, 0)
    assert rows(store, ref, resource) == settled
    assert writes(sandbox, service) == 1
    for _ in range(10):
        idle = both_ways(store, ref, resource).resources[0].counts
        assert (idle.created, idle.updated, idle.deleted) == (0, 0, 0)
    assert rows(store, ref, resource) == settled
    assert writes(sandbox, service) == 1


def test_a_downstream_asset_that_sends_all_it_has_writes_nothing(store, sandbox, synced) -> None:
    ref, _ = synced("hubspot", "contacts")
    columns = ("id", "email", "first_name", "last_name", "phone")
    for _ in range(3):
        found = rows(store, ref, "contacts").values()
        mirror = [{name: row[name] for name in columns} for row in found if not row["deleted_at"]]
        send(store, ref, "contacts", *mirror, operation="update")
        assert both_ways(store, ref, "contacts").error is None

    assert set(states(store, ref)) == {"SKIPPED"}
    assert writes(sandbox, "hubspot") == 0


RULES = [
    ("source_wins", "theirs", "SKIPPED"),
    ("ours_wins", "ours", "DONE"),
    ("newest_wins", "theirs", "SKIPPED"),  # theirs comes after ours here
    ("hold", "theirs", "HELD"),
]


@pytest.mark.parametrize(("rule", "winner", "state"), RULES)
def test_a_conflict_ends_by_the_integrations_rule(
    store, sandbox, synced, rule, winner, state
) -> None:
    ref, key = synced("hubspot", "contacts", conflicts=rule)
    send(store, ref, "contacts", {"id": key, "phone": "ours"}, operation="update")
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs"})

    assert both_ways(store, ref, "contacts").error is None
    assert there(sandbox, "hubspot", "contacts", key)["phone"] == winner
    assert rows(store, ref, "contacts")[key]["phone"] == winner
    assert states(store, ref) == {state: 1}


def test_the_newest_wins_where_it_is_ours(store, sandbox, synced) -> None:
    ref, key = synced("hubspot", "contacts", conflicts="newest_wins")
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs"})
    send(store, ref, "contacts", {"id": key, "phone": "ours"}, operation="update")

    assert both_ways(store, ref, "contacts").error is None
    assert there(sandbox, "hubspot", "contacts", key)["phone"] == "ours"


@pytest.mark.parametrize("direction", ["push", "bidirectional"])
@pytest.mark.parametrize("decision", ["ours", "theirs"])
def test_a_held_conflict_waits_for_a_person(store, sandbox, synced, decision, direction) -> None:
    ref, key = synced("hubspot", "contacts", conflicts="hold")
    before = rows(store, ref, "contacts")[key]["phone"]
    send(store, ref, "contacts", {"id": key, "phone": "ours"}, operation="update")
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs"})
    both_ways(store, ref, "contacts")
    (held,) = intents(store, ref)

    assert held.conflict == {"phone": {"base": before, "ours": "ours", "theirs": "theirs"}}
    assert [one.kind for one in alerts_of(store, ref)] == ["conflict"]
    both_ways(store, ref, "contacts")
    assert states(store, ref) == {"HELD": 1}

    outbox.resolve(store, ref, "contacts", held.id, decision)
    push(store, ref, "contacts", direction=direction)
    assert there(sandbox, "hubspot", "contacts", key)["phone"] == decision
    assert alerts_of(store, ref) == []
    assert states(store, ref) == {"DONE" if decision == "ours" else "SKIPPED": 1}


def test_owners_decide_before_any_rule(store, sandbox, synced) -> None:
    owners = {"contacts": {"phone": "ours", "first_name": "source"}}
    ref, key = synced("hubspot", "contacts", owners=owners)
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs", "firstname": "Theirs"})
    row = {"id": key, "phone": "ours", "firstname": "Ours"}
    send(store, ref, "contacts", row, operation="update")
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs again"})

    assert both_ways(store, ref, "contacts").error is None
    found = there(sandbox, "hubspot", "contacts", key)
    assert (found["phone"], found["firstname"]) == ("ours", "Theirs")
    assert intents(store, ref)[0].sent == {"phone": "ours"}


def test_a_plain_push_respects_owners_too(store, sandbox, synced) -> None:
    ref, key = synced("hubspot", "contacts", owners={"contacts": {"phone": "source"}})
    send(store, ref, "contacts", {"id": key, "phone": "ours"}, operation="update")

    assert push(store, ref, "contacts").resources[0].counts.rejected == 1
    assert "The source owns phone" in str(intents(store, ref)[0].reason)


def test_what_we_wrote_ourselves_is_no_change_of_the_services(store, sandbox, synced) -> None:
    """Two edits of one field, both written before the first went out."""
    ref, key = synced("hubspot", "contacts", conflicts="hold")
    edits = [{"id": key, "phone": "first"}, {"id": key, "phone": "second"}]
    send(store, ref, "contacts", *edits, operation="update")

    assert both_ways(store, ref, "contacts").error is None
    assert states(store, ref) == {"DONE": 2}
    assert there(sandbox, "hubspot", "contacts", key)["phone"] == "second"


def test_an_edit_of_a_record_that_was_deleted_is_refused(store, sandbox, synced) -> None:
    ref, key = synced("hubspot", "contacts")
    send(store, ref, "contacts", {"id": key, "phone": "ours"}, operation="update")
    sandbox.delete("hubspot", "contacts", key)

    assert both_ways(store, ref, "contacts").error is None
    assert "was deleted" in str(intents(store, ref)[0].reason)


@pytest.mark.parametrize(("rule", "state"), [("source_wins", "SKIPPED"), ("ours_wins", "DONE")])
def test_a_deletion_of_a_record_that_was_changed_is_a_conflict(
    store, sandbox, synced, rule, state
) -> None:
    ref, key = synced("hubspot", "contacts", conflicts=rule)
    send(store, ref, "contacts", {"id": key}, operation="delete")
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs"})

    assert both_ways(store, ref, "contacts").error is None
    assert states(store, ref) == {state: 1}


def test_an_upsert_by_our_own_id_is_merged_as_well(store, sandbox, synced) -> None:
    ref, key = synced("hubspot", "contacts")
    email = rows(store, ref, "contacts")[key]["email"]
    send(store, ref, "contacts", {"email": email, "phone": "ours"}, operation="upsert")
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs"})

    assert both_ways(store, ref, "contacts").error is None
    assert there(sandbox, "hubspot", "contacts", key)["phone"] == "theirs"
    always = replace(ref, policy=SyncPolicy(conflicts="ours_wins"))
    send(store, ref, "contacts", {"email": email, "phone": "ours"}, operation="upsert")
    assert both_ways(store, always, "contacts").error is None
    assert there(sandbox, "hubspot", "contacts", key)["phone"] == "ours"


def test_intents_are_walled_off_from_other_tenants(store, sandbox, synced) -> None:
    from integrations_pipeline.oauth import create_tenant

    ref, key = synced("hubspot", "contacts")
    send(store, ref, "contacts", {"id": key, "phone": "1"}, operation="update")
    other = create_tenant(store, f"o{ref.tenant_id.hex[:11]}", "Other")

    for table in ("hubspot.contacts_outbound", "integrations.outbound"):
        for tenant, count in ((ref.tenant_id, 1), (other, 0)):
            with store.tenant(tenant) as session:
                sql = text(f"SELECT count(*) FROM {table} WHERE integration_id = :i")
                assert session.scalar(sql, {"i": ref.id}) == count
