"""Answers that are not what the service documents: the resource fails, what was read stays."""

import pytest

from integrations_pipeline.store.states import JobStatus
from tests.contract import samples
from tests.contract.pages import API, FIRST, first_of_two, full_read, listed, page, timed, whole
from tests.contract.service import Answer

EACH = pytest.mark.parametrize("name", FIRST)
HTML = Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"})
NONE_GOOD = 11
"""Of a page with fewer records, each that is broken is set aside by itself."""
WRONG = {
    "html from hubspot": ("hubspot", HTML),
    "html from stripe": ("stripe", HTML),
    "html from zendesk": ("zendesk", HTML),
    "truncated": ("hubspot", Answer(b'{"results": [{"id": "1"}, {"id')),
    "empty": ("stripe", Answer(b"")),
    "a list": ("zendesk", [1, 2]),
    "no records": ("hubspot", {"message": "ok"}),
    "null for records": ("zendesk", {"tickets": None, "end_of_stream": True}),
    "records as object": ("stripe", {"object": "list", "data": {"id": "1"}, "has_more": False}),
    "text from hubspot": ("hubspot", whole("hubspot", *NONE_GOOD * ["1"])),
    "text from stripe": ("stripe", whole("stripe", *NONE_GOOD * ["1"])),
    "text from zendesk": ("zendesk", whole("zendesk", *NONE_GOOD * ["1"])),
    "record as list": ("stripe", whole("stripe", *NONE_GOOD * [["1"]])),
    "record without key": ("zendesk", whole("zendesk", *NONE_GOOD * [{"object": "x"}])),
    "key as object": ("hubspot", whole("hubspot", *NONE_GOOD * [{"id": {"a": 1}}])),
    "key as null": ("stripe", whole("stripe", *NONE_GOOD * [{"id": None}])),
}


@pytest.mark.parametrize(("name", "wrong"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_fails_the_job_and_keeps_what_was_read(connected, declare, name, wrong):
    resource, _, record, key = FIRST[name]
    declare(name, first_of_two(name, record), wrong, archive=False)
    account = connected(name)

    result = account.sync(resource)
    assert result.status is JobStatus.FAILED
    assert result.error.startswith(f"{account.ref.key} {resource}: ")
    assert account.staged(resource) == {key}
    assert account.live(resource) == set()  # a full read shows at its end, whole
    assert account.checkpoint(resource).cursor is None


CHANGES = {
    "hubspot": ("POST", "/crm/v3/objects/contacts/search"),
    "stripe": ("GET", "/v1/events"),
    "zendesk": ("GET", f"{API}/incremental/tickets/cursor"),
}


@EACH
def test_a_failed_incremental_read_leaves_the_checkpoint(service, connected, name):
    resource, record = FIRST[name][0], FIRST[name][2]
    full_read(service, name, resource, record)
    account = connected(name)
    account.sync(resource)
    before = account.checkpoint(resource).cursor
    service.on(*CHANGES[name], whole(name, *NONE_GOOD * ["nonsense"]))

    result = account.sync(resource, sync_type="INCREMENTAL")
    assert result.status is JobStatus.FAILED
    assert account.checkpoint(resource).cursor == before


MANY = [{**samples.ORGANIZATION, "id": number} for number in range(1, 1001)]
LOST = listed({"amount": 1}, more=True, url="/v1/invoices/in_1SampleQ/lines")
PLACES = {
    "end time": ("zendesk", "organizations", timed(*MANY, end_time="soon")),
    "nested row without id": ("stripe", "invoices", listed({**samples.INVOICE, "lines": LOST})),
    "last row without id": ("stripe", "customers", listed({"object": "customer"}, more=True)),
    "paging as list": ("hubspot", "contacts", {**page(samples.CONTACT), "paging": [1]}),
}
PATHS = {
    "organizations": f"{API}/incremental/organizations",
    "invoices": "/v1/invoices",
    "customers": "/v1/customers",
    "contacts": "/crm/v3/objects/contacts",
}


@pytest.mark.parametrize(("name", "resource", "answer"), PLACES.values(), ids=PLACES)
def test_a_senseless_way_to_the_next_page_never_escapes(service, connected, name, resource, answer):
    service.get(PATHS[resource], lambda asked: page() if asked.params.get("archived") else answer)
    account = connected(name)

    result = account.sync(resource)
    assert len(service.to(PATHS[resource])) <= 2
    assert "unexpectedly" not in (result.error or "")
    if name != "hubspot":  # no next page there means that this was the last
        assert result.error.startswith(f"{account.ref.key} {resource}: ")


@pytest.mark.parametrize("created", [None, "soon"])
def test_an_event_of_no_known_time_is_an_answer_like_others(service, connected, created):
    service.get("/v1/customers/cus_SampleA1b2C3", lambda _: samples.CUSTOMER)
    service.get("/v1/customers", listed(samples.CUSTOMER))
    service.get("/v1/events", listed({**samples.EVENT, "created": created}))
    account = connected("stripe")
    account.sync("customers", sync_type="SELECTIVE", ids=["cus_SampleA1b2C3"])
    account.sync("customers", sync_type="FULL_SYNC")

    result = account.sync("customers")
    assert "unexpectedly" not in (result.error or "")
    assert result.error or account.live("customers") == {"cus_SampleA1b2C3"}
