"""Stripe's writes: forms, idempotency keys, events, search, and replies that get lost."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import stripe as stripe_sdk

CUSTOMERS = "/v1/customers"


@pytest.fixture
def stripe(sandbox):
    return sandbox.api("stripe")


def library(sandbox, retries=0):
    token = sandbox.clients["stripe", "acme"]["keys"]["api_key"]
    addresses = {"api": sandbox.address("stripe", "api_base_url")}
    return stripe_sdk.StripeClient(token, base_addresses=addresses, max_network_retries=retries)


def effects(sandbox, account="acme"):
    return sandbox.http.get(f"/sandbox/stripe/{account}/effects").json()


def events(client, **params):
    return client.get("/v1/events", params=params).json()["data"]


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


def test_same_key_gives_the_first_answer(sandbox, stripe, clock):
    headers = {"Idempotency-Key": "op-1"}
    first, again = (stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers) for _ in range(2))
    other = stripe.post(CUSTOMERS, data={"name": "Mina"}, headers=headers)

    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Idempotency-Key"] == "op-1"
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert effects(sandbox)["customers"]["created"] == 1
    globex = sandbox.api("stripe", "globex")
    assert "Idempotent-Replayed" not in globex.post(CUSTOMERS, headers=headers).headers

    clock.advance(86_401)
    renewed = sandbox.api("stripe").post(CUSTOMERS, data={"name": "Mina"}, headers=headers)
    assert renewed.json()["name"] == "Mina"


def test_what_is_stored_under_a_key(sandbox, stripe):
    headers = {"Idempotency-Key": "op-1"}
    assert stripe.post(CUSTOMERS, data={"email": "x"}, headers=headers).status_code == 400
    assert stripe.post(CUSTOMERS, data={"email": "x@y.z"}, headers=headers).status_code == 200
    assert stripe.post(CUSTOMERS, headers={"Idempotency-Key": "k" * 256}).status_code == 400

    headers = {"Idempotency-Key": "op-2"}
    gone = [stripe.post(f"{CUSTOMERS}/cus_no", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in gone] == [404, 404]
    assert gone[1].headers["Idempotent-Replayed"] == "true"


def test_same_key_while_the_first_is_running(sandbox, stripe):
    sandbox.fault("stripe", "slow", seconds=0.6)
    headers = {"Idempotency-Key": "op-1"}

    def post():
        return stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(post)
        time.sleep(0.25)
        second = post()
        first = running.result()
    third = post()

    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert first.status_code == 200
    assert third.json() == first.json()
    assert effects(sandbox)["customers"]["created"] == 1


def test_keys_survive_a_restart(start, tmp_path):
    headers = {"Idempotency-Key": "op-1"}
    answers = []
    for _ in range(2):
        client = start(state_file=tmp_path / "state.json").api("stripe")
        answers.append(client.post(CUSTOMERS, data={"name": "Lea"}, headers=headers))

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"


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


def test_writes_draw_on_the_budget(stripe, clock):
    clock.freeze()
    answers = [stripe.post(f"{CUSTOMERS}/cus_no").status_code for _ in range(26)]

    assert answers == [404] * 25 + [429]


@pytest.mark.parametrize("kind", ["lost_reply", "late_error"])
def test_a_lost_reply_is_had_again_with_the_key(sandbox, stripe, kind):
    sandbox.fault("stripe", kind)
    headers = {"Idempotency-Key": "op-1"}
    if kind == "lost_reply":
        with pytest.raises(httpx.RemoteProtocolError):
            stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)
    else:
        late = stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)
        assert (late.status_code, late.json()["error"]["type"]) == (503, "api_error")
    again = stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)

    assert again.json()["name"] == "Lea"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert effects(sandbox)["customers"]["created"] == 1


def test_a_token_can_get_lost_too(sandbox):
    first = sandbox.connect("stripe")
    sandbox.fault("stripe", "lost_reply", path="/oauth/token")
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.refresh("stripe", first["refresh_token"])

    assert sandbox.refresh("stripe", first["refresh_token"]).status_code == 400


def test_the_official_library_repeats_a_lost_write(sandbox):
    sandbox.fault("stripe", "lost_reply")
    client = library(sandbox, retries=2)
    made = client.v1.customers.create({"name": "Lea", "address": {"city": "Lyon"}})
    changed = client.v1.customers.update(made.id, {"metadata": {"crm_id": "7"}})
    found = client.v1.customers.search({"query": "metadata['crm_id']:'7' AND name:'Lea'"})

    assert changed.metadata["crm_id"] == "7"
    assert found.data[0].id == made.id
    assert client.v1.customers.delete(made.id).deleted
    assert effects(sandbox)["customers"]["created"] == 1


def test_the_official_library_raises_its_errors(sandbox):
    client = library(sandbox)
    options = {"idempotency_key": "op-1"}
    client.v1.products.create({"name": "Plan", "images": ["https://b.example/1"]}, options)

    with pytest.raises(stripe_sdk.IdempotencyError):
        client.v1.products.create({"name": "Other"}, options)
    with pytest.raises(stripe_sdk.InvalidRequestError) as caught:
        client.v1.customers.create({"email": "x"})
    assert caught.value.code == "email_invalid"
