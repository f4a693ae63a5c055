"""What a push sends, request by request, and what the answers mean."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from integrations_pipeline.oauth import store_oauth_token
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.sync import outbox
from tests.contract.samples import CONTACT, DEAL
from tests.contract.service import Answer
from tests.integration.outgoing import intents

CONTACTS = "/crm/v3/objects/contacts"
TICKETS = "/acme/api/v2/tickets"
JOBS = "/acme/api/v2/job_statuses"
CUSTOMER = {"id": "cus_1", "object": "customer", "created": 1777601520, "name": "Lea"}
TICKET = {"id": 35436, "subject": "Late", "status": "open", "generated_timestamp": 1777718332}


@pytest.fixture
def account(connected):
    """Connects an account that may be written to."""

    def connect(name):
        made = connected(name)
        way = made.ref.connector.ways["oauth"]
        needed = [s for one in way.resource_scopes.values() for s in (*one.read, *one.write)]
        until = datetime.now(UTC) + timedelta(hours=1)
        scopes = tuple(dict.fromkeys((*way.scopes, *needed)))
        store_oauth_token(made.store, made.ref, TokenSet("access-1", "refresh-1", until, scopes))
        return made

    return connect


def send(account, resource, *rows, operation="upsert"):
    outbox.send(account.store, account.ref, resource, rows, operation)
    return account.sync(resource, direction="push")


def results(*records, errors=()):
    def answer(asked):
        traces = [one.get("objectWriteTraceId") for one in asked.json["inputs"]]
        made = [{**r, "objectWriteTraceId": t} for r, t in zip(records, traces, strict=False)]
        told = [{**e, "context": {"objectWriteTraceId": [traces[-1]]}} for e in errors]
        return Answer({"status": "COMPLETE", "results": made, "errors": told}, 207 if told else 200)

    return answer


def test_hubspot_upserts_by_a_unique_property_in_one_batch(service, account):
    service.post(f"{CONTACTS}/batch/upsert", results({**CONTACT, "new": True}))
    service.post(f"{CONTACTS}/batch/read", {"status": "COMPLETE", "results": [CONTACT]})
    row = {"email": "mina.park@example.com", "first_name": "Mina"}
    found = account("hubspot")

    assert send(found, "contacts", row).resources[0].counts.created == 1
    sent, read = service.asked
    (one,) = sent.json["inputs"]
    (intent,) = intents(found.store, found.ref)
    assert one == {
        "id": "mina.park@example.com",
        "idProperty": "email",
        "properties": {"email": "mina.park@example.com", "firstname": "Mina"},
        "objectWriteTraceId": intent.idempotency_key,
    }
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Idempotency-Key"] is None
    assert read.json["inputs"] == [{"id": CONTACT["id"]}]
    assert found.live("contacts") == {CONTACT["id"]}


def test_hubspot_updates_and_archives_by_id(service, account):
    deals = "/crm/v3/objects/deals"
    service.post(f"{deals}/batch/update", results(DEAL))
    service.post(f"{deals}/batch/read", {"status": "COMPLETE", "results": [DEAL]})
    service.post(f"{deals}/batch/archive", Answer(b"", 204))
    found = account("hubspot")

    send(found, "deals", {"id": DEAL["id"], "amount": 1200}, operation="update")
    assert service.asked[0].json["inputs"][0]["id"] == DEAL["id"]
    assert service.asked[0].json["inputs"][0]["properties"] == {"amount": 1200}
    service.forget()
    send(found, "deals", {"id": DEAL["id"]}, operation="delete")
    assert service.asked[0].json == {"inputs": [{"id": DEAL["id"]}]}
    assert found.live("deals") == set()


def test_hubspot_tells_the_refused_one_by_its_trace(service, account):
    error = {"status": "error", "category": "VALIDATION_ERROR", "message": "Not valid"}
    service.post(
        f"{CONTACTS}/batch/create",
        lambda asked: (
            results(CONTACT, errors=[error])(asked)
            if len(asked.json["inputs"]) > 1
            else results(errors=[error])(asked)
        ),
    )
    service.post(f"{CONTACTS}/batch/read", {"status": "COMPLETE", "results": [CONTACT]})
    found = account("hubspot")
    rows = [{"first_name": "Mina"}, {"first_name": "Bad"}]

    assert send(found, "contacts", *rows, operation="create").error is None
    good, bad = intents(found.store, found.ref)
    assert (good.state, bad.state, bad.reason) == ("DONE", "REJECTED", "Not valid")
    batches = [len(asked.json["inputs"]) for asked in service.to(f"{CONTACTS}/batch/create")]
    assert batches == [2, 1]


def test_stripe_takes_a_form_and_a_key(service, account):
    service.post("/v1/customers", CUSTOMER)
    found = account("stripe")
    row = {"name": "Lea", "metadata": {"crm_id": 7}, "preferred_locales": ["fr", "en"]}

    send(found, "customers", row, operation="create")
    (asked,) = service.asked
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.headers["Stripe-Version"]
    assert asked.headers["Idempotency-Key"] == intents(found.store, found.ref)[0].idempotency_key
    assert asked.form == {
        "name": "Lea",
        "metadata[crm_id]": "7",
        "preferred_locales[0]": "fr",
        "preferred_locales[1]": "en",
    }
    assert found.live("customers") == {"cus_1"}


def test_stripe_changes_and_deletes_by_path(service, account):
    service.post("/v1/customers/cus_1", {**CUSTOMER, "name": "Lea M."})
    service.on("DELETE", "/v1/customers/cus_1", {"id": "cus_1", "deleted": True})
    found = account("stripe")

    send(found, "customers", {"id": "cus_1", "phone": None}, operation="update")
    assert service.asked[0].raw == b"phone="
    send(found, "customers", {"id": "cus_1"}, operation="delete")
    assert found.rows("customers")["cus_1"]["deleted_at"] is not None


@pytest.mark.parametrize("status", [500, 503])
def test_stripe_gets_the_same_request_again_under_the_same_key(service, account, status):
    busy = Answer({"error": {"type": "api_error"}}, status)
    service.post("/v1/customers", busy, CUSTOMER)
    found = account("stripe")

    assert send(found, "customers", {"name": "Lea"}, operation="create").error is None
    first, second = service.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.raw == second.raw


def test_hubspot_gets_no_request_again_whose_outcome_is_unknown(service, account):
    service.post(f"{CONTACTS}/batch/create", Answer({"message": "oops"}, 502))
    made = {**CONTACT, "createdAt": datetime.now(UTC).isoformat()}
    found_so = {"status": "COMPLETE", "results": [made]}
    service.post(f"{CONTACTS}/batch/read", found_so, found_so)
    found = account("hubspot")
    row = {"email": CONTACT["properties"]["email"]}

    assert send(found, "contacts", row, operation="create").error is None
    assert len(service.to(f"{CONTACTS}/batch/create")) == 1
    lookup = service.to(f"{CONTACTS}/batch/read")[0].json
    assert (lookup["idProperty"], lookup["inputs"]) == ("email", [{"id": row["email"]}])
    assert intents(found.store, found.ref)[0].remote_id == CONTACT["id"]


def test_zendesk_works_in_the_background(service, account):
    job = {"id": "82de", "status": "queued"}
    ended = {
        **job,
        "status": "completed",
        "results": [
            {"index": 0, "id": 35436, "action": "create", "status": "Created", "success": True},
            {"index": 1, "error": "TicketCreateFailed", "details": "Subject: too long"},
        ],
    }
    alone = {**ended, "results": [ended["results"][1] | {"index": 0}]}
    service.post(f"{TICKETS}/create_many", {"job_status": job}, {"job_status": alone})
    service.get(f"{JOBS}/82de", {"job_status": {**job, "status": "working"}}, {"job_status": ended})
    service.get(f"{TICKETS}/show_many", {"tickets": [TICKET]}, ids="35436")
    found = account("zendesk")
    rows = [{"subject": "Late", "external_id": "crm-771"}, {"subject": "Long"}]

    send(found, "tickets", *rows, operation="create")
    first, second = service.to(f"{TICKETS}/create_many")[0].json["tickets"]
    good, bad = intents(found.store, found.ref)
    assert first == {"subject": "Late", "external_id": "crm-771"}
    assert second == {"subject": "Long", "external_id": bad.idempotency_key}
    assert (good.state, good.remote_id) == ("DONE", "35436")
    assert bad.reason == "TicketCreateFailed: Subject: too long"


def test_zendesk_deletes_by_a_list_of_ids(service, account):
    ended = {"id": "82de", "status": "completed", "results": [{"index": 0, "id": 1}, {"id": 2}]}
    service.on("DELETE", f"{TICKETS}/destroy_many", {"job_status": ended}, ids="1,2")
    found = account("zendesk")

    result = send(found, "tickets", {"id": 1}, {"id": 2}, operation="delete")
    assert result.resources[0].counts.deleted == 2
    assert service.asked[0].raw == b""


def test_a_ticket_is_looked_for_before_an_upsert(service, account):
    ended = {"id": "82de", "status": "completed", "results": [{"index": 0, "id": 35436}]}
    service.get(TICKETS, {"tickets": [TICKET]}, external_id="crm-771")
    service.on("PUT", f"{TICKETS}/update_many", {"job_status": ended})
    service.get(f"{TICKETS}/show_many", {"tickets": [TICKET]}, ids="35436")
    found = account("zendesk")

    send(found, "tickets", {"external_id": "crm-771", "priority": "high"})
    (put,) = service.to(f"{TICKETS}/update_many")
    assert put.json == {"tickets": [{"id": 35436, "priority": "high"}]}


def test_an_admin_names_the_unique_property_of_companies(service, account):
    made = account("hubspot")
    policy = made.ref.policy.model_copy(update={"external_ids": {"companies": "crm_id"}})
    found = replace(made, ref=replace(made.ref, policy=policy))
    companies = "/crm/v3/objects/companies"
    record = {"id": "8801", "properties": {"name": "Harbor"}, "updatedAt": "2026-05-30T07:15:44Z"}
    service.post(f"{companies}/batch/upsert", results(record))
    service.post(f"{companies}/batch/read", {"status": "COMPLETE", "results": [record]})

    send(found, "companies", {"external_id": "acc-12", "name": "Harbor"})
    (one,) = service.to(f"{companies}/batch/upsert")[0].json["inputs"]
    assert (one["id"], one["idProperty"]) == ("acc-12", "crm_id")
