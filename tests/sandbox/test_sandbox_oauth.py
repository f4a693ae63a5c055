"""Tokens at the three services: exchange, refresh, expiry, revocation and scopes."""

import httpx
import pytest

SERVICES = ("hubspot", "stripe", "zendesk")
WITH_PKCE = ("hubspot", "zendesk")
PROBE = {
    "hubspot": "/crm/v3/objects/contacts",
    "stripe": "/v1/customers",
    "zendesk": "/api/v2/users/me",
}
CALLBACK = "http://127.0.0.1:8000/oauth/callback"


def status(sandbox, service, token, account="acme"):
    return sandbox.api(service, account, token).get(PROBE[service]).status_code


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("account", ["acme", "globex"])
def test_code_becomes_a_working_token(sandbox, service, account):
    answer = sandbox.connect(service, account)

    assert answer["refresh_token"]
    assert status(sandbox, service, answer["access_token"], account) == 200


def test_token_answers_name_the_account_as_each_service_does(sandbox):
    hubspot, stripe, zendesk = (sandbox.connect(service) for service in SERVICES)

    assert isinstance(hubspot["hub_id"], int)
    assert hubspot["scopes"][0] == "oauth"
    assert hubspot["expires_in"] == 300
    assert stripe["stripe_user_id"].startswith("acct_")
    assert "expires_in" not in stripe
    assert set(zendesk) == {
        "access_token",
        "refresh_token",
        "token_type",
        "scope",
        "expires_in",
        "refresh_token_expires_in",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_code_works_once(sandbox, service):
    code = sandbox.code(service)

    assert sandbox.exchange(service, code).status_code == 200
    again = sandbox.exchange(service, code)
    assert again.status_code == 400
    assert again.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("service", "seconds"), [("hubspot", 300), ("stripe", 300), ("zendesk", 120)]
)
def test_code_expires(sandbox, clock, service, seconds):
    code = sandbox.code(service)
    clock.advance(seconds)

    assert sandbox.exchange(service, code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("service", WITH_PKCE)
@pytest.mark.parametrize("verifier", ["not-the-verifier", ""])
def test_wrong_verifier_is_refused(sandbox, service, verifier):
    answer = sandbox.exchange(service, sandbox.code(service), code_verifier=verifier)

    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("service", SERVICES)
def test_redirect_uri_must_be_the_one_of_the_code(sandbox, service):
    other = CALLBACK + "/other"
    answer = sandbox.exchange(service, sandbox.code(service), redirect_uri=other)

    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("service", SERVICES)
def test_wrong_secret_is_refused(sandbox, service):
    fields = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = sandbox.token(service, secret="wrong", **fields)

    assert answer.json()["error"] == "invalid_client"


def test_hubspot_ignores_credentials_in_the_query(sandbox):
    client = sandbox.clients["hubspot", "acme"]
    query = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    answer = sandbox.http.post(sandbox.address("hubspot", "token_url"), params=query)

    assert answer.json()["status"] == "BAD_CLIENT_ID"


@pytest.mark.parametrize("service", SERVICES)
def test_code_of_one_account_is_worthless_to_another(sandbox, service):
    answer = sandbox.exchange(service, sandbox.code(service, "acme"), "globex")

    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("service", SERVICES)
def test_unknown_grant_type(sandbox, service):
    answer = sandbox.token(service, grant_type="password")

    assert answer.json()["error"] == "unsupported_grant_type"


def test_hubspot_refresh_token_stays_the_same(sandbox):
    first = sandbox.connect("hubspot")
    second = sandbox.refresh("hubspot", first["refresh_token"]).json()

    assert second["refresh_token"] == first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert status(sandbox, "hubspot", first["access_token"]) == 200


@pytest.mark.parametrize(("service", "old_token_status"), [("stripe", 200), ("zendesk", 401)])
def test_rotation_ends_the_old_refresh_token(sandbox, service, old_token_status):
    first = sandbox.connect(service)
    second = sandbox.refresh(service, first["refresh_token"]).json()

    again = sandbox.refresh(service, first["refresh_token"])
    assert again.status_code == 400
    assert again.json()["error"] == "invalid_grant"
    assert status(sandbox, service, first["access_token"]) == old_token_status
    assert status(sandbox, service, second["access_token"]) == 200
    assert sandbox.refresh(service, second["refresh_token"]).status_code == 200


def test_hubspot_unknown_refresh_token(sandbox):
    answer = sandbox.refresh("hubspot", "na1-unknown")

    assert answer.status_code == 400
    assert answer.json()["status"] == "BAD_REFRESH_TOKEN"


@pytest.mark.parametrize(("service", "days"), [("stripe", 365), ("zendesk", 30)])
def test_refresh_token_expires(sandbox, clock, service, days):
    token = sandbox.connect(service)["refresh_token"]
    clock.advance(days * 86_400)

    assert sandbox.refresh(service, token).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("service", SERVICES)
def test_access_token_expires_after_the_set_time(start, clock, service):
    sandbox = start(token_seconds=10)
    answer = sandbox.connect(service)
    assert status(sandbox, service, answer["access_token"]) == 200

    clock.advance(10)

    assert status(sandbox, service, answer["access_token"]) == 401
    renewed = sandbox.refresh(service, answer["refresh_token"]).json()
    assert status(sandbox, service, renewed["access_token"]) == 200


def test_refusals_of_tokens_in_each_service_s_form(start, clock):
    sandbox = start(token_seconds=10)
    tokens = {service: sandbox.connect(service)["access_token"] for service in SERVICES}
    clock.advance(10)
    expired = {s: sandbox.api(s, token=tokens[s]).get(PROBE[s]).json() for s in SERVICES}
    unknown = {s: sandbox.api(s, token="unknown").get(PROBE[s]).json() for s in SERVICES}

    assert expired["hubspot"]["category"] == "EXPIRED_AUTHENTICATION"
    assert unknown["hubspot"]["category"] == "INVALID_AUTHENTICATION"
    assert expired["stripe"]["error"]["code"] == "api_key_expired"
    assert unknown["stripe"]["error"]["type"] == "invalid_request_error"
    assert expired["zendesk"]["error"] == unknown["zendesk"]["error"] == "invalid_token"


@pytest.mark.parametrize("service", SERVICES)
def test_no_token_at_all(sandbox, service):
    base = sandbox.address(service, "api_base_url")

    assert httpx.get(base + PROBE[service]).status_code == 401


def test_stripe_takes_the_token_as_basic_user_but_not_the_secret_key(sandbox):
    token = sandbox.connect("stripe")["access_token"]
    url = sandbox.address("stripe", "api_base_url") + PROBE["stripe"]
    secret = sandbox.clients["stripe", "acme"]["client_secret"]

    assert httpx.get(url, auth=(token, "")).status_code == 200
    assert httpx.get(url, auth=(secret, "")).status_code == 401


def test_zendesk_token_request_as_json_with_life_spans(sandbox):
    client = sandbox.clients["zendesk", "acme"]
    fields = {
        "grant_type": "authorization_code",
        "code": sandbox.code("zendesk", code_challenge=None),
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
        "redirect_uri": CALLBACK,
        "expires_in": 1800,
        "refresh_token_expires_in": 604_800,
    }
    answer = sandbox.http.post(sandbox.address("zendesk", "token_url"), json=fields).json()

    assert answer["expires_in"] == 300
    assert answer["refresh_token_expires_in"] == 604_800


def test_zendesk_life_span_out_of_range(sandbox):
    answer = sandbox.exchange("zendesk", sandbox.code("zendesk"), expires_in=5)

    assert answer.json()["error"] == "invalid_request"


def test_zendesk_wrong_subdomain_is_a_page(sandbox):
    client = sandbox.api("zendesk", "nobody", token="x")

    assert client.get("/api/v2/users/me").status_code == 404
    assert "<h1>" in client.get("/api/v2/users/me").text
    assert sandbox.http.get("/zendesk/nobody/oauth/authorizations/new").status_code == 404
    assert sandbox.http.post("/zendesk/nobody/oauth/tokens").status_code == 404


def test_zendesk_token_is_good_for_its_subdomain_only(sandbox):
    token = sandbox.connect("zendesk", "acme")["access_token"]

    assert status(sandbox, "zendesk", token, "globex") == 401


def test_zendesk_token_tells_about_itself_and_can_be_revoked(sandbox):
    answer = sandbox.connect("zendesk")
    client = sandbox.api("zendesk", token=answer["access_token"])
    url = "/api/v2/oauth/tokens/current.json"

    assert client.get(url).json()["token"]["scopes"] == ["read"]
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 401
    assert sandbox.refresh("zendesk", answer["refresh_token"]).status_code == 400


def test_hubspot_revocation_and_introspection(sandbox):
    answer = sandbox.connect("hubspot")
    client = sandbox.clients["hubspot", "acme"]
    proof = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    introspect = sandbox.address("hubspot", "token_url") + "/introspect"
    revoke = sandbox.address("hubspot", "revoke_url")
    about = {"token": answer["access_token"]}

    live = sandbox.http.post(introspect, data=proof | about).json()
    assert (live["active"], live["hub_id"]) == (True, answer["hub_id"])
    refresh = {"token": answer["refresh_token"]}
    assert sandbox.http.post(revoke, data=proof | refresh).status_code == 200
    assert sandbox.http.post(introspect, data=proof | about).json() == {"active": False}
    assert status(sandbox, "hubspot", answer["access_token"]) == 401


@pytest.mark.parametrize(
    ("service", "scope", "path"),
    [
        ("hubspot", "oauth crm.objects.deals.read", "/crm/v3/objects/contacts"),
        ("hubspot", "oauth crm.objects.contacts.read", "/crm/v3/owners/"),
        ("zendesk", "users:read", "/api/v2/tickets"),
    ],
)
def test_scopes_that_do_not_reach(sandbox, service, scope, path):
    token = sandbox.connect(service, scope=scope)["access_token"]

    assert sandbox.api(service, token=token).get(path).status_code == 403
