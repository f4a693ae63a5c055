"""HubSpot: associations are read apart, many records at a time (associations v4)."""

from tests.contract.pages import page

LISTED = "/crm/v3/objects/contacts"
LINKS = "/crm/v4/associations/contacts/companies/batch/read"


def contact(key: str) -> dict:
    stamp = "2026-06-02T14:05:09.870Z"
    return {"id": key, "properties": {}, "createdAt": stamp, "updatedAt": stamp, "archived": False}


def linked(key: str, *targets: int, after: str | None = None) -> dict:
    kind = {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}
    to = [{"toObjectId": target, "associationTypes": [kind]} for target in targets]
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return {"from": {"id": key}, "to": to, **paging}


def test_contacts_get_the_ids_of_their_companies(service, connected) -> None:
    service.get(LISTED, page(contact("1"), contact("2")), archived=None)
    service.get(LISTED, page(), archived="true")
    service.post(
        LINKS,
        {"status": "COMPLETE", "results": [linked("1", 8801, after="x")]},
        {"status": "COMPLETE", "results": [linked("1", 9000000000000000001)]},
    )
    account = connected("hubspot", associations=True)

    result = account.sync("contacts")

    assert result.error is None
    first, second = (asked.json for asked in service.to(LINKS))
    assert first == {"inputs": [{"id": "1"}, {"id": "2"}]}
    assert second == {"inputs": [{"id": "1", "after": "x"}]}
    rows = account.rows("contacts")
    assert rows["1"]["company_ids"] == ["8801", "9000000000000000001"]
    assert rows["2"]["company_ids"] == []


def test_fields_without_associations_cost_no_call(service, connected) -> None:
    service.get(LISTED, page(contact("1")), archived=None)
    service.get(LISTED, page(), archived="true")
    account = connected("hubspot", associations=True)

    assert account.sync("contacts", fields=["email"]).error is None


def test_an_association_without_targets_is_a_fault(service, connected) -> None:
    service.get(LISTED, page(contact("1")), archived=None)
    service.post(LINKS, {"results": [{"from": {"id": "1"}, "to": None}]})
    account = connected("hubspot", associations=True)

    assert "names no targets" in account.sync("contacts").error
