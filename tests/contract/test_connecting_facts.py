"""What answers tell of an account, and what must not become part of an address."""

import re

import pytest

from integrations_pipeline.connectors.jira import JIRA
from integrations_pipeline.connectors.mailchimp import MAILCHIMP
from integrations_pipeline.connectors.quickbooks import QUICKBOOKS
from integrations_pipeline.connectors.salesforce import SALESFORCE
from integrations_pipeline.connectors.shopify import SHOPIFY
from tests.contract.connecting import (
    CLOUD,
    FROM_KEY,
    LOGIN_ID,
    MY,
    REALM,
    SANDBOX,
    matches,
    oauth_of,
)
from tests.contract.hostile import BAD_DCS, BAD_SHOPS, DCS, SHOPS, hostile


def instance_pattern():
    return next(f.pattern for f in SALESFORCE.oauth.token_facts if f.name == "instance_url")


@pytest.mark.parametrize("host", ["na139.salesforce.com", f"acme.{MY}", SANDBOX])
def test_instance_hosts_of_salesforce_are_taken(host):
    assert matches(instance_pattern(), f"https://{host}")


DOMAIN = "salesforce.com"
BAD_INSTANCES = [
    *[
        f"https://{bad}"
        for bad in hostile(f"acme.{MY}", DOMAIN)
        # such labels stay within Salesforce's own domain
        if bad not in {f"{label}.{DOMAIN}" for label in ("-", "-acme", "acme-", "acmexmy")}
    ],
    f"http://acme.{MY}",
    f"HTTPS://acme.{MY}",
    f"https:/acme.{MY}",
    f"https:acme.{MY}",
    f"//acme.{MY}",
    f"acme.{MY}",
    f"https://https://acme.{MY}",
    "https://evilsalesforce.com",
    "https://acme.my.salesforce.com.cn",
    "https://acme.lightning.force.com",
    "https://acme.my.salesforce.co",
    "javascript:alert(1)//.salesforce.com",
    "",
]


@pytest.mark.parametrize("value", BAD_INSTANCES)
def test_tokens_go_to_no_instance_but_salesforce(value):
    assert not matches(instance_pattern(), value)


@pytest.mark.parametrize(
    "value",
    [
        LOGIN_ID + "\n",
        LOGIN_ID.replace("https", "http"),
        LOGIN_ID.replace("00D5", "0015"),
        LOGIN_ID.replace("/0055g", "/0035g"),
        LOGIN_ID + "?x=1",
        LOGIN_ID.replace("/id/", "/id/../"),
        LOGIN_ID.replace("login", "user@login"),
        "https://login.salesforce.com/id/00D5g00000ExAmpEAL",
        "https://login.salesforce.com/id/00D5g/0055g00000UsErAAAV",
    ],
)
def test_an_identity_that_names_no_org_is_refused(value):
    pattern = next(f.pattern for f in SALESFORCE.oauth.token_facts if f.at == "id")
    assert not matches(pattern, value)


def test_a_company_is_named_in_the_callback_alone():
    assert QUICKBOOKS.oauth.token_facts == ()
    (fact,) = QUICKBOOKS.oauth.callback_facts
    assert (fact.name, fact.at) == ("account_id", "realmId")
    assert matches(fact.pattern, REALM)
    for bad in ("", "934/../1", "934?x", "934\n", "-1", "93a", "\u0661", "9" * 21):
        assert not matches(fact.pattern, bad)


@pytest.mark.parametrize(
    "cloud_id", ["", "..", f"{CLOUD}/..", f"{CLOUD}\n", CLOUD.upper(), CLOUD[:-1], f"{CLOUD}?x"]
)
def test_a_cloud_id_is_nothing_but_a_uuid(cloud_id):
    pattern = next(f.pattern for f in JIRA.oauth.discovery[0].facts if f.name == "cloud_id")
    assert not matches(pattern, cloud_id)


def named_shop(value):
    fact = SHOPIFY.identity[0].facts[0]
    assert (fact.name, fact.at) == ("account_id", "data.shop.myshopifyDomain")
    return re.fullmatch(fact.pattern, value)


def told_dc(value):
    return re.fullmatch(oauth_of("mailchimp").discovery[0].facts[0].pattern, value)


def dc_of_key(value):
    return re.fullmatch(MAILCHIMP.others["api_key"].pattern, FROM_KEY + value)


PATTERNS = [
    (named_shop, SHOPS, BAD_SHOPS),
    (told_dc, DCS, BAD_DCS),
    (dc_of_key, DCS, BAD_DCS),
]


@pytest.mark.parametrize(
    ("match", "value"), [(match, value) for match, good, _ in PATTERNS for value in good]
)
def test_documented_values_are_taken(match, value):
    assert match(value)


@pytest.mark.parametrize(
    ("match", "value"), [(match, value) for match, _, bad in PATTERNS for value in bad]
)
def test_nothing_can_lead_a_token_elsewhere(match, value):
    assert match(value) is None
