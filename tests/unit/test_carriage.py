"""How a request carries its credential, and which addresses are of one origin."""

import base64

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import BasicAuth, HeaderAuth, QueryAuth
from integrations_pipeline.transport.carriage import carried, origin

CARRIED = [
    (HeaderAuth(), "t-1", {"Authorization": "Bearer t-1"}, {}),
    (HeaderAuth(prefix="Zoho-oauthtoken "), "t-1", {"Authorization": "Zoho-oauthtoken t-1"}, {}),
    (HeaderAuth("X-Shopify-Access-Token", ""), "t-1", {"X-Shopify-Access-Token": "t-1"}, {}),
    (QueryAuth("api_key"), "t-1", {}, {"api_key": "t-1"}),
    (QueryAuth("key"), "a&b=c #d", {}, {"key": "a&b=c #d"}),
    # RFC 7617, 2: user "Aladdin", password "open sesame"
    (
        BasicAuth(),
        "Aladdin:open sesame",
        {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
        {},
    ),
    # RFC 7617, 2.1: user "test", password "123£", in UTF-8
    (BasicAuth(), "test:123£", {"Authorization": "Basic dGVzdDoxMjPCow=="}, {}),
]


@pytest.mark.parametrize(("carriage", "credential", "headers", "params"), CARRIED)
def test_a_credential_travels_in_one_place(carriage, credential, headers, params) -> None:
    assert carried(carriage, credential) == (headers, params)


def test_a_long_basic_credential_stays_on_one_line() -> None:
    credential = f"{'u' * 200}:{'p' * 200}"

    value = carried(BasicAuth(), credential)[0]["Authorization"]

    assert "\n" not in value
    assert base64.b64decode(value.removeprefix("Basic ")).decode() == credential


@pytest.mark.parametrize("service", CONNECTORS)
def test_every_way_in_carries_its_credential_once(service) -> None:
    for way in CONNECTORS[service].ways.values():
        headers, params = carried(way.carriage, "user:the-credential")
        assert len(headers) + len(params) == 1


SAME = [
    ("https://a.example", "https://a.example/"),
    ("https://a.example", "HTTPS://A.Example:443/x?y#z"),
    ("http://a.example/x", "http://a.example:80"),
    ("https://a.example", "https://user:pw@a.example/x"),
    ("https://[::1]:8443/x", "https://[::1]:8443"),
]
OTHER = [
    ("https://a.example", "http://a.example"),
    ("https://a.example", "https://a.example:8443"),
    ("https://a.example", "http://a.example:443"),
    ("https://a.example", "https://a.example.evil.example"),
    ("https://a.example", "https://evil.example/a.example"),
    ("https://a.example", "https://a.example@evil.example/"),
    ("https://a.example", "https://b.a.example"),
    ("https://a.example", "https://evil.example?https://a.example"),
    ("https://a.example", "https://evil.example#@a.example"),
    ("https://a.example", "//a.example/x"),
    ("https://a.example", "/x"),
    ("https://a.example", ""),
    ("https://a.example", "ftp://a.example"),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_addresses_of_one_origin(one, two) -> None:
    assert origin(one) == origin(two)


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_addresses_of_other_origins(one, two) -> None:
    assert origin(one) != origin(two)
