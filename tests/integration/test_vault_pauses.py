"""After a refresh that failed the vault rests, longer each time, and then asks again."""

import pytest

from integrations_pipeline.errors import TransientError
from integrations_pipeline.oauth import claims, exchange_code_for_token, get_valid_token, vault
from tests.conftest import SESSION, authorize
from tests.integration import vault_hubspot
from tests.integration.support import at_once, end_rest, expire, one_row, token_requests
from tests.integration.vault_hubspot import ALIVE

ref = vault_hubspot.ref


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
