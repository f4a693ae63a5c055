"""Salesforce's token endpoint: no expires_in, and a refresh token that stays the same."""

import base64
import hashlib
import hmac

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.grants import Issued, TokenRules, problem
from integrations_pipeline.sandbox.tables import Record


def org_id(account: str) -> str:
    """The account's id, 18 characters."""
    return f"00D{digest(account, 'salesforce org')[:12]}EAL"


def user_id(account: str) -> str:
    """The id of the user who consents."""
    return f"005{digest(account, 'salesforce user')[:12]}AAV"


def instance_url(account: str) -> str:
    """The account's own host."""
    return f"https://{account}-dev.my.salesforce.com"


def identity_url(account: str) -> str:
    """What tokens name the user by."""
    return f"https://login.salesforce.com/id/{org_id(account)}/{user_id(account)}"


def _answer(issued: Issued) -> Record:
    identity, moment = identity_url(issued.account), str(int(issued.now * 1000))
    secret = issued.client.client_secret.encode()
    signature = hmac.new(secret, (identity + moment).encode(), hashlib.sha256).digest()
    answer = {
        "access_token": issued.access.token,
        "refresh_token": issued.refresh_token,
        "signature": base64.b64encode(signature).decode(),
        "scope": " ".join(issued.access.scopes),
        "instance_url": instance_url(issued.account),
        "id": identity,
        "token_type": "Bearer",
        "issued_at": moment,
    }
    return {name: value for name, value in answer.items() if value is not None}


RULES = TokenRules(
    service="salesforce",
    prefixes=("00D!AQ", "5Aep861"),
    grants=("authorization_code", "refresh_token", "client_credentials"),
    repeats_refresh_token=False,
    scopes_of_client=lambda _: ("api", "id"),
    refusals={
        "client": problem(400, "invalid_client_id", "client identifier invalid"),
        "secret": problem(400, "invalid_client", "invalid client credentials"),
        "code": problem(400, "invalid_grant", "invalid authorization code"),
        "redirect": problem(400, "redirect_uri_mismatch", "redirect_uri must match configuration"),
        "verifier": problem(400, "invalid_grant", "invalid code verifier"),
        "refresh": problem(400, "invalid_grant", "expired access/refresh token"),
        "grant": problem(400, "unsupported_grant_type", "grant type not supported"),
    },
    answer=_answer,
)
