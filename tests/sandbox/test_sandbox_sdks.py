"""The services' official libraries, pointed at the sandbox."""

import hubspot as hubspot_sdk
import pytest
import stripe as stripe_sdk
from hubspot.crm.contacts import Filter, FilterGroup, PublicObjectSearchRequest
from hubspot.crm.contacts.exceptions import ApiException
from hubspot.crm.deals import BatchReadInputSimplePublicObjectId, SimplePublicObjectId


@pytest.fixture(params=["oauth", "private_app"])
def hubspot(sandbox, request):
    token = sandbox.clients["hubspot", "acme"]["keys"].get(request.param)
    token = token or sandbox.connect("hubspot")["access_token"]

    def configured(package, name, config):
        configuration = package.Configuration()
        configuration.access_token = config["access_token"]
        configuration.host = sandbox.address("hubspot", "api_base_url")
        return getattr(package, name)(package.ApiClient(configuration))

    return hubspot_sdk.Client.create(access_token=token, api_factory=configured)


@pytest.fixture(params=["oauth", "api_key"])
def stripe(sandbox, request):
    token = sandbox.clients["stripe", "acme"]["keys"].get(request.param)
    token = token or sandbox.connect("stripe")["access_token"]
    addresses = {"api": sandbox.address("stripe", "api_base_url")}
    return stripe_sdk.StripeClient(token, base_addresses=addresses, max_network_retries=0)


def test_hubspot_pages_through_contacts(sandbox, hubspot):
    seen, after = [], None
    while True:
        page = hubspot.crm.contacts.basic_api.get_page(limit=25, after=after, properties=["email"])
        seen += [contact.id for contact in page.results]
        if page.paging is None:
            break
        after = page.paging.next.after

    assert len(seen) == sandbox.counts("hubspot")["contacts"]


def test_hubspot_searches_contacts(sandbox, hubspot):
    wanted = sandbox.records("hubspot", "contacts")[4]
    same = Filter(property_name="hs_object_id", operator="EQ", value=wanted["id"])
    request = PublicObjectSearchRequest(
        filter_groups=[FilterGroup(filters=[same])],
        sorts=["-hs_object_id"],
        properties=["email", "city"],
        limit=10,
    )
    found = hubspot.crm.contacts.search_api.do_search(public_object_search_request=request)

    assert found.total == 1
    assert found.results[0].properties["city"] == wanted["properties"]["city"]


def test_hubspot_reads_owners_and_batches(sandbox, hubspot):
    ids = [row["id"] for row in sandbox.records("hubspot", "deals")[:3]]
    batch = BatchReadInputSimplePublicObjectId(
        properties=["amount"],
        properties_with_history=[],
        inputs=[SimplePublicObjectId(id=identifier) for identifier in ids],
    )
    answer = hubspot.crm.deals.batch_api.read(batch_read_input_simple_public_object_id=batch)

    assert [deal.id for deal in answer.results] == ids
    assert len(hubspot.crm.owners.owners_api.get_page(limit=100).results) == 12


def test_hubspot_raises_its_error_for_a_missing_object(hubspot):
    with pytest.raises(ApiException) as caught:
        hubspot.crm.contacts.basic_api.get_by_id("1")
    assert caught.value.status == 404


@pytest.mark.parametrize("resource", ["customers", "invoices", "payment_intents", "products"])
def test_stripe_pages_by_itself(sandbox, stripe, resource):
    rows = getattr(stripe.v1, resource).list({"limit": 50}).auto_paging_iter()

    assert len(list(rows)) == sandbox.counts("stripe")[resource]


def test_stripe_reads_events_and_nested_lines(sandbox, stripe):
    customer = sandbox.create("stripe", "customers", {"name": "New"})
    events = stripe.v1.events.list({"types": ["customer.created"], "created": {"gte": 1}})
    invoice = next(i for i in stripe.v1.invoices.list({"limit": 100}) if i.lines.has_more)
    lines = stripe.v1.invoices.line_items.list(invoice.id, {"limit": 100})

    assert [event.data.object.id for event in events.data] == [customer["id"]]
    assert len(lines.data) > 10


def test_stripe_expands_and_filters(stripe):
    params = {"status": "all", "expand": ["data.customer"], "limit": 3}

    assert all(row.customer.object == "customer" for row in stripe.v1.subscriptions.list(params))


def test_stripe_raises_its_own_errors(sandbox, stripe):
    with pytest.raises(stripe_sdk.InvalidRequestError) as missing:
        stripe.v1.customers.retrieve("cus_unknown")
    assert missing.value.code == "resource_missing"
    assert missing.value.request_id.startswith("req_")

    sandbox.fault("stripe", "rate_limit")
    with pytest.raises(stripe_sdk.RateLimitError):
        stripe.v1.customers.list()

    sandbox.fault("stripe", "expired_token")
    with pytest.raises(stripe_sdk.AuthenticationError):
        stripe.v1.customers.list()


def test_stripe_refreshes_through_its_oauth_endpoint(sandbox):
    answer = sandbox.connect("stripe")
    renewed = sandbox.refresh("stripe", answer["refresh_token"]).json()
    addresses = {"api": sandbox.address("stripe", "api_base_url")}
    client = stripe_sdk.StripeClient(renewed["access_token"], base_addresses=addresses)

    assert client.v1.accounts.retrieve_current().id == answer["stripe_user_id"]
