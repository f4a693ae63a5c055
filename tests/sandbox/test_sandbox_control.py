"""The control endpoints: accounts, records, settings, the request log and the state file."""

import json
import os
import subprocess
import sys
import time

import httpx
import pytest

from integrations_pipeline.sandbox.accounts import SERVICES as ALL_SERVICES
from integrations_pipeline.sandbox.server import SandboxConfig, create_app, overrides

CALLBACK = "http://127.0.0.1:8000/oauth/callback"
SERVICES = ("hubspot", "stripe", "zendesk")


def test_each_account_has_a_client_at_each_service(sandbox):
    rows = sandbox.http.get("/sandbox/accounts").json()

    assert {(row["service"], row["account"]) for row in rows} == {
        (service, account) for service in ALL_SERVICES for account in ("acme", "globex")
    }
    assert len({row["client_id"] for row in rows}) == 2 * len(ALL_SERVICES)
    assert {json.dumps(r["settings"]) for r in rows if r["service"] == "zendesk"} == {
        '{"subdomain": "acme"}',
        '{"subdomain": "globex"}',
    }


def test_overrides_cover_all_services():
    found = overrides("http://127.0.0.1:9400/")

    assert set(found) == set(ALL_SERVICES)
    assert found["custom"] == {"allow_private_network": True}
    assert found["jira"] == {
        "authorize_url": "http://127.0.0.1:9400/jira/authorize",
        "token_url": "http://127.0.0.1:9400/jira/oauth/token",
        "revoke_url": None,
        "api_base_url": "http://127.0.0.1:9400/jira/ex/jira/{cloud_id}",
        "identity_url": "http://127.0.0.1:9400/jira/oauth/token/accessible-resources",
        "key_api_base_url": "http://127.0.0.1:9400/jira/{site}",
        "allow_private_network": True,
    }
    assert found["zendesk"]["token_url"] == "http://127.0.0.1:9400/zendesk/{subdomain}/oauth/tokens"
    assert found["stripe"]["revoke_url"] is None
    assert {row["allow_private_network"] for row in found.values()} == {True}


@pytest.mark.parametrize("service", SERVICES)
def test_accounts_differ_and_restarts_do_not(start, service):
    first, again = start(), start()
    resource = "users" if service == "zendesk" else "contacts"
    resource = "customers" if service == "stripe" else resource

    assert first.records(service, resource) == again.records(service, resource)
    assert first.records(service, resource) != first.records(service, resource, "globex")


def test_counts_follow_the_setting(start):
    sandbox = start(records=200)

    assert sandbox.counts("hubspot") == {
        "contacts": 200,
        "companies": 50,
        "deals": 100,
        "tickets": 100,
        "owners": 12,
    }
    assert sandbox.counts("stripe") == {
        "customers": 200,
        "invoices": 200,
        "subscriptions": 100,
        "payment_intents": 200,
        "products": 40,
    }
    assert sandbox.counts("zendesk") == {
        "tickets": 200,
        "users": 208,
        "organizations": 20,
        "ticket_metrics": 200,
        "satisfaction_ratings": 50,
    }


@pytest.mark.parametrize("records", [1, 2, 9])
def test_small_data_sets(start, records):
    sandbox = start(records=records)

    assert [sandbox.counts(service, "globex") for service in SERVICES]
    assert sandbox.counts("stripe")["customers"] == records


@pytest.mark.parametrize(
    ("service", "resource", "field"),
    [
        ("hubspot", "owners", "firstName"),
        ("stripe", "customers", "name"),
        ("stripe", "prices", "nickname"),
        ("zendesk", "organizations", "name"),
        ("zendesk", "satisfaction_ratings", "comment"),
    ],
)
def test_records_can_be_made_read_and_changed(sandbox, service, resource, field):
    fields = {field: "First"}
    new = sandbox.create(service, resource, fields)
    path = f"/sandbox/{service}/acme/records/{resource}/{new['id']}"

    assert sandbox.http.get(path).json() == new
    assert sandbox.change(service, resource, new["id"], {field: "Second"})[field] == "Second"
    assert sandbox.change(service, resource, new["id"], {"id": "x"})["id"] == new["id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "stripe/initech/counts", None, 404),
        ("GET", "paypal/acme/counts", None, 404),
        ("GET", "stripe/acme/records/unicorns", None, 404),
        ("GET", "stripe/acme/records/customers/cus_x", None, 404),
        ("PATCH", "zendesk/acme/records/users/abc", {}, 404),
        ("DELETE", "hubspot/acme/records/contacts/1", None, 404),
        ("POST", "hubspot/acme/records/contacts", ["no object"], 422),
        ("POST", "stripe/acme/records/events", {}, 409),
        ("POST", "zendesk/acme/records/ticket_metrics", {}, 409),
        ("POST", "settings", {"records": 5}, 422),
        ("POST", "settings", {"token_seconds": "long"}, 422),
        ("POST", "settings", {"jira_grace_seconds": -1}, 422),
        ("POST", "settings", {"grant_scopes": "read"}, 422),
        ("POST", "slack/acme/records/channels", {}, 404),
        ("GET", "slack/initech/tokens", None, 404),
        ("DELETE", "paypal/acme/grants", None, 404),
    ],
)
def test_refusals(sandbox, method, path, body, status):
    answer = sandbox.http.request(method, f"/sandbox/{path}", json=body)

    assert answer.status_code == status
    assert answer.json()["error"]


def test_settings_change_at_run_time(sandbox):
    changed = {"token_seconds": 7, "zendesk_held_back_seconds": 1.5}
    answer = sandbox.http.post("/sandbox/settings", json=changed).json()

    assert answer == changed | {
        "zendesk_job_seconds": 0.3,
        "hubspot_search_lag_seconds": 0.0,
        "stripe_search_lag_seconds": 0.0,
        "jira_grace_seconds": 10.0,
        "quickbooks_rotation_seconds": 0.0,
        "quickbooks_grace_seconds": 86_400.0,
        "grant_scopes": None,
    }
    assert sandbox.connect("hubspot")["expires_in"] == 7


def test_log_names_requests_and_hides_secrets(sandbox):
    answer = sandbox.connect("zendesk")
    client = sandbox.api("zendesk", token=answer["access_token"])
    client.get("/api/v2/users.json?page[size]=2&access_token=hush")
    sandbox.api("stripe", "globex", token="unknown").get("/v1/customers")
    log = sandbox.http.get("/sandbox/requests").json()["requests"]
    ours = sandbox.http.get("/sandbox/requests?service=zendesk&account=acme").json()["requests"]

    assert ours[-1] == {
        "service": "zendesk",
        "account": "acme",
        "method": "GET",
        "path": "/api/v2/users",
        "query": "page[size]=2&access_token=***",
        "status": 200,
    }
    assert (ours[0]["path"], ours[0]["status"]) == ("/oauth/tokens", 200)
    assert (log[-1]["account"], log[-1]["status"]) == (None, 401)
    text = json.dumps(log)
    secrets = [answer["access_token"], answer["refresh_token"], "hush"]
    secrets += [row["client_secret"] for row in sandbox.clients.values()]
    assert not any(secret in text for secret in secrets)


def test_log_can_be_cleared(sandbox):
    sandbox.connect("stripe")

    assert sandbox.http.delete("/sandbox/requests").status_code == 204
    assert sandbox.http.get("/sandbox/requests").json() == {"requests": []}


def test_tokens_and_changes_survive_a_restart(start, tmp_path):
    state_file = tmp_path / "state" / "sandbox.json"
    first = start(state_file=state_file)
    tokens = {service: first.connect(service) for service in SERVICES}
    contact = first.records("hubspot", "contacts")[0]
    first.change("hubspot", "contacts", contact["id"], {"city": "Atlantis"})
    customer = first.create("stripe", "customers", {"name": "New"})
    first.delete("stripe", "products", first.records("stripe", "products")[0]["id"])
    first.delete("zendesk", "tickets", first.records("zendesk", "tickets")[0]["id"])
    kept = {
        (service, name): first.records(service, name)
        for service in SERVICES
        for name in first.counts(service)
    }
    events = first.api("stripe").get("/v1/events").json()

    second = start(state_file=state_file)
    assert all(second.records(*key) == rows for key, rows in kept.items())
    assert customer["id"] in {row["id"] for row in second.records("stripe", "customers")}
    stripe = second.api("stripe", token=tokens["stripe"]["access_token"])
    assert stripe.get("/v1/events").json() == events
    for service in SERVICES:
        assert second.refresh(service, tokens[service]["refresh_token"]).status_code == 200


def test_new_ids_go_on_after_a_restart(start, tmp_path):
    state_file = tmp_path / "sandbox.json"
    made = [
        start(state_file=state_file).create(service, resource, {})["id"]
        for _ in range(2)
        for service, resource in (
            ("hubspot", "deals"),
            ("stripe", "invoices"),
            ("zendesk", "users"),
        )
    ]

    assert len(set(made)) == 6


def test_state_file_is_private_and_leaves_no_drafts(start, tmp_path):
    start(state_file=tmp_path / "sandbox.json").connect("hubspot")

    assert [path.name for path in tmp_path.iterdir()] == ["sandbox.json"]
    assert (tmp_path / "sandbox.json").stat().st_mode & 0o077 == 0


def test_start_is_quick_and_large_pages_too(start):
    begin = time.monotonic()
    create_app(SandboxConfig())
    assert time.monotonic() - begin < 1

    client = start(records=1500).api("zendesk")
    path = "/api/v2/incremental/tickets/cursor?start_time=0&include=metric_sets"
    assert len(client.get(path).json()["tickets"]) == 1000
    begin = time.monotonic()
    client.get(path)
    assert time.monotonic() - begin < 1


def test_run_serves_until_it_is_told_to_stop(tmp_path):
    code = """
import socket
from integrations_pipeline.sandbox.accounts import SERVICES as ALL_SERVICES
from integrations_pipeline.sandbox.server import SandboxConfig, run
with socket.create_server(("127.0.0.1", 0)) as probe:
    port = probe.getsockname()[1]
print(port, flush=True)
run(SandboxConfig(), port=port)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=_python_path()
    ) as process:
        try:
            port = process.stdout.readline().strip()
            assert _eventually_healthy(f"http://127.0.0.1:{port}/sandbox/health")
        finally:
            process.terminate()
        assert process.wait(timeout=20) is not None


def _python_path():
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def _eventually_healthy(url):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            return httpx.get(url).json() == {"status": "ok"}
        except httpx.TransportError:
            time.sleep(0.05)
    return False
