"""Which account a connection may be of, what it must grant, what can never be connected."""

from dataclasses import replace

import pytest

from integrations_pipeline.errors import (
    AnotherAccountError,
    ConflictError,
    RejectedError,
    RequestError,
)
from integrations_pipeline.oauth import create_integration
from integrations_pipeline.oauth.provider import OAuthClient
from tests.conftest import authorize, connect, sync
from tests.integration.connecting import finish
from tests.integration.support import integration_row, one_row, run_sql, token_row


def connected_before(store, ref, account_id="acct_before", name="Before Ltd") -> None:
    """Let the integration have been connected to another account."""
    run_sql(
        store,
        "UPDATE integrations.integration SET account_id = :account, "
        "facts = jsonb_build_object('account_name', CAST(:name AS text)) WHERE id = :id",
        id=ref.id,
        account=account_id,
        name=name,
    )


def checkpoints(store, ref) -> int:
    sql = "SELECT count(*) FROM integrations.checkpoint WHERE integration_id = :id"
    return one_row(store, sql, id=ref.id)[0]


@pytest.fixture
def synced(store, sandbox, tenant_id):
    """A connected account whose customers were read."""
    ref = connect(store, sandbox, tenant_id, "stripe")
    assert sync(store, ref, resources=["customers"]).error is None
    assert checkpoints(store, ref) == 1
    return ref


def test_another_account_is_refused_and_both_are_named(store, synced) -> None:
    now = integration_row(store, synced)
    connected_before(store, synced)
    before = token_row(store, synced)
    code, state = authorize(store, synced)

    with pytest.raises(AnotherAccountError) as refused:
        finish(store, state, code)

    told = str(refused.value)
    assert "Before Ltd (acct_before)" in told
    assert now.account_id in told
    assert (now.facts.get("account_name") or now.account_id) in told
    assert f"integrations connect {synced.key} --another-account" in told
    assert token_row(store, synced) == before
    assert integration_row(store, synced).account_id == "acct_before"
    assert checkpoints(store, synced) == 1


def test_another_account_that_was_confirmed_is_read_anew(store, synced) -> None:
    now = integration_row(store, synced)
    connected_before(store, synced)
    code, state = authorize(store, synced, another_account=True)

    assert finish(store, state, code) == synced

    row = integration_row(store, synced)
    assert (row.status, row.account_id, row.facts) == ("ACTIVE", now.account_id, now.facts)
    assert checkpoints(store, synced) == 0
    assert sync(store, synced, resources=["customers"]).resources[0].mode == "full"


@pytest.mark.parametrize("another_account", [False, True])
def test_the_same_account_goes_on_where_it_was(store, synced, another_account) -> None:
    code, state = authorize(store, synced, another_account=another_account)

    finish(store, state, code)

    assert checkpoints(store, synced) == 1
    result = sync(store, synced, resources=["customers"])
    assert (result.error, result.resources[0].mode) == (None, "incremental")


def granting(monkeypatch, *scopes) -> None:
    """Let the account grant these scopes only."""
    usual = OAuthClient.exchange
    monkeypatch.setattr(
        OAuthClient,
        "exchange",
        lambda client, *asked: replace(usual(client, *asked), scopes=scopes),
    )


def test_an_account_that_grants_nothing_needed_is_not_connected(
    store, sandbox, tenant_id, monkeypatch
) -> None:
    granting(monkeypatch, "oauth")

    with pytest.raises(RejectedError, match=r"crm\.objects\.deals\.read"):
        connect(store, sandbox, tenant_id, "hubspot")


def test_what_was_not_granted_fails_before_anything_is_asked(
    store, sandbox, tenant_id, monkeypatch
) -> None:
    granting(monkeypatch, "oauth", "crm.objects.owners.read")
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sandbox.forget_requests()

    result = sync(store, ref, resources=["deals"])

    assert "did not grant crm.objects.deals.read" in result.error
    assert sandbox.requests("hubspot") == []
    assert sync(store, ref, resources=["owners"]).error is None


REFUSED = [
    ({"service": "nope"}, RequestError, "Unknown integration type 'nope'"),
    ({"slug": "Bad Name"}, RequestError, "no usable name"),
    ({"slug": "a--b"}, RequestError, "no usable name"),
    ({"slug": "x" * 61}, RequestError, "no usable name"),
    ({"slug": "a\n"}, RequestError, "no usable name"),
    ({"client_id": ""}, RequestError, "client id"),
    ({"client_secret": ""}, RequestError, "client id"),
    ({"settings": {"host": "evil.example"}}, RequestError, "no setting host"),
    ({"slug": "taken"}, ConflictError, "'taken'"),
]


@pytest.mark.parametrize(("change", "kind", "told"), REFUSED)
def test_senseless_integrations_are_refused(store, tenant_id, change, kind, told) -> None:
    usual = {"service": "hubspot", "slug": "x", "client_id": "c", "client_secret": "s"}
    create_integration(store, tenant_id, **{**usual, "slug": "taken"})

    with pytest.raises(kind, match=told):
        create_integration(store, tenant_id, **{**usual, **change})


def test_an_account_that_grants_nothing_at_all_is_refused(store, sandbox, tenant_id) -> None:
    sandbox.send("POST", "/sandbox/settings", {"grant_scopes": []})

    with pytest.raises(RejectedError, match="granted nothing that it needs"):
        connect(store, sandbox, tenant_id, "hubspot")
