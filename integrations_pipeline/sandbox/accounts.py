"""The accounts of the sandbox and the one OAuth client that each has at each service."""

import hashlib
import uuid
from dataclasses import dataclass

ACCOUNTS = ("acme", "globex")
SERVICES = ("hubspot", "stripe", "zendesk")


def digest(*parts: object) -> str:
    """64 hex characters that are always the same for the same parts."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()


@dataclass(frozen=True)
class Client:
    """An OAuth client: whoever consents to it gives access to its account."""

    service: str
    account: str
    client_id: str
    client_secret: str

    @property
    def settings(self) -> dict[str, str]:
        return {"subdomain": self.account} if self.service == "zendesk" else {}


def _credentials(service: str, account: str) -> tuple[str, str]:
    name = digest(account, service, "client id")
    secret = digest(account, service, "client secret")
    if service == "hubspot":
        return str(uuid.UUID(name[:32])), str(uuid.UUID(secret[:32]))
    if service == "stripe":
        return f"ca_{name[:32]}", f"sk_test_{secret[:48]}"
    return f"{account}_data_sync", secret


CLIENTS = tuple(
    Client(service, account, *_credentials(service, account))
    for account in ACCOUNTS
    for service in SERVICES
)


def find_client(service: str, client_id: str | None) -> Client | None:
    """The client with this id at this service."""
    return next((c for c in CLIENTS if (c.service, c.client_id) == (service, client_id)), None)


def client_with_secret(service: str, secret: str | None) -> Client | None:
    """The client with this secret at this service."""
    return next((c for c in CLIENTS if (c.service, c.client_secret) == (service, secret)), None)
