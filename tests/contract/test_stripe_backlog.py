"""A long silence of Stripe: many events, each naming an object that is read again."""

import time
from datetime import UTC, datetime

from integrations_pipeline.sync import reading
from tests.contract import test_stripe
from tests.contract.pages import listed
from tests.contract.samples import CUSTOMER
from tests.contract.service import Answer
from tests.contract.test_stripe import event, named

account, read_once = test_stripe.account, test_stripe.read_once


def iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_a_backlog_that_costs_more_than_the_list_is_left_for_it(
    service, account, read_once, monkeypatch
):
    monkeypatch.setattr(reading, "MOST_CHANGED", 3)
    read_once("customers", CUSTOMER)
    many = [event(f"evt_{n}", named(CUSTOMER, f"cus_{n}")) for n in range(4)]
    service.get("/v1/events", listed(*many[:2], more=True), listed(*many[2:], more=True))
    service.may_get("/v1/events", listed(), starting_after="evt_3")
    service.get("/v1/customers", listed(CUSTOMER, named(CUSTOMER, "cus_3")))

    result = account.sync("customers")

    assert result.error is None
    assert account.live("customers") == {CUSTOMER["id"], "cus_3"}
    (told,) = (line for line in account.log(result) if line.startswith("WARNING"))
    assert "Reading everything instead: more than 3 records changed since" in told


def test_a_backlog_that_is_just_small_enough_is_followed(service, account, read_once, monkeypatch):
    monkeypatch.setattr(reading, "MOST_CHANGED", 3)
    read_once("customers", CUSTOMER)
    keys = [f"cus_{n}" for n in range(3)]
    events = [event(f"evt_{n}", named(CUSTOMER, keys[n % 3])) for n in range(9)]
    service.get("/v1/events", listed(*events))
    for key in keys:
        service.get(f"/v1/customers/{key}", named(CUSTOMER, key))

    assert account.sync("customers").error is None
    assert account.live("customers") == {CUSTOMER["id"], *keys}


def test_what_was_followed_before_a_fault_is_not_followed_again(
    service, account, read_once, monkeypatch
):
    monkeypatch.setattr(reading, "CHANGED_STEP", 1)
    read_once("customers", CUSTOMER)
    now = int(time.time())
    account.remember("customers", {"since": iso(now - 9000), "recent": []})
    events = [
        event(f"evt_{n}", named(CUSTOMER, f"cus_{n}"), created=now - 1000 * n) for n in (1, 2, 3, 4)
    ]
    service.get("/v1/events", listed(*events))
    service.get("/v1/customers/cus_4", named(CUSTOMER, "cus_4"))
    service.get("/v1/customers/cus_3", named(CUSTOMER, "cus_3"))
    service.get("/v1/customers/cus_2", Answer({"error": {"message": "No"}}, 400))

    assert account.sync("customers").error
    assert account.live("customers") == {CUSTOMER["id"], "cus_4", "cus_3"}
    assert account.checkpoint("customers").cursor["since"] == iso(now - 3000)
    service.forget()
    service.get("/v1/events", listed(*events[:3]))
    for key in ("cus_1", "cus_2", "cus_3"):  # the overlap reaches back to the last one
        service.get(f"/v1/customers/{key}", named(CUSTOMER, key))

    assert account.sync("customers").error is None
    (asked,) = service.to("/v1/events")
    assert now - 4000 < int(asked.params["created[gte]"]) < now - 3000
    assert account.live("customers") == {CUSTOMER["id"], "cus_1", "cus_2", "cus_3", "cus_4"}
