"""The vault in trouble: dead grants, silent providers, moved ciphertexts."""

import pytest
import requests

from integrations_pipeline.errors import (
    ConfigurationError,
    ConnectAgainError,
    RejectedError,
    TransientError,
)
from integrations_pipeline.oauth import (
    create_integration,
    exchange_code_for_token,
    get_valid_token,
    vault,
)
from integrations_pipeline.store import SealError
from tests.conftest import SESSION, authorize
from tests.integration import vault_hubspot
from tests.integration.support import (
    alerts_of,
    at_once,
    end_rest,
    expire,
    integration_row,
    refresh_token,
    run_sql,
    token_requests,
    token_row,
)
from tests.integration.vault_hubspot import ALIVE

DEAD = "-1 second"
ref = vault_hubspot.ref


def revoke(store, sandbox, ref) -> None:
    """The user removes the app at the service."""
    client = sandbox.client("hubspot")
    form = {name: client[name] for name in ("client_id", "client_secret")}
    form["token"] = refresh_token(store, ref)
    address = f"{sandbox.url}/hubspot/oauth/2026-03/token/revoke"
    requests.post(address, data=form, timeout=10).raise_for_status()
    sandbox.forget_requests()


def test_a_dead_grant_ends_the_connection(store, sandbox, ref) -> None:
    revoke(store, sandbox, ref)
    expire(store, ref)

    with pytest.raises(ConnectAgainError, match="Connect the account again"):
        get_valid_token(store, ref)

    row = integration_row(store, ref)
    assert row.status == "ERROR"
    assert "HubSpot refuses the grant" in row.status_reason
    assert "Connect the account again" in row.status_reason
    assert token_row(store, ref).refresh_token is None
    assert token_requests(sandbox, "hubspot") == 1


def test_after_a_dead_grant_nothing_more_is_sent(store, sandbox, ref) -> None:
    revoke(store, sandbox, ref)
    expire(store, ref)
    at_once(1, lambda: get_valid_token(store, ref))
    sandbox.forget_requests()

    later = at_once(5, lambda: get_valid_token(store, ref))

    assert {type(one) for one in later} == {ConnectAgainError}
    assert token_requests(sandbox, "hubspot") == 0
    assert "HubSpot refuses the grant" in integration_row(store, ref).status_reason


def test_of_many_who_meet_a_dead_grant_one_asks(store, sandbox, ref) -> None:
    revoke(store, sandbox, ref)
    expire(store, ref)

    results = at_once(20, lambda: get_valid_token(store, ref))

    assert {type(one) for one in results} == {ConnectAgainError}
    assert token_requests(sandbox, "hubspot") == 1


TROUBLE = ["error", "html", "rate_limit", "truncated", "drop"]


@pytest.mark.parametrize("kind", TROUBLE)
def test_a_live_token_outlasts_the_providers_trouble(store, sandbox, ref, kind) -> None:
    live = get_valid_token(store, ref)
    expire(store, ref, ALIVE)
    sandbox.fault("hubspot", kind, path="token", count=50)

    assert get_valid_token(store, ref) == live
    assert token_requests(sandbox, "hubspot") >= 1
    assert integration_row(store, ref).status == "ACTIVE"


@pytest.mark.parametrize("kind", TROUBLE)
def test_trouble_passes_and_the_connection_is_well(store, sandbox, ref, kind) -> None:
    old = get_valid_token(store, ref)
    expire(store, ref, DEAD)
    sandbox.fault("hubspot", kind, path="token")

    with pytest.raises((TransientError, RejectedError)):
        get_valid_token(store, ref)

    row = token_row(store, ref)
    assert (row.refresh_holder, row.refresh_started_at) == (None, None)
    assert row.refresh_token is not None
    end_rest(store, ref)
    assert get_valid_token(store, ref) != old
    assert integration_row(store, ref).status == "ACTIVE"


def test_a_silent_network_is_transient(store, ref, sandbox) -> None:
    expire(store, ref)
    sandbox.fault("hubspot", "error", path="token", count=2)

    for _ in range(2):
        with pytest.raises(TransientError, match="500"):
            get_valid_token(store, ref)
        end_rest(store, ref)
    assert isinstance(get_valid_token(store, ref), str)


def test_a_dead_grant_raises_one_alert_until_it_is_connected_again(store, sandbox, ref) -> None:
    assert alerts_of(store, ref) == []
    revoke(store, sandbox, ref)
    expire(store, ref)

    at_once(5, lambda: get_valid_token(store, ref))
    at_once(5, lambda: get_valid_token(store, ref))

    (alert,) = alerts_of(store, ref)
    assert alert.kind == "connect_again"
    assert "HubSpot refuses the grant" in alert.message
    code, state = authorize(store, ref)
    exchange_code_for_token(store, state=state, code=code, session_id=SESSION)
    assert alerts_of(store, ref) == []


@pytest.mark.parametrize("kind", TROUBLE)
def test_passing_trouble_raises_no_alert(store, sandbox, ref, kind) -> None:
    expire(store, ref)
    sandbox.fault("hubspot", kind, path="token")

    with pytest.raises((TransientError, RejectedError)):
        get_valid_token(store, ref)

    assert alerts_of(store, ref) == []


def test_a_value_that_does_not_open_raises_an_alert(store, ref) -> None:
    expire(store, ref)
    spoil_seal(store, ref)

    for _ in range(2):
        with pytest.raises((SealError, TransientError)):
            get_valid_token(store, ref)
        end_rest(store, ref)

    (alert,) = alerts_of(store, ref)
    assert alert.kind == "sealed_value"
    assert integration_row(store, ref).status == "ERROR"


def spoil_secret(store, ref) -> None:
    """A client secret that the service does not know."""
    place = vault.Place(ref.tenant_id, ref.id, vault.CLIENT_SECRET)
    sql = "UPDATE integrations.integration SET client_secret = :secret WHERE id = :id"
    run_sql(store, sql, id=ref.id, secret=store.keyring.seal("wrong", place))


def spoil_seal(store, ref) -> None:
    """A refresh token that does not open."""
    sql = "UPDATE integrations.oauth_token SET refresh_token = access_token"
    run_sql(store, f"{sql} WHERE integration_id = :id", id=ref.id)


def spoil_address(store, ref) -> None:
    """An overrides file that is gone."""
    store.settings.connector_overrides.unlink()
    store.settings.__dict__.pop("overrides", None)


SPOILERS = [
    (spoil_secret, RejectedError),
    (spoil_seal, SealError),
    (spoil_address, ConfigurationError),
]


@pytest.mark.parametrize(("spoil", "kind"), SPOILERS)
def test_a_refresh_that_fails_leaves_no_claim_behind(store, ref, spoil, kind) -> None:
    expire(store, ref)
    spoil(store, ref)

    with pytest.raises(kind):
        get_valid_token(store, ref)

    row = token_row(store, ref)
    assert (row.refresh_holder, row.refresh_started_at) == (None, None)


def test_an_integration_that_was_never_connected_says_how(store, tenant_id) -> None:
    ref = create_integration(store, tenant_id, "stripe", "s", client_id="c", client_secret="s")

    with pytest.raises(ConnectAgainError, match=f"integrations connect {ref.key}"):
        get_valid_token(store, ref)
