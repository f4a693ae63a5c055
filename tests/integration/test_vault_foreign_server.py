"""The vault against an OAuth server that we did not write: django-oauth-toolkit.

Its refresh tokens rotate without any grace, and a second use of one ends the whole family.
"""

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from integrations_pipeline.errors import ConnectAgainError
from integrations_pipeline.oauth import (
    create_integration,
    create_user,
    disconnect_integration,
    exchange_code_for_token,
    generate_auth_url,
    get_valid_token,
)
from integrations_pipeline.oauth.clients import service_client
from tests.conftest import SESSION, authorize
from tests.integration.support import expire, integration_row, one_row, refresh_token, token_row
from tests.integration.vault_workers import allow_loopback, place, renew_on, workers
from tests.integration.waiting import wait_for

ROOT = Path(__file__).parents[2]
CLIENT, SECRET = "integrations", "only-for-tests"
CALLBACK = "/api/integrations/callback/custom"


class Foreign:
    """The running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def counts(self) -> dict[str, int]:
        """What was asked so far."""
        return requests.get(f"{self.url}/counts", timeout=30).json()

    def thing(self, token: str) -> int:
        """How the resource answers a token."""
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{self.url}/api/thing", headers=headers, timeout=30).status_code

    def declaration(self) -> dict:
        """The server as a customer would declare it."""
        return {
            "base_url": f"{self.url}/api",
            "auth": {
                "type": "oauth2",
                "authorize_url": f"{self.url}/o/authorize/",
                "token_url": f"{self.url}/o/token/",
                "revoke_url": f"{self.url}/o/revoke_token/",
                "scopes": ["read"],
            },
            "test": {"path": "/thing", "account_id": "user"},
        }


@pytest.fixture
def foreign(store, tmp_path):
    """The server, in a process of its own."""
    allow_loopback(store, tmp_path)
    redirect = store.settings.public_url + CALLBACK
    words = [sys.executable, "-W", "ignore", "-m", "tests.integration.oauth_server"]
    words += [str(tmp_path), redirect, CLIENT, SECRET, "120"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        assert port, "the server did not start"
        yield Foreign(f"http://127.0.0.1:{port}")
        process.kill()


@pytest.fixture
def begun(store, tenant_id, foreign):
    """An integration that is not connected yet."""
    return create_integration(
        store,
        tenant_id,
        "custom",
        "thing",
        client_id=CLIENT,
        client_secret=SECRET,
        settings=foreign.declaration(),
    )


@pytest.fixture
def ref(store, begun):
    """The integration, connected."""
    user = create_user(store, begun.tenant_id, "ada@example.com", "Ada", "ADMIN")
    address = generate_auth_url(store, begun, user_id=user, session_id=SESSION)
    answer = requests.get(address, allow_redirects=False, timeout=30)
    back = urlsplit(answer.headers["Location"])
    query = dict(parse_qsl(back.query))
    return exchange_code_for_token(
        store,
        state=query["state"],
        code=query["code"],
        session_id=SESSION,
        path=back.path,
        parameters=query,
    )


def test_connecting_calling_refreshing_and_disconnecting(store, foreign, ref) -> None:
    client = service_client(store, ref)
    first, first_refresh = get_valid_token(store, ref), refresh_token(store, ref)

    assert client.get("/thing") == {"user": "ada"}
    row = integration_row(store, ref)
    assert (row.status, row.account_id) == ("ACTIVE", "ada")
    assert token_row(store, ref).scopes == ["read"]

    expire(store, ref)
    assert client.get("/thing") == {"user": "ada"}
    second = get_valid_token(store, ref)
    assert second != first
    assert refresh_token(store, ref) != first_refresh
    assert (foreign.thing(first), foreign.thing(second)) == (401, 200)

    assert disconnect_integration(store, ref) is True
    assert foreign.thing(second) == 401
    sql = "SELECT count(*) FROM integrations.oauth_token WHERE integration_id = :id"
    assert one_row(store, sql, id=ref.id)[0] == 0
    counts = foreign.counts()
    assert counts["authorization_code 200"] == counts["refresh_token 200"] == 1
    assert counts["revoke 200"] == 1
    assert not any("invalid_grant" in name for name in counts)


def test_a_wrong_code_connects_nothing(store, foreign, begun) -> None:
    code, state = authorize(store, begun)

    with pytest.raises(ConnectAgainError, match="refuses the grant"):
        exchange_code_for_token(store, state=state, code=f"{code}x", session_id=SESSION)

    assert integration_row(store, begun).status == "INACTIVE"
    assert foreign.counts()["authorization_code 400 invalid_grant"] == 1


def test_a_connection_that_was_revoked_there_ends_here(store, foreign, ref) -> None:
    form = {"token": refresh_token(store, ref), "client_id": CLIENT, "client_secret": SECRET}
    requests.post(f"{foreign.url}/o/revoke_token/", data=form, timeout=30).raise_for_status()

    for _ in range(3):
        with pytest.raises(ConnectAgainError):
            service_client(store, ref).get("/thing")

    assert integration_row(store, ref).status == "ERROR"
    assert foreign.counts()["refresh_token 400 invalid_grant"] == 1


def test_a_refresh_token_that_was_stolen_and_used_ends_the_connection(store, foreign, ref) -> None:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token(store, ref),
        "client_id": CLIENT,
        "client_secret": SECRET,
    }
    thief = requests.post(f"{foreign.url}/o/token/", data=form, timeout=30).json()
    expire(store, ref)

    with pytest.raises(ConnectAgainError):
        get_valid_token(store, ref)

    assert integration_row(store, ref).status == "ERROR"
    form["refresh_token"] = thief["refresh_token"]
    assert requests.post(f"{foreign.url}/o/token/", data=form, timeout=30).status_code == 400


@pytest.mark.parametrize(
    "refreshes",
    [
        pytest.param(60, id="60"),
        pytest.param(1000, id="1000", marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_refreshes_of_eight_processes_spend_no_token_twice(
    store, home, foreign, ref, record_property, refreshes
) -> None:
    began = time.monotonic()

    with workers([place(store, home, ref)] * 8, renew_on) as renewing:
        wait_for(
            lambda: (
                foreign.counts().get("refresh_token 200", 0) >= refreshes
                or integration_row(store, ref).status == "ERROR"
            ),
            60 + refreshes * 0.6,
        )
        results = [one.end() for one in renewing]

    counts = foreign.counts()
    figures = {
        "refreshes": counts["refresh_token 200"],
        "invalid_grant": counts.get("refresh_token 400 invalid_grant", 0),
        "renewals": sum(renewals for renewals, _ in results),
        "seconds": round(time.monotonic() - began, 1),
        "versions": token_row(store, ref).version - 1,
    }
    print(figures)  # seen with -rP
    for name, value in figures.items():
        record_property(name, value)
    assert [errors for _, errors in results] == [[]] * 8
    assert counts["refresh_token 200"] == token_row(store, ref).version - 1 >= refreshes
    assert not [name for name in counts if name.startswith("refresh_token 4")]
    assert service_client(store, ref).get("/thing") == {"user": "ada"}
