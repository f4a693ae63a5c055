"""The addresses that a Custom service may be declared with, and those that are refused."""

import copy

import pytest

from integrations_pipeline.connectors.custom import addresses, custom_connector
from integrations_pipeline.errors import RequestError
from tests.contract.custom_declarations import (
    API,
    BEARER,
    OAUTH,
    SMALL_OAUTH,
    declared,
    put,
    refusal,
)

GOOD_ADDRESSES = [
    "https://api.example.com",
    "https://api.example.com:8443/v2/",
    "https://xn--bcher-kva.example/a%20b",
    "https://[2001:db8::1]:8443/v2",
    "https://192.0.2.1",
]


@pytest.mark.parametrize("address", GOOD_ADDRESSES)
def test_a_whole_https_address_is_taken(address):
    built = custom_connector({"base_url": address, "auth": BEARER})

    assert built.api_base_url == address.rstrip("/")


LOOPBACK = ["http://127.0.0.1:8400", "http://localhost/v2", "http://[::1]:8400"]


@pytest.mark.parametrize("address", LOOPBACK)
def test_plain_http_needs_the_operator(address):
    settings = {"base_url": address, "auth": BEARER}

    assert custom_connector(settings, allow_http=True).api_base_url == address
    assert "base_url: must begin with https://" in refusal(settings)


@pytest.mark.parametrize("host", ["api.example.com", "10.0.0.1", "localhost.evil.example"])
def test_plain_http_stays_on_loopback(host):
    settings = {"base_url": f"http://{host}", "auth": BEARER}

    assert "base_url: must begin with https://" in refusal(settings, allow_http=True)


def test_every_address_is_told_once():
    wanted = (
        API,
        *(OAUTH[name] for name in ("authorize_url", "token_url", "revoke_url", "issuer")),
    )

    assert addresses(declared(OAUTH)) == wanted
    assert addresses(declared({**SMALL_OAUTH, "token_url": API})) == (
        API,
        SMALL_OAUTH["authorize_url"],
    )
    assert addresses(declared()) == (API,)
    assert addresses({"base_url": LOOPBACK[0], "auth": BEARER}) == (LOOPBACK[0],)
    with pytest.raises(RequestError):
        addresses({})


BAD_ADDRESSES = [
    "",
    "api.example.com",
    "/v2",
    "//api.example.com",
    "http://api.example.com",
    "ftp://api.example.com",
    "javascript:alert(1)",
    "https://",
    "https:///v2",
    "https://user@api.example.com",
    "https://user:pw@api.example.com",
    "https://api.example.com#x",
    "https://api.example.com/a b",
    "https://api.example.com/\n",
    "https://api.example.com/\x00",
    "https://api.example.com/\x7f",
    "https://api.example.com\\@evil.example",
    "https://{shop}.example.com",
    "https://api.example.com/{id}",
    "https://bücher.example",
    "https://api.example.com:99999",
    "https://api.example.com:0",
    "https://api.example.com:x",
    "https://[::1",
    "https://[fe80::1%25eth0]",
    "https://[v1.x]",
    "https://-a.example",
    "https://a..example",
    "https://a%2eexample",
    "https://api.example.com/../x",
    "https://api.example.com/%2e%2e/x",
    "https://api.example.com/\ud800",
    f"https://api.example.com/{'a' * 2000}",
    None,
    7,
    ["https://api.example.com"],
]
PLACES = [
    ("base_url",),
    ("auth", "authorize_url"),
    ("auth", "token_url"),
    ("auth", "revoke_url"),
    ("auth", "issuer"),
]
EMPTY_IS_FINE = {"revoke_url": ("", None), "issuer": ("",)}
UNFIT = [
    (place, value)
    for place in PLACES
    for value in BAD_ADDRESSES
    if value not in EMPTY_IS_FINE.get(place[-1], ())
]


@pytest.mark.parametrize(("place", "value"), UNFIT)
def test_an_unfit_address_is_refused_by_its_place(place, value):
    settings = copy.deepcopy(declared(OAUTH))
    put(settings, place, value)

    assert refusal(settings).startswith(f"{'.'.join(place)}: must ")
