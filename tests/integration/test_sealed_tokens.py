"""Tokens that were moved or spoilt by SQL: they stay shut, and nothing is sent."""

import pytest
from sqlalchemy.exc import IntegrityError

from integrations_pipeline.errors import ConnectAgainError, IntegrationsError
from integrations_pipeline.oauth import create_tenant, get_valid_token
from integrations_pipeline.store import SealError
from tests.conftest import connect
from tests.integration.support import (
    alerts_of,
    expire,
    integration_row,
    run_sql,
    token_requests,
    token_row,
)


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


SPOILT = [
    b"",
    b"short",
    b"\x01{key}",
    b"\x01{key}" + b"\x01" * 12,
    b"\x01{key}" + b"\x01" * 40,
    b"\x02{key}" + b"\x01" * 40,
]


@pytest.mark.parametrize("sealed", SPOILT)
def test_a_spoilt_row_fails_as_our_error(store, sandbox, ref, sealed) -> None:
    key = bytes(token_row(store, ref).access_token)[1:17]
    sql = "UPDATE integrations.oauth_token SET access_token = :sealed WHERE integration_id = :id"
    run_sql(store, sql, id=ref.id, sealed=sealed.replace(b"{key}", key))

    with pytest.raises(IntegrationsError):
        get_valid_token(store, ref)

    (alert,) = alerts_of(store, ref)
    assert (alert.kind, integration_row(store, ref).status) == ("sealed_value", "ERROR")


@pytest.mark.parametrize("sealed", [b"\x01" * 29, b"no sealed value at all, but text"])
def test_the_database_refuses_what_is_sealed_under_no_key_of_ours(store, ref, sealed) -> None:
    before = token_row(store, ref)
    sql = "UPDATE integrations.oauth_token SET {} = :sealed WHERE integration_id = :id"
    for column in ("access_token", "refresh_token"):
        with pytest.raises(IntegrityError, match="a key that is gone"):
            run_sql(store, sql.format(column), id=ref.id, sealed=sealed)
    secret = "UPDATE integrations.integration SET client_secret = :sealed WHERE id = :id"
    with pytest.raises(IntegrityError, match="a key that is gone"):
        run_sql(store, secret, id=ref.id, sealed=sealed)

    assert token_row(store, ref) == before


def test_another_tenants_vault_is_closed(store, ref) -> None:
    other = create_tenant(store, f"o{ref.id.hex[:9]}", "O")
    foreign = type(ref)(other, ref.id, ref.key, ref.connector)

    with pytest.raises(ConnectAgainError):
        get_valid_token(store, foreign)
