"""API keys: random, shown once, kept as a hash, good for one tenant."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy import Select, and_, func, or_, select

from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import ApiKey, User

PREFIX = "ipk_"


class UnauthorizedError(IntegrationsError):
    """The request carries no key, or one that is not good (any more)."""

    action = "Send a key as bearer token; `integrations api-key` makes one."


def create_api_key(
    store: Store, tenant_id: UUID, user_id: UUID, name: str, *, life: timedelta
) -> str:
    """A new key of a user, for its tenant. It can't be shown again: only its hash is kept."""
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        tenant_id=tenant_id,
        user_id=user_id,
        name=name,
        key_hash=_hash(key),
        expires_at=datetime.now(UTC) + life,
    )
    with store.tenant(tenant_id) as session:
        session.add(row)
    return key


def tenant_of(store: Store, request: Request) -> UUID:
    """The tenant whose key a request carries.

    Raises:
        UnauthorizedError: it carries none, or one that is unknown, revoked, expired, or of a user
            who is disabled.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    tenant_id: UUID | None = None
    if scheme.lower() == "bearer":
        with store.system() as session:
            tenant_id = session.scalar(_owner_of(key.strip()))
    if tenant_id is None:
        raise UnauthorizedError("This request carries no valid API key.")
    return tenant_id


def _owner_of(key: str) -> Select[Any]:
    whose = and_(User.tenant_id == ApiKey.tenant_id, User.id == ApiKey.user_id)
    return (
        select(ApiKey.tenant_id)
        .join(User, whose)
        .where(
            ApiKey.key_hash == _hash(key),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
            User.disabled_at.is_(None),
        )
    )


def _hash(key: str) -> bytes:
    # a fast hash does: the key has 256 random bits (ASVS 6.5.2)
    return hashlib.sha256(key.encode()).digest()
