"""What is particular to the OAuth of Salesforce, QuickBooks and Shopify."""

import hashlib
import hmac
from urllib.parse import urlencode

import pytest
import requests

from tests.sandbox.conftest import CALLBACK
from tests.sandbox.dialects import App, is_refused


def test_salesforce_names_org_and_host_and_no_expiry(sandbox):
    app = App(sandbox, "salesforce")
    first = app.connect()
    second = app.refresh(first["refresh_token"]).json()

    assert first["instance_url"] == "https://acme-dev.my.salesforce.com"
    org = first["id"].split("/")[-2]
    assert first["id"].startswith(f"https://login.salesforce.com/id/{org}/005")
    assert len(org) == 18
    assert first["issued_at"].isdecimal()
    assert not {"expires_in", "refresh_token"} & set(second)
    found = app.call(token=second["access_token"]).json()["records"][0]
    assert (found["Id"], found["Name"]) == (org, "Acme")


def test_salesforce_gives_no_refresh_token_unasked(sandbox):
    assert "refresh_token" not in App(sandbox, "salesforce").connect(scope="api id")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT", "MALFORMED_QUERY"),
        ("SELECT Id FROM Unicorn", "INVALID_TYPE"),
        ("SELECT Horn FROM Organization", "INVALID_FIELD"),
    ],
)
def test_salesforce_errors_are_lists(sandbox, query, code):
    app = App(sandbox, "salesforce")
    token = app.connect()["access_token"]
    answer = app.call(f"/services/data/v65.0/query?q={query}", token)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert app.call().json()[0]["errorCode"] == "INVALID_SESSION_ID"


def test_salesforce_says_when_a_token_to_revoke_is_unknown(sandbox):
    assert is_refused(App(sandbox, "salesforce").revoke("x", "x"), (400, "invalid_token"))


def test_quickbooks_wants_basic_and_state(sandbox):
    app = App(sandbox, "quickbooks")
    code = app.callback()["code"]
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    proof = {"client_id": app.row["client_id"], "client_secret": app.row["client_secret"]}
    answer = requests.post(app.url("token_url"), data=fields | proof, timeout=20)

    assert is_refused(answer, (401, "invalid_client"))
    assert app.authorize(state=None).status_code == 400


def test_quickbooks_tells_the_realm_in_the_callback_alone(sandbox):
    app = App(sandbox, "quickbooks")
    answer = app.connect()

    assert app.facts["account_id"].isdecimal()
    assert app.facts["account_id"] not in str(answer)
    assert set(answer) == {
        "token_type",
        "access_token",
        "expires_in",
        "refresh_token",
        "x_refresh_token_expires_in",
    }
    assert app.call(token=answer["access_token"]).json()["CompanyInfo"]["CompanyName"] == "Acme"
    wrong = App(sandbox, "quickbooks", "globex").callback()["realmId"]
    app.facts["account_id"] = wrong
    assert is_refused(app.call(token=answer["access_token"]), (403, "3100"))


def test_quickbooks_answers_in_xml_when_json_is_not_asked_for(sandbox):
    app = App(sandbox, "quickbooks")
    token = app.connect()["access_token"]
    answer = app.call(token=token, headers={"Accept": "*/*"})

    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.headers["intuit_tid"]


def test_quickbooks_hard_limit_is_told_on_demand_and_runs_from_the_consent(sandbox, clock):
    app = App(sandbox, "quickbooks")
    headers = {"x-include-refresh-token-hard-expires-in": "true"}
    first = app.exchange(app.callback()["code"], headers=headers).json()
    clock.advance(90 * 86_400)
    second = app.refresh(first["refresh_token"], headers=headers).json()

    assert first["x_refresh_token_hard_expires_in"] == 157_680_000
    assert second["x_refresh_token_hard_expires_in"] <= 157_680_000 - 90 * 86_400
    assert second["x_refresh_token_expires_in"] == 8_726_400


def test_quickbooks_keeps_a_young_refresh_token(start, clock):
    app = App(start(quickbooks_rotation_seconds=60), "quickbooks")
    first = app.connect()["refresh_token"]
    assert app.refresh(first).json()["refresh_token"] == first

    clock.advance(60)

    assert app.refresh(first).json()["refresh_token"] != first


def test_shopify_signs_the_callback(sandbox, clock):
    clock.freeze()
    app = App(sandbox, "shopify")
    callback = app.callback()
    mark = callback.pop("hmac")
    message = urlencode(sorted(callback.items())).encode()

    expected = hmac.new(app.row["client_secret"].encode(), message, hashlib.sha256).hexdigest()
    assert mark == expected
    assert callback["shop"] == "acme.myshopify.com"
    assert int(callback["timestamp"]) == int(clock())
    assert set(callback) == {"code", "host", "shop", "state", "timestamp"}


def test_shopify_token_for_good(sandbox, clock):
    app = App(sandbox, "shopify")
    fields = {"code": app.callback()["code"]}
    answer = app.token(**fields, as_json=True).json()
    clock.advance(10 * 365 * 86_400)

    assert set(answer) == {"access_token", "scope"}
    assert answer["scope"] == "read_orders,read_products"
    assert app.works(answer["access_token"])


def test_shopify_old_refresh_token_works_until_the_new_token_is_used(sandbox):
    app = App(sandbox, "shopify")
    first = app.connect()
    assert first["refresh_token_expires_in"] == 7_776_000
    app.refresh(first["refresh_token"])
    second = app.refresh(first["refresh_token"]).json()

    assert app.works(first["access_token"])
    assert app.refresh(first["refresh_token"]).status_code == 200
    second = app.refresh(first["refresh_token"]).json()
    assert app.works(second["access_token"])
    assert is_refused(app.refresh(first["refresh_token"]), (400, "invalid_grant"))
    assert app.refresh(second["refresh_token"]).status_code == 200


def test_shopify_other_shops(sandbox):
    app = App(sandbox, "shopify")
    token = app.connect()["access_token"]
    code = app.callback()["code"]
    for shop, status in (("globex.myshopify.com", 401), ("nobody.myshopify.com", 404)):
        app.row["settings"] = {"shop": shop}
        assert app.call(token=token).status_code == status
        assert "access_token" not in app.exchange(code).json()
        assert app.authorize().status_code in {400, 404}


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("query Who { shop { name plan { publicDisplayName } } }", {"shop"}),
        ("{currentAppInstallation{accessScopes{handle}}}", {"currentAppInstallation"}),
    ],
)
def test_shopify_graphql(sandbox, query, part):
    app = App(sandbox, "shopify")
    answer = app.call(token=app.connect()["access_token"], body={"query": query})

    assert set(answer.json()["data"]) == part
    assert answer.json()["extensions"]["cost"]["throttleStatus"]
    assert answer.headers["X-Shopify-API-Version"] == "2026-10"


@pytest.mark.parametrize("query", ["", "{shop{horn}}", "{shop{name}", "{shop(first:1){name}}"])
def test_shopify_graphql_errors_come_with_status_200(sandbox, query):
    app = App(sandbox, "shopify")
    answer = app.call(token=app.connect()["access_token"], body={"query": query})

    assert answer.status_code == 200
    assert answer.json()["errors"][0]["message"]


def test_shopify_granted_scopes_can_be_read(start):
    app = App(start(grant_scopes=("read_orders",)), "shopify")
    token = app.connect()["access_token"]
    url = app.url("token_url").replace("access_token", "access_scopes.json")
    found = requests.get(url, headers={"X-Shopify-Access-Token": token}, timeout=20)

    assert found.json() == {"access_scopes": [{"handle": "read_orders"}]}
