"""Disconnecting: the service is told (RFC 7009), and the tokens are gone whatever it says."""

import requests
import structlog
from sqlalchemy import delete, update

from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.provider import OAuthClient
from integrations_pipeline.oauth.vault import oauth_client
from integrations_pipeline.store import Place, Store
from integrations_pipeline.store.models import Integration, OAuthToken
from integrations_pipeline.store.states import IntegrationStatus
from integrations_pipeline.transport.session import new_session

log = structlog.get_logger("integrations_pipeline.oauth")
TIMEOUT = 20.0


def disconnect_integration(store: Store, ref: IntegrationRef) -> bool:
    """End the connection; the data stays. Returns whether the service confirmed it."""
    with store.tenant(ref.tenant_id) as session:
        row = session.get(OAuthToken, (ref.tenant_id, ref.id))
        session.execute(
            delete(OAuthToken).where(
                OAuthToken.tenant_id == ref.tenant_id, OAuthToken.integration_id == ref.id
            )
        )
        session.execute(
            update(Integration)
            .where(Integration.tenant_id == ref.tenant_id, Integration.id == ref.id)
            .values(status=IntegrationStatus.INACTIVE, status_reason="disconnected")
        )
    return row is not None and _revoke(store, ref, row)


def _revoke(store: Store, ref: IntegrationRef, row: OAuthToken) -> bool:
    client = oauth_client(store, ref)
    if client.endpoints.revoke_url is None:
        return False
    sealed = row.refresh_token or row.access_token
    column = "refresh_token" if row.refresh_token else "access_token"
    opened = {
        column: store.keyring.open(sealed, Place(ref.tenant_id, ref.id, f"oauth_token.{column}")),
        "access_token": store.keyring.open(
            row.access_token, Place(ref.tenant_id, ref.id, "oauth_token.access_token")
        ),
    }
    try:
        return _tell(client, opened[column], opened["access_token"], column).ok
    except requests.RequestException as error:
        log.warning("revocation failed", integration=ref.key, error=type(error).__name__)
        return False


def _tell(client: OAuthClient, token: str, access_token: str, kind: str) -> requests.Response:
    with new_session(allow_private=client.endpoints.allow_private) as session:
        address = client.endpoints.revoke_url or ""
        if client.connector.oauth.revoke_method == "DELETE":
            headers = {"Authorization": f"Bearer {access_token}"}
            return session.delete(address, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        body = {
            "token": token,
            "token_type_hint": kind,
            "client_id": client.client_id,
            "client_secret": client.client_secret,
        }
        return session.post(address, data=body, timeout=TIMEOUT, allow_redirects=False)
