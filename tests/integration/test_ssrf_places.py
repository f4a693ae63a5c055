"""Addresses that a customer tells: refused when saved, and when the database holds them anyhow."""

from collections.abc import Callable, Iterator

import orjson
import pytest
import requests
from sqlalchemy import text
from urllib3.util import parse_url

from integrations_pipeline.connectors import CONNECTORS, connector_named
from integrations_pipeline.errors import ConfigurationError, IntegrationsError, RequestError
from integrations_pipeline.oauth import (
    Choice,
    IntegrationRef,
    connect_directly,
    create_integration,
    disconnect_integration,
    find_integration,
    get_valid_token,
    store_oauth_token,
)
from integrations_pipeline.oauth.choosing import check_account
from integrations_pipeline.oauth.clients import authorized_session, service_client
from integrations_pipeline.oauth.endpoints import endpoints_of
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.transport.guard import BlockedAddressError
from tests.integration.internet import Internet, accepted, json_answer, public_internet
from tests.unit.hostile import HOSTS, astray, disguises, in_url, urls

SOUND = "https://public.example/api"
CLIENT = {"client_id": "ours", "client_secret": "secret"}
TOKEN = TokenSet("access", "refresh", None, ())
PLACES = ["base_url", "authorize_url", "token_url", "revoke_url", "issuer"]


@pytest.fixture
def internet(store, monkeypatch, tmp_path) -> Iterator[Internet]:
    monkeypatch.setattr(store.settings, "retry_seconds", 0.0)
    with public_internet(monkeypatch, tmp_path) as made:
        yield made


def declaration(place: str = "", address: str = "", kind: str = "oauth2") -> dict:
    auth = {"type": kind, "token_url": SOUND, "revoke_url": SOUND}
    auth |= {"authorize_url": SOUND, "issuer": SOUND} if kind == "oauth2" else {}
    made = {"base_url": SOUND, "auth": auth, "test": {"path": "/me", "account_id": "id"}}
    (made if place == "base_url" else auth)[place or "token_url"] = address or SOUND
    return made


def custom(store, tenant_id, settings: dict) -> IntegrationRef:
    return create_integration(store, tenant_id, "custom", "own", settings=settings, **CLIENT)


def whole(internet: Internet, schemes: tuple[str, ...] = ("https", "http")) -> list[str]:
    """The corpus as whole addresses, in every form."""
    return [a for host in HOSTS for s in schemes for a in urls(host, s, internet.bait.port)]


def some(internet: Internet) -> list[str]:
    """The same, each host in a form or two, where a case costs a few statements."""
    return [*whole(internet, ("https",))[::5], *whole(internet, ("http",))[::7]]


@pytest.mark.parametrize("place", PLACES)
def test_a_custom_address_is_refused_when_it_is_saved(store, tenant_id, internet, place) -> None:
    def save(address: str) -> IntegrationRef:
        return custom(store, tenant_id, declaration(place, address))

    assert accepted(whole(internet), save, RequestError, ConfigurationError) == {}
    save(SOUND)


def test_a_test_path_can_not_lead_to_another_host(store, tenant_id, internet) -> None:
    def save(path: str) -> IntegrationRef:
        settings = declaration()
        settings["test"]["path"] = path
        return custom(store, tenant_id, settings)

    paths = [path for host in HOSTS for path in astray(host)]
    assert accepted(paths, save, RequestError) == {}


# service, way, setting, a good value
SETTINGS = [
    ("salesforce", "oauth", "login_host", "acme.my.salesforce.com"),
    ("salesforce", "client_credentials", "login_host", "a.my.salesforce.com"),
    ("shopify", "oauth", "shop", "acme.myshopify.com"),
    ("shopify", "client_credentials", "shop", "acme.myshopify.com"),
    ("shopify", "access_token", "shop", "acme.myshopify.com"),
    ("zendesk", "oauth", "subdomain", "acme"),
    ("zendesk", "api_token", "subdomain", "acme"),
    ("jira", "oauth", "site", "acme.atlassian.net"),
    ("jira", "api_token", "site", "acme.atlassian.net"),
    ("microsoft_teams", "oauth", "tenant", "acme.example"),
    ("microsoft_teams", "client_credentials", "tenant", "acme.example"),
    ("quickbooks", "oauth", "api_host", "sandbox-quickbooks.api.intuit.com"),
]
HOMES = (".salesforce.com", ".myshopify.com", ".zendesk.com", ".atlassian.com", ".atlassian.net")
HOMES += (".microsoftonline.com", ".microsoft.com", ".intuit.com")


def full(service: str, way: str, name: str, value: str) -> dict[str, str]:
    email = {"email": "ada@example.com"} if way == "api_token" else {}
    return {**email, name: value}


def home(store, service: str, way: str, settings: dict) -> bool:
    """Whether every address that such settings make is one of the service's own hosts."""
    connector = connector_named(service)
    facts = {"instance_url": "https://acme.my.salesforce.com", "cloud_id": "1", "account_id": "1"}
    found = endpoints_of(connector, store.settings, settings, way=connector.ways[way], facts=facts)
    made = (found.authorize_url, found.token_url, found.revoke_url, found.api_base_url)
    return all((parse_url(url).host or "").endswith(HOMES) for url in made if url)


@pytest.mark.parametrize(("service", "way", "name", "good"), SETTINGS)
def test_a_setting_can_not_lead_away(store, tenant_id, internet, service, way, name, good) -> None:
    client = CLIENT if way in {"oauth", "client_credentials"} else {}

    ref = create_integration(
        store,
        tenant_id,
        service,
        "good",
        settings=full(service, way, name, good),
        choice=Choice(way),
        **client,
    )
    assert home(store, service, way, full(service, way, name, good))

    def save(value: str) -> object:
        settings = full(service, way, name, value)
        check_account(store.settings, ref.connector, ref.way, settings)
        return home(store, service, way, settings)

    def use(value: str) -> object:
        set_column(store, ref, "settings", full(service, way, name, value))
        service_client(store, find_integration(store, ref.key))
        return home(store, service, way, full(service, way, name, value))

    values = [value for host in HOSTS for value in disguises(host, good)]
    # saved, and put into the database behind the product's back
    for call, cases in ((save, values), (use, values[::17])):
        wrong = accepted(cases, call, RequestError)
        assert {value: told for value, told in wrong.items() if told != "accepted: True"} == {}


def change(store, ref: IntegrationRef, sql: str, **values: object) -> None:
    """Change something behind the product's back, by a pooled connection."""
    with store.tenant(ref.tenant_id) as session:
        session.execute(text(sql), {"id": ref.id, **values})


def set_column(store, ref: IntegrationRef, column: str, value: dict) -> None:
    sql = f"UPDATE integrations.integration SET {column} = CAST(:value AS jsonb) WHERE id = :id"
    change(store, ref, sql, value=orjson.dumps(value).decode())


def ask(store, ref: IntegrationRef) -> object:
    return service_client(store, ref).get("/me")


def ask_freely(store, ref: IntegrationRef) -> object:
    return authorized_session(store, ref).get("/me")


def refresh(store, ref: IntegrationRef) -> object:
    change(
        store,
        ref,
        "UPDATE integrations.oauth_token SET expires_at = now() - interval '1 second', "
        "obtained_at = now() - interval '1 hour', refresh_not_before = NULL "
        "WHERE integration_id = :id",
    )
    return get_valid_token(store, ref)


def disconnect(store, ref: IntegrationRef) -> object:
    store_oauth_token(store, ref, TOKEN)
    if disconnect_integration(store, ref):
        return "the service confirmed it"
    raise RequestError("not told")


USES: list[tuple[str, Callable]] = [
    ("base_url", ask),
    ("base_url", ask_freely),
    ("token_url", refresh),
    ("revoke_url", disconnect),
]


@pytest.mark.parametrize(("place", "use"), USES)
def test_a_custom_address_in_the_database_is_refused_at_use(
    store, tenant_id, internet, place, use
) -> None:
    internet.answer(lambda _: json_answer({"access_token": "new", "id": "1"}))
    ref = custom(store, tenant_id, declaration())
    store_oauth_token(store, ref, TOKEN)
    use(store, ref)  # it works while all is sound
    store_oauth_token(store, ref, TOKEN)
    internet.forget()
    kinds = (requests.RequestException,) if use is ask_freely else ()

    def again(address: str) -> object:
        set_column(store, ref, "settings", declaration(place, address))
        return use(store, find_integration(store, ref.key))

    assert accepted(some(internet), again, IntegrationsError, *kinds) == {}
    assert internet.received == []


@pytest.mark.parametrize("place", ["base_url", "token_url"])
def test_a_direct_connection_is_refused_too(store, tenant_id, internet, monkeypatch, place) -> None:
    internet.answer(lambda _: json_answer({"access_token": "new", "id": "1"}))
    ref = custom(store, tenant_id, declaration(kind="client_credentials"))
    connect_directly(store, ref)
    monkeypatch.setattr("integrations_pipeline.oauth.identity.RETRY_SECONDS", 0.1)

    def again(address: str) -> None:
        settings = declaration(place, address, "client_credentials")
        set_column(store, ref, "settings", settings)
        connect_directly(store, find_integration(store, ref.key))

    cases = [urls(host, port=internet.bait.port)[1] for host in HOSTS]
    assert accepted(cases, again, IntegrationsError) == {}


FACTS = [
    ("salesforce", {}, "instance_url", ("https://{}", "http://{}", "https://u@{}:8443")),
    ("mailchimp", {}, "dc", ("{}/#", "{}:8443/?", "u@{}/#")),
]


@pytest.mark.parametrize(("service", "settings", "fact", "forms"), FACTS)
def test_a_fact_in_the_database_is_refused_at_use(
    store, tenant_id, internet, service, settings, fact, forms
) -> None:
    ref = create_integration(store, tenant_id, service, service, settings=settings, **CLIENT)
    store_oauth_token(store, ref, TOKEN)
    values = [form.format(in_url(host)) for host in HOSTS for form in forms]
    for number, use in enumerate((ask, ask_freely)):

        def told(value: str, use: Callable = use) -> object:
            set_column(store, ref, "facts", {fact: value})
            return use(store, ref)

        assert accepted(values[number::2], told, IntegrationsError, requests.RequestException) == {}


KEYS = ["allow_private_network", "allow_private", "allow_http", "api_base_url", "identity_url"]


@pytest.mark.parametrize("name", CONNECTORS)
@pytest.mark.parametrize("value", [True, "true", "https://127.0.0.1"])
def test_only_an_operator_opens_private_networks(store, tenant_id, internet, name, value) -> None:
    for way in connector_named(name).ways or ("oauth2",):

        def save(key: str, way: str = way) -> IntegrationRef:
            settings, choice = {key: value}, Choice(way)
            return create_integration(
                store, tenant_id, name, "x", settings=settings, choice=choice, **CLIENT
            )

        assert accepted(KEYS, save, RequestError) == {}


@pytest.mark.parametrize("at", ["", "auth", "test"])
def test_a_declaration_opens_nothing_either(store, tenant_id, internet, at) -> None:
    def save(key: str) -> IntegrationRef:
        settings = declaration("base_url", "https://127.0.0.1/")
        (settings[at] if at else settings)[key] = True
        return custom(store, tenant_id, settings)

    assert accepted(KEYS, save, RequestError) == {}


def test_the_operators_leave_is_for_one_service(store, tenant_id, internet, tmp_path) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text("hubspot: {allow_private_network: true}\n")
    store.settings.connector_overrides = path
    store.settings.__dict__.pop("overrides", None)

    with pytest.raises(BlockedAddressError):
        custom(store, tenant_id, declaration("base_url", "https://127.0.0.1/"))
    path.write_text("custom: {allow_private_network: true}\n")
    store.settings.__dict__.pop("overrides", None)
    custom(store, tenant_id, declaration("base_url", "https://127.0.0.1/"))
