"""The authorization-code flow: one connection per state, in the browser that began it."""

import re

import pytest
from sqlalchemy import text

from integrations_pipeline.errors import BadStateError, ConnectAgainError, IntegrationsError
from integrations_pipeline.oauth import (
    create_tenant,
    deny_connection,
    exchange_code_for_token,
    get_valid_token,
)
from integrations_pipeline.oauth.accounts import CLIENT_SECRET
from integrations_pipeline.store import Place
from tests.conftest import SESSION, authorize, connect
from tests.integration.connecting import finish
from tests.integration.support import (
    SERVICES,
    at_once,
    integration,
    integration_row,
    one_row,
    owner,
    run_sql,
    token_requests,
    token_row,
)


def asked_scopes(ref):
    """What reading all resources takes."""
    way = ref.way
    return [scope for one in way.resource_scopes.values() for scope in one.read]


FACTS = {"hubspot": {}, "stripe": {}, "zendesk": {"agent_role": "admin"}}
ACCOUNTS = {"hubspot": r"\d+", "stripe": "acct_.+", "zendesk": "acme"}


@pytest.mark.parametrize("service", SERVICES)
def test_the_whole_flow(store, sandbox, tenant_id, service) -> None:
    ref = connect(store, sandbox, tenant_id, service)

    assert token_requests(sandbox, service) == 1
    token = get_valid_token(store, ref)
    assert len(token) > 20
    assert token_requests(sandbox, service) == 1
    row = integration_row(store, ref)
    assert (row.status, row.status_reason) == ("ACTIVE", None)
    assert re.fullmatch(ACCOUNTS[service], row.account_id)
    assert (row.facts["account_id"], row.facts.items() >= FACTS[service].items()) == (
        row.account_id,
        True,
    )
    granted = token_row(store, ref).scopes
    assert service == "stripe" or set(asked_scopes(ref)) <= set(granted)


BAD = {
    "missing": (lambda _: "", SESSION),
    "unknown": (lambda _: "x" * 43, SESSION),
    "altered": (lambda state: state[:-1] + ("A" if state[-1] != "A" else "B"), SESSION),
    "longer": (lambda state: state + "=", SESSION),
    "other browser": (lambda state: state, "another-session"),
    "no browser": (lambda state: state, ""),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_state_sends_nothing(store, sandbox, tenant_id, kind) -> None:
    ref = integration(store, sandbox, tenant_id)
    code, state = authorize(store, ref)
    alter, session_id = BAD[kind]

    with pytest.raises(BadStateError):
        finish(store, alter(state), code, session_id)

    assert token_requests(sandbox, "hubspot") == 0
    assert integration_row(store, ref).status == "INACTIVE"
    assert finish(store, state, code) == ref  # the true callback still works


def test_a_state_is_good_once(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)
    code, state = authorize(store, ref)
    finish(store, state, code)
    before = token_row(store, ref)

    for _ in range(3):
        with pytest.raises(BadStateError):
            finish(store, state, code)

    assert token_requests(sandbox, "hubspot") == 1
    assert token_row(store, ref) == before


def test_a_state_ends(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)
    code, state = authorize(store, ref)
    sql = "SELECT expires_at - now() <= interval '10 minutes' FROM integrations.oauth_state"
    assert one_row(store, f"{sql} WHERE integration_id = :id", id=ref.id)[0]
    run_sql(
        store,
        "UPDATE integrations.oauth_state SET expires_at = now() WHERE integration_id = :id",
        id=ref.id,
    )

    with pytest.raises(BadStateError):
        finish(store, state, code)
    assert token_requests(sandbox, "hubspot") == 0


def test_a_code_is_not_taken_for_another_integration(store, sandbox, tenant_id) -> None:
    one = integration(store, sandbox, tenant_id, slug="one")
    two = integration(store, sandbox, tenant_id, slug="two")
    code, _ = authorize(store, one)
    _, state = authorize(store, two)

    with pytest.raises(ConnectAgainError, match="verifier"):
        finish(store, state, code)
    assert [integration_row(store, ref).status for ref in (one, two)] == ["INACTIVE", "INACTIVE"]


def test_a_state_connects_the_integration_it_was_begun_for(store, sandbox, tenant_id) -> None:
    one = integration(store, sandbox, tenant_id, slug="one")
    other = create_tenant(store, f"o{tenant_id.hex[:10]}", "Other")
    foreign = integration(store, sandbox, other, slug="one")
    authorize(store, one)
    code, state = authorize(store, foreign)

    assert finish(store, state, code) == foreign
    assert [integration_row(store, ref).status for ref in (one, foreign)] == ["INACTIVE", "ACTIVE"]


def test_a_code_of_one_service_never_reaches_another(store, sandbox, tenant_id) -> None:
    hubspot = integration(store, sandbox, tenant_id, "hubspot")
    zendesk = integration(store, sandbox, tenant_id, "zendesk")
    code, _ = authorize(store, hubspot)
    _, state = authorize(store, zendesk)

    with pytest.raises(IntegrationsError):
        finish(store, state, code)

    assert token_requests(sandbox, "hubspot") == 0
    assert integration_row(store, hubspot).status == "INACTIVE"
    assert integration_row(store, zendesk).status == "INACTIVE"


def test_a_denied_connection_uses_its_state_up(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)
    code, state = authorize(store, ref)
    with pytest.raises(BadStateError):
        deny_connection(store, state=state, session_id="another-session")

    assert deny_connection(store, state=state, session_id=SESSION) == ref
    with pytest.raises(BadStateError):
        finish(store, state, code)
    assert token_requests(sandbox, "hubspot") == 0


def test_of_fifty_identical_callbacks_one_goes_on(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)
    code, state = authorize(store, ref)

    results = at_once(50, lambda: finish(store, state, code))

    assert [one for one in results if not isinstance(one, BadStateError)] == [ref]
    assert token_requests(sandbox, "hubspot") == 1
    assert token_row(store, ref).version == 1


def test_a_code_that_the_service_refuses_connects_nothing(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)
    _, state = authorize(store, ref)

    with pytest.raises(IntegrationsError, match="HubSpot refuses the grant"):
        finish(store, state, "not-a-code")
    assert integration_row(store, ref).status == "INACTIVE"


def test_connecting_again_replaces_the_token(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    first, version = get_valid_token(store, ref), token_row(store, ref).version
    code, state = authorize(store, ref)

    finish(store, state, code)

    assert get_valid_token(store, ref) != first
    assert token_row(store, ref).version > version


@pytest.mark.parametrize("service", SERVICES)
def test_sql_shows_no_secret(store, sandbox, tenant_id, service) -> None:
    secret = sandbox.client(service)["client_secret"]
    ref = integration(store, sandbox, tenant_id, service)
    code, state = authorize(store, ref)
    finish(store, state, code)
    row = token_row(store, ref)
    place = Place(ref.tenant_id, ref.id, "oauth_token.refresh_token")
    refresh = store.keyring.open(bytes(row.refresh_token), place)
    sealed = bytes(integration_row(store, ref).client_secret)
    assert store.keyring.open(sealed, Place(ref.tenant_id, ref.id, CLIENT_SECRET)) == secret

    with owner(store) as connection:
        for table in ("oauth_token", "oauth_state", "integration"):
            sql = f"SELECT x.*, x::text AS line FROM integrations.{table} x WHERE tenant_id = :t"
            kept = str(connection.execute(text(sql), {"t": ref.tenant_id}).all())
            for plain in (secret, get_valid_token(store, ref), refresh, state, code, SESSION):
                assert plain not in kept
                assert plain.encode().hex() not in kept


CALLBACKS = {
    "shared address": {"path": "/api/integrations/callback"},
    "other service": {"path": "/api/integrations/callback/stripe"},
    "below": {"path": "/api/integrations/callback/hubspot/"},
    "other issuer": {"parameters": {"iss": "https://evil.example"}},
}


@pytest.mark.parametrize("kind", CALLBACKS)
def test_a_callback_brought_elsewhere_sends_nothing(store, sandbox, tenant_id, kind) -> None:
    ref = integration(store, sandbox, tenant_id)
    code, state = authorize(store, ref)

    with pytest.raises(BadStateError, match="another"):
        exchange_code_for_token(
            store, state=state, code=code, session_id=SESSION, **CALLBACKS[kind]
        )

    assert token_requests(sandbox, "hubspot") == 0
    assert integration_row(store, ref).status == "INACTIVE"
