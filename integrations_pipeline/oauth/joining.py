"""The last step of connecting: whose account it is, whether it may be that one, and storing."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from integrations_pipeline.errors import AnotherAccountError, RejectedError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.choosing import missing_scopes
from integrations_pipeline.oauth.identity import who_is
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.oauth.rows import save_connection
from integrations_pipeline.oauth.vault import integration_row
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.sync_models import Checkpoint, StagedBatch


def join_account(
    store: Store,
    ref: IntegrationRef,
    token: TokenSet,
    told: Mapping[str, str],
    *,
    another_account: bool = False,
) -> None:
    """Store a connection. `told` is what is known of the account beside the token's own facts.

    Raises:
        AnotherAccountError: not the account whose records are here, and nobody confirmed that.
        RejectedError: nothing of what the integration is for was granted.
        ServiceError: the service does not tell whose account it is.
    """
    row = integration_row(store, ref)
    _refuse_useless(ref, row, token)
    known = {**told, **token.facts}
    facts = who_is(ref.connector, ref.way, store.settings, row.settings, token.access_token, known)
    with store.tenant(ref.tenant_id) as session:
        # account, facts and tokens change together: a refresh in between would mix two accounts
        locked = session.get_one(
            Integration, (ref.tenant_id, ref.id), with_for_update=True, populate_existing=True
        )
        _check_same(ref, locked, facts, another_account=another_account)
        now_id = facts.get("account_id")
        if now_id and locked.account_id not in {None, now_id}:
            _forget_places(session, ref)
        locked.account_id, locked.facts = now_id or locked.account_id, dict(facts)
        session.flush()
        save_connection(session, store, ref, token)


def lacking(ref: IntegrationRef, row: Integration, granted: tuple[str, ...]) -> dict[str, Any]:
    """What was not granted, by resource that needs it."""
    names = tuple(row.resources) or ref.connector.scoped_names
    found = {name: missing_scopes(ref.way, granted, name, row.direction) for name in names}
    return {name: scopes for name, scopes in found.items() if scopes}


def _refuse_useless(ref: IntegrationRef, row: Integration, token: TokenSet) -> None:
    missing = lacking(ref, row, token.scopes)
    names = tuple(row.resources) or ref.connector.scoped_names
    if names and len(missing) == len(names):
        scopes = sorted({scope for needed in missing.values() for scope in needed})
        raise RejectedError(
            f"{ref.key} was granted nothing that it needs.",
            action=f"Connect again and allow: {', '.join(scopes)}.",
        )


def _check_same(
    ref: IntegrationRef, row: Integration, facts: Mapping[str, str], *, another_account: bool
) -> None:
    now_id = facts.get("account_id")
    if another_account or None in {row.account_id, now_id} or row.account_id == now_id:
        return
    before = _named(row.facts.get("account_name"), str(row.account_id))
    now = _named(facts.get("account_name"), str(now_id))
    raise AnotherAccountError(
        f"{ref.key} holds the records of account {before}, and this is {now}.",
        action="Connect that account again, confirm the change with "
        f"`integrations connect {ref.key} --another-account`, or add another integration.",
    )


def _named(name: Any, account_id: str) -> str:
    return f"{name} ({account_id})" if name else account_id


def _forget_places(session: Session, ref: IntegrationRef) -> None:
    """Places in another account's lists mean nothing in this one's."""
    for table in (Checkpoint, StagedBatch):
        session.execute(
            delete(table).where(table.tenant_id == ref.tenant_id, table.integration_id == ref.id)
        )
