"""Who refreshes claims it first: one at a time, and a stale holder changes nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from integrations_pipeline.errors import TransientError
from integrations_pipeline.oauth import claims, get_valid_token, rows, vault
from integrations_pipeline.oauth.provider import TokenSet
from tests.integration import vault_hubspot
from tests.integration.support import (
    at_once,
    expire,
    integration_row,
    one_row,
    run_sql,
    token_requests,
    token_row,
)
from tests.integration.vault_hubspot import ALIVE

YOUNG = "SELECT refresh_started_at > now() - interval '10 seconds' FROM integrations.oauth_token"
ref = vault_hubspot.ref


def test_the_mark_is_renewed_while_the_service_thinks(store, sandbox, ref, monkeypatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.05)
    expire(store, ref)
    held = rows.read_token(store, ref)
    holder = claims.claim(store, ref, held.row)
    age_mark(store, ref)

    with claims.kept(store, ref, holder):
        while not one_row(store, f"{YOUNG} WHERE integration_id = :id", id=ref.id)[0]:
            pass
        assert claims.claim(store, ref, held.row) is None

    assert token_row(store, ref).refresh_holder == holder


def age_mark(store, ref) -> None:
    sql = "UPDATE integrations.oauth_token SET refresh_started_at = now() - interval '2 minutes'"
    run_sql(store, f"{sql} WHERE integration_id = :id", id=ref.id)


def late_token() -> TokenSet:
    return TokenSet("late", "late-refresh", datetime.now(UTC) + timedelta(hours=1), ())


def test_a_stale_holders_late_answer_is_refused(store, sandbox, ref) -> None:
    expire(store, ref)
    row = rows.read_token(store, ref).row
    stale = claims.claim(store, ref, row)
    age_mark(store, ref)

    newer = get_valid_token(store, ref)

    assert claims.replace(store, ref, row, stale, late_token()) is False
    assert get_valid_token(store, ref) == newer
    assert token_requests(sandbox, "hubspot") == 1


def test_a_stale_holder_who_was_overtaken_but_not_outrun_is_refused(store, ref) -> None:
    expire(store, ref)
    held = rows.read_token(store, ref)
    row = held.row
    stale = claims.claim(store, ref, row)
    age_mark(store, ref)
    holder = claims.claim(store, ref, row)

    assert claims.replace(store, ref, row, stale, late_token()) is False
    assert claims.end(store, ref, row, stale, "late") is False
    # must not end the other one's claim
    assert not claims.rest(store, ref, held, stale, asked=None, alert=None)
    left = token_row(store, ref)
    assert (left.refresh_holder, left.refresh_failures, left.refresh_not_before) == (
        holder,
        0,
        None,
    )
    assert integration_row(store, ref).status == "ACTIVE"


def test_a_young_claim_is_not_taken_over(store, ref) -> None:
    expire(store, ref)
    row = rows.read_token(store, ref).row

    made = [claims.claim(store, ref, row) for _ in range(2)]

    assert (made[0] is None, made[1]) == (False, None)


def test_of_many_claims_one_wins(store, ref) -> None:
    row = rows.read_token(store, ref).row

    made = at_once(20, lambda: claims.claim(store, ref, row))

    assert len([claim for claim in made if isinstance(claim, str)]) == 1
    assert [claim for claim in made if not isinstance(claim, str | None)] == []


def test_while_another_refreshes_a_live_token_is_used(store, sandbox, ref) -> None:
    live = get_valid_token(store, ref)
    expire(store, ref, ALIVE)
    claims.claim(store, ref, rows.read_token(store, ref).row)

    assert get_valid_token(store, ref) == live
    assert token_requests(sandbox, "hubspot") == 0


def test_waiting_for_another_ends(store, ref, monkeypatch) -> None:
    monkeypatch.setattr(vault, "PATIENCE_SECONDS", 0.3)
    expire(store, ref)
    claims.claim(store, ref, rows.read_token(store, ref).row)

    with pytest.raises(TransientError, match="elsewhere"):
        get_valid_token(store, ref)


def test_no_lock_is_held_while_the_provider_thinks(store, sandbox, ref) -> None:
    expire(store, ref, ALIVE)
    sandbox.fault("hubspot", "slow", path="token", seconds=1.5)
    idle = "state = 'idle in transaction' AND pid <> pg_backend_pid()"
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE {idle}"

    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(get_valid_token, store, ref)
        while token_row(store, ref).refresh_holder is None:
            assert not refreshing.done()
        # transactions come and go, but there is a moment without any while the service thinks
        while one_row(store, sql)[0] > 0:
            assert not refreshing.done()
        assert not refreshing.done()
        assert refreshing.result()

    assert one_row(store, sql)[0] == 0
