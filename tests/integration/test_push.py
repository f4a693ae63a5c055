"""Pushes of every operation, against the stateful sandbox."""

from typing import Any

import pytest

from integrations_pipeline.store.states import JobStatus
from tests.integration.outgoing import (
    connect,
    effects,
    intents,
    push,
    rows,
    send,
    states,
)

MADE = {
    ("hubspot", "contacts"): {"email": "Ada.Lovelace@example.com", "first_name": "Ada"},
    ("hubspot", "companies"): {"name": "Harbor Bikes", "city": "Kiel"},
    ("hubspot", "deals"): {"name": "Fleet", "amount": 1200, "stage": "contractsent"},
    ("hubspot", "tickets"): {"subject": "Wheel", "hs_pipeline": "0", "stage": "1"},
    ("stripe", "customers"): {"name": "Lea", "metadata": {"crm_id": "7"}},
    ("stripe", "products"): {"name": "Lamp", "active": True},
    ("zendesk", "tickets"): {"subject": "Late", "comment": {"body": "Where is it?"}},
    ("zendesk", "users"): {"name": "Iris", "email": "iris@new.example"},
    ("zendesk", "organizations"): {"name": "Newly made"},
}
CHANGED = {
    "contacts": ("phone", "+49 30 1"),
    "companies": ("city", "Bremen"),
    "deals": ("name", "Bigger fleet"),
    "tickets": ("subject", "Something else"),
    "customers": ("phone", "+49 30 1"),
    "products": ("description", "Brass"),
    "users": ("phone", "+49 30 1"),
    "organizations": ("name", "Newly named"),
}


@pytest.mark.parametrize(("service", "resource"), MADE)
def test_a_record_is_made_changed_and_deleted(store, sandbox, tenant_id, service, resource) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    column, value = CHANGED[resource]

    send(store, ref, resource, MADE[service, resource], operation="create")
    result = push(store, ref, resource)
    assert result.error is None
    (made,) = intents(store, ref)
    assert (made.state, result.resources[0].counts.created) == ("DONE", 1), made.reason
    assert rows(store, ref, resource)[made.remote_id]["deleted_at"] is None

    send(store, ref, resource, {"id": made.remote_id, column: value}, operation="update")
    counts = push(store, ref, resource).resources[0].counts
    assert (counts.processed, counts.updated) == (1, 1), intents(store, ref)[-1].reason
    assert rows(store, ref, resource)[made.remote_id][column] == value

    send(store, ref, resource, {"id": made.remote_id}, operation="delete")
    counts = push(store, ref, resource).resources[0].counts
    assert (counts.processed, counts.deleted) == (1, 1), intents(store, ref)[-1].reason
    assert rows(store, ref, resource)[made.remote_id]["deleted_at"] is not None
    assert effects(sandbox, service)[resource] == {
        "created": 1,
        "updated": 1,
        "unchanged": 0,
        "deleted": 1,
    }


@pytest.mark.parametrize(("service", "resource"), MADE)
def test_our_own_push_does_not_come_back_as_a_change(
    store, sandbox, tenant_id, service, resource
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    assert push(store, ref, resource, direction="pull").error is None
    send(store, ref, resource, MADE[service, resource], operation="create")
    assert push(store, ref, resource).error is None
    (made,) = intents(store, ref)
    before = rows(store, ref, resource)

    result = push(store, ref, resource, direction="pull")

    counts = result.resources[0].counts
    assert result.status is JobStatus.COMPLETED, result.error
    assert (counts.created, counts.updated, counts.deleted) == (0, 0, 0)
    assert made.remote_id in before
    assert rows(store, ref, resource) == before


UPSERTS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("hubspot", "contacts", {"email": "new@example.com"}, {}),
    ("zendesk", "tickets", {"external_id": "crm-x"}, MADE["zendesk", "tickets"]),
    ("zendesk", "users", {"external_id": "crm-x"}, {"name": "New"}),
    ("zendesk", "organizations", {"external_id": "crm-x"}, {"name": "New"}),
    ("stripe", "products", {"external_id": "lamp"}, {"name": "Lamp"}),
]


@pytest.mark.parametrize(("service", "resource", "known", "fields"), UPSERTS)
def test_an_upsert_makes_a_record_once_and_then_changes_it(
    store, sandbox, tenant_id, service, resource, known, fields
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    column, value = CHANGED[resource]

    for more in ({}, {column: value}):
        send(store, ref, resource, {**known, **fields, **more}, operation="upsert")
        assert push(store, ref, resource).error is None

    first, second = intents(store, ref)
    assert [first.state, second.state] == ["DONE", "DONE"], (first.reason, second.reason)
    assert first.remote_id == second.remote_id
    assert rows(store, ref, resource)[first.remote_id][column] == value
    assert effects(sandbox, service)[resource]["created"] == 1


def test_intents_of_one_record_go_out_in_order(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    key = sandbox.records("hubspot", "contacts")[0]["id"]
    several = [{"id": key, "phone": str(number)} for number in range(5)]
    send(store, ref, "contacts", *several, operation="update")

    assert push(store, ref, "contacts").resources[0].counts.updated == 5
    assert rows(store, ref, "contacts")[key]["phone"] == "4"
    assert states(store, ref) == {"DONE": 5}
