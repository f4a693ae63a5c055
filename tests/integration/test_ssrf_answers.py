"""Addresses that a service tells: in token answers, about the account, in links and redirects."""

from collections.abc import Callable, Iterator
from itertools import count, cycle
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from integrations_pipeline.errors import (
    AnswerError,
    ConfigurationError,
    IntegrationsError,
    RequestError,
)
from integrations_pipeline.oauth import (
    Choice,
    IntegrationRef,
    connect_directly,
    create_integration,
    create_user,
    disconnect_integration,
    exchange_code_for_token,
    generate_auth_url,
    get_valid_token,
    store_oauth_token,
)
from integrations_pipeline.oauth.clients import authorized_session, service_client
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.transport.session import new_session
from tests.integration.internet import (
    PUBLIC,
    Answer,
    Internet,
    accepted,
    json_answer,
    public_internet,
)
from tests.integration.support import integration_row
from tests.unit.hostile import HOSTS, in_url, urls

API = "https://public.example/api"
CLIENT = {"client_id": "ours", "client_secret": "secret"}
TOKEN = TokenSet("access", "refresh", None, ())
ORG = "https://login.salesforce.com/id/00D000000000001/005000000000001"
REDIRECTS = (301, 302, 303, 307, 308)
ANY = (IntegrationsError, requests.RequestException)


@pytest.fixture
def internet(store, monkeypatch, tmp_path) -> Iterator[Internet]:
    monkeypatch.setattr(store.settings, "retry_seconds", 0.0)
    with public_internet(monkeypatch, tmp_path) as made:
        yield made


@pytest.fixture
def custom(store, tenant_id, internet) -> IntegrationRef:
    """A custom integration at public.example, connected."""
    auth = {
        "type": "oauth2",
        "authorize_url": f"{API}/authorize",
        "token_url": f"{API}/token",
        "revoke_url": f"{API}/revoke",
    }
    settings = {"base_url": API, "auth": auth}
    ref = create_integration(store, tenant_id, "custom", "own", settings=settings, **CLIENT)
    store_oauth_token(store, ref, TOKEN)
    return ref


def whole(internet: Internet) -> list[str]:
    port = internet.bait.port
    return [a for host in HOSTS for s in ("https", "http") for a in urls(host, s, port)]


def instances() -> list[str]:
    """Hostile values of Salesforce's `instance_url`."""
    good = "acme.my.salesforce.com"
    forms = ("https://{0}", "http://{0}", "https://{0}/{1}", "https://{0}#{1}", "https://{0}?.{1}")
    forms += ("https://{1}@{0}", "https://{0}\\.{1}", "https://{1}\n@{0}", "https://{0}:443/.{1}")
    return [form.format(in_url(host), good) for host in HOSTS for form in forms][::8]


def test_a_token_answer_can_not_lead_away(store, tenant_id, internet) -> None:
    settings, choice = {"login_host": "acme.my.salesforce.com"}, Choice("client_credentials")
    ref = create_integration(
        store, tenant_id, "salesforce", "sf", settings=settings, choice=choice, **CLIENT
    )

    def connect(instance: str) -> None:
        told = {"access_token": "secret", "instance_url": instance, "id": ORG}
        internet.answer(lambda _: json_answer(told))
        connect_directly(store, ref)

    assert accepted(instances(), connect, AnswerError) == {}
    assert {place.partition("/")[0] for place, *_ in internet.received} == {
        "acme.my.salesforce.com"
    }
    assert integration_row(store, ref).facts == {}


def test_a_refresh_answer_can_not_lead_away(store, tenant_id, internet) -> None:
    ref = create_integration(store, tenant_id, "salesforce", "sf", **CLIENT)
    store_oauth_token(store, ref, TOKEN)

    for instance in instances():
        told = {"access_token": "secret", "instance_url": instance, "id": ORG}
        internet.answer(lambda _, told=told: json_answer(told))
        store_oauth_token(store, ref, TOKEN)
        # the tokens are kept, as the old ones may be spent; the address is not
        assert get_valid_token(store, ref, rejected="access") == "secret"
        assert "instance_url" not in integration_row(store, ref).facts, instance

    assert {place for place, *_ in internet.received} == {
        "login.salesforce.com/services/oauth2/token"
    }


def test_a_data_centre_can_not_lead_away(store, tenant_id, internet) -> None:
    ref = create_integration(store, tenant_id, "mailchimp", "mc", **CLIENT)
    user = create_user(store, tenant_id, "ada@example.com", "Ada", "ADMIN")
    forms = ("{}", "{}/#", "{}:443/?", "us1@{}/#", "us1.{}", "{}\\", "us1\n", "{}#us1")
    values = [form.format(in_url(host)) for host in HOSTS for form in forms]

    def connect(dc: str) -> None:
        told = {"access_token": "secret", "dc": dc}
        internet.answer(lambda _: json_answer(told))
        address = generate_auth_url(store, ref, user_id=user, session_id="browser")
        state = parse_qs(urlsplit(address).query)["state"][0]
        exchange_code_for_token(store, state=state, code="code", session_id="browser")

    assert accepted(values[::7], connect, AnswerError) == {}
    assert {place.partition("/")[0] for place, *_ in internet.received} == {"login.mailchimp.com"}


def test_a_keys_suffix_can_not_lead_away(store, tenant_id, internet) -> None:
    choice = Choice("api_key")
    ref = create_integration(store, tenant_id, "mailchimp", "mc", choice=choice)
    forms = ("abc-{}", "abc-{}/#", "abc-us1@{}/#", "abc-us1.{}", "{}", "abc-{}-us1/", "abc-us1\n{}")
    keys = [form.format(in_url(host)) for host in HOSTS for form in forms]

    assert accepted(keys, lambda key: connect_directly(store, ref, key), RequestError) == {}
    assert internet.received == []


def test_a_link_can_not_lead_the_client_away(store, custom, internet) -> None:
    client = service_client(store, custom)
    mine = lambda link: client.get(link)["secret"]  # noqa: E731
    assert accepted(whole(internet), mine, IntegrationsError) == {}
    assert internet.received == []


def test_an_address_can_not_lead_the_session_in(store, custom, internet) -> None:
    session = authorized_session(store, custom)
    assert accepted(whole(internet)[::3], session.get, *ANY) == {}
    assert internet.received == []


def test_the_guard_stands_under_every_session(internet) -> None:
    session = new_session(allow_private=False)
    assert accepted(whole(internet), lambda url: session.get(url, timeout=2), *ANY) == {}
    internet.answer(lambda _: json_answer({}))
    assert session.get("https://public.example/", timeout=5).ok


def revoked(store, ref: IntegrationRef) -> None:
    store_oauth_token(store, ref, TOKEN)
    if not disconnect_integration(store, ref):
        raise RequestError("not told")


def renewed(store, ref: IntegrationRef) -> None:
    store_oauth_token(store, ref, TOKEN)
    get_valid_token(store, ref, rejected="access")


def asked(store, ref: IntegrationRef) -> None:
    service_client(store, ref).get("/x")


def asked_freely(store, ref: IntegrationRef) -> None:
    authorized_session(store, ref).get("/x")


def plainly(store, ref: IntegrationRef) -> None:
    new_session(allow_private=False).get(f"{API}/x", timeout=5)


@pytest.mark.parametrize("use", [revoked, renewed, asked, asked_freely, plainly])
def test_a_redirect_leads_nobody_in(store, custom, internet, use: Callable) -> None:
    statuses = cycle(REDIRECTS)
    targets = whole(internet)[::13]
    targets += [f"//{in_url(host)}:{internet.bait.port}/" for host in HOSTS[::3]]

    def follow(target: str) -> None:
        answer: Answer = (next(statuses), {"Location": target}, b"")
        internet.answer(lambda _: answer)
        use(store, custom)

    store_oauth_token(store, custom, TOKEN)
    assert accepted(targets, follow, *ANY) == {}
    assert len(internet.received) >= len(targets)  # the redirecting server was asked each time


ANSWERS = {
    "first public": lambda n: [PUBLIC] if n == 0 else ["127.0.0.1"],
    "first public, then ::1": lambda n: [PUBLIC] if n == 0 else ["::1"],
    "both, public first": lambda _: [PUBLIC, "127.0.0.1"],
    "both, public last": lambda _: ["127.0.0.1", PUBLIC],
    "alternating": lambda n: [PUBLIC] if n % 2 == 0 else ["127.0.0.1"],
    "alternating, IPv6": lambda n: [PUBLIC] if n % 2 == 0 else ["::1"],
    "two, then one": lambda n: [[PUBLIC, "::ffff:127.0.0.1"], [PUBLIC], ["127.0.0.1"]][n % 3],
}


@pytest.mark.parametrize("how", ANSWERS)
def test_a_name_that_changes_its_mind_leads_nobody_in(internet, how) -> None:
    asked, port = count(), internet.bait.port
    internet.resolver = lambda _: ANSWERS[how](next(asked))
    closing = {"Connection": "close"}  # so that each request asks for the name again
    internet.answer(lambda _: (200, closing, b"ok"))
    session, good, refused = new_session(allow_private=False), 0, 0
    for _ in range(1000):
        try:
            good += session.get(f"http://public.example:{port}/", timeout=5).text == "ok"
        except ConfigurationError:
            refused += 1
    public = sum(ANSWERS[how](n) == [PUBLIC] for n in range(1000))
    assert (good, refused, next(asked)) == (public, 1000 - public, 1000)
    assert (len(internet.received), internet.bait.visits) == (public, 0)


def test_the_witness_sees_who_goes_astray(internet) -> None:
    port = internet.bait.port
    with pytest.raises(requests.RequestException):
        new_session(allow_private=True).get(f"http://127.0.0.1:{port}/", timeout=5)

    assert internet.elsewhere == [("127.0.0.1", port)]
    while not internet.bait.visits:
        pass
    internet.elsewhere.clear()
    internet.bait.visits = 0
