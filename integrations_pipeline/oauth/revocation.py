"""Disconnecting: the service is told (RFC 7009), and the tokens are gone whatever it says."""

import time

import requests
import structlog
from requests.auth import HTTPBasicAuth

from integrations_pipeline.connectors.auth import OAuth, Proof, Revoke
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.claims import take_out
from integrations_pipeline.oauth.provider import OAuthClient
from integrations_pipeline.oauth.rows import open_secret
from integrations_pipeline.oauth.vault import (
    get_valid_token,
    integration_row,
    oauth_client,
)
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import OAuthToken
from integrations_pipeline.transport.carriage import carried
from integrations_pipeline.transport.session import new_session

log = structlog.get_logger("integrations_pipeline.oauth")
TIMEOUT = 20.0
PATIENCE_SECONDS = 45.0


def disconnect_integration(store: Store, ref: IntegrationRef) -> bool:
    """End the connection; the data stays. Returns whether the service confirmed it."""
    way = ref.way
    if isinstance(way, OAuth) and way.revoke and way.revoke.proof is Proof.TOKEN:
        _freshen(store, ref)
    row = _taken(store, ref)
    if row is None or not isinstance(way, OAuth) or way.revoke is None:
        return False
    try:
        answer = _tell(store, ref, way, way.revoke, row)
        return answer.ok and (not way.ok_at or dig(answer.json(), way.ok_at) is True)
    except (requests.RequestException, IntegrationsError, ValueError) as error:
        log.warning("revocation failed", integration=ref.key, error=type(error).__name__)
        return False


def _freshen(store: Store, ref: IntegrationRef) -> None:
    """A token that has run out could not end itself any more."""
    try:
        get_valid_token(store, ref)
    except IntegrationsError as error:
        log.info("token not renewed", integration=ref.key, error=type(error).__name__)


def _taken(store: Store, ref: IntegrationRef) -> OAuthToken | None:
    """The tokens, removed. What a refresh under way would get must not stay alive: it is waited
    for, but not for ever."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    done, row = take_out(store, ref, during_refresh=False)
    while not done:
        time.sleep(0.1)
        done, row = take_out(store, ref, during_refresh=time.monotonic() > deadline)
    return row


def _tell(
    store: Store, ref: IntegrationRef, way: OAuth, revoke: Revoke, row: OAuthToken
) -> requests.Response:
    client = oauth_client(store, ref)
    kind = "refresh_token" if row.refresh_token else "access_token"
    access_token = open_secret(store, ref, row, "access_token")
    values = {
        **integration_row(store, ref).facts,
        "token": open_secret(store, ref, row, kind),
        "kind": kind,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
    }
    body = {name: template.format(**values) for name, template in revoke.body.items()}
    headers, auth = _proof(client, way, revoke.proof, access_token)
    with new_session(allow_private=client.endpoints.allow_private) as session:
        return session.request(
            revoke.method,
            client.endpoints.revoke_url,
            json=body if revoke.json_body else None,
            data=body if body and not revoke.json_body else None,
            headers={"Accept": "application/json", **headers},
            auth=auth,
            timeout=TIMEOUT,
            allow_redirects=False,
        )


def _proof(
    client: OAuthClient, way: OAuth, proof: Proof, access_token: str
) -> tuple[dict[str, str], HTTPBasicAuth | None]:
    if proof is Proof.CLIENT:
        return {}, HTTPBasicAuth(client.client_id, client.client_secret)
    if proof is Proof.SECRET:
        return {"Authorization": f"Bearer {client.client_secret}"}, None
    if proof is Proof.TOKEN:
        return carried(way.carriage, access_token)[0], None
    return {}, None
