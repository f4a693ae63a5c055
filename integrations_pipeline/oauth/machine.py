"""Grants without a person: client credentials (RFC 6749, 4.4) and signed statements (RFC 7523)."""

import time

import jwt
import orjson
from oauthlib.oauth2 import BackendApplicationClient

from integrations_pipeline.connectors.auth import Grant
from integrations_pipeline.errors import RequestError

LIFE_SECONDS = 600


class _StatementClient(BackendApplicationClient):
    """Like the client of the client-credentials grant, with a signed statement as proof."""

    grant_type = Grant.JWT_BEARER.value


_CLIENTS: dict[Grant, type[BackendApplicationClient]] = {
    Grant.CLIENT_CREDENTIALS: BackendApplicationClient,
    Grant.JWT_BEARER: _StatementClient,
}


def machine_client(
    grant: Grant, client_id: str, scope: str | None
) -> BackendApplicationClient | None:
    """The library's client for a grant; None: its usual one, for authorization codes."""
    kind = _CLIENTS.get(grant)
    return kind(client_id, scope=scope) if kind else None


def statement(key_file: str, audience: str, scopes: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """The parameters of a token request for a service account, and the account's name.

    Raises:
        RequestError: the key file is not one.
    """
    try:
        content = orjson.loads(key_file)
        account, key = str(content["client_email"]), str(content["private_key"])
        now = int(time.time())
        signed = jwt.encode(
            {
                "iss": account,
                "aud": str(content.get("token_uri") or audience),
                "scope": " ".join(scopes),
                "iat": now,
                "exp": now + LIFE_SECONDS,
            },
            key,
            algorithm="RS256",
            headers={"kid": str(content.get("private_key_id", ""))},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, jwt.PyJWTError) as error:
        raise RequestError(
            f"The service account's key file can't be used ({type(error).__name__}).",
            action="Download it again as JSON, and give the whole file.",
        ) from None
    return {"assertion": signed}, account
