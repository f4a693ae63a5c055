"""Keys that an admin copies from a service's own pages instead of consenting by OAuth."""

import hmac
from collections.abc import Callable, Mapping
from functools import cache

import orjson

from integrations_pipeline.sandbox.accounts import ACCOUNTS, SERVICES, digest, digits, guid
from integrations_pipeline.sandbox.rsa_key import private_pem

KEY_FILE_AUDIENCE = "https://oauth2.googleapis.com/token"


def mailchimp_dc(account: str) -> str:
    """The data centre of an account, which is the end of its keys too."""
    return f"us{3 + ACCOUNTS.index(account)}"


def service_account(account: str) -> str:
    """The e-mail address of the account's service account at Google."""
    return f"data-sync@{account}-analytics.iam.gserviceaccount.com"


@cache
def key_file(account: str) -> str:
    """The JSON file with the service account's private key."""
    content = {
        "type": "service_account",
        "project_id": f"{account}-analytics",
        "private_key_id": digest(account, "service account key")[:40],
        "private_key": private_pem(account),
        "client_email": service_account(account),
        "client_id": digits(21, account, "service account"),
        "token_uri": KEY_FILE_AUDIENCE,
    }
    return orjson.dumps(content).decode()


# By service and way: the form of a key, made from an account's name and 64 hex digits.
_WAYS: Mapping[str, Mapping[str, Callable[[str, str], str]]] = {
    "hubspot": {"private_app": lambda account, _: f"pat-na1-{guid(account, 'private app')}"},
    "stripe": {"api_key": lambda _, key: f"rk_test_{key[:48]}"},
    "zendesk": {"api_token": lambda _, key: key[:40]},
    "google_analytics": {"service_account": lambda account, _: key_file(account)},
    "jira": {"api_token": lambda _, key: f"ATATT3xFfGF0{key}"},
    "mailchimp": {"api_key": lambda account, key: f"{key[:32]}-{mailchimp_dc(account)}"},
    "slack": {
        "bot_token": lambda account, key: f"xoxb-{digits(12, account, 'slack team')}-{key[:24]}"
    },
    "shopify": {"access_token": lambda _, key: f"shpat_{key[:32]}"},
    "custom": {
        "api_key": lambda _, key: key[:40],
        "basic": lambda account, key: f"{account}:{key[:24]}",
    },
}


def keys_of(service: str, account: str) -> dict[str, str]:
    """The account's keys at a service, by way of access."""
    ways = _WAYS.get(service, {})
    return {way: made(account, digest(account, service, way)) for way, made in ways.items()}


@cache
def _all_keys() -> dict[tuple[str, str, str], str]:
    # The key file is no credential of a request: statements are signed with it.
    return {
        (service, way, key): account
        for service in SERVICES
        for account in ACCOUNTS
        for way, key in keys_of(service, account).items()
        if way != "service_account"
    }


def account_with_key(service: str, way: str, key: str | None) -> str | None:
    """The account whose key this is."""
    return next(
        (
            account
            for (name, kind, known), account in _all_keys().items()
            if (name, kind) == (service, way)
            and hmac.compare_digest(known.encode(), (key or "").encode())
        ),
        None,
    )
