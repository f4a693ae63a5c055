"""Requests that leave late or work on for long: absence is counted from when they were lost."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.sync import pushing
from tests.conftest import point_at
from tests.integration.outgoing import connect, effects, intents, push, send, states, with_push

LAG = 6.0
"""Seconds until the service shows what was made; the pause that a refusal asks for is longer."""
TICKET = {"subject": "Once", "comment": {"body": "Where is it?"}}


def settling(ref: IntegrationRef, seconds: float) -> IntegrationRef:
    """The integration; absence proves something after that time."""

    def later(push: Any) -> Any:
        made = replace(push.made, settles=timedelta(seconds=seconds)) if push.made else None
        return replace(push, made=made)

    found = tuple(replace(r, push=later(r.push)) if r.push else r for r in ref.connector.resources)
    return replace(ref, connector=replace(ref.connector, resources=found))


def impatient(ref: IntegrationRef) -> IntegrationRef:
    """The integration; a background job is waited for no longer than a moment."""

    def write(one: Any) -> Any:
        job = replace(one.job, patience=timedelta(seconds=0.1)) if one and one.job else None
        return replace(one, job=job) if one else None

    def hurried(push: Any) -> Any:
        names = ("create", "update", "upsert", "delete")
        return replace(push, **{name: write(getattr(push, name)) for name in names})

    found = (replace(r, push=hurried(r.push)) if r.push else r for r in ref.connector.resources)
    return replace(ref, connector=replace(ref.connector, resources=tuple(found)))


def test_a_request_that_waited_for_limits_is_not_sent_again_too_early(
    store, make_sandbox, tenant_id, tmp_path
) -> None:
    """The refusal's pause has used up the time to settle before the reply gets lost."""
    sandbox = point_at(store, make_sandbox(hubspot_search_lag_seconds=LAG), tmp_path)
    ref = settling(connect(store, sandbox, tenant_id, "hubspot"), LAG + 1)
    send(store, ref, "deals", {"name": "Once", "amount": 1}, operation="create")
    sandbox.fault("hubspot", "rate_limit", count=1, seconds=LAG + 2, path="batch/create")
    sandbox.fault("hubspot", "lost_reply")

    assert push(store, ref, "deals").error is None

    assert states(store, ref) == {"DONE": 1}
    assert effects(sandbox, "hubspot")["deals"]["created"] == 1
    assert intents(store, ref)[0].attempts == 1


@pytest.fixture
def slow_jobs(store, make_sandbox, tenant_id, tmp_path, monkeypatch):
    """A Zendesk account whose background jobs outlast our patience and the time to settle."""
    monkeypatch.setattr(pushing, "PATIENCE", 0.0)
    sandbox = point_at(store, make_sandbox(zendesk_job_seconds=5.0), tmp_path)
    ref = impatient(connect(store, sandbox, tenant_id, "zendesk"))
    return sandbox, with_push(ref, settles=timedelta(0))


def until_decided(store: Any, ref: IntegrationRef, resource: str) -> int:
    """Push until nothing is on its way; how many pushes it took."""
    for number in range(1, 500):
        assert push(store, ref, resource).error is None
        if "SENDING" not in states(store, ref) and "PENDING" not in states(store, ref):
            return number
    raise AssertionError(states(store, ref))


@pytest.mark.parametrize(
    ("resource", "data", "operation"),
    [
        ("tickets", TICKET, "create"),
        ("organizations", {"name": "Once"}, "create"),
        ("users", {"external_id": "once", "name": "Once"}, "upsert"),
    ],
)
def test_while_its_job_works_a_record_is_not_sent_again(
    store, slow_jobs, resource, data, operation
) -> None:
    sandbox, ref = slow_jobs
    send(store, ref, resource, data, operation=operation)

    assert push(store, ref, resource).error is None
    (one,) = intents(store, ref)
    assert (one.state, one.attempts, one.remote_place) == ("SENDING", 1, 0)
    assert one.remote_job
    assert until_decided(store, ref, resource) > 1

    (one,) = intents(store, ref)
    assert (one.state, one.attempts) == ("DONE", 1)
    assert effects(sandbox, "zendesk")[resource]["created"] == 1


def test_what_a_late_job_refused_is_told_record_by_record(store, slow_jobs) -> None:
    sandbox, ref = slow_jobs
    rows = [{"name": "Good 1"}, {"name": ""}, {"name": "Good 2"}]
    send(store, ref, "users", *rows, operation="create")

    until_decided(store, ref, "users")

    assert [one.state for one in intents(store, ref)] == ["DONE", "REJECTED", "DONE"]
    assert effects(sandbox, "zendesk")["users"]["created"] == 2


def test_a_job_that_the_service_forgot_is_looked_up_by_its_effects(store, slow_jobs) -> None:
    sandbox, ref = slow_jobs
    send(store, ref, "tickets", TICKET, operation="create")
    push(store, ref, "tickets")
    while not effects(sandbox, "zendesk").get("tickets", {}).get("created"):
        continue
    forget = text("UPDATE integrations.outbound SET remote_job = 'gone' WHERE integration_id = :i")
    with store.tenant(ref.tenant_id) as session:
        session.execute(forget, {"i": ref.id})

    until_decided(store, ref, "tickets")

    (one,) = intents(store, ref)
    assert (one.state, one.attempts, one.remote_job) == ("DONE", 1, None)
    assert effects(sandbox, "zendesk")["tickets"]["created"] == 1
