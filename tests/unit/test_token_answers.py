"""What a token endpoint's answer means: the token's end, its scopes, its account."""

from datetime import UTC, datetime, timedelta

import pytest

from integrations_pipeline.connectors import CONNECTORS, SYNCED
from integrations_pipeline.connectors.auth import OAuth
from integrations_pipeline.oauth.answers import LONGEST, expiry, granted
from integrations_pipeline.oauth.choosing import missing_scopes, scopes_to_ask
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.oauth.provider import OAuthClient, _Answer
from integrations_pipeline.store.models import Integration

HOUR = timedelta(hours=1)
USUAL = timedelta(minutes=30)
LIVES = [
    (3600, HOUR),
    ("3600", HOUR),
    (3600.0, HOUR),
    (" 3600 ", HOUR),
    (10**10, LONGEST),
    ("99999999999", LONGEST),
    (0, USUAL),
    (-1, USUAL),
    ("-3600", USUAL),
    (None, USUAL),
    ("", USUAL),
    ("soon", USUAL),
    ("1 hour", USUAL),
    ([], USUAL),
    ({"seconds": 1}, USUAL),
    (float("nan"), USUAL),
    (True, USUAL),
    (float("-inf"), USUAL),
]
HUGE = [float("inf"), 1e300, 10**400, "1e300"]


@pytest.mark.parametrize(("expires_in", "life"), LIVES)
def test_when_a_token_ends(expires_in, life) -> None:
    before = datetime.now(UTC)

    end = expiry(expires_in, USUAL, datetime.now(UTC))

    assert before + life <= end <= datetime.now(UTC) + life


@pytest.mark.parametrize("expires_in", HUGE)
def test_a_senselessly_long_life_is_bounded(expires_in) -> None:
    assert (
        datetime.now(UTC)
        < expiry(expires_in, USUAL, datetime.now(UTC))
        <= datetime.now(UTC) + LONGEST
    )


@pytest.mark.parametrize("expires_in", [None, 0, -5, "junk"])
def test_without_a_usual_life_a_token_does_not_end(expires_in) -> None:
    assert expiry(expires_in, None, datetime.now(UTC)) is None


ASKED = ("a", "b")
SCOPES = [
    ({"scope": "a b c"}, ("a", "b", "c")),
    ({"scope": "a,b"}, ("a", "b")),
    ({"scope": " a  b "}, ("a", "b")),
    ({"scopes": ["a", "c"]}, ("a", "c")),
    ({"scope": ["a"]}, ("a",)),
    ({"scope": "", "scopes": ["c"]}, ("c",)),
    ({"scope": None}, ASKED),
    ({"scopes": []}, ()),  # told, and it is nothing
    ({"scopes": True}, ASKED),
    ({"scopes": ["a", 5]}, ASKED),
    ({"scopes": {"a": 1}}, ASKED),
    ({"scope": 5}, ASKED),
    ({"scope": ["a", None], "scopes": ["c"]}, ("c",)),
    ({"scope": "a\x00 b \ud800"}, ("b",)),
    ({}, ASKED),
]


@pytest.mark.parametrize(("token", "found"), SCOPES)
def test_scopes_are_those_granted_else_those_asked(token, found) -> None:
    assert granted(token, ASKED) == found


WAYS = [
    (name, way)
    for name, connector in CONNECTORS.items()
    for way, access in connector.ways.items()
    if isinstance(access, OAuth)
]


def client(service: str, way: str = "oauth") -> OAuthClient:
    connector = CONNECTORS[service]
    return OAuthClient(
        label=connector.label,
        oauth=connector.ways[way],
        endpoints=Endpoints("https://a", "https://t", "", "https://api", "", allow_private=False),
        client_id="id",
        client_secret="very-secret",
        redirect_uri="https://us/callback",
    )


ACCOUNTS = [
    ("hubspot", {"hub_id": 77}, "77"),
    ("hubspot", {}, None),
    ("hubspot", {"hub_id": None}, None),
    ("stripe", {"stripe_user_id": "acct_1"}, "acct_1"),
    ("zendesk", {"hub_id": 77}, None),
]


@pytest.mark.parametrize(("service", "answer", "account"), ACCOUNTS)
def test_the_account_is_taken_from_the_answer(service, answer, account) -> None:
    token = client(service)._understand(
        _Answer({"access_token": "t", **answer}, datetime.now(UTC)), ()
    )

    found = (token.access_token, token.refresh_token, token.facts.get("account_id"))
    assert found == ("t", None, account)


@pytest.mark.parametrize(("service", "way"), WAYS)
def test_neither_clients_nor_tokens_show_their_secrets(service, way) -> None:
    us = client(service, way)
    answer = {
        "access_token": "hidden-1",
        "refresh_token": "hidden-2",
        "instance_url": "https://acme.my.salesforce.com",
    }
    token = us._understand(_Answer(answer, datetime.now(UTC)), ())

    assert "very-secret" not in repr(us) + str(us)
    assert "hidden" not in repr(token) + str(token)


def asked_for(service, way="oauth", direction="pull", resources=()) -> tuple[str, ...]:
    connector = CONNECTORS[service]
    row = Integration(resources=list(resources), direction=direction)
    return scopes_to_ask(connector, connector.ways[way], row)


@pytest.mark.parametrize("direction", ["pull", "push", "bidirectional"])
@pytest.mark.parametrize(("service", "way"), WAYS)
def test_every_resource_gets_the_scopes_it_needs_once(service, way, direction) -> None:
    oauth = CONNECTORS[service].ways[way]
    asked = asked_for(service, way, direction)
    wanted = {
        "pull": lambda scopes: scopes.read,
        "push": lambda scopes: scopes.write,
        "bidirectional": lambda scopes: (*scopes.read, *scopes.write),
    }[direction]
    needed = {
        scope
        for name in CONNECTORS[service].scoped_names
        if name in oauth.resource_scopes
        for scope in wanted(oauth.resource_scopes[name])
    }

    assert len(asked) == len(set(asked))
    assert set(asked) == {*oauth.scopes, *needed}


@pytest.mark.parametrize("service", SYNCED)
def test_scopes_are_declared_for_resources_that_an_admin_can_choose(service) -> None:
    connector = CONNECTORS[service]
    assert set(connector.resource_names) <= set(connector.scoped_names)
    for way in connector.ways.values():
        if isinstance(way, OAuth):
            assert set(way.resource_scopes) <= set(connector.scoped_names)


def test_only_what_the_account_is_connected_for_is_asked() -> None:
    assert asked_for("hubspot", resources=["deals"]) == ("oauth", "crm.objects.deals.read")
    assert asked_for("hubspot", "oauth", "push", ["deals", "contacts"]) == (
        "oauth",
        "crm.objects.deals.write",
        "crm.objects.contacts.write",
    )


def test_a_key_has_no_scopes_to_ask() -> None:
    assert asked_for("hubspot", "private_app") == ()


MISSING = [
    ("hubspot", (), "deals", "pull", ("crm.objects.deals.read",)),
    ("hubspot", ("crm.objects.deals.read",), "deals", "pull", ()),
    ("hubspot", ("crm.objects.deals.read",), "deals", "push", ("crm.objects.deals.write",)),
    ("hubspot", ("crm.objects.deals.write",), "deals", "pull", ("crm.objects.deals.read",)),
    ("shopify", ("write_products",), "products", "pull", ()),
    ("shopify", ("write_products",), "products", "bidirectional", ()),
    ("shopify", ("read_products",), "products", "push", ("write_products",)),
    ("stripe", (), "customers", "pull", ()),
]


@pytest.mark.parametrize(("service", "granted", "resource", "direction", "missing"), MISSING)
def test_what_was_not_granted(service, granted, resource, direction, missing) -> None:
    way = CONNECTORS[service].ways["oauth"]

    assert missing_scopes(way, granted, resource, direction) == missing
