"""Tokens that were moved or spoilt by SQL: they stay shut, and nothing is sent."""

import pytest

from integrations_pipeline.errors import ConnectAgainError, IntegrationsError
from integrations_pipeline.oauth import create_tenant, get_valid_token
from integrations_pipeline.store import SealError
from tests.conftest import connect
from tests.integration.support import expire, run_sql, token_requests


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected HubSpot account."""
    return connect(store, sandbox, tenant_id, "hubspot")


SWAP = """
    UPDATE integrations.oauth_token AS mine SET {column} = other.{column}
    FROM integrations.oauth_token AS other
    WHERE mine.integration_id IN (:a, :b) AND other.integration_id IN (:a, :b)
        AND mine.integration_id <> other.integration_id
"""


@pytest.mark.parametrize("column", ["access_token", "refresh_token"])
def test_swapped_ciphertexts_stay_shut(store, sandbox, ref, column) -> None:
    other = connect(store, sandbox, create_tenant(store, f"o{ref.id.hex[:9]}", "O"), "hubspot")
    tokens = {get_valid_token(store, one) for one in (ref, other)}
    run_sql(store, SWAP.format(column=column), a=ref.id, b=other.id)
    if column == "refresh_token":
        expire(store, ref)
        expire(store, other)
    sandbox.forget_requests()

    for one in (ref, other):
        with pytest.raises((SealError, ConnectAgainError)) as refused:
            get_valid_token(store, one)
        assert not any(token in str(refused.value) for token in tokens)
    assert token_requests(sandbox, "hubspot") == 0


@pytest.mark.parametrize(
    "sealed", [b"", b"short", b"\x01" * 29, b"no sealed value at all, but text"]
)
def test_a_spoilt_row_fails_as_our_error(store, sandbox, ref, sealed) -> None:
    sql = "UPDATE integrations.oauth_token SET access_token = :sealed WHERE integration_id = :id"
    run_sql(store, sql, id=ref.id, sealed=sealed)

    with pytest.raises(IntegrationsError):
        get_valid_token(store, ref)


def test_another_tenants_vault_is_closed(store, ref) -> None:
    other = create_tenant(store, f"o{ref.id.hex[:9]}", "O")
    foreign = type(ref)(other, ref.id, ref.key, ref.connector)

    with pytest.raises(ConnectAgainError):
        get_valid_token(store, foreign)
