"""Keys that admins copy, and grants in which no person consents."""

import base64
import json
import time

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integrations_pipeline.sandbox.accounts import SERVICES
from tests.sandbox.dialects import ANALYTICS, App, is_refused

WAYS = {
    "hubspot": {"private_app"},
    "stripe": {"api_key"},
    "zendesk": {"api_token"},
    "google_analytics": {"service_account"},
    "jira": {"api_token"},
    "mailchimp": {"api_key"},
    "slack": {"bot_token"},
    "shopify": {"access_token"},
    "custom": {"api_key", "basic"},
}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def encoded(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def bearer(key):
    return {"headers": {"Authorization": f"Bearer {key}"}}


# By service: the request of an admin's key, and where the account's name is in its answer.
CALLS = [
    ("hubspot", "private_app", "/hubspot/account-info/v3/details", bearer, "portalId"),
    ("hubspot", "private_app", "/hubspot/crm/v3/objects/contacts", bearer, "results"),
    ("stripe", "api_key", "/stripe/v1/account", bearer, "id"),
    ("stripe", "api_key", "/stripe/v1/account", lambda key: {"auth": (key, "")}, "id"),
    (
        "zendesk",
        "api_token",
        "/zendesk/{account}/api/v2/users/me",
        lambda key: {"auth": ("admin@acme.example/token", key)},
        "user",
    ),
    (
        "jira",
        "api_token",
        "/jira/{account}.atlassian.net/rest/api/3/myself",
        lambda key: {"auth": ("admin@acme.example", key)},
        "accountId",
    ),
    (
        "jira",
        "api_token",
        "/jira/ex/jira/{account}.atlassian.net/rest/api/3/myself",
        lambda key: {"auth": ("admin@acme.example", key)},
        "accountId",
    ),
    (
        "mailchimp",
        "api_key",
        "/mailchimp/{dc}/3.0/",
        lambda key: {"auth": ("any", key)},
        "account_id",
    ),
    ("mailchimp", "api_key", "/mailchimp/{dc}/3.0/", bearer, "account_id"),
    ("slack", "bot_token", "/slack/api/auth.test", bearer, "team_id"),
    (
        "shopify",
        "access_token",
        "/shopify/{account}.myshopify.com/admin/oauth/access_scopes.json",
        lambda key: {"headers": {"X-Shopify-Access-Token": key}},
        "access_scopes",
    ),
    ("custom", "api_key", "/custom/me", lambda key: {"headers": {"X-Api-Key": key}}, "id"),
    ("custom", "api_key", "/custom/me", lambda key: {"params": {"api_key": key}}, "id"),
    ("custom", "api_key", "/custom/me", bearer, "id"),
    ("custom", "basic", "/custom/me", lambda key: {"auth": tuple(key.split(":"))}, "id"),
]


def call(sandbox, path, account, more):
    dc = sandbox.clients["mailchimp", account]["keys"]["api_key"].rpartition("-")[2]
    url = sandbox.url + path.format(account=account, dc=dc)
    return requests.get(url, timeout=20, **more)


def test_accounts_list_their_keys(sandbox):
    for account in ("acme", "globex"):
        found = {s: set(sandbox.clients[s, account]["keys"]) for s in SERVICES}
        assert {service: ways for service, ways in found.items() if ways} == WAYS


@pytest.mark.parametrize(("service", "way", "path", "carried", "name"), CALLS)
def test_key_opens_its_own_account(sandbox, service, way, path, carried, name):
    answers = []
    for account in ("acme", "globex"):
        key = sandbox.clients[service, account]["keys"][way]
        answer = call(sandbox, path, account, carried(key))
        assert answer.status_code == 200
        answers.append(answer.json()[name])
        log = sandbox.http.get(f"/sandbox/requests?service={service}").json()["requests"]
        assert log[-1]["account"] == account
        assert key not in json.dumps(log)

    assert answers[0] != answers[1] or name == "access_scopes"


@pytest.mark.parametrize(("service", "way", "path", "carried", "name"), CALLS)
def test_wrong_key_opens_nothing(sandbox, service, way, path, carried, name):
    key = sandbox.clients[service, "acme"]["keys"][way]
    answer = call(sandbox, path, "acme", carried(key[:-1] + "~"))

    assert answer.status_code == 401 or answer.json() == {"ok": False, "error": "invalid_auth"}


@pytest.mark.parametrize(
    ("service", "way", "path", "carried"), [row[:4] for row in CALLS if "{account}" in row[2]]
)
def test_key_of_one_account_is_worthless_to_another(sandbox, service, way, path, carried):
    key = sandbox.clients[service, "globex"]["keys"][way]

    assert call(sandbox, path, "acme", carried(key)).status_code in {401, 404}


def test_zendesk_wants_the_word_token_in_the_user(sandbox):
    key = sandbox.clients["zendesk", "acme"]["keys"]["api_token"]
    more = {"auth": ("admin@acme.example", key)}

    assert call(sandbox, "/zendesk/acme/api/v2/users/me", "acme", more).status_code == 401


def test_a_key_is_no_token_that_could_be_revoked(sandbox):
    tokens = {name: App(sandbox, name) for name in ("mailchimp", "custom")}
    held = {name: app.connect()["access_token"] for name, app in tokens.items()}
    key = sandbox.clients["zendesk", "acme"]["keys"]["api_token"]
    path = f"{sandbox.url}/zendesk/acme/api/v2/oauth/tokens/current.json"
    proof = ("admin@acme.example/token", key)

    assert requests.get(path, auth=proof, timeout=20).status_code == 200
    assert requests.delete(path, auth=proof, timeout=20).status_code == 204
    assert requests.get(path, auth=proof, timeout=20).status_code == 200
    assert all(app.works(held[name]) for name, app in tokens.items())


@pytest.mark.parametrize(
    ("service", "fields"),
    [
        ("salesforce", {}),
        ("microsoft_teams", {"scope": "https://graph.microsoft.com/.default"}),
        ("shopify", {}),
        ("custom", {"scope": "read"}),
    ],
)
def test_client_credentials(sandbox, service, fields):
    app = App(sandbox, service)
    answer = app.token(grant_type="client_credentials", **fields).json()

    assert app.works(answer["access_token"])
    assert "refresh_token" not in answer
    assert ("expires_in" in answer) is (service != "salesforce")
    assert sandbox.http.get(f"/sandbox/{service}/acme/tokens").json()["granted"] == 1


def test_teams_app_needs_the_default_scope_and_a_tenant(sandbox):
    app = App(sandbox, "microsoft_teams")
    scope = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
    token = app.token(**scope).json()["access_token"]

    wrong = app.token(grant_type="client_credentials", scope="User.Read")
    assert is_refused(wrong, (400, "invalid_scope"))
    assert app.call("/me", token).json()["error"]["code"] == "BadRequest"
    app.row["settings"]["tenant"] = "common"
    assert is_refused(app.token(**scope), (400, "invalid_request"))


def statement(key_file, key=None, header=None, **changes):
    """A signed statement, as Google's own library makes them."""
    content = json.loads(key_file)
    now = int(time.time())
    claims = {
        "iss": content["client_email"],
        "aud": content["token_uri"],
        "scope": ANALYTICS,
        "iat": now,
        "exp": now + 600,
    } | changes
    key = key or load_pem_private_key(content["private_key"].encode(), None)
    header = header or {"alg": "RS256", "typ": "JWT", "kid": content["private_key_id"]}
    parts = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{parts}.{encoded(key.sign(parts.encode(), padding.PKCS1v15(), SHA256()))}"


@pytest.mark.parametrize("account", ["acme", "globex"])
def test_google_service_account(sandbox, account):
    app = App(sandbox, "google_analytics", account)
    content = json.loads(app.row["keys"]["service_account"])
    for audience in (content["token_uri"], app.url("token_url")):
        signed = statement(app.row["keys"]["service_account"], aud=audience)
        fields = {"grant_type": JWT_BEARER, "assertion": signed}
        answer = requests.post(app.url("token_url"), data=fields, timeout=20).json()

        assert set(answer) == {"access_token", "expires_in", "token_type"}
        number = app.row["settings"]["property_id"]
        found = app.call(f"/properties/{number}/metadata", answer["access_token"])
        assert found.json()["name"] == f"properties/{number}/metadata"
    log = sandbox.http.get(f"/sandbox/requests?account={account}").json()["requests"]
    assert [row["path"] for row in log if row["path"] == "/token"] == ["/token"] * 2
    counted = sandbox.http.get(f"/sandbox/google_analytics/{account}/tokens").json()
    assert counted["granted"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "nobody@example.com"},
        {"aud": "https://elsewhere.example/token"},
        {"exp": int(time.time()) - 1},
        {"exp": int(time.time()) + 9000},
        {"iat": None},
        {"key": rsa.generate_private_key(65_537, 2048)},
        {"header": {"alg": "none"}},
    ],
)
def test_google_statement_that_is_not_believed(sandbox, changes):
    app = App(sandbox, "google_analytics")
    signed = statement(app.row["keys"]["service_account"], **changes)
    fields = {"grant_type": JWT_BEARER, "assertion": signed}
    answer = requests.post(app.url("token_url"), data=fields, timeout=20)

    assert is_refused(answer, (400, "invalid_grant"))


@pytest.mark.parametrize("text", ["", "a.b.c", "a.b", "é.é.é"])
def test_google_statement_that_is_none(sandbox, text):
    app = App(sandbox, "google_analytics")
    fields = {"grant_type": JWT_BEARER, "assertion": text}

    assert requests.post(app.url("token_url"), data=fields, timeout=20).status_code == 400


def test_google_key_file_stays_the_same(start):
    first, again = start(), start()

    assert first.clients["google_analytics", "acme"] == again.clients["google_analytics", "acme"]
