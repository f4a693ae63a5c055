"""HubSpot: a listing shows associations; after a search they are read apart (associations v4)."""

from datetime import UTC, datetime

from tests.contract.pages import found, page

CONTACTS = "/crm/v3/objects/contacts"
LINKS = "/crm/v4/associations/contacts/companies/batch/read"


def contact(key: str, *companies: str, more: bool = False) -> dict:
    stamp = "2026-06-02T14:05:09.870Z"
    results = [{"id": company, "type": "contact_to_company"} for company in companies]
    paging = {"paging": {"next": {"after": "x", "link": "https://api.hubapi.com/"}}} if more else {}
    shown = {"associations": {"companies": {"results": results, **paging}}} if companies else {}
    times = {"createdAt": stamp, "updatedAt": stamp}
    return {"id": key, "properties": {}, **times, "archived": False, **shown}


def linked(key: str, *targets: int, after: str | None = None) -> dict:
    kind = {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}
    to = [{"toObjectId": target, "associationTypes": [kind]} for target in targets]
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return {"from": {"id": key}, "to": to, **paging}


def test_a_listing_shows_them_itself(service, connected) -> None:
    # the same company stands twice where it is also the primary one
    service.get(CONTACTS, page(contact("1", "8801", "8801"), contact("2")), archived=None)
    service.get(CONTACTS, page(), archived="true")
    account = connected("hubspot", associations=True)

    assert account.sync("contacts").error is None

    assert service.asked[0].params["associations"] == "companies"
    rows = account.rows("contacts")
    assert (rows["1"]["company_ids"], rows["2"]["company_ids"]) == (["8801"], [])


def test_long_lists_are_read_to_their_end(service, connected) -> None:
    service.get(CONTACTS, page(contact("1", "8801", more=True), contact("2")), archived=None)
    service.get(CONTACTS, page(), archived="true")
    service.post(
        LINKS,
        {"status": "COMPLETE", "results": [linked("1", 8801, after="x")]},
        {"status": "COMPLETE", "results": [linked("1", 9000000000000000001)]},
    )
    account = connected("hubspot", associations=True)

    assert account.sync("contacts").error is None

    first, second = (asked.json for asked in service.to(LINKS))
    assert (first, second) == ({"inputs": [{"id": "1"}]}, {"inputs": [{"id": "1", "after": "x"}]})
    assert account.rows("contacts")["1"]["company_ids"] == ["8801", "9000000000000000001"]


def test_after_a_search_they_are_read_apart(service, connected) -> None:
    service.post(f"{CONTACTS}/search", found(contact("1"), contact("2")))
    service.get(CONTACTS, page(), archived="true")
    service.post(LINKS, {"status": "COMPLETE", "results": [linked("2", 8802)]})
    account = connected("hubspot", associations=True)
    account.remember("contacts", {"since": datetime.now(UTC).isoformat()})

    assert account.sync("contacts").error is None

    assert [asked.json for asked in service.to(LINKS)] == [{"inputs": [{"id": "1"}, {"id": "2"}]}]
    assert account.rows("contacts")["2"]["company_ids"] == ["8802"]


def test_fields_without_associations_ask_for_none(service, connected) -> None:
    service.get(CONTACTS, page(contact("1")), archived=None)
    service.get(CONTACTS, page(), archived="true")
    account = connected("hubspot", associations=True)

    assert account.sync("contacts", fields=["email"]).error is None
    assert "associations" not in service.asked[0].params


def test_an_association_without_targets_is_a_fault(service, connected) -> None:
    service.get(CONTACTS, page(contact("1", "8801", more=True)), archived=None)
    service.post(LINKS, {"results": [{"from": {"id": "1"}, "to": None}]})
    account = connected("hubspot", associations=True)

    assert "names no targets" in account.sync("contacts").error
