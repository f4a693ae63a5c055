"""After a refresh that failed the vault rests, longer each time, and then asks again."""

import pytest
from sqlalchemy.exc import OperationalError

from integrations_pipeline.errors import RejectedError, TransientError
from integrations_pipeline.oauth import claims, exchange_code_for_token, get_valid_token, vault
from integrations_pipeline.store import Place
from tests.conftest import SESSION, authorize
from tests.integration import vault_hubspot
from tests.integration.support import (
    alerts_of,
    at_once,
    end_rest,
    expire,
    integration_row,
    one_row,
    run_sql,
    token_requests,
    token_row,
)
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
    # a busy machine may look later than the pause began, but not by half of it
    assert all(want / 2 - 1 < found <= want for found, want in zip(pauses, wanted, strict=True))
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


def test_a_client_that_is_refused_is_told_to_a_person(store, ref, sandbox) -> None:
    place = Place(ref.tenant_id, ref.id, "integration.client_secret")
    right = integration_row(store, ref).client_secret
    change = "UPDATE integrations.integration SET client_secret = :secret WHERE id = :id"
    run_sql(store, change, secret=store.keyring.seal("wrong", place), id=ref.id)
    expire(store, ref)

    with pytest.raises(RejectedError):
        get_valid_token(store, ref)
    assert [alert.kind for alert in alerts_of(store, ref)] == ["refresh_fails"]

    run_sql(store, change, secret=right, id=ref.id)
    end_rest(store, ref)
    get_valid_token(store, ref)
    assert alerts_of(store, ref) == []


def test_new_tokens_are_stored_when_the_database_is_back(store, ref, sandbox, monkeypatch) -> None:
    expire(store, ref)
    real, failures = claims.replace, iter(range(3))

    def replace(*args):
        if next(failures, None) is not None:
            raise OperationalError("UPDATE", {}, Exception("the server is gone"))
        return real(*args)

    monkeypatch.setattr(claims, "replace", replace)
    before = token_requests(sandbox, "hubspot")

    token = get_valid_token(store, ref)

    assert token == get_valid_token(store, ref)
    assert token_requests(sandbox, "hubspot") == before + 1
    assert token_row(store, ref).version == 2


def test_an_unforeseen_error_rests_like_any_other(store, ref, monkeypatch) -> None:
    expire(store, ref)

    def refresh(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(vault.OAuthClient, "refresh", refresh)

    with pytest.raises(ZeroDivisionError):
        get_valid_token(store, ref)
    row = token_row(store, ref)
    assert (row.refresh_holder, row.refresh_failures) == (None, 1)
