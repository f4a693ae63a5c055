"""The samples themselves, judged by the services' official libraries."""

from types import SimpleNamespace

import hubspot.crm.contacts as crm
import orjson
import pytest
import stripe
from hubspot.crm import owners

from tests.contract import samples
from tests.contract.pages import found, page

PAGE = "CollectionResponseSimplePublicObjectWithAssociationsForwardPaging"
SEARCHED = "CollectionResponseWithTotalSimplePublicObjectForwardPaging"
CRM = [samples.CONTACT, samples.COMPANY, samples.DEAL, samples.HUBSPOT_TICKET, samples.ARCHIVED]


def parsed(library, answer, kind):
    client = library.ApiClient()
    model = client.deserialize(SimpleNamespace(data=orjson.dumps(answer)), kind)
    return model, client.sanitize_for_serialization(model)


@pytest.mark.parametrize("record", CRM, ids=lambda record: record["id"])
def test_hubspot_knows_its_records_and_pages(record):
    listing, told = parsed(crm, page(record, after="51302"), PAGE)
    searched, _ = parsed(crm, found(record, total=431, after="200"), SEARCHED)

    assert listing.results[0].id == searched.results[0].id == record["id"]
    assert set(told["results"][0]) == set(record)
    assert (listing.paging.next.after, searched.paging.next.after) == ("51302", "200")
    assert searched.total == 431


def test_hubspot_knows_its_owners():
    answer, told = parsed(owners, page(samples.OWNER), "CollectionResponsePublicOwnerForwardPaging")

    assert answer.results[0].user_id == 7301155
    assert set(told["results"][0]) == set(samples.OWNER)


STRIPE = [
    (stripe.Customer, samples.CUSTOMER),
    (stripe.Invoice, samples.INVOICE),
    (stripe.Subscription, samples.SUBSCRIPTION),
    (stripe.PaymentIntent, samples.PAYMENT_INTENT),
    (stripe.Product, samples.PRODUCT),
    (stripe.Event, samples.EVENT),
]


@pytest.mark.parametrize(("kind", "record"), STRIPE, ids=lambda v: getattr(v, "__name__", ""))
def test_stripe_knows_its_objects(kind, record):
    found_object = kind.construct_from(record, "key")

    assert record["object"] == found_object.OBJECT_NAME
    assert found_object.to_dict() == record
    assert set(record) <= set(kind.__annotations__)


def test_stripe_finds_what_moved():
    invoice = stripe.Invoice.construct_from(samples.INVOICE, "key")
    event = stripe.Event.construct_from(samples.EVENT, "key")

    assert invoice.parent.subscription_details.subscription == "sub_1SampleQ"
    assert isinstance(event.data.object, stripe.Customer)
