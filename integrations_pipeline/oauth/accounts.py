"""Tenants, users and integrations: made, found, described."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from integrations_pipeline.connectors.auth import Grant, OAuth, Way
from integrations_pipeline.connectors.base import Connector, IntegrationType
from integrations_pipeline.errors import ConflictError, RequestError
from integrations_pipeline.oauth.choosing import Choice, check_account, connector_of, declared
from integrations_pipeline.oauth.machine import statement
from integrations_pipeline.store import Place, Store
from integrations_pipeline.store.models import Integration, OAuthToken, Tenant, User
from integrations_pipeline.store.policy import USUAL, SyncPolicy, checked_policy
from integrations_pipeline.store.states import IntegrationStatus

log = structlog.get_logger("integrations_pipeline.oauth")
MAKES_THE_ADDRESS = {"settings", "client_id"}
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CLIENT_SECRET = "integration.client_secret"  # noqa: S105 - a column's name


@dataclass(frozen=True, slots=True)
class IntegrationRef:
    """Which integration: all that is ever passed around, logged or shown."""

    tenant_id: UUID
    id: UUID
    key: str
    """`tenant--name`"""
    connector: Connector
    way_name: str = "oauth"
    resources: tuple[str, ...] = ()
    """What it was connected for; empty: everything."""
    policy: SyncPolicy = USUAL

    @property
    def way(self) -> Way:
        """How its account is connected."""
        return self.connector.ways[self.way_name]


def create_tenant(store: Store, slug: str, name: str) -> UUID:
    """A new tenant, or the one that has this slug already."""
    _check_slug(slug)
    with store.system() as session:
        found = session.scalar(select(Tenant.id).where(Tenant.slug == slug))
        if found is None:
            found = uuid4()
            session.add(Tenant(id=found, slug=slug, name=name))
    return found


def find_tenant(store: Store, slug: str) -> UUID:
    """The tenant with this name.

    Raises:
        RequestError: there is none.
    """
    with store.system() as session:
        found = session.scalar(select(Tenant.id).where(Tenant.slug == slug))
    if found is None:
        raise RequestError(f"There is no tenant {slug!r}.", action="`integrations add` makes one.")
    return found


def create_user(store: Store, tenant_id: UUID, email: str, name: str, role: str) -> UUID:
    """A new user of the tenant, or the one who has this address already."""
    with store.tenant(tenant_id) as session:
        found = session.scalar(select(User.id).where(User.email == email))
        if found is None:
            found = uuid4()
            session.add(User(tenant_id=tenant_id, id=found, email=email, name=name, role=role))
    return found


def create_integration(
    store: Store,
    tenant_id: UUID,
    service: str,
    slug: str,
    *,
    client_id: str = "",
    client_secret: str = "",
    settings: Mapping[str, Any] | None = None,
    choice: Choice | None = None,
) -> IntegrationRef:
    """A new integration, not connected yet; its client secret is sealed.

    Raises:
        RequestError: unknown service, way or resource, bad name or settings, a client id or
            secret missing or not wanted, a key file that is none, an address in a private network.
        ConflictError: the tenant has an integration of this name.
    """
    choice = choice or Choice()
    _check_slug(slug)
    connector = declared(store.settings, service, settings or {})
    way_name = choice.checked(connector)
    check_account(store.settings, connector, connector.ways[way_name], settings or {})
    _check_client(connector, connector.ways[way_name], client_id, has_secret=bool(client_secret))
    _check_key_file(connector.ways[way_name], client_secret)
    row = Integration(
        tenant_id=tenant_id,
        id=uuid4(),
        slug=slug,
        name=slug,
        type=connector.type.value,
        way=way_name,
        resources=list(choice.resources),
        direction=choice.direction,
        settings=dict(settings or {}),
        client_id=client_id or None,
    )
    if client_secret:
        place = Place(tenant_id, row.id, CLIENT_SECRET)
        row.client_secret = store.keyring.seal(client_secret, place)
    try:
        with store.tenant(tenant_id) as session:
            row.key = f"{session.scalars(select(Tenant.slug)).one()}--{slug}"
            session.add(row)
    except IntegrityError as error:
        raise ConflictError(f"There is an integration named {slug!r} already.") from error
    return IntegrationRef(tenant_id, row.id, row.key, connector, way_name, choice.resources)


def change_integration(
    store: Store,
    ref: IntegrationRef,
    *,
    client_id: str = "",
    client_secret: str = "",
    settings: Mapping[str, Any] | None = None,
    resources: Sequence[str] = (),
    direction: str = "",
) -> bool:
    """Change what is given, after the checks of a new integration; whether to connect again.

    `settings` go over the old ones; a custom service's are its declaration, and replace it. An
    old client secret is not opened: a new one helps where it is lost. The way in stays. Other
    settings or another client id end the connection: its tokens belong to the old ones.

    Raises:
        RequestError: an unknown or bad setting, resource or direction, a declaration with another
            way in, a client id or secret that is not wanted, an address in a private network.
    """
    row = _row(store, ref)
    custom = ref.connector.type is IntegrationType.CUSTOM
    old = {} if custom and settings is not None else row.settings
    whole = {**old, **(settings or {})}
    choice = Choice(ref.way_name, tuple(resources or row.resources), direction or row.direction)
    connector = declared(store.settings, row.type.lower(), whole)
    way = connector.ways[choice.checked(connector)]
    check_account(store.settings, connector, way, whole)
    if client_id or client_secret:
        has_secret = bool(client_secret or row.client_secret)
        _check_client(connector, way, client_id or row.client_id or "", has_secret=has_secret)
        _check_key_file(way, client_secret)
    asked: dict[str, Any] = {
        "client_id": client_id or row.client_id,
        "settings": whole,
        "resources": list(choice.resources),
        "direction": choice.direction,
    }
    changed = {name: value for name, value in asked.items() if value != getattr(row, name)}
    sealed = {"client_secret": _sealed(store, ref, client_secret)} if client_secret else {}
    if changed or sealed:
        _change(store, ref, {**changed, **sealed})
    return bool(changed)


def told_integration(store: Store, ref: IntegrationRef) -> dict[str, Any]:
    """What is set for an integration; of the client secret, whether there is one."""
    row = _row(store, ref)
    return {
        "integration": row.key,
        "service": ref.connector.name,
        "way": row.way,
        "client_id": row.client_id,
        "client_secret": "set" if row.client_secret else "not set",
        "settings": dict(row.settings),
        "resources": list(row.resources),
        "direction": row.direction,
        "rules": ref.policy.model_dump(mode="json"),
    }


def find_integration(store: Store, key: str) -> IntegrationRef:
    """The integration with this key (`tenant--name`).

    Raises:
        RequestError: there is none.
    """
    with store.system() as session:
        row = session.scalar(select(Integration).where(Integration.key == key))
    if row is None:
        raise RequestError(
            f"There is no integration {key!r}.", action="`integrations list` shows them."
        )
    return reference(row)


def list_integrations(store: Store) -> list[Integration]:
    """All integrations of all tenants, by key."""
    with store.system() as session:
        return list(session.scalars(select(Integration).order_by(Integration.key)))


def reference(row: Integration) -> IntegrationRef:
    """What to pass around instead of the row."""
    connector = connector_of(row.type, row.settings)
    return IntegrationRef(
        row.tenant_id,
        row.id,
        row.key,
        connector,
        row.way,
        tuple(row.resources),
        checked_policy(row.policy),
    )


def references(rows: Iterable[Integration]) -> list[IntegrationRef]:
    """The references of many rows; one that can't be understood does not hide the others."""
    found = []
    for row in rows:
        try:
            found.append(reference(row))
        except RequestError as error:
            log.error("integration not understood", integration=row.key, error=str(error))
    return found


def _row(store: Store, ref: IntegrationRef) -> Integration:
    with store.tenant(ref.tenant_id) as session:
        return session.scalars(select(Integration).where(Integration.id == ref.id)).one()


def _sealed(store: Store, ref: IntegrationRef, client_secret: str) -> bytes:
    return store.keyring.seal(client_secret, Place(ref.tenant_id, ref.id, CLIENT_SECRET))


def _change(store: Store, ref: IntegrationRef, values: Mapping[str, Any]) -> None:
    """The columns that are named, and no others: what else changed meanwhile stays."""
    end = {"status": IntegrationStatus.INACTIVE.value, "status_reason": "its settings changed"}
    elsewhere = bool(MAKES_THE_ADDRESS & set(values))
    with store.tenant(ref.tenant_id) as session:
        if elsewhere:  # a token must not go to another host, or be refreshed for another client
            session.execute(
                delete(OAuthToken).where(
                    OAuthToken.tenant_id == ref.tenant_id, OAuthToken.integration_id == ref.id
                )
            )
        session.execute(
            update(Integration)
            .where(Integration.tenant_id == ref.tenant_id, Integration.id == ref.id)
            .values(**values, **(end if elsewhere else {}), updated_at=func.now())
        )


def _check_slug(slug: str) -> None:
    if not SLUG.fullmatch(slug) or len(slug) > 60:
        raise RequestError(
            f"{slug!r} is no usable name.",
            action="Use small letters and digits, with single hyphens between them.",
        )


def _check_key_file(way: Way, secret: str) -> None:
    """Refuse what a service account could not sign with, before it is stored."""
    if isinstance(way, OAuth) and way.grant is Grant.JWT_BEARER and secret:
        statement(secret, way.token_url, ())


def _check_client(connector: Connector, way: Way, client_id: str, *, has_secret: bool) -> None:
    """A client belongs to OAuth; a service account's key file is a secret without an id."""
    if not isinstance(way, OAuth):
        if client_id or has_secret:
            raise RequestError(
                f"{connector.label} is connected with a {way.label} here, without a client.",
                action="Give the secret to `integrations connect`.",
            )
    elif way.grant is Grant.JWT_BEARER:
        if client_id or not has_secret:
            raise RequestError("The key file is needed as secret, and no client id.")
    elif not (client_id and has_secret):
        raise RequestError("A client id and a client secret are needed.")
