"""Accounts of the services that can be connected, and ways to look at their connectors."""

import re
from string import Formatter

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import OAuth

CLOUD = "8f1c2d3e-4a5b-6c7d-8e9f-0a1b2c3d4e5f"
REALM = "9341450000000001"
LOGIN_ID = "https://login.salesforce.com/id/00D5g00000ExAmpEAL/0055g00000UsErAAAV"
ACME = "https://acme-dev.my.salesforce.com"
QBO, QBO_TEST = "https://quickbooks.api.intuit.com", "https://sandbox-quickbooks.api.intuit.com"
SANDBOX = "acme--uat.sandbox.my.salesforce.com"
MY = "my.salesforce.com"
GUID = "56480ae2-0c1b-4f3e-9a57-7d29f98c1e42"
TEAMS_LOGIN = f"https://login.microsoftonline.com/{GUID}/oauth2/v2.0"
SHOP = "https://acme.myshopify.com/admin"
FROM_KEY = r"0123456789abcdef0123456789abcdef-"
ALL = (
    "salesforce",
    "quickbooks",
    "google_analytics",
    "jira",
    "mailchimp",
    "slack",
    "microsoft_teams",
    "shopify",
)


def setting(connector, name, way=None):
    owner = connector.ways[way] if way else connector
    return next(setting for setting in owner.settings if setting.name == name)


def matches(pattern, value):
    return re.fullmatch(pattern, value) is not None


def filled(connector, template, told):
    """The address, with defaults for what is not told, as the engine fills it."""
    values = {s.name: s.default for s in connector.settings if s.default} | told
    names = {name for _, name, _, _ in Formatter().parse(template) if name}
    assert names <= set(values)
    return template.format(**values)


def oauth_of(name, way="oauth"):
    found = CONNECTORS[name].ways[way]
    assert isinstance(found, OAuth)
    return found
