"""Records that a service refuses: alone, in a batch, and together with the whole batch."""

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from integrations_pipeline.errors import RequestError
from integrations_pipeline.logs import configure_logging
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import get_sync_logs, outbox
from integrations_pipeline.sync.letters import open_letters
from tests.integration.outgoing import connect, effects, intents, push, send, states

BAD = [
    ("hubspot", "contacts", {"email": "{}@ok.example"}, {"email": "no address"}, "invalid"),
    ("stripe", "customers", {"name": "{}"}, {"name": "x", "balance": "much"}, "integer"),
    ("zendesk", "users", {"name": "{}", "email": "{}@ok.example"}, {"name": ""}, "too short"),
]


@pytest.mark.parametrize(("service", "resource", "good", "bad", "reason"), BAD)
def test_a_bad_record_is_set_aside_and_the_others_go_out(
    store, sandbox, tenant_id, service, resource, good, bad, reason
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    goods = [{k: v.format(n) for k, v in good.items()} for n in range(9)]
    send(store, ref, resource, *goods[:5], bad, *goods[5:], operation="create")

    result = push(store, ref, resource)

    counts = result.resources[0].counts
    assert (result.status, counts.created, counts.rejected) == (JobStatus.COMPLETED, 9, 1)
    assert states(store, ref) == {"DONE": 9, "REJECTED": 1}
    refused = next(one for one in intents(store, ref) if one.state == "REJECTED")
    (letter,) = open_letters(store, ref, resource)
    assert letter.direction == "push"
    assert letter.reason == refused.reason
    assert reason in str(refused.reason)
    assert effects(sandbox, service)[resource]["created"] == 9


def test_a_batch_that_is_refused_whole_is_split(store, sandbox, tenant_id) -> None:
    """Two intents for one record that name it differently: HubSpot takes no id twice."""
    ref = connect(store, sandbox, tenant_id, "hubspot")
    rows = [{"email": f"{n}@split.example", "phone": "1"} for n in range(20)]
    twin = {"external_id": "7@SPLIT.example", "phone": "2"}
    send(store, ref, "contacts", *rows, twin, operation="upsert")

    assert push(store, ref, "contacts").error is None
    assert states(store, ref) == {"DONE": 21}
    assert effects(sandbox, "hubspot")["contacts"]["created"] == 20


def test_a_refused_record_goes_out_again_when_somebody_says_so(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    taken = {"name": "Taken", "email": "taken@new.example"}
    send(store, ref, "users", taken, {**taken, "name": "Other"}, operation="create")
    push(store, ref, "users")
    first, second = intents(store, ref)
    assert (first.state, second.state) == ("DONE", "REJECTED")

    assert push(store, ref, "users").resources[0].counts.processed == 0
    sandbox.change("zendesk", "users", first.remote_id, {"email": "free@new.example"})
    assert outbox.retry(store, ref, "users") == 1
    assert push(store, ref, "users").resources[0].counts.created == 1
    assert states(store, ref) == {"DONE": 2}
    assert open_letters(store, ref, "users") == []


def test_a_refused_record_goes_out_again_under_another_key(store, sandbox, tenant_id) -> None:
    """Under the old one Stripe repeats its old answer, whatever has changed since."""
    ref = connect(store, sandbox, tenant_id, "stripe")
    lamp = {"external_id": "lamp", "name": "Lamp"}
    for _ in range(2):
        send(store, ref, "products", lamp, operation="create")
        push(store, ref, "products")
    before = intents(store, ref)[1]
    assert before.state == "REJECTED"

    change = text("UPDATE integrations.outbound SET external_id = 'other' WHERE id = :id")
    with store.tenant(tenant_id) as session:
        session.execute(change, {"id": before.id})
    outbox.retry(store, ref)
    assert push(store, ref, "products").resources[0].counts.created == 1

    after = intents(store, ref)[1]
    assert (after.state, after.remote_id) == ("DONE", "other")
    assert after.idempotency_key != before.idempotency_key


def test_the_log_of_the_process_quotes_no_record(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    rows = [{"external_id": "lea@example.com", "nonsense": "1"}, {"email": "lea at home"}]
    send(store, ref, "contacts", *rows, operation="upsert")

    configure_logging("INFO")  # a command that ran before in this process logs nothing
    with capture_logs() as logged:
        job = push(store, ref, "contacts").job_id

    numbers = {one.id for one in intents(store, ref)}
    assert {line.get("intent") for line in logged} - {None} == numbers
    assert "lea" not in str(logged)
    story = str([(line.message, line.details) for line in get_sync_logs(store, ref, job)])
    assert "lea@example.com" in story
    assert "lea at home" in story


def test_records_are_looked_for_together(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    known = [r["properties"]["email"] for r in sandbox.records("hubspot", "contacts")]
    emails = [email for email in known if email][:30]
    wanted = [{"external_id": one, "phone": "+49 30 8"} for one in (*emails, "no@body.example")]
    send(store, ref, "contacts", *wanted, operation="update")
    sandbox.forget_requests()

    counts = push(store, ref, "contacts").resources[0].counts

    assert (counts.updated, counts.rejected) == (30, 1)
    paths = [one["path"] for one in sandbox.requests("hubspot")]
    assert paths.count("/crm/v3/objects/contacts/batch/read") == 2  # before and after


REFUSED_HERE = [
    ("contacts", {"id": "1", "created_at": "2026-01-01"}, "update", "the service sets it"),
    ("contacts", {"phone": "1"}, "upsert", "needs a record id or an external id (email)"),
    ("deals", {"external_id": "x", "name": "y"}, "upsert", "needs a record id"),
]


@pytest.mark.parametrize(("resource", "row", "operation", "reason"), REFUSED_HERE)
def test_what_can_not_be_sent_is_refused_without_asking(
    store, sandbox, tenant_id, resource, row, operation, reason
) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    send(store, ref, resource, row, operation=operation)
    sandbox.forget_requests()

    assert push(store, ref, resource).resources[0].counts.rejected == 1
    assert reason in str(intents(store, ref)[0].reason)
    assert sandbox.requests("hubspot") == []


def test_an_outage_leaves_everything_as_it_was(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    store.settings.retry_seconds = 0.5
    send(store, ref, "users", {"name": "A"}, operation="create")
    sandbox.fault("zendesk", "rate_limit", count=50, seconds=1, path="create_many")

    assert push(store, ref, "users").status is not JobStatus.COMPLETED
    assert states(store, ref) == {"PENDING": 1}
    sandbox.send("DELETE", "/sandbox/zendesk/faults")
    store.settings.retry_seconds = 120.0
    assert push(store, ref, "users").resources[0].counts.created == 1


@pytest.mark.parametrize("direction", ["push", "bidirectional"])
def test_a_resource_that_can_only_be_read_is_refused(store, sandbox, tenant_id, direction) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    with pytest.raises(RequestError, match=r"owners of HubSpot.*Possible: contacts, companies"):
        push(store, ref, "owners", direction=direction)
    with pytest.raises(RequestError, match="owners can't be written to"):
        outbox.send(store, ref, "owners", [{"id": "1"}], "update")
