"""What a redirect must bring before a code is exchanged: issuer, signature, age, shop."""

import hashlib
import hmac
import time
from urllib.parse import quote

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import BadStateError
from integrations_pipeline.oauth import callback
from integrations_pipeline.oauth.callback import SIGNATURE_SECONDS, check_issuer, check_signature
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.provider import OAuthClient
from integrations_pipeline.settings import Settings

SECRET = "hush"
SHOP = {"shop": "acme.myshopify.com"}


def client(service: str, settings: dict | None = None) -> OAuthClient:
    connector = CONNECTORS[service]
    return OAuthClient(
        label=connector.label,
        oauth=connector.oauth,
        endpoints=endpoints_of(connector, Settings(), settings or {}),
        client_id="id",
        client_secret=SECRET,
        redirect_uri="https://us/callback",
    )


HUBSPOT = "https://app.hubspot.com"


@pytest.mark.parametrize("named", [None, HUBSPOT, HUBSPOT + "/", HUBSPOT + "/oauth"])
def test_the_service_that_was_asked_may_name_itself(named) -> None:
    check_issuer(client("hubspot"), {} if named is None else {"iss": named})


FOREIGN = ["", "https://evil.example", "http://app.hubspot.com", HUBSPOT + ".evil.example"]
FOREIGN += [
    HUBSPOT + ":8443",
    "//app.hubspot.com",
    "https://[",
    "https://login.salesforce.com",
    "app.hubspot.com",
]


@pytest.mark.parametrize("named", FOREIGN)
def test_another_server_is_refused(named) -> None:
    with pytest.raises(BadStateError, match="another server"):
        check_issuer(client("hubspot"), {"iss": named})


ISSUERS = [name for name, one in CONNECTORS.items() if one.oauth and one.oauth.issuer]


@pytest.mark.parametrize("service", ISSUERS)
def test_a_declared_issuer_is_believed_and_no_other(service) -> None:
    us = client(service)
    check_issuer(us, {"iss": us.oauth.issuer})

    with pytest.raises(BadStateError):
        check_issuer(us, {"iss": us.oauth.issuer + ".evil.example"})


def by_hand(query: dict[str, str], secret: str = SECRET) -> str:
    """HMAC-SHA256 (RFC 2104) as Shopify describes it, from its two hashes."""
    text = "&".join(f"{quote(name, '')}={quote(query[name], '')}" for name in sorted(query))
    key = secret.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + text.encode()).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).hexdigest()


def shopify(**change: str) -> dict[str, str]:
    query = {
        "code": "0907a61c0c8d55e99db179b68161bc00",
        "shop": "acme.myshopify.com",
        "state": "0.6784241404160823",
        "timestamp": str(int(time.time())),
        "host": "YWRtaW4uc2hvcGlmeS5jb20vc3RvcmUvYWNtZQ",
    } | change
    return {name: value for name, value in query.items() if value is not None}


def check(query: dict[str, str], settings: dict | None = None) -> None:
    told = SHOP if settings is None else settings
    check_signature(client("shopify", SHOP), query, told)


def test_the_vector_of_shopifys_documentation(monkeypatch) -> None:
    """A callback with fixed values and the digest that was worked out for it beforehand."""
    query = shopify(timestamp="1337178173")
    del query["host"]
    text = (
        "code=0907a61c0c8d55e99db179b68161bc00&shop=acme.myshopify.com"
        "&state=0.6784241404160823&timestamp=1337178173"
    )
    digest = hmac.new(b"hush", text.encode(), hashlib.sha256).hexdigest()
    assert by_hand(query) == digest
    monkeypatch.setattr(callback.time, "time", lambda: 1337178173 + 5)

    check({**query, "hmac": digest})


def test_a_signed_callback_is_believed() -> None:
    query = shopify()

    check({**query, "hmac": by_hand(query)})


def test_parameters_that_it_does_not_know_are_signed_as_well() -> None:
    query = shopify(zeta="1", alpha="xäy")
    check({**query, "hmac": by_hand(query)})
    with pytest.raises(BadStateError, match="signature"):
        check({**query, "zeta": "2", "hmac": by_hand(query)})


@pytest.mark.parametrize("name", ["code", "shop", "state", "timestamp", "host"])
def test_a_changed_or_missing_parameter_breaks_the_signature(name) -> None:
    query = shopify()
    signature = by_hand(query)

    for changed in (
        {**query, name: query[name] + "0"},
        {k: v for k, v in query.items() if k != name},
    ):
        with pytest.raises(BadStateError, match="signature"):
            check({**changed, "hmac": signature})


def test_parameters_cannot_be_folded_into_one_another() -> None:
    query = shopify()
    folded = {k: v for k, v in query.items() if k != "host"}
    folded["code"] = f"{query['code']}&host={query['host']}"
    with pytest.raises(BadStateError, match="signature"):
        check({**folded, "hmac": by_hand(query)})


def test_a_parameter_that_was_added_breaks_the_signature() -> None:
    query = shopify()
    with pytest.raises(BadStateError, match="signature"):
        check({**query, "more": "1", "hmac": by_hand(query)})


@pytest.mark.parametrize("signature", [None, "", "0" * 64, "ä", "x" * 9000])
def test_a_wrong_signature_is_refused(signature) -> None:
    query = shopify()
    more = {} if signature is None else {"hmac": signature}
    with pytest.raises(BadStateError, match="signature"):
        check({**query, **more})


def test_another_secrets_signature_is_refused() -> None:
    query = shopify()
    with pytest.raises(BadStateError, match="signature"):
        check({**query, "hmac": by_hand(query, "hush2")})


AGES = [0, SIGNATURE_SECONDS - 5, -SIGNATURE_SECONDS + 5]


@pytest.mark.parametrize("age", AGES)
def test_a_young_callback_is_believed(age) -> None:
    query = shopify(timestamp=str(int(time.time()) - age))
    check({**query, "hmac": by_hand(query)})


OLD = [-86_400, -300, 300, 86_400]  # seconds from now
NO_TIMES = ["", "soon", "-1", "1.5", "²", "٣", "9" * 30]


@pytest.mark.parametrize("stamp", OLD + NO_TIMES)
def test_an_old_or_senseless_time_is_refused_though_signed(stamp) -> None:
    told = stamp if isinstance(stamp, str) else str(int(time.time()) + stamp)
    query = shopify(timestamp=told)
    with pytest.raises(BadStateError, match="too old"):
        check({**query, "hmac": by_hand(query)})


@pytest.mark.parametrize("shop", ["evil.myshopify.com", "acme.myshopify.com.evil.example", ""])
def test_another_shop_is_refused_though_signed(shop) -> None:
    query = shopify(shop=shop)
    with pytest.raises(BadStateError, match="another shop"):
        check({**query, "hmac": by_hand(query)})


def test_the_shops_name_may_be_written_in_capitals() -> None:
    query = shopify(shop="ACME.myshopify.com")
    check({**query, "hmac": by_hand(query)})


@pytest.mark.parametrize("service", [n for n, c in CONNECTORS.items() if c.oauth])
def test_only_a_service_that_signs_is_checked(service) -> None:
    if CONNECTORS[service].oauth.signed_callback:
        assert service == "shopify"
        return
    settings = {"zendesk": {"subdomain": "acme"}}.get(service, {})
    check_signature(client(service, settings), {"hmac": "nonsense"}, settings)
