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
from integrations_pipeline.oauth import (
    claims,
    create_integration,
    exchange_code_for_token,
    get_valid_token,
    vault,
)
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.store import SealError
from tests.conftest import SESSION, authorize, connect
from tests.integration.support import (
    alerts_of,
    at_once,
    end_rest,
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
YOUNG = "SELECT refresh_started_at > now() - interval '10 seconds' FROM integrations.oauth_token"


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


def test_after_a_failure_nothing_is_sent_for_a_while(store, ref, sandbox) -> None:
    expire(store, ref)
    sandbox.fault("hubspot", "error", path="token")
    with pytest.raises(TransientError, match="500"):
        get_valid_token(store, ref)
    sandbox.forget_requests()

    later = at_once(10, lambda: get_valid_token(store, ref))

    assert {type(one) for one in later} == {TransientError}
    assert all("the last refresh failed" in str(one) for one in later)
    assert all(0 < one.retry_after <= claims.FIRST_PAUSE.total_seconds() for one in later)
    assert token_requests(sandbox, "hubspot") == 0


def test_a_live_token_is_used_while_refreshes_rest(store, ref, sandbox) -> None:
    live = get_valid_token(store, ref)
    expire(store, ref, ALIVE)
    sandbox.fault("hubspot", "error", path="token")

    found = [get_valid_token(store, ref) for _ in range(5)]

    assert set(found) == {live}
    assert token_requests(sandbox, "hubspot") == 1


REST = "SELECT refresh_failures, extract(epoch FROM refresh_not_before - now()) AS seconds"
REST += " FROM integrations.oauth_token WHERE integration_id = :id"


def test_the_pauses_double_up_to_five_minutes_and_a_success_ends_them(store, ref, sandbox) -> None:
    expire(store, ref)
    sandbox.fault("hubspot", "error", path="token", count=10)

    pauses = []
    for _ in range(10):
        with pytest.raises(TransientError, match="500"):
            get_valid_token(store, ref)
        row = one_row(store, REST, id=ref.id)
        pauses.append(float(row.seconds))
        end_rest(store, ref)

    wanted = [min(2.0 * 2**number, 300.0) for number in range(10)]
    assert all(want - 1 < found <= want for found, want in zip(pauses, wanted, strict=True))
    assert one_row(store, REST, id=ref.id).refresh_failures == 10
    get_valid_token(store, ref)
    assert tuple(one_row(store, REST, id=ref.id)) == (0, None)


def test_the_wait_that_a_service_asks_for_is_kept(store, ref, sandbox, monkeypatch) -> None:
    expire(store, ref)
    error = TransientError("busy")
    error.retry_after = 100.0

    def busy(client, refresh_token, scopes):
        raise error

    monkeypatch.setattr(vault.OAuthClient, "refresh", busy)
    with pytest.raises(TransientError, match="busy"):
        get_valid_token(store, ref)

    assert 99 < one_row(store, REST, id=ref.id).seconds <= 100


def test_a_new_connection_ends_the_pause(store, ref, sandbox) -> None:
    expire(store, ref)
    sandbox.fault("hubspot", "error", path="token")
    with pytest.raises(TransientError):
        get_valid_token(store, ref)

    code, state = authorize(store, ref)
    exchange_code_for_token(store, state=state, code=code, session_id=SESSION)

    assert tuple(one_row(store, REST, id=ref.id)) == (0, None)
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


def test_the_mark_is_renewed_while_the_service_thinks(store, sandbox, ref, monkeypatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.05)
    expire(store, ref)
    held = claims.read_token(store, ref)
    holder = claims.claim(store, ref, held.row)
    age_mark(store, ref)

    with claims.kept(store, ref, holder):
        while not one_row(store, f"{YOUNG} WHERE integration_id = :id", id=ref.id)[0]:
            pass
        assert claims.claim(store, ref, held.row) is None

    assert token_row(store, ref).refresh_holder == holder


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
    row = claims.read_token(store, ref).row
    stale = claims.claim(store, ref, row)
    age_mark(store, ref)

    newer = get_valid_token(store, ref)

    assert claims.replace(store, ref, row, stale, late_token()) is False
    assert get_valid_token(store, ref) == newer
    assert token_requests(sandbox, "hubspot") == 1


def test_a_stale_holder_who_was_overtaken_but_not_outrun_is_refused(store, ref) -> None:
    expire(store, ref)
    held = claims.read_token(store, ref)
    row = held.row
    stale = claims.claim(store, ref, row)
    age_mark(store, ref)
    holder = claims.claim(store, ref, row)

    assert claims.replace(store, ref, row, stale, late_token()) is False
    assert claims.end(store, ref, row, stale, "late") is False
    claims.rest(store, ref, held, stale, None)  # must not end the other one's claim
    left = token_row(store, ref)
    assert (left.refresh_holder, left.refresh_failures, left.refresh_not_before) == (
        holder,
        0,
        None,
    )
    assert integration_row(store, ref).status == "ACTIVE"


def test_a_young_claim_is_not_taken_over(store, ref) -> None:
    expire(store, ref)
    row = claims.read_token(store, ref).row

    made = [claims.claim(store, ref, row) for _ in range(2)]

    assert (made[0] is None, made[1]) == (False, None)


def test_of_many_claims_one_wins(store, ref) -> None:
    row = claims.read_token(store, ref).row

    made = at_once(20, lambda: claims.claim(store, ref, row))

    assert len([claim for claim in made if isinstance(claim, str)]) == 1
    assert [claim for claim in made if not isinstance(claim, str | None)] == []


def test_while_another_refreshes_a_live_token_is_used(store, sandbox, ref) -> None:
    live = get_valid_token(store, ref)
    expire(store, ref, ALIVE)
    claims.claim(store, ref, claims.read_token(store, ref).row)

    assert get_valid_token(store, ref) == live
    assert token_requests(sandbox, "hubspot") == 0


def test_waiting_for_another_ends(store, ref, monkeypatch) -> None:
    monkeypatch.setattr(vault, "PATIENCE_SECONDS", 0.3)
    expire(store, ref)
    claims.claim(store, ref, claims.read_token(store, ref).row)

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
