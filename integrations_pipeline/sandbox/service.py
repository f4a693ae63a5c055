"""The parts an emulated service is made of: a request, a call, operations and rules."""

import base64
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import parse_qsl

import orjson

from integrations_pipeline.sandbox.accounts import ACCOUNTS, Client
from integrations_pipeline.sandbox.config import SandboxConfig
from integrations_pipeline.sandbox.dataset import Dataset
from integrations_pipeline.sandbox.limits import Budget, Usage
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import AccessToken, Vault

D = TypeVar("D", bound=Dataset)


@dataclass(frozen=True)
class ApiRequest:
    """An HTTP request with the sandbox's own prefix taken off."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    content: bytes
    base: str
    tenant: str | None
    now: float
    params: Mapping[str, str] = field(default_factory=dict)
    repeated: bool = False
    """Whether a request with the same idempotency key is still being worked on."""

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query_string, keep_blank_values=True)

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(self.pairs)

    @cached_property
    def form_pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.content.decode(errors="replace"), keep_blank_values=True)

    @cached_property
    def form(self) -> dict[str, str]:
        return dict(self.form_pairs)

    @cached_property
    def json(self) -> Any:
        """The JSON body; None when it is no JSON."""
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return None

    @property
    def says_json(self) -> bool:
        return "json" in self.headers.get("content-type", "")

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """The parameters of a token request: JSON or a form, as its content type says."""
        if self.says_json:
            return self.json if isinstance(self.json, dict) else {}
        return self.form

    @property
    def bearer(self) -> str | None:
        return self.authorization("bearer")

    @cached_property
    def basic(self) -> tuple[str, str] | None:
        """User and password of HTTP Basic."""
        try:
            decoded = base64.b64decode(self.authorization("basic") or "").decode()
        except ValueError:
            return None
        user, colon, password = decoded.partition(":")
        return (user, password) if colon else None

    def authorization(self, wanted: str) -> str | None:
        """The credentials in the Authorization header, if they are of this scheme."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value.strip() if scheme.lower() == wanted and value.strip() else None


@dataclass(frozen=True)
class Call(Generic[D]):
    """An API request whose token was accepted."""

    request: ApiRequest
    access: AccessToken
    data: D
    vault: Vault
    config: SandboxConfig

    @property
    def query(self) -> dict[str, str]:
        return self.request.query

    @property
    def params(self) -> Mapping[str, str]:
        return self.request.params

    @property
    def now(self) -> float:
        return self.request.now


@dataclass(frozen=True)
class TokenCall:
    """A request to a token endpoint: the client proves itself in it."""

    request: ApiRequest
    vault: Vault
    config: SandboxConfig


Handler = TypeVar("Handler", bound=Callable[..., Reply])


@dataclass(frozen=True)
class Operation(Generic[Handler]):
    """A method and a path, in the form /crm/v3/objects/{type}, and what answers them."""

    method: str
    template: str
    handler: Handler
    revokes: bool = False
    """Whether its success ends tokens: such requests are counted."""
    writes: bool = False
    """Whether its success changes records: they are saved then, and the reply may get lost."""

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template.rstrip("/")))

    def match(self, path: str) -> dict[str, str] | None:
        found = self._pattern.fullmatch(path)
        return found.groupdict() if found else None


@dataclass(frozen=True)
class ConsentRules:
    """What a service's authorize page asks of a request."""

    title: str
    path: str
    code_seconds: float
    code_prefix: str = ""
    pkce: bool = True
    response_type_required: bool = False
    scopes: re.Pattern[str] = re.compile(r".*")
    scope_separator: str = " "
    required: Mapping[str, str | None] = field(default_factory=dict)
    """Parameters that must be there, and their value where only one is right."""
    offline_scopes: frozenset[str] = frozenset()
    """A refresh token comes only if one of them was granted; without any, always."""
    offline_params: Mapping[str, str] = field(default_factory=dict)
    """A refresh token comes only if all of them were asked for."""
    # RFC 6749 sends a bad scope back to the client; HubSpot shows a page to the user instead.
    scope_error_redirects: bool = True


class Service(ABC, Generic[D]):
    """One emulated service: its operations, and its own words for what goes wrong."""

    name: ClassVar[str]
    prefix: ClassVar[str]
    consent: ClassVar[ConsentRules]
    operations: Sequence[Operation[Callable[[Call[D]], Reply]]]
    token_operations: Sequence[Operation[Callable[[TokenCall], Reply]]]

    @abstractmethod
    def dataset(self, account: str, records: int, changed: Mapping[str, Sequence[Record]]) -> D:
        """The data of an account: generated, then overlaid with what changed."""

    @abstractmethod
    def unauthorized(self, reason: str) -> Reply:
        """The answer to a token that is missing, invalid or expired."""

    @abstractmethod
    def rate_limited(self, usage: Usage) -> Reply:
        """The answer when a budget is used up."""

    @abstractmethod
    def server_error(self) -> Reply:
        """The answer when the service itself fails."""

    @abstractmethod
    def unknown_path(self, request: ApiRequest) -> Reply:
        """The answer to a path or method that does not exist."""

    @abstractmethod
    def budgets(self, path: str) -> Sequence[Budget]:
        """The request budgets a path draws on."""

    def budgets_of(self, request: ApiRequest) -> Sequence[Budget]:
        """The budgets of a request: those of its path, unless writes have their own."""
        return self.budgets(request.path)

    @abstractmethod
    def limit_headers(self, usages: Sequence[Usage]) -> dict[str, str]:
        """What every answer tells about the budgets."""

    @abstractmethod
    def endless(self, request: ApiRequest, body: Record) -> Record:
        """The same page with a cursor that leads on."""

    def tenants(self, account: str) -> frozenset[str]:
        """The names by which an account is addressed in the service's paths."""
        return frozenset({account})

    def tenant_exists(self, tenant: str | None) -> bool:
        return tenant is None or any(tenant in self.tenants(account) for account in ACCOUNTS)

    def belongs(self, account: str, tenant: str | None) -> bool:
        """Whether a path may lead to this account; None: the path names none."""
        return tenant is None or tenant in self.tenants(account)

    def callback(self, client: Client, answer: dict[str, str], now: float) -> dict[str, str]:
        """What is sent back to the client's redirect_uri."""
        del client, now
        return answer

    def bearer(self, request: ApiRequest) -> str | None:
        return request.bearer

    def key_account(self, request: ApiRequest) -> str | None:
        """The account whose key, copied by an admin, the request carries."""
        del request
        return None

    def claimed_client(self, request: ApiRequest) -> Client | None:
        """The client a token request says it comes from, before its secret is checked."""
        del request
        return None

    def account_of(self, request: ApiRequest, vault: Vault) -> str | None:
        """The account a request is about, when it says so."""
        token = vault.access_token(self.name, self.bearer(request) or "")
        if token is not None:
            return token.account
        client = self.claimed_client(request)
        return client.account if client else self.key_account(request)

    def refusal(self, request: ApiRequest) -> Reply | None:
        """An answer given before anything else is looked at."""
        del request
        return None

    def check_scopes(self, call: Call[D]) -> None:
        """Raises when the token's scopes do not cover the call."""

    def running_key(self, request: ApiRequest) -> str | None:
        """The key of which the service works on one request at a time."""
        del request
        return None

    def headers(self, request: ApiRequest, account: str | None) -> dict[str, str]:
        """Headers on every answer."""
        del request, account
        return {}


def routed(
    operations: Sequence[Operation[Handler]], request: ApiRequest
) -> tuple[Operation[Handler], ApiRequest] | None:
    """The operation for a request, and the request with the parameters of its path."""
    for operation in operations:
        params = operation.match(request.path)
        if params is not None and operation.method == request.method:
            return operation, replace(request, params=params)
    return None
