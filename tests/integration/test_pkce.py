"""PKCE (RFC 7636): every start has a verifier of its own, sealed, and sends its S256 only."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

from oauthlib.oauth2 import WebApplicationClient
from sqlalchemy import text

from integrations_pipeline.oauth import create_user, generate_auth_url
from integrations_pipeline.oauth.flow import VERIFIER
from integrations_pipeline.store import Place
from tests.conftest import SESSION
from tests.integration.support import integration, one_row, owner


def begun(store, ref, times=1):
    """Starts, as (address, verifier) in their order."""
    user = create_user(store, ref.tenant_id, "a@example.com", "A", "ADMIN")
    for _ in range(times):
        yield generate_auth_url(store, ref, user_id=user, session_id=SESSION)


def verifiers(store, ref):
    sql = "SELECT id, code_verifier FROM integrations.oauth_state WHERE integration_id = :id"
    with owner(store) as connection:
        rows = connection.execute(text(sql), {"id": ref.id}).all()
    return [
        store.keyring.open(bytes(sealed), Place(ref.tenant_id, row_id, VERIFIER))
        for row_id, sealed in rows
    ]


def s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_the_vector_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    made = WebApplicationClient("id").create_code_challenge(verifier, "S256")

    assert made == s256(verifier) == challenge


def test_the_challenge_is_that_of_the_stored_verifier(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)

    (address,) = begun(store, ref)

    asked = parse_qs(urlsplit(address).query)
    (verifier,) = verifiers(store, ref)
    assert asked["code_challenge"] == [s256(verifier)]
    assert asked["code_challenge_method"] == ["S256"]
    assert verifier not in address
    assert "client_secret" not in asked
    assert asked["redirect_uri"] == ["http://127.0.0.1:8300/api/integrations/callback/hubspot"]


def test_a_thousand_starts_differ(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)

    addresses = list(begun(store, ref, 1000))

    found = verifiers(store, ref)
    states = {parse_qs(urlsplit(address).query)["state"][0] for address in addresses}
    assert (len(set(found)), len(states)) == (1000, 1000)
    assert all(43 <= len(one) <= 128 for one in found)
    assert min(map(len, states)) >= 43


def test_stripe_is_asked_without_pkce(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id, "stripe")

    (address,) = begun(store, ref)

    assert "code_challenge" not in address
    row = one_row(
        store,
        "SELECT code_verifier FROM integrations.oauth_state WHERE integration_id = :id",
        id=ref.id,
    )
    assert row.code_verifier is None
