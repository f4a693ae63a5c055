"""The vault in trouble: dead grants, silent providers, stale holders, moved ciphertexts."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import text

from integrations_pipeline.errors import (
    ConfigurationError,
    ConnectAgainError,
    RejectedError,
    TransientError,
)
from integrations_pipeline.oauth import create_integration, get_valid_token, vault
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.store import SealError
from tests.conftest import connect
from tests.integration.support import (
    at_once,
    expire,
    integration_row,
    one_row,
    owner,
    refresh_token,
    run_sql,
    token_requests,
    token_row,
)

ALIVE, DEAD = "2 minutes", "-1 second"


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected HubSpot account; nothing was asked of it since."""
    made = connect(store, sandbox, tenant_id, "hubspot")
    sandbox.forget_requests()
    return made


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
    assert get_valid_token(store, ref) != old


def test_a_silent_network_is_transient(store, ref, sandbox) -> None:
    expire(store, ref)
    sandbox.fault("hubspot", "error", path="token", count=2)

    with pytest.raises(TransientError, match="500"):
        get_valid_token(store, ref)
    with pytest.raises(TransientError):
        get_valid_token(store, ref)
    assert isinstance(get_valid_token(store, ref), str)


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


def age_mark(store, ref) -> None:
    sql = "UPDATE integrations.oauth_token SET refresh_started_at = now() - interval '2 minutes'"
    run_sql(store, f"{sql} WHERE integration_id = :id", id=ref.id)


def late_token() -> TokenSet:
    return TokenSet("late", "late-refresh", datetime.now(UTC) + timedelta(hours=1), ())


def test_a_stale_holders_late_answer_is_refused(store, sandbox, ref) -> None:
    expire(store, ref)
    row = vault._read(store, ref)
    stale = vault._claim(store, ref, row)
    age_mark(store, ref)

    newer = get_valid_token(store, ref)

    assert vault._replace(store, ref, row, stale, late_token()) is False
    assert get_valid_token(store, ref) == newer
    assert token_requests(sandbox, "hubspot") == 1


def test_a_stale_holder_who_was_overtaken_but_not_outrun_is_refused(store, ref) -> None:
    expire(store, ref)
    row = vault._read(store, ref)
    stale = vault._claim(store, ref, row)
    age_mark(store, ref)
    holder = vault._claim(store, ref, row)

    assert vault._replace(store, ref, row, stale, late_token()) is False
    vault._release(store, ref, stale)  # must not end the other one's claim
    assert token_row(store, ref).refresh_holder == holder


def test_a_young_claim_is_not_taken_over(store, ref) -> None:
    expire(store, ref)
    row = vault._read(store, ref)

    claims = [vault._claim(store, ref, row) for _ in range(2)]

    assert (claims[0] is None, claims[1]) == (False, None)


def test_of_many_claims_one_wins(store, ref) -> None:
    row = vault._read(store, ref)

    claims = at_once(20, lambda: vault._claim(store, ref, row))

    assert len([claim for claim in claims if claim]) == 1


def test_while_another_refreshes_a_live_token_is_used(store, sandbox, ref) -> None:
    live = get_valid_token(store, ref)
    expire(store, ref, ALIVE)
    vault._claim(store, ref, vault._read(store, ref))

    assert get_valid_token(store, ref) == live
    assert token_requests(sandbox, "hubspot") == 0


def test_waiting_for_another_ends(store, ref, monkeypatch) -> None:
    monkeypatch.setattr(vault, "PATIENCE_SECONDS", 0.3)
    expire(store, ref)
    vault._claim(store, ref, vault._read(store, ref))

    with pytest.raises(TransientError, match="elsewhere"):
        get_valid_token(store, ref)


def test_an_integration_that_was_never_connected_says_how(store, tenant_id) -> None:
    ref = create_integration(store, tenant_id, "stripe", "s", client_id="c", client_secret="s")

    with pytest.raises(ConnectAgainError, match=f"integrations connect {ref.key}"):
        get_valid_token(store, ref)


def test_no_lock_is_held_while_the_provider_thinks(store, sandbox, ref) -> None:
    expire(store, ref, ALIVE)
    sandbox.fault("hubspot", "slow", path="token", seconds=1.0)
    sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    refreshing = [None]

    def watch() -> int:
        if refreshing:
            refreshing.pop()
            return get_valid_token(store, ref)
        with owner(store) as connection:
            while token_row(store, ref).refresh_holder is None:
                pass
            return connection.scalar(text(f"{sql} AND pid <> pg_backend_pid()"))

    results = at_once(2, watch)

    assert 0 in results
    assert one_row(store, f"{sql} AND pid <> pg_backend_pid()")[0] == 0
