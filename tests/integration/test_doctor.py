"""The doctor: each cause is told apart, in one line with what to do."""

import re
from datetime import datetime, timedelta

import pytest

from integrations_pipeline.oauth import doctor, get_valid_token
from integrations_pipeline.oauth.doctor import examine
from integrations_pipeline.transport import reactions
from tests.conftest import connect
from tests.integration.support import expire, integration, integration_row, run_sql


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected HubSpot account."""
    return connect(store, sandbox, tenant_id, "hubspot")


def cause(store, ref) -> str:
    found = examine(store, ref)
    assert "\n" not in found.text
    assert found.told()["well"] is (found.cause == "")
    return found.cause


def test_a_well_connection_is_well(store, ref) -> None:
    assert cause(store, ref) == ""


def test_one_that_was_never_connected_says_how(store, sandbox, tenant_id) -> None:
    made = integration(store, sandbox, tenant_id)

    assert cause(store, made) == "not connected"
    assert f"integrations connect {made.key}" in examine(store, made).text


def test_a_missing_scope_is_named_with_its_resource(store, sandbox, ref) -> None:
    run_sql(
        store,
        "UPDATE integrations.oauth_token SET scopes = array_remove(scopes, :scope) "
        "WHERE integration_id = :id",
        scope="crm.objects.deals.read",
        id=ref.id,
    )
    sandbox.forget_requests()

    assert cause(store, ref) == "scope missing"
    assert "deals can't be synced: crm.objects.deals.read" in examine(store, ref).text
    assert sandbox.requests("hubspot") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("refresh_expires_at = now() - interval '1 day'", "expired"),
        ("consent_expires_at = now() - interval '1 day'", "expired"),
        ("refresh_expires_at = now() + interval '1 day'", "revoked"),
    ],
)
def test_expired_and_revoked_are_told_apart(store, sandbox, ref, change, told) -> None:
    sandbox.send("DELETE", "/sandbox/hubspot/acme/grants")
    expire(store, ref)
    run_sql(
        store, f"UPDATE integrations.oauth_token SET {change} WHERE integration_id = :id", id=ref.id
    )

    assert cause(store, ref) == told


@pytest.mark.parametrize(
    ("fault", "told"),
    [("rate_limit", "quota"), ("error", "provider down"), ("html", "provider down")],
)
def test_the_services_trouble_is_told(store, sandbox, ref, monkeypatch, fault, told) -> None:
    monkeypatch.setattr("integrations_pipeline.oauth.identity.RETRY_SECONDS", 0.5)
    sandbox.fault("hubspot", fault, count=50)

    assert cause(store, ref) == told
    assert "HubSpot" in examine(store, ref).text


def test_a_clock_that_is_off_is_told(store, ref, monkeypatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(minutes=10)

    monkeypatch.setattr(reactions, "datetime", Ahead)

    assert cause(store, ref) == "clock"
    assert re.search(r"60\d seconds ahead of HubSpot's", examine(store, ref).text)


@pytest.mark.parametrize(
    ("table", "column", "key"),
    [
        ("oauth_token", "access_token", "integration_id"),
        ("integration", "client_secret", "id"),
    ],
)
def test_a_secret_that_was_moved_is_a_bad_key(store, sandbox, ref, tenant_id, table, column, key):
    other = connect(store, sandbox, tenant_id, "stripe")
    run_sql(
        store,
        f"UPDATE integrations.{table} SET {column} = "
        f"(SELECT {column} FROM integrations.{table} WHERE {key} = :other) WHERE {key} = :id",
        other=other.id,
        id=ref.id,
    )

    assert cause(store, ref) == "bad key"
    assert integration_row(store, ref).status == "ERROR"
    assert cause(store, ref) == "bad key"
    assert cause(store, other) == ""


def test_what_the_service_forbids_is_told(store, sandbox, ref, monkeypatch) -> None:
    answer = reactions.ForbiddenError("HubSpot answered 403.")
    monkeypatch.setattr(doctor, "ask", lambda *_: (_ for _ in ()).throw(answer))

    assert cause(store, ref) == "permission missing"


def test_examining_spends_no_refresh(store, sandbox, ref) -> None:
    before = get_valid_token(store, ref)

    cause(store, ref)

    assert get_valid_token(store, ref) == before
