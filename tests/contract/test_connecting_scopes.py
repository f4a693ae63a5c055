"""What is asked of the person who connects a service: no more than the resources need."""

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.google_analytics import GOOGLE_ANALYTICS
from integrations_pipeline.connectors.salesforce import SALESFORCE
from integrations_pipeline.oauth.choosing import scopes_to_ask
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import Direction
from tests.contract.connecting import ALL, oauth_of

ANALYTICS = "https://www.googleapis.com/auth/analytics.readonly"
ACCOUNTING = "com.intuit.quickbooks.accounting"
GRAPH = "https://graph.microsoft.com/"
CRM = "contacts accounts opportunities leads users"
BOOKS = "invoices customers payments items bills accounts profit_and_loss"
REPORTS = "sessions users pages traffic_sources events conversions property_metadata"
WORK, WORK_READ = ("read:jira-work", "write:jira-work"), ("read:jira-work", "")

# service -> what joins scopes, what is asked always, and by resource: to read, to write
SCOPES = {
    "salesforce": (" ", "refresh_token id api", dict.fromkeys(CRM.split(), ("api", "api"))),
    "quickbooks": (" ", "", dict.fromkeys(BOOKS.split(), (ACCOUNTING, ACCOUNTING))),
    "google_analytics": (" ", "openid email", dict.fromkeys(REPORTS.split(), (ANALYTICS, ""))),
    "jira": (
        " ",
        "offline_access read:jira-user",
        {
            "issues": WORK,
            "projects": WORK_READ,
            "users": ("read:jira-user", ""),
            "worklogs": WORK,
            "comments": WORK,
            "sprints": WORK_READ,
        },
    ),
    "mailchimp": (
        " ",
        "",
        dict.fromkeys(
            ("audiences", "members", "campaigns", "reports", "segments", "tags"), ("", "")
        ),
    ),
    "slack": (
        ",",
        "",
        {
            "channels": ("channels:read", "channels:manage"),
            "users": ("users:read,users:read.email", ""),
            "messages": ("channels:read,channels:history", "chat:write"),
            "threads": ("channels:read,channels:history", "chat:write"),
            "files": ("files:read", "files:write"),
            "user_groups": ("usergroups:read", ""),
        },
    ),
    "microsoft_teams": (
        " ",
        "offline_access openid profile User.Read",
        {
            "teams": ("Team.ReadBasic.All", "Team.Create"),
            "channels": ("Team.ReadBasic.All Channel.ReadBasic.All", "Channel.Create"),
            "channel_messages": (
                "Team.ReadBasic.All Channel.ReadBasic.All ChannelMessage.Read.All",
                "ChannelMessage.Send",
            ),
            "members": ("Team.ReadBasic.All TeamMember.Read.All", "TeamMember.ReadWrite.All"),
            "chats": ("Chat.ReadBasic", "ChatMessage.Send"),
            "usage_reports": ("Reports.Read.All", ""),
        },
    ),
    "shopify": (
        ",",
        "",
        {
            "orders": ("read_orders", "write_orders"),
            "products": ("read_products", "write_products"),
            "customers": ("read_customers", "write_customers"),
            "inventory_levels": ("read_inventory,read_locations", "write_inventory"),
            "fulfillments": ("read_orders", "write_merchant_managed_fulfillment_orders"),
            "draft_orders": ("read_draft_orders", "write_draft_orders"),
        },
    ),
}


@pytest.mark.parametrize("name", SCOPES)
def test_no_more_is_asked_than_a_resource_and_direction_needs(name):
    separator, always, by_resource = SCOPES[name]
    oauth = oauth_of(name)

    def listed(scopes):
        return tuple(scopes.split(separator)) if scopes else ()

    assert oauth.scope_separator == separator
    assert oauth.scopes == listed(always)
    asked = {resource: (one.read, one.write) for resource, one in oauth.resource_scopes.items()}
    assert asked == {
        resource: (listed(read), listed(write)) for resource, (read, write) in by_resource.items()
    }
    assert CONNECTORS[name].scoped_names == tuple(by_resource)


# what the calls that tell whose account it is need; at the other services, any grant does
IDENTITY_NEEDS = {
    "hubspot": {"oauth"},
    "salesforce": {"api", "id"},
    "quickbooks": {ACCOUNTING},
    "google_analytics": {"openid", "email"},
    "zendesk": {"read"},
    "jira": {"read:jira-user"},
    "microsoft_teams": {"User.Read"},
}
CHOICES = [
    (name, resource, direction)
    for name in IDENTITY_NEEDS
    for resource in ("", *CONNECTORS[name].scoped_names)
    for direction in Direction
]


@pytest.mark.parametrize(("name", "resource", "direction"), CHOICES)
def test_whatever_is_chosen_the_account_can_be_asked_for(name, resource, direction):
    row = Integration(resources=[resource] if resource else [], direction=direction)

    asked = scopes_to_ask(CONNECTORS[name], oauth_of(name), row)

    assert IDENTITY_NEEDS[name] <= set(asked)


def test_wider_scopes_count_as_what_they_include():
    assert SALESFORCE.oauth.implied == {"full": ("api",)}
    told = "https://www.googleapis.com/auth/userinfo.email"  # what Google calls `email` in answers
    assert GOOGLE_ANALYTICS.oauth.implied == {told: ("email",)}


def test_a_shop_that_grants_writing_grants_reading():
    oauth = oauth_of("shopify")
    for scopes in oauth.resource_scopes.values():
        for scope in scopes.write:
            assert oauth.implied[scope] == (scope.replace("write_", "read_"),)
    assert all(not oauth_of(name).implied for name in ("mailchimp", "slack", "microsoft_teams"))


def test_graph_alone_may_write_scopes_as_addresses():
    prefixes = {name: oauth_of(name).scope_prefix for name in ALL}

    assert prefixes == dict.fromkeys(ALL, "") | {"microsoft_teams": GRAPH}
