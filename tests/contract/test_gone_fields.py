"""Fields that a service stops sending, or lists; the columns that they leave empty."""

import pytest

from tests.contract import samples
from tests.contract.pages import listed, page
from tests.contract.service import Answer
from tests.integration.support import run_sql

GONE = [
    "WARNING Field email is gone.",
    "WARNING Column email is now always empty: its source is gone.",
]


def customers(**changed):
    kept = {**samples.CUSTOMER, **changed}
    kept = {name: value for name, value in kept.items() if value is not ...}
    return [{**kept, "id": f"cus_{n}"} for n in range(12)]


def warnings(account, result):
    return [line for line in account.log(result) if line.startswith("WARNING")]


def test_a_field_that_is_gone_is_told_once_and_again_when_it_is_back(service, connected) -> None:
    reads = [customers(), customers(email=...), customers(email=...), customers()]
    service.get("/v1/customers", *(Answer(listed(*one)) for one in reads))
    account = connected("stripe")

    told = [warnings(account, account.sync("customers", sync_type="FULL_SYNC")) for _ in range(4)]

    assert told == [[], GONE, [], ["WARNING New field email (text)."]]
    assert {row["raw"]["email"] for row in account.rows("customers").values()} == {
        samples.CUSTOMER["email"]
    }


def test_what_a_filter_or_a_choice_of_fields_leaves_out_is_not_gone(service, connected) -> None:
    reads = [customers(), customers(email=...), customers(email=...)]
    service.get("/v1/customers", *(Answer(listed(*one)) for one in reads))
    account = connected("stripe")
    account.sync("customers")

    narrow = account.sync("customers", sync_type="FULL_SYNC", fields=["name"])
    filtered = account.sync("customers", sync_type="FULL_SYNC", filters={"livemode": False})

    assert warnings(account, narrow) == warnings(account, filtered) == []


def properties(*names):
    return Answer({"results": [{"name": name} for name in names]})


def let_a_day_pass(account):
    run_sql(
        account.store,
        "UPDATE integrations.seen_field SET last_seen = last_seen - interval '25 hours' "
        "WHERE integration_id = :id",
        id=account.ref.id,
    )


def test_a_service_s_own_list_is_asked_for_once_a_day(service, connected) -> None:
    service.get("/crm/v3/objects/contacts", *[Answer(page(samples.CONTACT))] * 5, archived=None)
    service.get("/crm/v3/objects/contacts", *[Answer(page())] * 5, archived="true")
    lists = [properties("email", "size"), properties("size", "shoe"), properties("shoe")]
    service.get("/crm/v3/properties/contacts", *lists)
    account = connected("hubspot")

    def told(*, day_later: bool) -> list[str]:
        if day_later:
            let_a_day_pass(account)
        return warnings(account, account.sync("contacts", sync_type="FULL_SYNC"))

    assert told(day_later=False) == []
    assert told(day_later=True) == []
    assert told(day_later=True) == ["WARNING New field properties.shoe (no value yet)."]
    assert told(day_later=False) == []
    assert told(day_later=True) == ["WARNING Field properties.size is gone."]


@pytest.mark.parametrize("status", [403, 404])
def test_a_list_that_is_refused_does_not_fail_the_sync(service, connected, status) -> None:
    service.get("/crm/v3/objects/contacts", *[Answer(page(samples.CONTACT))] * 2, archived=None)
    service.get("/crm/v3/objects/contacts", *[Answer(page())] * 2, archived="true")
    refusal = {"status": "error", "message": "No.", "category": "NO"}
    service.get("/crm/v3/properties/contacts", Answer(refusal, status))
    account = connected("hubspot")
    account.sync("contacts")
    let_a_day_pass(account)

    result = account.sync("contacts", sync_type="FULL_SYNC")

    assert result.error is None
    assert any("list of fields could not be read" in line for line in account.log(result))
