"""Replies that get lost after the service has done its work: nothing is done twice."""

from typing import Any

import pytest

from tests.integration.outgoing import connect, effects, intents, push, rows, send, states

CASES = [
    ("hubspot", "contacts", "upsert"),
    ("hubspot", "contacts", "create"),
    ("hubspot", "deals", "create"),
    ("stripe", "customers", "create"),
    ("stripe", "products", "upsert"),
    ("zendesk", "tickets", "create"),
    ("zendesk", "users", "upsert"),
    ("zendesk", "organizations", "create"),
]


def row(service: str, resource: str, number: int) -> dict[str, Any]:
    """The data of one of many records; deals and customers have twins that differ in nothing."""
    return {
        ("hubspot", "contacts"): {"email": f"{number}@lost.example", "phone": str(number)},
        ("hubspot", "deals"): {"name": f"Lost {number // 2}", "amount": number // 2},
        ("stripe", "customers"): {"name": f"Lost {number // 2}"},
        ("stripe", "products"): {"external_id": f"lost_{number}", "name": f"Lost {number}"},
        ("zendesk", "tickets"): {"subject": f"Lost {number}", "comment": {"body": "Gone."}},
        ("zendesk", "users"): {"external_id": f"lost-{number}", "name": f"Lost {number}"},
        ("zendesk", "organizations"): {"name": f"Lost {number}"},
    }[service, resource]


def push_with_losses(
    store: Any, sandbox: Any, ref: Any, resource: str, operation: str, count: int, share: float
) -> None:
    """Push `count` new records, a share of the replies lost, and look that each is there once."""
    service = ref.connector.name
    data = [row(service, resource, number) for number in range(count)]
    send(store, ref, resource, *data, operation=operation)
    before = sandbox.counts(service)[resource]
    sandbox.fault(service, "lost_reply", count=count, share=share)

    for _ in range(3):  # what can't be decided at once is decided by the next
        assert push(store, ref, resource).error is None
        if set(states(store, ref)) == {"DONE"}:
            break

    assert states(store, ref) == {"DONE": count}
    assert sandbox.counts(service)[resource] == before + count
    assert effects(sandbox, service)[resource]["created"] == count
    made = {one.remote_id for one in intents(store, ref)}
    assert len(made) == count
    assert made <= rows(store, ref, resource).keys()


@pytest.mark.parametrize(("service", "resource", "operation"), CASES)
def test_lost_replies_make_no_duplicates(
    store, sandbox, tenant_id, service, resource, operation
) -> None:
    ref = connect(store, sandbox, tenant_id, service)

    # a request takes 100 records there: one in twenty of five would be none
    share = 0.05 if service == "stripe" else 0.5
    push_with_losses(store, sandbox, ref, resource, operation, 500, share)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("service", "resource", "operation"), CASES)
def test_ten_thousand_pushes_make_no_duplicates(
    store, sandbox, tenant_id, service, resource, operation
) -> None:
    ref = connect(store, sandbox, tenant_id, service)

    push_with_losses(store, sandbox, ref, resource, operation, 10_000, 0.05)


@pytest.mark.parametrize(("service", "resource", "operation"), CASES)
def test_an_error_after_the_work_was_done_makes_no_duplicates(
    store, sandbox, tenant_id, service, resource, operation
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    send(store, ref, resource, row(service, resource, 1), operation=operation)
    sandbox.fault(service, "late_error")

    assert push(store, ref, resource).error is None
    assert states(store, ref) == {"DONE": 1}
    assert effects(sandbox, service)[resource]["created"] == 1
