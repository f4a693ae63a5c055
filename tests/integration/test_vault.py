"""The vault: tokens refreshed once however many ask, rotated together, never another's."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.oauth import find_integration, get_valid_token, provider, vault
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import open_store
from tests.conftest import connect
from tests.integration.support import (
    SERVICES,
    at_once,
    expire,
    integration_row,
    refresh_token,
    run_sql,
    token_requests,
    token_row,
)


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected HubSpot account; nothing was asked of it since."""
    made = connect(store, sandbox, tenant_id, "hubspot")
    sandbox.forget_requests()
    return made


@pytest.mark.parametrize("service", SERVICES)
def test_an_expired_token_is_refreshed(store, sandbox, tenant_id, service) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    before, old_refresh = get_valid_token(store, ref), refresh_token(store, ref)
    sandbox.forget_requests()
    expire(store, ref)

    after = get_valid_token(store, ref)

    assert after != before
    assert get_valid_token(store, ref) == after
    assert token_requests(sandbox, service) == 1
    # HubSpot keeps its refresh token, Stripe and Zendesk end the old one
    assert (refresh_token(store, ref) == old_refresh) is (service == "hubspot")
    row = token_row(store, ref)
    assert (row.version, row.refresh_holder, row.refresh_started_at) == (2, None, None)


@pytest.mark.parametrize("service", SERVICES)
def test_a_chain_of_refreshes_holds(store, sandbox, tenant_id, service) -> None:
    ref = connect(store, sandbox, tenant_id, service)

    tokens = []
    for _ in range(5):
        expire(store, ref)
        tokens.append(get_valid_token(store, ref))

    assert len(set(tokens)) == 5
    assert integration_row(store, ref).status == "ACTIVE"


def test_an_answer_without_a_refresh_token_keeps_the_old_one(store, ref, monkeypatch) -> None:
    old = refresh_token(store, ref)
    expire(store, ref)

    def ask(client, request, scopes=(), secrets=()):
        return provider._Answer({"access_token": "new", "expires_in": 1800}, datetime.now(UTC))

    monkeypatch.setattr(vault.OAuthClient, "_ask", ask)

    assert get_valid_token(store, ref) == "new"
    assert refresh_token(store, ref) == old


TIMES = [("-1 hour", True), ("10 seconds", True), ("59 minutes", False), ("20 minutes", False)]


@pytest.mark.parametrize(("left", "refreshed"), TIMES)
def test_a_token_is_refreshed_before_its_end(store, sandbox, ref, left, refreshed) -> None:
    expire(store, ref, left)

    get_valid_token(store, ref)

    assert token_requests(sandbox, "hubspot") == int(refreshed)


def test_a_token_without_an_end_is_never_refreshed(store, sandbox, ref) -> None:
    run_sql(
        store,
        "UPDATE integrations.oauth_token SET expires_at = NULL, obtained_at = '2001-01-01' "
        "WHERE integration_id = :id",
        id=ref.id,
    )

    get_valid_token(store, ref)

    assert token_requests(sandbox, "hubspot") == 0


@pytest.mark.parametrize("service", SERVICES)
def test_twenty_threads_make_one_refresh(store, sandbox, tenant_id, service) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    sandbox.forget_requests()
    expire(store, ref)
    sandbox.fault(service, "slow", path="token", seconds=0.3)

    tokens = at_once(20, lambda: get_valid_token(store, ref))

    assert len(set(tokens)) == 1
    assert isinstance(tokens[0], str)
    assert token_requests(sandbox, service) == 1


def _tokens(url: str, home: str, overrides: str, key: str) -> list[str]:
    settings = Settings(home=Path(home), connector_overrides=Path(overrides))
    settings.database_url = SecretStr(url)
    store = open_store(settings, CONNECTORS.values())
    ref = find_integration(store, key)
    found = at_once(10, lambda: get_valid_token(store, ref))
    store.close()
    return [str(one) for one in found]


def test_four_processes_make_one_refresh(store, sandbox, tenant_id, home) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    sandbox.forget_requests()
    expire(store, ref)
    sandbox.fault("zendesk", "slow", path="token", seconds=1.5)
    url = store.url.render_as_string(hide_password=False)
    job = (url, str(home), str(store.settings.connector_overrides), ref.key)

    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(_tokens, *zip(*[job] * 4, strict=True)))

    found = [token for part in parts for token in part]
    assert (len(found), len(set(found))) == (40, 1)
    assert found[0] == get_valid_token(store, ref)
    assert token_requests(sandbox, "zendesk") == 1


def test_a_refused_token_is_replaced_by_another(store, sandbox, ref) -> None:
    first = get_valid_token(store, ref)

    tokens = at_once(20, lambda: get_valid_token(store, ref, rejected=first))

    assert len(set(tokens)) == 1
    assert tokens[0] != first
    assert token_requests(sandbox, "hubspot") == 1


def test_a_token_refused_long_ago_costs_nothing(store, sandbox, ref) -> None:
    current = get_valid_token(store, ref)

    assert get_valid_token(store, ref, rejected="an older one") == current
    assert token_requests(sandbox, "hubspot") == 0
