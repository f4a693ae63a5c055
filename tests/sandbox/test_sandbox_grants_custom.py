"""The API of no particular vendor, the older services, and faults of token endpoints."""

import pytest
import requests

from tests.sandbox.dialects import App, is_refused


def test_custom_things(sandbox):
    app = App(sandbox, "custom")
    token = app.connect()["access_token"]
    rows, cursor = [], "0"
    while cursor is not None:
        page = app.call(f"/things?limit=25&cursor={cursor}", token).json()
        rows += page["data"]
        cursor = page["meta"]["next"]

    assert len(rows) == page["meta"]["total"] == 60
    assert len({row["id"] for row in rows}) == 60
    stamps = [row["updated_at"] for row in rows]
    assert stamps == sorted(stamps)
    later = app.call(f"/things?limit=100&updated_since={stamps[40]}", token).json()["data"]
    assert {row["updated_at"] >= stamps[40] for row in later} == {True}
    assert app.call(f"/things/{rows[0]['id']}", token).json() == rows[0]
    assert app.call("/things?limit=x", token).status_code == 400


def test_custom_things_change(start, tmp_path):
    state_file = tmp_path / "sandbox.json"
    sandbox = start(state_file=state_file)
    new = sandbox.create("custom", "things", {"name": "New"})
    changed = sandbox.change("custom", "things", new["id"], {"name": "Newer"})
    assert sandbox.delete("custom", "things", 1) == 204

    again = start(state_file=state_file)
    app = App(again, "custom")
    token = app.connect()["access_token"]
    assert app.call(f"/things/{new['id']}", token).json() == changed
    assert app.call("/things/1", token).status_code == 404
    assert again.counts("custom") == {"things": 60}


def test_custom_knows_both_ways_of_client_authentication(sandbox):
    app = App(sandbox, "custom")
    proof = (app.row["client_id"], app.row["client_secret"])
    fields = {"grant_type": "client_credentials"}

    good = requests.post(app.url("token_url"), data=fields, auth=proof, timeout=20)
    assert good.json()["scope"] == "read"
    wrong = requests.post(app.url("token_url"), data=fields, auth=("x", "y"), timeout=20)
    assert is_refused(wrong, (401, "invalid_client"))
    assert wrong.headers["content-type"] == "application/json"


def test_custom_revocation_knows_no_unknown_tokens(sandbox):
    app = App(sandbox, "custom")
    answer = app.connect()

    assert app.revoke("unknown", "").status_code == 200
    assert App(sandbox, "custom", "globex").revoke(answer["access_token"], "").status_code == 200
    assert app.works(answer["access_token"])
    app.revoke(answer["access_token"], "")
    assert not app.works(answer["access_token"])
    assert app.refresh(answer["refresh_token"]).status_code == 200


def test_hubspot_and_stripe_and_zendesk_tell_whose_token_it_is(sandbox):
    hubspot = sandbox.connect("hubspot")
    details = sandbox.api("hubspot", token=hubspot["access_token"])
    found = details.get("/account-info/v3/details").json()

    assert (found["portalId"], found["uiDomain"]) == (hubspot["hub_id"], "app.hubspot.com")
    account = sandbox.api("stripe").get("/v1/account").json()
    assert account["settings"]["dashboard"]["display_name"] == "Acme"
    assert sandbox.api("zendesk").get("/api/v2/users/me").json()["user"]["role"] == "admin"


def test_tokens_of_the_older_services_are_counted_too(sandbox):
    for service in ("stripe", "zendesk", "hubspot"):
        first = sandbox.connect(service)
        sandbox.refresh(service, first["refresh_token"])
        sandbox.refresh(service, "unknown")
        found = sandbox.http.get(f"/sandbox/{service}/acme/tokens").json()
        assert found == {"granted": 1, "refreshed": 1, "refused": 1, "revoked": 0}
    sandbox.api("zendesk").delete("/api/v2/oauth/tokens/current.json")
    assert sandbox.http.get("/sandbox/zendesk/acme/tokens").json()["revoked"] == 1
    sandbox.http.delete("/sandbox/hubspot/acme/grants")
    assert sandbox.refresh("hubspot", first["refresh_token"]).status_code == 400


def test_token_endpoint_can_be_slow_and_faulty(sandbox):
    app = App(sandbox, "custom")
    first = app.connect()["refresh_token"]
    sandbox.fault("custom", "slow", path="/oauth/token", seconds=0.2)
    answer = app.refresh(first)
    assert answer.elapsed.total_seconds() >= 0.2

    sandbox.fault("custom", "drop", path="/oauth/token")
    second = answer.json()["refresh_token"]
    with pytest.raises(requests.RequestException):
        app.refresh(second)
    assert app.refresh(second).status_code == 400
