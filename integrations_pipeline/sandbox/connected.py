"""Services whose OAuth side is described by data, and whose records may not be emulated yet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from integrations_pipeline.sandbox.accounts import Client
from integrations_pipeline.sandbox.dataset import Dataset, RefusedError
from integrations_pipeline.sandbox.grants import TokenRules, claimed_client
from integrations_pipeline.sandbox.keys import account_with_key
from integrations_pipeline.sandbox.limits import Budget, Usage
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import ApiRequest, Call, Service
from integrations_pipeline.sandbox.tables import Record, Table
from integrations_pipeline.sandbox.vault import Vault

D = TypeVar("D", bound=Dataset)


class NoRecords(Dataset):
    """The data of an account at a service whose records are not emulated."""

    synced = ()

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def live(self, resource: str) -> list[Record]:
        return []

    def find(self, resource: str, identifier: str) -> Record | None:
        return None

    def create(self, resource: str, fields: Mapping[str, Any], now: float) -> Record:
        raise RefusedError(_NOTHING_HERE)

    def change(
        self, resource: str, identifier: str, fields: Mapping[str, Any], now: float
    ) -> Record:
        raise RefusedError(_NOTHING_HERE)

    def delete(self, resource: str, identifier: str, now: float) -> None:
        raise RefusedError(_NOTHING_HERE)


_NOTHING_HERE = "The records of this service are not emulated."
OwnCall = Call[NoRecords]


@dataclass(frozen=True, kw_only=True)
class ErrorForms:
    """A service's own words for what goes wrong."""

    unauthorized: Callable[[str], Reply]
    """By reason: missing, invalid or expired."""
    rate_limited: Callable[[Usage], Reply]
    server_error: Callable[[], Reply]
    unknown_path: Callable[[ApiRequest], Reply]


class ConnectedService(Service[D], Generic[D]):
    """A service by its token rules and its forms of errors."""

    rules: ClassVar[TokenRules]
    forms: ClassVar[ErrorForms]
    budget: ClassVar[Budget] = Budget("account", 600, 60)

    def unauthorized(self, reason: str) -> Reply:
        return self.forms.unauthorized(reason)

    def rate_limited(self, usage: Usage) -> Reply:
        return self.forms.rate_limited(usage)

    def server_error(self) -> Reply:
        return self.forms.server_error()

    def unknown_path(self, request: ApiRequest) -> Reply:
        return self.forms.unknown_path(request)

    def budgets(self, path: str) -> Sequence[Budget]:
        return [self.budget]

    def limit_headers(self, usages: Sequence[Usage]) -> dict[str, str]:
        return {}

    def endless(self, request: ApiRequest, body: Record) -> Record:
        return body

    def claimed_client(self, request: ApiRequest) -> Client | None:
        return claimed_client(self.rules, request)

    def account_of(self, request: ApiRequest, vault: Vault) -> str | None:
        """As for every service; a revocation may name nothing but the token."""
        found = super().account_of(request, vault)
        if found is not None:
            return found
        token = vault.any_token(self.name, str(request.fields.get("token", "")))
        return token.account if token else None


class DatalessService(ConnectedService[NoRecords]):
    """A service with an OAuth side only; one with records is a ConnectedService of its own."""

    def dataset(
        self, account: str, records: int, changed: Mapping[str, Sequence[Record]]
    ) -> NoRecords:
        return NoRecords()


def bearer_key(service: str, way: str, request: ApiRequest) -> str | None:
    """The account whose key travels as a bearer token."""
    return account_with_key(service, way, request.bearer)


def basic_key(service: str, way: str, request: ApiRequest) -> str | None:
    """The account whose key is the password of HTTP Basic."""
    return account_with_key(service, way, request.basic[1]) if request.basic else None
