"""The accounts of the sandbox and the one OAuth client that each has at each service."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ACCOUNTS = ("acme", "globex")
SERVICES = (
    "hubspot",
    "stripe",
    "zendesk",
    "salesforce",
    "quickbooks",
    "google_analytics",
    "jira",
    "mailchimp",
    "slack",
    "microsoft_teams",
    "shopify",
    "custom",
)


def digest(*parts: object) -> str:
    """64 hex characters that are always the same for the same parts."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()


def digits(count: int, *parts: object) -> str:
    """A number of so many digits, always the same for the same parts."""
    lowest: int = 10 ** (count - 1)
    return str(lowest + int(digest(*parts), 16) % (9 * lowest))


def guid(*parts: object) -> str:
    """A UUID that is always the same for the same parts."""
    return str(uuid.UUID(digest(*parts)[:32], version=4))


@dataclass(frozen=True)
class Client:
    """An OAuth client: whoever consents to it gives access to its account."""

    service: str
    account: str
    client_id: str
    client_secret: str

    @property
    def settings(self) -> dict[str, str]:
        """What an integration must be told before it can be connected."""
        told = _SETTINGS.get(self.service)
        return told(self.account) if told else {}


_SETTINGS: Mapping[str, Callable[[str], dict[str, str]]] = {
    "zendesk": lambda account: {"subdomain": account},
    "salesforce": lambda _: {"login_host": "login.salesforce.com"},
    "quickbooks": lambda _: {"api_host": "sandbox-quickbooks.api.intuit.com"},
    "google_analytics": lambda account: {"property_id": digits(9, account, "ga4 property")},
    "jira": lambda account: {"site": f"{account}.atlassian.net"},
    "microsoft_teams": lambda account: {"tenant": guid(account, "entra tenant")},
    "shopify": lambda account: {"shop": f"{account}.myshopify.com"},
}

# The forms of client ids and secrets, made from an account's name and 64 hex digits.
_FORMS: Mapping[str, Callable[[str, str, str], tuple[str, str]]] = {
    "hubspot": lambda _, a, b: (str(uuid.UUID(a[:32])), str(uuid.UUID(b[:32]))),
    "stripe": lambda _, a, b: (f"ca_{a[:32]}", f"sk_test_{b[:48]}"),
    "zendesk": lambda account, _, b: (f"{account}_data_sync", b),
    "salesforce": lambda _, a, b: (f"3MVG9{a}", b.upper()),
    "quickbooks": lambda _, a, b: (f"AB{a[:48]}", b[:40]),
    "google_analytics": lambda account, a, b: (
        f"{digits(12, account, 'google project')}-{a[:32]}.apps.googleusercontent.com",
        f"GOCSPX-{b[:28]}",
    ),
    "jira": lambda _, a, b: (a[:32], f"ATOA{b}"),
    "mailchimp": lambda account, _, b: (digits(12, account, "mailchimp app"), b[:50]),
    "slack": lambda account, _, b: (
        f"{digits(12, account, 'slack team')}.{digits(13, account, 'slack app')}",
        b[:32],
    ),
    "microsoft_teams": lambda account, _, b: (guid(account, "entra app"), f"8Q~{b[:37]}"),
    "shopify": lambda _, a, b: (a[:32], f"shpss_{b[:32]}"),
    "custom": lambda account, _, b: (f"{account}-app", b[:40]),
}


def _client(service: str, account: str) -> Client:
    name = digest(account, service, "client id")
    secret = digest(account, service, "client secret")
    return Client(service, account, *_FORMS[service](account, name, secret))


CLIENTS = tuple(_client(service, account) for account in ACCOUNTS for service in SERVICES)


def client_of(service: str, account: str) -> Client:
    """The client that an account has at a service."""
    return next(c for c in CLIENTS if (c.service, c.account) == (service, account))


def find_client(service: str, client_id: str | None) -> Client | None:
    """The client with this id at this service."""
    return next((c for c in CLIENTS if (c.service, c.client_id) == (service, client_id)), None)


def client_with_secret(service: str, secret: str | None) -> Client | None:
    """The client with this secret at this service."""
    return next((c for c in CLIENTS if (c.service, c.client_secret) == (service, secret)), None)
