"""Answers that are too large, or that never end."""

from itertools import count

import pytest

from integrations_pipeline.store.states import JobStatus
from tests.contract import samples
from tests.contract.pages import API, exported, listed, page
from tests.contract.service import Answer

TICKETS = f"{API}/incremental/tickets/cursor"
BLANK = b" " * (10 * 1024 * 1024)


@pytest.mark.parametrize(
    ("name", "path", "resource"),
    [("hubspot", "/crm/v3/owners/", "owners"), ("stripe", "/v1/customers", "customers")],
)
def test_a_body_of_ten_megabytes_is_refused(service, connected, name, path, resource):
    service.get(path, Answer(b"{" + BLANK + b"}"))
    account = connected(name)

    result = account.sync(resource)
    assert result.status is JobStatus.FAILED
    assert result.error.startswith(f"{account.ref.key} {resource}: ")
    assert "more than 8 MiB" in result.error
    assert account.rows(resource) == {}


def test_a_thousand_long_tickets_are_no_fault(service, connected):
    text = "x" * 10_500
    many = [{**samples.TICKET, "id": n, "description": text} for n in range(1, 1001)]
    service.get(TICKETS, exported("tickets", *many))

    assert connected("zendesk").sync("tickets").resources[0].counts.created == 1000


def numbered(record):
    numbers = count(1)
    return lambda: {**record, "id": str(next(numbers))}


def endless(name):
    """A path, a resource, and a listing that always has one more page."""
    if name == "hubspot":
        make = numbered(samples.OWNER)
        return "/crm/v3/owners/", "owners", lambda _: page(one := make(), after=one["id"])
    if name == "stripe":
        make = numbered(samples.CUSTOMER)
        return "/v1/customers", "customers", lambda _: listed(make(), more=True)
    make = numbered(samples.TICKET)
    tickets = lambda _: exported("tickets", one := make(), cursor=one["id"], end=False)  # noqa: E731
    return TICKETS, "tickets", tickets


@pytest.mark.parametrize("name", ["hubspot", "stripe", "zendesk"])
def test_pages_without_end_are_stopped(service, connected, store, name):
    store.settings.max_pages = 20
    path, resource, answer = endless(name)
    service.get(path, answer)
    account = connected(name)

    result = account.sync(resource)
    assert "the pages do not end" in result.error
    assert len(service.to(path)) == 20
    assert len(account.staged(resource)) == 20
    assert account.live(resource) == set()
    assert account.checkpoint(resource).cursor is None


CIRCLES = [
    ("hubspot", "/crm/v3/owners/", "owners", page(samples.OWNER, after="1")),
    ("stripe", "/v1/customers", "customers", listed(samples.CUSTOMER, more=True)),
    ("zendesk", TICKETS, "tickets", exported("tickets", samples.TICKET, end=False)),
]


@pytest.mark.parametrize(("name", "path", "resource", "same"), CIRCLES)
def test_pages_that_lead_back_are_stopped(service, connected, name, path, resource, same):
    service.get(path, lambda _: same)

    result = connected(name).sync(resource)
    assert result.status is JobStatus.FAILED
    assert len(service.to(path)) <= 3


def test_a_search_that_repeats_itself_is_stopped(service, connected):
    path = "/crm/v3/objects/deals"
    service.get(path, page(), archived=None)
    service.get(path, page(), archived="true")
    service.post(f"{path}/search", lambda _: page(samples.DEAL, after="200"))
    account = connected("hubspot")
    account.sync("deals")
    before = account.checkpoint("deals").cursor

    assert "circle" in account.sync("deals").error
    assert len(service.to(f"{path}/search")) <= 3
    assert account.checkpoint("deals").cursor == before


FOREIGN = ["https://evil.example/v1/invoices/in_1/lines", "//evil.example/lines", "", None]


@pytest.mark.parametrize("url", FOREIGN)
def test_a_nested_list_does_not_lead_to_another_host(service, connected, url):
    lines = listed({"id": "il_1"}, more=True, url=url)
    service.get("/v1/invoices", listed({**samples.INVOICE, "lines": lines}))

    result = connected("stripe").sync("invoices")
    assert "invoices: A nested list names an address of another host." in result.error
