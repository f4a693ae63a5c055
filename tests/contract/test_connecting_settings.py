"""The settings that services are connected with: what they take, and what must not lead away."""

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.jira import JIRA
from integrations_pipeline.connectors.mailchimp import MAILCHIMP
from integrations_pipeline.connectors.microsoft_teams import MICROSOFT_TEAMS
from integrations_pipeline.connectors.shopify import SHOPIFY
from integrations_pipeline.connectors.slack import SLACK
from tests.contract.connecting import MY, QBO, SANDBOX, matches, oauth_of, setting
from tests.contract.hostile import BAD_SHOPS, BAD_TENANTS, SHOPS, TENANTS, hostile

KINDS = ("develop", "scratch", "demo", "patch", "trailblaze")
PARTITIONED = [f"acme-dev-ed.{kind}.{MY}" for kind in KINDS]
MY_DOMAIN_WAYS = (None, "client_credentials")

GOOD_SETTINGS = [
    ("salesforce", "login_host", "login.salesforce.com", None),
    ("salesforce", "login_host", "test.salesforce.com", None),
    ("salesforce", "login_host", "acme.my.salesforce.com", None),
    ("salesforce", "login_host", "acme-dev-2.my.salesforce.com", None),
    ("salesforce", "login_host", SANDBOX, None),
    *[("salesforce", "login_host", host, way) for host in PARTITIONED for way in MY_DOMAIN_WAYS],
    ("quickbooks", "api_host", "quickbooks.api.intuit.com", None),
    ("quickbooks", "api_host", "sandbox-quickbooks.api.intuit.com", None),
    ("google_analytics", "property_id", "123456789", None),
    ("google_analytics", "property_id", "", None),
    ("jira", "site", "acme.atlassian.net", None),
    ("jira", "site", "acme-2.atlassian.net", None),
    ("jira", "site", "", None),
    ("jira", "site", "acme.atlassian.net", "api_token"),
    ("jira", "email", "kim@example.com", "api_token"),
    *[("shopify", "shop", value, None) for value in SHOPS],
    *[("microsoft_teams", "tenant", value, None) for value in TENANTS],
    *[("microsoft_teams", "tenant", value, "client_credentials") for value in TENANTS[2:]],
]


@pytest.mark.parametrize(("name", "key", "value", "way"), GOOD_SETTINGS)
def test_documented_settings_are_taken(name, key, value, way):
    assert matches(setting(CONNECTORS[name], key, way).pattern, value)


@pytest.mark.parametrize(
    ("name", "key", "default"),
    [
        ("salesforce", "login_host", "login.salesforce.com"),
        ("quickbooks", "api_host", "quickbooks.api.intuit.com"),
        ("google_analytics", "property_id", ""),
        ("jira", "site", ""),
        ("microsoft_teams", "tenant", "organizations"),
    ],
)
def test_settings_have_defaults_that_fit(name, key, default):
    found = setting(CONNECTORS[name], key)
    assert found.default == default
    assert matches(found.pattern, default)


def test_an_api_token_needs_its_site_and_email():
    assert [s.default for s in JIRA.ways["api_token"].settings] == [None, None]
    assert not matches(setting(JIRA, "site", "api_token").pattern, "")


def test_the_tenant_may_be_left_to_the_sign_in_and_the_shop_must_be_told():
    assert [(s.name, s.default) for s in MICROSOFT_TEAMS.settings] == [("tenant", "organizations")]
    assert [(s.name, s.default) for s in SHOPIFY.settings] == [("shop", None)]
    assert not MAILCHIMP.settings
    assert not SLACK.settings
    own = oauth_of("microsoft_teams", "client_credentials").settings
    assert [(s.name, s.default) for s in own] == [("tenant", None)]


BAD_SETTINGS = [
    *[("salesforce", "login_host", bad, None) for bad in hostile(f"acme.{MY}", MY)],
    *[("salesforce", "login_host", bad, None) for bad in hostile("login.salesforce.com", MY)],
    ("salesforce", "login_host", "", None),
    ("salesforce", "login_host", "salesforce.com", None),
    ("salesforce", "login_host", "www.salesforce.com", None),
    ("salesforce", "login_host", "acme.lightning.force.com", None),
    ("salesforce", "login_host", "acme.my.site.com", None),
    ("salesforce", "login_host", "evil.acme.my.salesforce.com", None),
    ("salesforce", "login_host", "acme--uat.my.salesforce.com", None),
    ("salesforce", "login_host", "acme.sandbox.my.salesforce.com", None),
    *[
        ("salesforce", "login_host", bad, way)
        for good in PARTITIONED
        for bad in hostile(good, MY)
        if "edx" not in bad  # still a name, and within Salesforce's own domain
        for way in MY_DOMAIN_WAYS
    ],
    ("salesforce", "login_host", f"develop.evil.{MY}", None),
    ("salesforce", "login_host", f"acme.evil.{MY}", None),
    ("salesforce", "login_host", f"acme.develop.scratch.{MY}", None),
    ("salesforce", "login_host", f"evil.acme.develop.{MY}", None),
    ("salesforce", "login_host", f"acme--x.develop.{MY}", None),
    ("salesforce", "login_host", f".develop.{MY}", None),
    ("salesforce", "login_host", "acme.developxmy.salesforce.com", None),
    ("salesforce", "login_host", "--uat.sandbox.my.salesforce.com", None),
    ("salesforce", "login_host", "acme--.sandbox.my.salesforce.com", None),
    *[
        ("jira", "site", bad, way)
        for bad in hostile("acme.atlassian.net", "atlassian.net")
        for way in (None, "api_token")
    ],
    ("jira", "site", "evil.acme.atlassian.net", None),
    ("jira", "site", "https://acme.atlassian.net", None),
    ("jira", "site", "acme.atlassian.com", None),
    ("jira", "email", "kim:x@example.com", "api_token"),
    ("jira", "email", "kim@example.com\n", "api_token"),
    ("jira", "email", "kim", "api_token"),
    *[("quickbooks", "api_host", bad, None) for bad in hostile(QBO[8:], "api.intuit.com")],
    ("quickbooks", "api_host", "evil-quickbooks.api.intuit.com", None),
    ("google_analytics", "property_id", "properties/123456789", None),
    ("google_analytics", "property_id", "UA-1234-1", None),
    ("google_analytics", "property_id", "123:runReport", None),
    ("google_analytics", "property_id", "123\n", None),
    ("google_analytics", "property_id", "\u0661\u0662", None),  # digits, but not ASCII
    *[("shopify", "shop", bad, None) for bad in BAD_SHOPS],
    *[("microsoft_teams", "tenant", bad, None) for bad in BAD_TENANTS],
    *[
        ("microsoft_teams", "tenant", bad, "client_credentials")
        for bad in [*BAD_TENANTS, "organizations", "common"]
    ],
]


@pytest.mark.parametrize(("name", "key", "value", "way"), BAD_SETTINGS)
def test_no_setting_leads_elsewhere(name, key, value, way):
    assert not matches(setting(CONNECTORS[name], key, way).pattern, value)
