"""An integration in ERROR: what ends it, and what must not begin it."""

import pytest

from integrations_pipeline.errors import NotConnectedError
from integrations_pipeline.oauth import (
    disconnect_integration,
    exchange_code_for_token,
    get_valid_token,
)
from integrations_pipeline.oauth.care import care_for_tokens
from integrations_pipeline.oauth.doctor import examine
from integrations_pipeline.oauth.vault import mark_broken
from tests.conftest import SESSION, authorize, connect, sync
from tests.integration.support import (
    alerts_of,
    expire,
    integration_row,
    refresh_token,
    run_sql,
    token_row,
)


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected account."""
    return connect(store, sandbox, tenant_id, "hubspot")


def test_a_sync_that_goes_well_ends_the_error_and_its_alert(store, sandbox, ref) -> None:
    mark_broken(store, ref, "The service said no.")
    assert integration_row(store, ref).status == "ERROR"

    result = sync(store, ref, resources=["owners"])

    assert result.status == "COMPLETED"
    assert integration_row(store, ref).status == "ACTIVE"
    assert alerts_of(store, ref) == []
    mark_broken(store, ref, "It said no again.")
    assert len(alerts_of(store, ref)) == 1


def test_a_sync_that_fails_ends_nothing(store, sandbox, ref) -> None:
    mark_broken(store, ref, "The service said no.")
    sandbox.fault("hubspot", "error", path="owners", count=100)
    store.settings.retry_seconds = 0.1

    result = sync(store, ref, resources=["owners"])

    row = integration_row(store, ref)
    assert (result.status, row.status) == ("FAILED", "ERROR")
    assert row.status_reason == "The service said no."


def test_a_disconnected_account_is_not_broken(store, sandbox, ref) -> None:
    disconnect_integration(store, ref)

    with pytest.raises(NotConnectedError):
        get_valid_token(store, ref)
    mark_broken(store, ref, "Its run went on for a moment.")

    assert integration_row(store, ref).status == "INACTIVE"
    assert alerts_of(store, ref) == []
    assert examine(store, ref).cause == "not connected"


def test_disconnecting_with_a_moved_client_secret(store, sandbox, tenant_id, ref) -> None:
    other = connect(store, sandbox, tenant_id, "stripe")
    run_sql(
        store,
        "UPDATE integrations.integration SET client_secret = (SELECT client_secret FROM "
        "integrations.integration WHERE id = :other) WHERE id = :id",
        other=other.id,
        id=ref.id,
    )

    assert disconnect_integration(store, ref) is False

    assert integration_row(store, ref).status == "INACTIVE"
    assert alerts_of(store, ref) == []
    assert examine(store, ref).cause == "not connected"


def test_a_refusal_of_an_older_token_breaks_nothing(store, sandbox, ref) -> None:
    old = get_valid_token(store, ref)
    code, state = authorize(store, ref)
    exchange_code_for_token(store, state=state, code=code, session_id=SESSION)

    mark_broken(store, ref, "HubSpot refused it.", used=old)
    assert integration_row(store, ref).status == "ACTIVE"

    mark_broken(store, ref, "HubSpot refused it.", used=get_valid_token(store, ref))
    assert integration_row(store, ref).status == "ERROR"


@pytest.mark.parametrize("service", ["zendesk", "slack"])
def test_a_token_that_has_run_out_is_renewed_to_end_itself(
    store, sandbox, tenant_id, service
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    expire(store, ref)

    assert disconnect_integration(store, ref) is True
    assert sandbox.get(f"/sandbox/{service}/acme/tokens")["revoked"] == 1


def test_a_short_lived_refresh_token_is_used_in_time(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    before = refresh_token(store, ref)
    run_sql(
        store,
        "UPDATE integrations.oauth_token SET obtained_at = now() - interval '1 day', "
        "refresh_expires_at = now() + interval '1 day' WHERE integration_id = :id",
        id=ref.id,
    )

    care_for_tokens(store)

    assert refresh_token(store, ref) != before
    assert token_row(store, ref).version == 2


def test_one_accounts_odd_answer_does_not_hinder_the_care_of_others(
    store, sandbox, tenant_id, ref, monkeypatch
) -> None:
    other = connect(store, sandbox, tenant_id, "zendesk")
    for one in (ref, other):
        run_sql(
            store,
            "UPDATE integrations.oauth_token SET obtained_at = now() - interval '8 days' "
            "WHERE integration_id = :id",
            id=one.id,
        )
    from integrations_pipeline.oauth import vault

    real = vault.OAuthClient.refresh

    def refresh(client, *args):
        if client.label == "HubSpot":
            raise ZeroDivisionError
        return real(client, *args)

    monkeypatch.setattr(vault.OAuthClient, "refresh", refresh)

    done = care_for_tokens(store)

    assert done.failed >= 1
    assert token_row(store, other).version == 2
