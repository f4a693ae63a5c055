"""What a declaration adds to requests: parameters, never arguments of the library that sends."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import ClientAuth, Grant, OAuth
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.oauth.endpoints import Endpoints
from integrations_pipeline.oauth.provider import TIMEOUT, OAuthClient
from tests.integration.test_token_endpoint import Server

NAMES = (
    *("verify", "method", "timeout", "headers", "cert", "auth", "include_client_id", "body"),
    *("proxies", "force_querystring", "username", "password", "authorization_response", "self"),
    *("token_url", "url", "state", "scope", "session", "how", "audience", "resource"),
)
VALUES = {"verify": "", "method": "GET", "timeout": "0", "cert": "/etc/passwd", "self": "ä & ?"}
PARAMS = {name: VALUES.get(name, "declared") for name in NAMES}
GRANTS = list(Grant)


@pytest.fixture(scope="module")
def key_file() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return orjson.dumps({"client_email": "a@b.example", "private_key": pem.decode()}).decode()


@pytest.fixture
def endpoint() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def client_at(url: str, oauth: OAuth, secret: str = "our-secret", label: str = "Acme"):
    places = Endpoints(f"{url}/authorize", f"{url}/token", "", url, "", allow_private=True)
    return OAuthClient(label, oauth, places, "our-id", secret, "http://us/callback")


def conversations(client):
    if client.oauth.asks_again:
        return [lambda: client.ask_again(())]
    return [lambda: client.exchange("a-code", "v" * 43, ()), lambda: client.refresh("rt-1", ())]


@pytest.fixture
def sent(monkeypatch) -> list[dict]:
    """How requests were sent: whether TLS was verified, with which certificate, how long."""
    found: list[dict] = []
    send = requests.Session.send

    def noted(self, request, **how):
        found.append({"method": request.method, "url": request.url, **how})
        return send(self, request, **how)

    monkeypatch.setattr(requests.Session, "send", noted)
    return found


@pytest.mark.parametrize("json_body", [False, True])
@pytest.mark.parametrize("client_auth", ClientAuth)
@pytest.mark.parametrize("grant", GRANTS)
def test_declared_names_are_ordinary_parameters(
    endpoint,
    sent,
    key_file,
    grant,
    client_auth,
    json_body,
) -> None:
    endpoint.answer(200, b'{"access_token": "t"}')
    mine = {name: value for name, value in PARAMS.items() if name != "scope"}
    oauth = OAuth(
        token_url="", grant=grant, client_auth=client_auth, json_body=json_body, token_params=mine
    )
    secret = key_file if grant is Grant.JWT_BEARER else "our-secret"

    for ask in conversations(client_at(endpoint.url, oauth, secret)):
        assert ask().access_token == "t"

    for path, body in endpoint.received:
        pairs = list(orjson.loads(body).items()) if json_body else parse_qsl(body, True)
        told = [pair for pair in pairs if pair[0] in mine]
        assert (path, sorted(told)) == ("/token", sorted(mine.items()))
        kinds = {grant.value, "refresh_token"} if grant is Grant.CODE else {grant.value}
        assert dict(pairs)["grant_type"] in kinds
        if client_auth is ClientAuth.BODY and grant is not Grant.JWT_BEARER:
            who = [dict(pairs).get(name) for name in ("client_id", "client_secret")]
            assert who == ["our-id", "our-secret"]
    for how in sent:
        assert (how["method"], how["url"]) == ("POST", f"{endpoint.url}/token")
        assert how["verify"]
        assert (how["cert"], how["timeout"]) == (None, TIMEOUT)
    assert len(sent) == len(endpoint.received) > 0


def test_what_is_ours_wins_over_a_declared_namesake(endpoint) -> None:
    endpoint.answer(200, b'{"access_token": "t"}')
    forged = {"grant_type": "x", "code": "x", "client_id": "x", "client_secret": "x"}
    oauth = OAuth(token_url="", token_params=forged)

    client_at(endpoint.url, oauth).exchange("a-code", "v" * 43, ())

    ((_, body),) = endpoint.received
    told = parse_qs(body)
    assert [told[name] for name in forged] == [
        ["authorization_code"],
        ["a-code"],
        ["our-id"],
        ["our-secret"],
    ]


def test_authorize_parameters_take_any_name() -> None:
    mine = {name: value for name, value in PARAMS.items() if name not in {"state", "scope"}}
    client = client_at("https://acme.example", OAuth(token_url="", authorize_params=mine))
    places = replace(client.endpoints, authorize_url="https://acme.example/authorize?owner=user")
    client = replace(client, endpoints=places)

    address, verifier = client.authorization("our-state", ("a", "b"))

    parts = urlsplit(address)
    asked = parse_qs(parts.query, keep_blank_values=True)
    assert (parts.netloc, parts.path, bool(verifier)) == ("acme.example", "/authorize", True)
    assert {name: asked[name] for name in mine} == {name: [text] for name, text in mine.items()}
    told = {name: asked[name] for name in ("state", "scope", "client_id", "owner")}
    assert told == {
        "state": ["our-state"],
        "scope": ["a b"],
        "client_id": ["our-id"],
        "owner": ["user"],
    }


def test_client_names_beyond_latin_1_travel_by_basic(endpoint) -> None:
    endpoint.answer(200, b'{"access_token": "t"}')
    oauth = OAuth(token_url="", client_auth=ClientAuth.BASIC)

    assert client_at(endpoint.url, oauth, "p\u0105ss\u201d").refresh("rt", ()).access_token == "t"


ID = "https://login.salesforce.com/id/00D5g00000ExAmpEAL/0055g00000UsErAAAV"
HOST = "https://acme.my.salesforce.com"
# service, a refresh's answer, the facts that are kept, the one that is not
ROTATED = [
    ("stripe", {"stripe_user_id": ["acct_1"]}, {}, "account_id"),
    ("stripe", {"stripe_user_id": "x" * 501}, {}, "account_id"),
    (
        "salesforce",
        {"id": "https://evil.example", "instance_url": HOST},
        {"instance_url": HOST},
        "identity_url",
    ),
    (
        "salesforce",
        {"id": ID, "instance_url": "https://evil.example"},
        {
            "identity_url": ID,
            "account_id": "00D5g00000ExAmpEAL",
            "user_id": "0055g00000UsErAAAV",
        },
        "instance_url",
    ),
]


@pytest.mark.parametrize(("service", "told", "kept", "bad"), ROTATED)
def test_a_bad_fact_throws_no_rotated_tokens_away(
    endpoint,
    service,
    told,
    kept,
    bad,
) -> None:
    client = client_at(endpoint.url, CONNECTORS[service].oauth, label=service)
    answer = {"access_token": "new", "refresh_token": "rt-2", "expires_in": 60, **told}
    endpoint.answer(200, orjson.dumps(answer))

    with capture_logs() as logged:
        found = client.refresh("rt-1", ())

    assert (found.access_token, found.refresh_token) == ("new", "rt-2")
    assert found.facts == kept
    assert found.expires_at is not None
    assert [(line["log_level"], line["fact"]) for line in logged] == [("warning", bad)]
    assert not any(str(value) in str(logged) for value in told.values())


@pytest.mark.parametrize(("service", "told", "kept", "bad"), ROTATED)
def test_a_bad_fact_spoils_an_exchange(
    endpoint,
    service,
    told,
    kept,
    bad,
) -> None:
    endpoint.answer(200, orjson.dumps({"access_token": "new", **told}))

    with pytest.raises(AnswerError, match=bad):
        client_at(endpoint.url, CONNECTORS[service].oauth).exchange("a-code", None, ())
    if "client_credentials" in CONNECTORS[service].others:
        with pytest.raises(AnswerError, match=bad):
            client_at(endpoint.url, CONNECTORS[service].others["client_credentials"]).ask_again(())


def test_a_refresh_token_tells_its_life_at_a_place_below(endpoint) -> None:
    oauth = OAuth(token_url="", refresh_life_at="refresh.life")
    endpoint.answer(200, b'{"access_token": "t", "refresh": {"life": 60}, "": 5}')

    found = client_at(endpoint.url, oauth).refresh("rt", ())

    assert found.consent_expires_at is None
    assert found.refresh_expires_at is not None
    assert found.expires_at is None
