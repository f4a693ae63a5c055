"""Stripe's writes: forms, events, search."""

import pytest

from tests.sandbox.stripe_writes import CUSTOMERS, effects, events


@pytest.fixture
def stripe(sandbox):
    return sandbox.api("stripe")


def test_life_of_a_customer(sandbox, stripe):
    before = sandbox.counts("stripe")["customers"]
    form = {"email": "lea@b.example", "address[city]": "Lyon", "metadata[crm_id]": "7"}
    made = stripe.post(CUSTOMERS, data=form).json()
    path = f"{CUSTOMERS}/{made['id']}"
    change = {"name": "Lea", "email": "", "metadata[crm_id]": "", "metadata[erp_id]": "8"}
    changed = stripe.post(path, data=change).json()
    same = stripe.post(path, data=change).json()

    assert (made["email"], made["name"], made["metadata"]) == (
        "lea@b.example",
        None,
        {"crm_id": "7"},
    )
    assert (made["address"]["city"], made["address"]["line1"]) == ("Lyon", None)
    assert (changed["email"], changed["name"], changed["metadata"]) == (
        None,
        "Lea",
        {"erp_id": "8"},
    )
    assert same == changed == stripe.get(path).json()
    assert stripe.post(path, data={"metadata": ""}).json()["metadata"] == {}
    assert sandbox.counts("stripe")["customers"] == before + 1
    gone = {"id": made["id"], "object": "customer", "deleted": True}
    assert stripe.delete(path).json() == gone == stripe.get(path).json()
    assert stripe.delete(path).status_code == stripe.post(path).status_code == 404
    assert effects(sandbox)["customers"] == {
        "created": 1,
        "updated": 2,
        "unchanged": 1,
        "deleted": 1,
    }


def test_writes_make_events_that_name_their_cause(stripe):
    headers = {"Idempotency-Key": "op-1"}
    answer = stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)
    path = f"{CUSTOMERS}/{answer.json()['id']}"
    stripe.post(path, data={"name": "Mina"})
    stripe.post(path, data={"name": "Mina"})
    stripe.delete(path)
    found = {event["type"]: event for event in events(stripe)}

    assert len(events(stripe)) == 3
    assert found["customer.created"]["request"] == {
        "id": answer.headers["Request-Id"],
        "idempotency_key": "op-1",
    }
    assert found["customer.updated"]["data"]["previous_attributes"] == {"name": "Lea"}
    assert "customer.deleted" in found


def test_products_take_ids_and_prices_their_product(sandbox, stripe):
    form = {"id": "plan-7", "name": "Plan", "images[]": "https://b.example/1.png"}
    made = stripe.post("/v1/products", data=form).json()
    again = stripe.post("/v1/products", data=form)
    recurring = {"recurring[interval]": "month"}
    price = {"product": "plan-7", "currency": "eur", "unit_amount": 490} | recurring
    priced = stripe.post("/v1/prices", data=price).json()
    change = {"default_price": priced["id"], "active": "false", "expand[]": "default_price"}
    changed = stripe.post("/v1/products/plan-7", data=change).json()

    assert (made["id"], made["images"], made["active"]) == ("plan-7", [form["images[]"]], True)
    assert (again.status_code, again.json()["error"]["code"]) == (400, "resource_already_exists")
    assert (priced["type"], priced["recurring"]["interval_count"]) == ("recurring", 1)
    assert (changed["active"], changed["default_price"]["id"]) == (False, priced["id"])
    assert stripe.delete("/v1/products/plan-7").json()["deleted"]
    assert effects(sandbox)["prices"]["created"] == 1


@pytest.mark.parametrize("resource", ["subscriptions", "invoices", "payment_intents"])
def test_metadata_of_billing_objects(sandbox, stripe, resource):
    row = sandbox.records("stripe", resource)[3]
    change = {"metadata[crm_id]": "9", "description": "Seen"}
    changed = stripe.post(f"/v1/{resource}/{row['id']}", data=change).json()
    told = [event["type"] for event in events(stripe)]

    assert (changed["metadata"], changed["description"]) == ({"crm_id": "9"}, "Seen")
    assert len(told) == (0 if resource == "payment_intents" else 1)
    assert stripe.post(f"/v1/{resource}", data=change).status_code == 404


def test_deletes_of_billing_objects(sandbox, stripe):
    rows = sandbox.records("stripe", "subscriptions")
    active = next(row["id"] for row in rows if row["status"] == "active")
    invoices = {row["status"]: row["id"] for row in sandbox.records("stripe", "invoices")}

    assert stripe.delete(f"/v1/subscriptions/{active}").json()["status"] == "canceled"
    assert stripe.delete(f"/v1/subscriptions/{active}").status_code == 404
    assert stripe.delete(f"/v1/invoices/{invoices['draft']}").json()["deleted"]
    assert stripe.delete(f"/v1/invoices/{invoices['paid']}").status_code == 400


@pytest.mark.parametrize(
    ("path", "form", "code", "param"),
    [
        (CUSTOMERS, {"shoe_size": "43"}, "parameter_unknown", "shoe_size"),
        (CUSTOMERS, {"address[planet]": "X"}, "parameter_unknown", "address[planet]"),
        (CUSTOMERS, {"address": "Lyon"}, "parameter_invalid", "address"),
        (CUSTOMERS, {"email": "lea"}, "email_invalid", "email"),
        (CUSTOMERS, {"name[first]": "Lea"}, "parameter_invalid_string", "name"),
        (CUSTOMERS, {"balance": "1.5"}, "parameter_invalid_integer", "balance"),
        (CUSTOMERS, {"tax_exempt": "maybe"}, "parameter_invalid", "tax_exempt"),
        (CUSTOMERS, {"preferred_locales": "en"}, "parameter_invalid", "preferred_locales"),
        (CUSTOMERS, {"metadata": "x"}, "parameter_invalid", "metadata"),
        (CUSTOMERS, {f"metadata[{'k' * 41}]": "x"}, "parameter_invalid", f"metadata[{'k' * 41}]"),
        (CUSTOMERS, {f"metadata[{n}]": "x" for n in range(51)}, "parameter_invalid", "metadata"),
        ("/v1/products", {}, "parameter_missing", "name"),
        ("/v1/products", {"name": "P", "active": "1"}, "parameter_invalid_boolean", "active"),
        ("/v1/prices", {"product": "no", "currency": "usd"}, "resource_missing", "product"),
    ],
)
def test_parameters_that_are_not_taken(sandbox, stripe, path, form, code, param):
    answer = stripe.post(path, data=form)
    error = answer.json()["error"]

    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)
    assert effects(sandbox) == {}


def test_reading_back_what_may_have_been_written(stripe):
    form = {"email": "lea@b.example", "metadata[op]": "it's 7"}
    made = stripe.post(CUSTOMERS, data=form).json()
    listed = stripe.get(CUSTOMERS, params={"email": "lea@b.example"}).json()["data"]

    def search(query, **more):
        return stripe.get(f"{CUSTOMERS}/search", params={"query": query} | more).json()

    assert [row["id"] for row in listed] == [made["id"]]
    for query in (
        r"metadata['op']:'it\'s 7'",
        'email:"lea@b.example" AND created>1000',
        "name:'nobody' OR email~'LEA@B'",
    ):
        assert [row["id"] for row in search(query)["data"]] == [made["id"]]
    assert search(f"-email:null AND created<{made['created']}", limit=2)["has_more"]
    page, seen = {"limit": 25}, []
    while page.get("page", "first"):
        answer = search("created>0", **page)
        seen += [row["id"] for row in answer["data"]]
        page["page"] = answer["next_page"]
    assert len(seen) == len(set(seen)) == 61


@pytest.mark.parametrize(
    "query",
    ["", "email", "shoe:'43'", "name:'a' AND name:'b' OR name:'c'", "name~'ab'", "name>'x'"],
)
def test_queries_that_are_not_taken(stripe, query):
    assert stripe.get(f"{CUSTOMERS}/search", params={"query": query}).status_code == 400
    assert stripe.get(f"{CUSTOMERS}/search?query=name:'a'&page=@").status_code == 400


def test_the_search_index_lags(sandbox, stripe, clock):
    sandbox.http.post("/sandbox/settings", json={"stripe_search_lag_seconds": 60})
    path = f"{CUSTOMERS}/search?query=metadata['op']:'7'"
    made = stripe.post(CUSTOMERS, data={"metadata[op]": "7"}).json()
    early = stripe.get(path).json()["data"]
    clock.advance(61)
    stripe.post(f"{CUSTOMERS}/{made['id']}", data={"metadata[op]": "8"})

    assert early == []
    assert stripe.get(path).json()["data"] == [made]
