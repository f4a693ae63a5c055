"""Syncs that meet another account, late or broken answers, passing faults, or no way to go on."""

import pytest
from sqlalchemy import text

from integrations_pipeline.errors import ConfigurationError, ConnectAgainError, RequestError
from integrations_pipeline.oauth import (
    disconnect_integration,
    exchange_code_for_token,
    get_valid_token,
)
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import (
    SyncRequest,
    create_sync_job,
    execute_sync_job,
    get_sync_job_history,
    get_sync_logs,
)
from tests.conftest import SESSION, authorize, connect, sync
from tests.integration.sync_samples import RESOURCES
from tests.integration.test_sync_with_sandbox import live, rows


def test_another_account_does_not_take_the_place_of_the_first(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    with store.tenant(tenant_id) as session:
        session.execute(text("UPDATE integrations.integration SET account_id = '1'"))
    code, state = authorize(store, ref)

    with pytest.raises(RequestError, match="account 1"):
        exchange_code_for_token(store, state=state, code=code, session_id=SESSION)


def test_a_checkpoint_in_the_future_is_followed_by_a_full_read(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sync(store, ref, resources=["customers"])
    with store.tenant(tenant_id) as session:
        session.execute(
            text(
                "UPDATE integrations.checkpoint SET cursor = "
                """'{"since": "2036-01-01T00:00:00+00:00"}' WHERE integration_id = :i"""
            ),
            {"i": ref.id},
        )

    result = sync(store, ref, resources=["customers"])

    assert result.error is None
    assert result.resources[0].mode == "full"
    told = [line.message for line in get_sync_logs(store, ref, result.job_id, level="WARNING")]
    assert len(told) == 1
    assert "2036-01-01" in told[0]
    assert sync(store, ref, resources=["customers"]).resources[0].mode == "incremental"


def test_a_change_that_the_search_shows_late_is_found(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    sync(store, ref, resources=["contacts"])
    sandbox.send("POST", "/sandbox/settings", {"hubspot_search_lag_seconds": 3600})
    key = min(live(rows(store, ref, "contacts")))
    sandbox.change("hubspot", "contacts", key, {"firstname": "Late"})

    early = sync(store, ref, resources=["contacts"])
    sandbox.send("POST", "/sandbox/settings", {"hubspot_search_lag_seconds": 0})
    late = sync(store, ref, resources=["contacts"])

    assert early.resources[0].counts.updated == 0
    assert late.resources[0].counts.updated == 1


def test_a_token_that_dies_in_the_middle_is_renewed(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sandbox.fault("stripe", "expired_token", path="/v1/customers")

    result = sync(store, ref, resources=["customers"])

    assert result.status is JobStatus.COMPLETED, result.error
    renewals = [r for r in sandbox.requests("stripe") if "oauth/token" in r["path"]]
    assert len(renewals) == 2  # the connection itself, and one refresh


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("html", "HTML"),
        ("truncated", "broken JSON"),
        ("huge", "MiB"),
        ("wrong_types", "instead of"),
        ("loop", "circle"),
    ],
)
@pytest.mark.parametrize(("service", "resource"), RESOURCES.items())
def test_a_broken_answer_fails_the_job_and_keeps_what_was_there(
    store, sandbox, tenant_id, service, resource, kind, words
) -> None:
    ref = connect(store, sandbox, tenant_id, service)
    sync(store, ref, resources=[resource])
    before = live(rows(store, ref, resource))
    if kind == "huge" and service == "zendesk":
        kind, words = "html", "HTML"  # its exports may be as large as this
    sandbox.fault(service, kind, count=1000)

    result = sync(store, ref, resources=[resource], sync_type="FULL_SYNC")

    assert result.status is JobStatus.FAILED
    assert all(word in result.error for word in (ref.key, resource, words)), result.error
    assert live(rows(store, ref, resource)) == before
    assert get_sync_job_history(store, ref)[0]["error"] == result.error
    assert get_sync_logs(store, ref, result.job_id)[-1].level == "ERROR"
    sandbox.send("DELETE", f"/sandbox/{service}/faults")
    assert sync(store, ref, resources=[resource]).status is JobStatus.COMPLETED


@pytest.mark.parametrize("kind", ["rate_limit", "error", "drop", "slow"])
@pytest.mark.parametrize(("service", "resource"), RESOURCES.items())
def test_passing_faults_are_ridden_out(store, sandbox, tenant_id, service, resource, kind) -> None:
    store.settings.retry_seconds = 60.0
    ref = connect(store, sandbox, tenant_id, service)
    sandbox.fault(service, kind, seconds=0.1)

    result = sync(store, ref, resources=[resource])

    assert result.status is JobStatus.COMPLETED, result.error
    assert len(live(rows(store, ref, resource))) == sandbox.counts(service)[resource]


@pytest.mark.parametrize("service", RESOURCES)
def test_after_a_disconnection_no_token_is_left(store, sandbox, tenant_id, service) -> None:
    ref = connect(store, sandbox, tenant_id, service)

    confirmed = disconnect_integration(store, ref)

    assert confirmed == (service != "stripe")  # it has no such call
    with store.tenant(tenant_id) as session:
        assert session.scalar(text("SELECT count(*) FROM integrations.oauth_token")) == 0
    with pytest.raises(ConnectAgainError):
        get_valid_token(store, ref)


def test_a_misconfigured_service_ends_the_job_at_once(store, sandbox, tenant_id, tmp_path) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    job_id = create_sync_job(store, ref, SyncRequest())
    (tmp_path / "overrides.yaml").write_text("stripe: {api_base_url: 'http://api.example'}")
    store.settings.__dict__.pop("overrides", None)

    with pytest.raises(ConfigurationError, match="https"):
        execute_sync_job(store, ref, job_id)

    job = get_sync_job_history(store, ref)[0]
    assert (job["status"], "https" in job["error"]) == ("FAILED", True)
