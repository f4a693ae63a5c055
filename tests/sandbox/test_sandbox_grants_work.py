"""What is particular to the OAuth of Google, Jira, Mailchimp, Slack and Teams."""

import pytest
import requests

from tests.sandbox.conftest import CALLBACK
from tests.sandbox.dialects import ANALYTICS, App, is_refused


@pytest.mark.parametrize("missing", ["access_type", "prompt"])
def test_google_gives_no_refresh_token_unasked(sandbox, missing):
    assert "refresh_token" not in App(sandbox, "google_analytics").connect(**{missing: None})


def test_google_names_itself_in_the_callback(sandbox):
    callback = App(sandbox, "google_analytics").callback()

    assert callback["iss"] == "https://accounts.google.com"


def test_google_repeats_no_refresh_token(sandbox):
    app = App(sandbox, "google_analytics")
    answer = app.refresh(app.connect()["refresh_token"]).json()

    assert "refresh_token" not in answer
    assert answer["scope"] == f"{ANALYTICS} openid email"


def test_google_access_without_the_scope(start):
    sandbox = start(grant_scopes=("openid", "email"))
    app = App(sandbox, "google_analytics")
    answer = app.connect()

    assert answer["scope"] == "openid email"
    assert app.call(token=answer["access_token"]).json()["email"] == "admin@acme.example"
    refused = app.call("/accountSummaries", answer["access_token"])
    assert is_refused(refused, (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"))
    sandbox.http.post("/sandbox/settings", json={"grant_scopes": None})
    assert ANALYTICS in app.connect()["scope"]


def test_google_revokes_the_whole_grant_by_an_access_token(sandbox):
    app = App(sandbox, "google_analytics")
    answer = app.connect()
    assert app.revoke(answer["access_token"], "").status_code == 200

    assert is_refused(app.refresh(answer["refresh_token"]), (400, "invalid_grant"))
    assert is_refused(app.revoke(answer["access_token"], ""), (400, "invalid_token"))


def test_google_other_property(sandbox):
    app = App(sandbox, "google_analytics")
    token = app.connect()["access_token"]

    assert app.call("/properties/1/metadata", token).status_code == 403
    number = app.row["settings"]["property_id"]
    assert f"properties/{number}" in app.call("/accountSummaries", token).text


def test_jira_takes_json_alone(sandbox):
    app = App(sandbox, "jira")
    fields = {"grant_type": "refresh_token", "refresh_token": "x"}

    assert is_refused(app.token(as_json=False, **fields), (400, "invalid_request"))


@pytest.mark.parametrize("missing", ["audience", "prompt", "state"])
def test_jira_authorize_needs_its_parameters(sandbox, missing):
    assert App(sandbox, "jira").authorize(**{missing: None}).status_code == 400


def test_jira_refresh_token_comes_by_scope(sandbox):
    assert "refresh_token" not in App(sandbox, "jira").connect(scope="read:jira-work")


def test_jira_dead_refresh_token(start):
    app = App(start(jira_grace_seconds=0), "jira")
    first = app.connect()["refresh_token"]
    app.refresh(first)
    answer = app.refresh(first)

    assert answer.status_code == 403
    assert answer.json() == {
        "error": "unauthorized_client",
        "error_description": "refresh_token is invalid",
    }


@pytest.mark.parametrize(("account", "sites"), [("acme", 2), ("globex", 1)])
def test_jira_sites(sandbox, account, sites):
    app = App(sandbox, "jira", account)
    token = app.connect()["access_token"]
    rows = app.call(token=token).json()

    assert len(rows) == sites
    assert rows[0]["url"] == f"https://{app.row['settings']['site']}"
    assert rows[0]["scopes"] == ["read:jira-work", "read:jira-user"]
    for row in rows:
        app.facts["cloud_id"] = row["id"]
        assert app.call("/rest/api/3/myself", token).json()["timeZone"]
    app.facts["cloud_id"] = "another"
    assert app.call("/rest/api/3/myself", token).status_code == 404


def test_jira_site_host_takes_no_oauth_token(sandbox):
    token = App(sandbox, "jira").connect()["access_token"]
    url = f"{sandbox.url}/jira/acme.atlassian.net/rest/api/3/myself"
    headers = {"Authorization": f"Bearer {token}"}

    assert requests.get(url, headers=headers, timeout=20).status_code == 401


def test_jira_scope_that_does_not_reach(sandbox):
    app = App(sandbox, "jira")
    token = app.connect(scope="manage:jira-webhook")["access_token"]
    app.facts["cloud_id"] = app.call(token=token).json()[0]["id"]

    assert is_refused(app.call("/rest/api/3/myself", token), (401, "scope does not match"))


def test_mailchimp_token_does_not_expire(sandbox, clock):
    app = App(sandbox, "mailchimp")
    answer = app.connect()
    clock.advance(10 * 365 * 86_400)

    assert {name: answer[name] for name in ("expires_in", "scope")} == {
        "expires_in": 0,
        "scope": None,
    }
    assert set(answer) == {"access_token", "expires_in", "scope"}
    assert app.works(answer["access_token"])
    assert app.token(grant_type="refresh_token").json()["error"] == "unsupported_grant_type"


def test_mailchimp_metadata_has_its_own_scheme_and_names_the_data_centre(sandbox):
    app = App(sandbox, "mailchimp")
    token = app.connect()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    metadata = app.call(token=token).json()

    assert requests.get(app.url("identity_url"), headers=bearer, timeout=20).status_code == 401
    assert metadata["api_endpoint"] == f"https://{metadata['dc']}.api.mailchimp.com"
    app.facts["dc"] = metadata["dc"]
    root = requests.get(f"{app.url('api_base_url')}/", headers=bearer, timeout=20)
    assert root.json()["account_name"] == "Acme"
    app.facts["dc"] = "us99"
    wrong = requests.get(f"{app.url('api_base_url')}/", headers=bearer, timeout=20)
    assert wrong.status_code == 403
    assert wrong.headers["content-type"] == "application/problem+json"


def test_slack_answer_names_team_and_scopes(sandbox):
    app = App(sandbox, "slack")
    answer = app.connect()

    assert answer["ok"] is True
    assert answer["access_token"].startswith("xoxe.xoxb-1-")
    assert answer["refresh_token"].startswith("xoxe-1-")
    assert answer["scope"] == "channels:read,users:read.email"
    found = app.call(token=answer["access_token"])
    assert found.json()["team_id"] == answer["team"]["id"]
    assert found.headers["X-OAuth-Scopes"] == answer["scope"]


def test_slack_takes_the_secret_in_the_body_and_no_grant_type(sandbox):
    app = App(sandbox, "slack")
    proof = {"client_id": app.row["client_id"], "client_secret": app.row["client_secret"]}
    fields = proof | {"code": app.callback()["code"], "redirect_uri": CALLBACK}
    answer = requests.post(app.url("token_url"), data=fields, timeout=20)

    assert answer.json()["ok"] is True
    wrong = requests.post(app.url("token_url"), data=fields | {"client_id": "x"}, timeout=20)
    assert wrong.json() == {"ok": False, "error": "invalid_client_id"}
    assert app.token(grant_type="password").json()["ok"] is False


def test_slack_expired_token_and_dry_revocation(start, clock):
    sandbox = start(token_seconds=60)
    app = App(sandbox, "slack")
    token = app.connect()["access_token"]

    dry = app.call("/auth.revoke?test=1", token).json()
    assert dry == {"ok": True, "revoked": False}
    assert sandbox.http.get("/sandbox/slack/acme/tokens").json()["revoked"] == 0
    clock.advance(60)
    assert app.call(token=token).json() == {"ok": False, "error": "token_expired"}


def test_teams_answer_leaves_out_what_is_no_scope_of_graph(sandbox):
    answer = App(sandbox, "microsoft_teams").connect()

    assert answer["scope"] == "User.Read Team.ReadBasic.All"
    assert answer["ext_expires_in"] == answer["expires_in"] == 300


def test_teams_refresh_token_comes_by_scope(sandbox):
    assert "refresh_token" not in App(sandbox, "microsoft_teams").connect(scope="User.Read")


def test_teams_errors_have_numbers(sandbox):
    answer = App(sandbox, "microsoft_teams").refresh("unknown").json()

    assert answer["error_codes"] == [70008]
    assert answer["error_description"].startswith("AADSTS70008: ")


@pytest.mark.parametrize(
    ("tenant", "works"),
    [("common", True), ("organizations", True), ("acme.onmicrosoft.com", True), ("x", False)],
)
def test_teams_tenants(sandbox, tenant, works):
    app = App(sandbox, "microsoft_teams")
    code = app.callback()["code"]
    other = App(sandbox, "microsoft_teams", "globex").row["settings"]["tenant"]
    app.row["settings"] = {"tenant": tenant}

    assert (app.exchange(code).status_code == 200) is works
    assert (app.authorize().status_code == 302) is works
    app.row["settings"] = {"tenant": other}
    assert app.authorize().status_code == 400


def test_teams_tells_tenant_and_person(sandbox):
    app = App(sandbox, "microsoft_teams")
    token = app.connect()["access_token"]
    rows = app.call("/organization?$select=id,displayName", token).json()["value"]

    assert rows == [{"id": app.row["settings"]["tenant"], "displayName": "Acme"}]
    assert app.call("/me", token).json()["userPrincipalName"] == "admin@acme.onmicrosoft.com"
