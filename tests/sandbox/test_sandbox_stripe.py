"""Stripe's lists, nested lists, events, versions and limits."""

import httpx
import pytest

RESOURCES = ("customers", "invoices", "subscriptions", "payment_intents", "products")


@pytest.fixture
def stripe(sandbox):
    return sandbox.api("stripe")


def walk(client, path, **params):
    """All rows of a list, page by page."""
    rows = []
    while True:
        page = client.get(httpx.URL(path).copy_merge_params(params)).json()
        rows += page["data"]
        if not page["has_more"]:
            return rows
        params["starting_after"] = rows[-1]["id"]


def error(answer):
    return answer.status_code, answer.json()["error"].get("code")


@pytest.mark.parametrize("resource", RESOURCES)
def test_paging_to_the_end_gives_the_counted_rows_newest_first(sandbox, stripe, resource):
    rows = walk(stripe, f"/v1/{resource}", limit=9, **_all(resource))

    assert len({row["id"] for row in rows}) == len(rows) == sandbox.counts("stripe")[resource]
    created = [row["created"] for row in rows]
    assert created == sorted(created, reverse=True)


def _all(resource):
    return {"status": "all"} if resource == "subscriptions" else {}


def test_subscriptions_hide_canceled_ones(stripe):
    shown = walk(stripe, "/v1/subscriptions", limit=100)
    canceled = walk(stripe, "/v1/subscriptions", limit=100, status="canceled")

    assert "canceled" not in {row["status"] for row in shown}
    assert len(canceled) == 8
    assert len(walk(stripe, "/v1/subscriptions", status="all")) == len(shown) + len(canceled)


def test_ending_before_goes_the_other_way(stripe):
    rows = stripe.get("/v1/customers?limit=30").json()["data"]
    page = stripe.get(f"/v1/customers?limit=5&ending_before={rows[20]['id']}").json()

    assert [row["id"] for row in page["data"]] == [row["id"] for row in rows[15:20]]
    assert page["has_more"] is True


def test_created_filters(stripe):
    rows = stripe.get("/v1/customers?limit=40").json()["data"]
    edge = rows[20]["created"]
    newer = walk(stripe, "/v1/customers", **{"created[gt]": edge})
    same = walk(stripe, "/v1/customers", created=edge)
    between = {"created[gte]": rows[30]["created"], "created[lt]": edge}

    assert [row["id"] for row in newer] == [row["id"] for row in rows[:20]]
    assert rows[20]["id"] in {row["id"] for row in same}
    assert [r["id"] for r in walk(stripe, "/v1/customers", **between)] == [
        r["id"] for r in rows[21:31]
    ]


def test_filters_by_link_and_field(stripe):
    invoice = stripe.get("/v1/invoices?limit=1&status=paid").json()["data"][0]
    customer = stripe.get(f"/v1/customers/{invoice['customer']}").json()
    same = walk(stripe, "/v1/invoices", customer=customer["id"])
    active = walk(stripe, "/v1/products", active="false", limit=100)
    two = [row["id"] for row in active[:2]]

    assert invoice["id"] in {row["id"] for row in same}
    assert {row["customer"] for row in same} == {customer["id"]}
    assert {row["active"] for row in active} == {False}
    assert [r["id"] for r in walk(stripe, "/v1/products", **{"ids[]": two})] == two
    assert walk(stripe, "/v1/customers", email="NOBODY@example.com") == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("limit=101", 400, "parameter_invalid"),
        ("limit=0", 400, "parameter_invalid"),
        ("colour=red", 400, "parameter_unknown"),
        ("created[after]=1", 400, "parameter_unknown"),
        ("created[gte]=yesterday", 400, "parameter_invalid_integer"),
        ("starting_after=cus_unknown", 400, "resource_missing"),
        ("expand[]=data.email", 400, "parameter_invalid_empty"),
    ],
)
def test_bad_parameters(stripe, query, status, code):
    assert error(stripe.get(f"/v1/customers?{query}")) == (status, code)


def test_nested_lines_are_cut_and_can_be_followed(sandbox, stripe):
    full = {row["id"]: row["lines"]["data"] for row in sandbox.records("stripe", "invoices")}
    cut = [row for row in walk(stripe, "/v1/invoices", limit=100) if row["lines"]["has_more"]]

    assert cut
    for invoice in cut:
        assert len(invoice["lines"]["data"]) == 10
        lines = walk(stripe, invoice["lines"]["url"], limit=8)
        assert lines == full[invoice["id"]]
        assert sum(line["amount"] for line in lines) == invoice["total"]


def test_nested_items_of_a_subscription(stripe):
    rows = walk(stripe, "/v1/subscriptions", status="all", limit=100)
    large = next(row for row in rows if row["items"]["has_more"])

    assert len(walk(stripe, large["items"]["url"], limit=5)) == 12
    assert error(stripe.get("/v1/subscription_items")) == (400, "parameter_missing")
    assert error(stripe.get("/v1/subscription_items?subscription=sub_x")) == (
        404,
        "resource_missing",
    )


def test_relations_hold(sandbox):
    rows = {name: sandbox.records("stripe", name) for name in (*RESOURCES, "prices")}
    ids = {name: {row["id"] for row in found} for name, found in rows.items()}

    assert {row["customer"] for row in rows["invoices"]} <= ids["customers"]
    assert {row["customer"] for row in rows["subscriptions"]} <= ids["customers"]
    assert {row["latest_invoice"] for row in rows["subscriptions"]} <= ids["invoices"]
    prices = {i["price"]["id"] for row in rows["subscriptions"] for i in row["items"]["data"]}
    assert prices <= ids["prices"]
    assert len({row["currency"] for row in rows["invoices"]}) >= 4
    assert all(isinstance(row["amount"], int) for row in rows["payment_intents"])


def test_expansion(stripe):
    page = stripe.get("/v1/invoices?limit=2&expand[]=data.customer").json()
    path = f"/v1/subscriptions/{stripe.get('/v1/subscriptions').json()['data'][0]['id']}"
    one = stripe.get(f"{path}?expand[]=customer&expand[]=latest_invoice.customer").json()

    assert {row["customer"]["object"] for row in page["data"]} == {"customer"}
    assert one["customer"]["object"] == one["latest_invoice"]["customer"]["object"] == "customer"


def test_account(sandbox, stripe):
    answer = sandbox.connect("stripe")
    client = sandbox.api("stripe", token=answer["access_token"])

    assert client.get("/v1/account").json()["id"] == answer["stripe_user_id"]


def test_every_answer_names_request_and_version(sandbox, stripe):
    pinned = stripe.get("/v1/account", headers={"Stripe-Version": "2026-10-28.endive"})
    plain = sandbox.api("stripe", "globex").get("/v1/account")

    assert pinned.headers["Request-Id"].startswith("req_")
    assert pinned.headers["Stripe-Version"] == "2026-10-28.endive"
    assert plain.headers["Stripe-Version"] == "2025-02-24.acacia"
    assert stripe.get("/v1/account", headers={"Stripe-Version": "newest"}).status_code == 400


def test_unpinned_requests_get_the_account_s_old_shapes(sandbox):
    client = sandbox.api("stripe", "globex")
    pinned = {"Stripe-Version": "2026-10-28.endive"}
    old = client.get("/v1/invoices?limit=1&status=paid").json()["data"][0]
    new = client.get("/v1/invoices?limit=1&status=paid", headers=pinned).json()["data"][0]
    old_subscription = client.get("/v1/subscriptions?limit=1").json()["data"][0]

    assert old["paid"] is True
    assert "parent" not in old
    assert "paid" not in new
    assert "parent" in new
    assert old_subscription["current_period_end"] > old_subscription["created"]


def test_events_in_the_account_s_version_not_the_reader_s(sandbox):
    client = sandbox.api("stripe", "globex")
    invoice = sandbox.records("stripe", "invoices", "globex")[0]
    sandbox.change("stripe", "invoices", invoice["id"], {"description": "x"}, "globex")
    headers = {"Stripe-Version": "2026-10-28.endive"}
    event = client.get("/v1/events", headers=headers).json()["data"][0]

    assert event["api_version"] == "2025-02-24.acacia"
    assert "paid" in event["data"]["object"]


def test_a_change_writes_an_event_with_the_old_values(sandbox, stripe):
    customer = sandbox.records("stripe", "customers")[0]
    sandbox.change("stripe", "customers", customer["id"], {"email": "new@example.com"})
    events = stripe.get("/v1/events?types[]=customer.updated").json()["data"]

    assert len(events) == 1
    assert events[0]["data"]["object"]["email"] == "new@example.com"
    assert events[0]["data"]["previous_attributes"] == {"email": customer["email"]}
    assert stripe.get(f"/v1/events/{events[0]['id']}").json() == events[0]


def test_deletes_in_stripe_s_manner(sandbox, stripe):
    def first(resource, **wanted):
        rows = sandbox.records("stripe", resource)
        return next(r["id"] for r in rows if all(r[k] == v for k, v in wanted.items()))

    customer, product = first("customers"), first("products")
    subscription = first("subscriptions", status="active")
    draft, paid = first("invoices", status="draft"), first("invoices", status="paid")

    assert sandbox.delete("stripe", "customers", customer) == 204
    assert sandbox.delete("stripe", "products", product) == 204
    assert sandbox.delete("stripe", "subscriptions", subscription) == 204
    assert sandbox.delete("stripe", "invoices", draft) == 204
    assert sandbox.delete("stripe", "invoices", paid) == 409
    assert sandbox.delete("stripe", "payment_intents", first("payment_intents")) == 409
    assert stripe.get(f"/v1/customers/{customer}").json() == {
        "id": customer,
        "object": "customer",
        "deleted": True,
    }
    assert error(stripe.get(f"/v1/products/{product}")) == (404, "resource_missing")
    assert stripe.get(f"/v1/subscriptions/{subscription}").json()["status"] == "canceled"
    assert {event["type"] for event in stripe.get("/v1/events").json()["data"]} == {
        "customer.deleted",
        "product.deleted",
        "customer.subscription.deleted",
        "invoice.deleted",
    }


def test_the_type_filters_of_events(sandbox, stripe):
    customer = sandbox.create("stripe", "customers", {"name": "New"})
    sandbox.change("stripe", "customers", customer["id"], {"name": "Newer"})
    invoice = next(r for r in sandbox.records("stripe", "invoices") if r["status"] == "open")
    sandbox.change("stripe", "invoices", invoice["id"], {"status": "paid"})
    intent = sandbox.records("stripe", "payment_intents")[0]
    sandbox.change("stripe", "payment_intents", intent["id"], {"status": "succeeded"})

    def types(query):
        return sorted(e["type"] for e in stripe.get(f"/v1/events?{query}").json()["data"])

    assert types("type=customer.*") == ["customer.created", "customer.updated"]
    assert types("types[]=customer.created&types[]=invoice.paid") == [
        "customer.created",
        "invoice.paid",
    ]
    assert types("types[0]=payment_intent.succeeded") == ["payment_intent.succeeded"]
    too_many = "&".join(f"types[]=a.{number}" for number in range(21))
    assert stripe.get(f"/v1/events?{too_many}").status_code == 400
    assert stripe.get("/v1/events?type=a.b&types[]=a.b").status_code == 400


def test_events_page_and_are_kept_thirty_days(start, clock):
    sandbox = start(token_seconds=100 * 86_400)
    stripe = sandbox.api("stripe")
    for number in range(5):
        sandbox.create("stripe", "customers", {"name": str(number)})
    moment = int(clock())

    assert len(walk(stripe, "/v1/events", limit=2)) == 5
    assert len(walk(stripe, "/v1/events", **{"created[gte]": moment - 10})) == 5
    assert walk(stripe, "/v1/events", **{"created[gte]": moment + 10}) == []
    clock.advance(30 * 86_400 + 60)
    assert walk(stripe, "/v1/events") == []


def test_product_update_stamp(sandbox, clock):
    product = sandbox.records("stripe", "products")[0]
    changed = sandbox.change("stripe", "products", product["id"], {"active": False})

    assert changed["updated"] >= int(clock()) - 5


def test_test_mode_limit(stripe, clock):
    clock.freeze()
    answers = [stripe.get("/v1/account") for _ in range(26)]
    limited = answers[-1]

    assert [answer.status_code for answer in answers] == [200] * 25 + [429]
    assert limited.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert error(limited) == (429, "rate_limit")
    assert "retry-after" not in limited.headers
    clock.advance(1)
    assert stripe.get("/v1/account").status_code == 200


def test_unknown_paths_and_objects(stripe):
    assert stripe.get("/v1/unicorns").status_code == 404
    assert error(stripe.get("/v1/invoices/in_x")) == (404, "resource_missing")
    assert error(stripe.get("/v1/invoices/in_x/lines")) == (404, "resource_missing")
