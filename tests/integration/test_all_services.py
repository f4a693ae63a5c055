"""Every service and every way in: connected, named, examined, refreshed, disconnected."""

import pytest

from integrations_pipeline.alerts import open_alerts
from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import KeyAccess
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth import (
    Choice,
    connect_directly,
    create_integration,
    disconnect_integration,
    exchange_code_for_token,
    get_valid_token,
    needs_browser,
)
from integrations_pipeline.oauth.clients import authorized_session, service_client
from integrations_pipeline.oauth.doctor import examine
from integrations_pipeline.store import Place
from tests.conftest import SESSION, Sandbox, callback
from tests.integration.support import expire, integration_row, one_row, run_sql, token_row

# service -> the account's id and name, as the sandbox's acme tells them
NAMES = {
    "salesforce": "Acme",
    "quickbooks": "Acme",
    "google_analytics": "@",
    "jira": "acme",
    "mailchimp": "Acme",
    "slack": "Acme",
    "microsoft_teams": "Acme",
    "shopify": "Acme",
    "custom": "Acme",
}
SERVICES = list(CONNECTORS)
REFRESHED = [name for name in SERVICES if name != "mailchimp"]
EXTRA = {
    ("zendesk", "api_token"): {"email": "ada@acme.example"},
    ("jira", "api_token"): {"email": "ada@acme.example"},
    ("salesforce", "client_credentials"): {"login_host": "acme-dev.my.salesforce.com"},
}
WAYS = [
    (service, way)
    for service, connector in CONNECTORS.items()
    for way in connector.others
    if way != "connect"  # the sandbox has one app at Stripe
]


def custom_declaration(sandbox: Sandbox, auth: dict) -> dict:
    return {
        "base_url": f"{sandbox.url}/custom",
        "auth": auth,
        "test": {"path": "/me", "account_id": "id", "account_name": "name"},
    }


def oauth2(sandbox: Sandbox) -> dict:
    root = f"{sandbox.url}/custom/oauth"
    return {
        "type": "oauth2",
        "authorize_url": f"{root}/authorize",
        "token_url": f"{root}/token",
        "revoke_url": f"{root}/revoke",
        "scopes": ["read"],
    }


def added(store, sandbox, tenant_id, service, way=""):
    client = sandbox.client(service)
    settings = {**client["settings"], **(EXTRA.get((service, way)) or {})}
    if service == "custom":
        settings = custom_declaration(sandbox, oauth2(sandbox))
    chosen = CONNECTORS[service].ways.get(way or "oauth")
    by_key = isinstance(chosen, KeyAccess)
    by_file = way == "service_account"
    return create_integration(
        store,
        tenant_id,
        service,
        service.replace("_", "-"),
        client_id="" if by_key or by_file else client["client_id"],
        client_secret="" if by_key else client["keys"][way] if by_file else client["client_secret"],
        settings=settings,
        choice=Choice(way),
    )


def connected(store, sandbox, tenant_id, service):
    ref = added(store, sandbox, tenant_id, service)
    path, query = callback(store, ref)
    return exchange_code_for_token(
        store,
        state=query["state"],
        code=query["code"],
        session_id=SESSION,
        path=path,
        parameters=query,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_an_account_is_connected_and_known(store, sandbox, tenant_id, service) -> None:
    ref = connected(store, sandbox, tenant_id, service)

    row = integration_row(store, ref)
    found = examine(store, ref)

    assert row.status == "ACTIVE"
    assert row.account_id
    assert NAMES.get(service, "") in row.facts.get("account_name", "")
    assert found.well, found.text
    assert (row.facts.get("account_name") or row.account_id) in found.text


@pytest.mark.parametrize("service", REFRESHED)
def test_its_token_is_refreshed_and_works(store, sandbox, tenant_id, service) -> None:
    ref = connected(store, sandbox, tenant_id, service)
    before = get_valid_token(store, ref)
    for _ in range(3):
        expire(store, ref)
        assert get_valid_token(store, ref) != before

    assert token_row(store, ref).version == 4
    assert examine(store, ref).well


@pytest.mark.parametrize("service", SERVICES)
def test_disconnecting_ends_it_at_the_service(store, sandbox, tenant_id, service) -> None:
    ref = connected(store, sandbox, tenant_id, service)

    confirmed = disconnect_integration(store, ref)

    assert confirmed is (ref.way.revoke is not None)
    assert sandbox.get(f"/sandbox/{service}/acme/tokens")["revoked"] == int(confirmed)
    assert count_tokens(store, ref) == 0
    assert examine(store, ref).cause == "not connected"


@pytest.mark.parametrize("service", [s for s in SERVICES if s not in {"mailchimp", "custom"}])
def test_a_grant_that_the_user_ended_needs_a_person(store, sandbox, tenant_id, service) -> None:
    ref = connected(store, sandbox, tenant_id, service)
    sandbox.send("DELETE", f"/sandbox/{service}/acme/grants")
    expire(store, ref)
    sandbox.forget_requests()

    found = examine(store, ref)

    assert (found.well, found.cause) == (False, "revoked")
    assert integration_row(store, ref).status == "ERROR"
    assert [alert.kind for alert in open_alerts(store, ref.tenant_id)] == ["connect_again"]
    asked = len(sandbox.requests(service))
    assert examine(store, ref).cause == "revoked"
    assert len(sandbox.requests(service)) == asked


@pytest.mark.parametrize(("service", "way"), WAYS)
def test_every_other_way_in(store, sandbox, tenant_id, service, way) -> None:
    ref = added(store, sandbox, tenant_id, service, way)
    assert not needs_browser(ref)

    secret = sandbox.client(service)["keys"].get(way, "") if isinstance(ref.way, KeyAccess) else ""
    connect_directly(store, ref, secret)

    row, found = integration_row(store, ref), examine(store, ref)
    assert (row.status, found.well) == ("ACTIVE", True), found.text
    assert row.account_id
    if not isinstance(ref.way, KeyAccess):
        before = get_valid_token(store, ref)
        expire(store, ref)
        assert get_valid_token(store, ref) != before


CUSTOM_KEYS = {
    "api_key in a header": ({"type": "api_key", "in": "header", "name": "X-Api-Key"}, "api_key"),
    "api_key in the query": ({"type": "api_key", "in": "query", "name": "api_key"}, "api_key"),
    "basic": ({"type": "basic"}, "basic"),
    "bearer": ({"type": "bearer"}, "api_key"),
}


@pytest.mark.parametrize("kind", CUSTOM_KEYS)
def test_a_custom_service_takes_keys(store, sandbox, tenant_id, kind) -> None:
    auth, key = CUSTOM_KEYS[kind]
    ref = create_integration(
        store, tenant_id, "custom", "erp", settings=custom_declaration(sandbox, auth)
    )

    connect_directly(store, ref, sandbox.client("custom")["keys"][key])

    assert examine(store, ref).well
    assert authorized_session(store, ref).get("/things", params={"limit": 3}).json()["data"]
    assert service_client(store, ref).get("/things")["meta"]["total"] > 0


def test_a_custom_service_takes_client_credentials(store, sandbox, tenant_id) -> None:
    auth = {
        "type": "client_credentials",
        "token_url": f"{sandbox.url}/custom/oauth/token",
        "scopes": ["read"],
    }
    client = sandbox.client("custom")
    ref = create_integration(
        store,
        tenant_id,
        "custom",
        "erp",
        client_id=client["client_id"],
        client_secret=client["client_secret"],
        settings=custom_declaration(sandbox, auth),
    )

    connect_directly(store, ref)

    assert examine(store, ref).well


@pytest.mark.parametrize(("service", "way"), [(s, w) for s, w in WAYS if s != "google_analytics"])
def test_a_wrong_key_connects_nothing(store, sandbox, tenant_id, service, way) -> None:
    ref = added(store, sandbox, tenant_id, service, way)
    if not isinstance(ref.way, KeyAccess):
        run_sql(
            store,
            "UPDATE integrations.integration SET client_secret = :wrong WHERE id = :id",
            wrong=store.keyring.seal(
                "wrong", Place(tenant_id, ref.id, "integration.client_secret")
            ),
            id=ref.id,
        )
    right = sandbox.client(service)["keys"].get(way, "")
    wrong = right[:-3] + ("us9" if service == "mailchimp" else "000")

    with pytest.raises(IntegrationsError) as told:
        connect_directly(store, ref, wrong)

    assert wrong not in str(told.value) or not right
    assert integration_row(store, ref).status == "INACTIVE"
    assert count_tokens(store, ref) == 0


def count_tokens(store, ref) -> int:
    query = "SELECT count(*) FROM integrations.oauth_token WHERE integration_id = :id"
    return one_row(store, query, id=ref.id)[0]
