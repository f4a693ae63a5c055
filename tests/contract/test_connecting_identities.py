"""Whose account a connection is: the answers that tell, and the calls that ask."""

import re

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import HeaderAuth
from integrations_pipeline.connectors.google_analytics import GOOGLE_ANALYTICS
from integrations_pipeline.connectors.jira import JIRA
from integrations_pipeline.connectors.mailchimp import MAILCHIMP
from integrations_pipeline.connectors.microsoft_teams import MICROSOFT_TEAMS
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.connectors.quickbooks import QUICKBOOKS
from integrations_pipeline.connectors.salesforce import SALESFORCE
from integrations_pipeline.connectors.shopify import SHOPIFY
from integrations_pipeline.connectors.slack import SLACK
from tests.contract.answers import AUTH_TEST, TOKEN
from tests.contract.connecting import (
    ACME,
    CLOUD,
    GUID,
    LOGIN_ID,
    QBO,
    REALM,
    filled,
    oauth_of,
    setting,
)


def told(facts, answer):
    """All facts of an answer, named groups included."""
    found = {}
    for fact in facts:
        match = re.fullmatch(fact.pattern, dig(answer, fact.at))
        assert match, fact.name
        found |= {fact.name: match.group(), **match.groupdict()}
    return found


ANSWER = {
    "access_token": "00D5g00000ExAmp!AQ4AQFake.Token.Value",
    "scope": "refresh_token api id",
    "instance_url": ACME,
    "id": LOGIN_ID,
    "token_type": "Bearer",
    "issued_at": "1767225600123",
}


@pytest.mark.parametrize("way", ["oauth", "client_credentials"])
def test_a_salesforce_answer_names_host_org_and_user(way):
    assert told(SALESFORCE.ways[way].token_facts, ANSWER) == {
        "instance_url": ACME,
        "identity_url": LOGIN_ID,
        "account_id": "00D5g00000ExAmpEAL",
        "user_id": "0055g00000UsErAAAV",
    }


def test_who_the_account_is_at_each_service():
    (org,) = SALESFORCE.identity
    assert org.url == "/services/data/v65.0/query?q=SELECT+Id,Name+FROM+Organization"
    found = {"records": [{"Id": "00D5g00000ExAmpEAL", "Name": "Acme"}], "done": True}
    assert told(org.facts, found) == {"account_name": "Acme"}

    (company,) = QUICKBOOKS.identity
    url = filled(QUICKBOOKS, QUICKBOOKS.api_base_url + company.url, {"account_id": REALM})
    assert url == f"{QBO}/v3/company/{REALM}/companyinfo/{REALM}?minorversion=75"
    assert told(company.facts, {"CompanyInfo": {"CompanyName": "Acme"}}) == {"account_name": "Acme"}

    (user,) = GOOGLE_ANALYTICS.oauth.discovery
    assert user.url == "https://openidconnect.googleapis.com/v1/userinfo"
    found = told(user.facts, {"sub": "117", "email": "kim@example.com", "email_verified": True})
    assert found == {"account_id": "117", "account_name": "kim@example.com"}

    (myself,) = JIRA.identity
    assert myself.url == "/rest/api/3/myself"
    found = told(myself.facts, {"accountId": "712020:7bf4", "timeZone": "Europe/Berlin"})
    assert found == {"user_id": "712020:7bf4", "time_zone": "Europe/Berlin"}


def test_a_jira_grant_is_narrowed_to_a_site():
    (sites,) = JIRA.oauth.discovery
    assert sites.url == "https://api.atlassian.com/oauth/token/accessible-resources"
    entry = {"id": CLOUD, "url": "https://acme.atlassian.net", "name": "acme", "scopes": []}
    assert told(sites.facts, entry) == {
        "cloud_id": CLOUD,
        "account_id": CLOUD,
        "account_name": "acme",
        "site_url": "https://acme.atlassian.net",
    }
    assert sites.chosen_by == setting(JIRA, "site").name
    assert dig(entry, sites.chosen_at) == "https://acme.atlassian.net"


METADATA = {
    "dc": "us3",
    "role": "owner",
    "accountname": "Acme",
    "api_endpoint": "https://us3.api.mailchimp.com",
}

# where facts are read, a documented answer, the facts
ANSWERS = [
    (oauth_of("mailchimp").discovery[0].facts, METADATA, {"dc": "us3"}),
    (
        MAILCHIMP.identity[0].facts,
        {"account_id": "8d3a3db4d97663a9074efcc16", "account_name": "Acme"},
        {"account_id": "8d3a3db4d97663a9074efcc16", "account_name": "Acme"},
    ),
    (oauth_of("slack").token_facts, TOKEN, {"account_id": "T0AH", "account_name": "Acme"}),
    (
        oauth_of("slack").token_facts,
        {**TOKEN, "team": None, "is_enterprise_install": True},
        {},
    ),
    (SLACK.identity[0].facts, AUTH_TEST, {"account_id": "T0AH", "account_name": "Acme"}),
    (
        MICROSOFT_TEAMS.identity[0].facts,
        {"value": [{"id": GUID, "displayName": "Contoso"}]},
        {"account_id": GUID, "account_name": "Contoso"},
    ),
    (
        SHOPIFY.identity[0].facts,
        {"data": {"shop": {"name": "Acme", "myshopifyDomain": "acme.myshopify.com"}}},
        {"account_id": "acme.myshopify.com", "account_name": "Acme"},
    ),
]


@pytest.mark.parametrize(("facts", "answer", "wanted"), ANSWERS)
def test_an_answer_tells_whose_account_it_is(facts, answer, wanted):
    found = {fact.name: dig(answer, fact.at) for fact in facts}

    assert {name: value for name, value in found.items() if value is not None} == wanted
    assert all(re.fullmatch(f.pattern, wanted[f.name]) for f in facts if f.name in wanted)


# service -> address of the call that tells whose account it is, and its body
IDENTITIES = {
    "mailchimp": ("/?fields=account_id,account_name", None),
    "slack": ("/auth.test", None),
    "microsoft_teams": ("/organization?$select=id,displayName", None),
    "shopify": ("/graphql.json", {"query": "{shop{name myshopifyDomain}}"}),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_the_account_is_asked_for_by_one_call(name):
    (call,) = CONNECTORS[name].identity

    assert (call.url, call.body) == IDENTITIES[name]
    assert call.carriage is None
    assert call.optional == (name == "microsoft_teams")  # an app's rights may not cover it


def test_mailchimp_tells_the_data_centre_to_an_unusual_header():
    (call,) = oauth_of("mailchimp").discovery

    assert call.url == "https://login.mailchimp.com/oauth2/metadata"
    assert call.carriage == HeaderAuth("Authorization", "OAuth ")
