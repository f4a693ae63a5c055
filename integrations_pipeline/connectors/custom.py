"""A REST API of the customer's own, declared as data in the integration's settings.

What a customer writes decides where credentials travel, so everything is checked when it is saved.
Secrets are no part of it, and no message repeats a value: only its place. Hosts are not resolved.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic import model_validator as whole
from pydantic_core import ErrorDetails

from integrations_pipeline.connectors.auth import (
    RFC_7009,
    BasicAuth,
    ClientAuth,
    Fact,
    FollowUp,
    Grant,
    HeaderAuth,
    KeyAccess,
    OAuth,
    Proof,
    QueryAuth,
    Revoke,
)
from integrations_pipeline.connectors.base import Connector, IntegrationType
from integrations_pipeline.connectors.custom_checks import (
    COMPLAINTS,
    PLAIN,
    SCOPE,
    SEALED,
    SHOWN_NAME,
    SHOWN_PROBLEMS,
    Address,
    AuthorizeName,
    BaseAddress,
    Flag,
    Headers,
    JsonPath,
    MaybeAddress,
    TokenName,
    ensure,
    is_secret,
    key_name,
    key_prefix,
    path,
    span,
)
from integrations_pipeline.connectors.custom_limits import Limit
from integrations_pipeline.errors import RequestError

CUSTOM = Connector(type=IntegrationType.CUSTOM, name="custom", label="Custom", api_base_url="")
"""The service as it is listed; `custom_connector` builds the one of an integration."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Tokens(_Part):
    token_url: Address
    revoke_url: MaybeAddress | None = None
    scopes: tuple[Annotated[str, SCOPE], ...] = Field(default=(), max_length=100)
    scope_separator: Literal[" ", ",", ";", "|"] = " "
    client_auth: ClientAuth = ClientAuth.BODY
    body_format: Literal["form", "json"] = "form"
    token_params: dict[TokenName, Annotated[str, PLAIN]] = Field(default={}, max_length=20)
    lifetime_seconds: int | None = Field(default=None, strict=True, ge=1, le=315_360_000)
    dead_errors: tuple[Annotated[str, SCOPE], ...] = Field(default=(), max_length=20)

    @whole(mode="after")
    def _separate(self) -> Self:
        mixed = any(self.scope_separator in scope for scope in self.scopes)
        ensure(not mixed, "`scopes` must be a list of single scopes, without the separator")
        return self

    def _revoke(self) -> Revoke | None:
        if not self.revoke_url:
            return None
        # the client proves itself as at the token endpoint (RFC 7009, 2.1)
        basic = self.client_auth is ClientAuth.BASIC
        hidden = {"client_id", "client_secret"} if basic else set()
        return Revoke(
            url=self.revoke_url,
            body={name: value for name, value in RFC_7009.items() if name not in hidden},
            json_body=self.body_format == "json",
            proof=Proof.CLIENT if basic else Proof.NOTHING,
        )

    def access(self) -> OAuth:
        """What both grants have in common, as one in the client's own name (RFC 6749, 4.4)."""
        return OAuth(
            token_url=self.token_url,
            revoke=self._revoke(),
            grant=Grant.CLIENT_CREDENTIALS,
            label="Client credentials",
            client_auth=self.client_auth,
            json_body=self.body_format == "json",
            pkce=False,
            token_params=self.token_params,
            scopes=self.scopes,
            scope_separator=self.scope_separator,
            dead_errors=self.dead_errors,
            lifetime=span(timedelta(seconds=1), self.lifetime_seconds),
        )


class ClientCredentials(_Tokens):
    """Tokens in the client's own name; `audience` or `resource` go into `token_params`."""

    type: Literal["client_credentials"]


class OAuth2(_Tokens):
    """Tokens that a person consents to in the browser (RFC 6749, 4.1)."""

    type: Literal["oauth2"]
    authorize_url: Address
    authorize_params: dict[AuthorizeName, Annotated[str, PLAIN]] = Field(default={}, max_length=20)
    pkce: Flag = True
    issuer: MaybeAddress = ""
    idle_days: int | None = Field(default=None, strict=True, ge=1, le=3650)
    refresh_life_at: JsonPath = ""

    def access(self) -> OAuth:
        """The dialect, as the engine speaks it."""
        return replace(
            super().access(),
            grant=Grant.CODE,
            label="OAuth",
            authorize_url=self.authorize_url,
            authorize_params=self.authorize_params,
            pkce=self.pkce,
            issuer=self.issuer,
            idle=span(timedelta(days=1), self.idle_days),
            refresh_life_at=self.refresh_life_at,
        )


class ApiKey(_Part):
    """A key in a header, after `prefix`, or in a query parameter."""

    type: Literal["api_key"]
    place: Literal["header", "query"] = Field(alias="in")
    name: Annotated[str, AfterValidator(key_name)]
    prefix: Annotated[str, AfterValidator(key_prefix)] = ""

    def access(self) -> KeyAccess:
        """The key, and where it travels."""
        header = HeaderAuth(self.name, self.prefix)
        carriage = header if self.place == "header" else QueryAuth(self.name)
        return KeyAccess(label="API key", carriage=carriage)


class Basic(_Part):
    """HTTP Basic (RFC 7617). The secret is `user:password`; one of the two may be empty."""

    type: Literal["basic"]

    def access(self) -> KeyAccess:
        """The pair, in one secret."""
        pair = r"(?!:$)[^:\x00-\x1f\x7f]*:[^\x00-\x1f\x7f]*"
        return KeyAccess(label="user:password", carriage=BasicAuth(), pattern=pair)


class Bearer(_Part):
    """A token that an admin copies (RFC 6750, 2.1)."""

    type: Literal["bearer"]

    def access(self) -> KeyAccess:
        """The token, in the Authorization header."""
        return KeyAccess(label="Token")


class Probe(_Part):
    """A call that proves the connection, and the places in its answer that tell whose it is."""

    path: Annotated[str, AfterValidator(path)]
    account_id: JsonPath = ""
    account_name: JsonPath = ""

    def identity(self) -> FollowUp:
        """The call, as the engine makes it after the grant."""
        told = {"account_id": self.account_id, "account_name": self.account_name}
        facts = tuple(Fact(name, at) for name, at in told.items() if at)
        return FollowUp(url=self.path, facts=facts)


class Declaration(_Part):
    """A custom API, whole. Instances are valid; `custom_connector` makes a connector of them."""

    base_url: BaseAddress
    headers: Headers = Field(default={}, max_length=20)
    auth: Annotated[
        OAuth2 | ClientCredentials | ApiKey | Basic | Bearer, Field(discriminator="type")
    ]
    test: Probe | None = None
    limits: tuple[Limit, ...] = Field(default=(), max_length=10)

    @whole(mode="after")
    def _one_credential(self) -> Self:
        key = self.auth.name.lower() if isinstance(self.auth, ApiKey) else ""
        taken = any(name.lower() == key for name in self.headers)
        ensure(not taken, "`headers` must not set the header that carries the key: remove it")
        return self


def custom_connector(settings: Mapping[str, Any], *, allow_http: bool = False) -> Connector:
    """The connector that an integration's settings declare; it has exactly one way in.

    `allow_http` is the operator's leave for sandboxes: http:// on a loopback host.

    Raises:
        RequestError: the declaration is wrong; a sentence for each problem names its place.
    """
    declared = _declared(settings, allow_http=allow_http)
    way = declared.auth.access()
    code = isinstance(declared.auth, OAuth2)
    return replace(
        CUSTOM,
        label=urlsplit(declared.base_url).hostname or CUSTOM.label,
        api_base_url=declared.base_url.rstrip("/"),
        oauth=way if code and isinstance(way, OAuth) else None,
        others={} if code else {declared.auth.type: way},
        identity=(declared.test.identity(),) if declared.test else (),
        headers=dict(declared.headers),
        quotas=tuple(limit.quota() for limit in declared.limits),
    )


def addresses(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Every address that the customer wrote, for a check of their hosts; each once.

    Raises:
        RequestError: the declaration is wrong.
    """
    declared = _declared(settings, allow_http=True)
    names = ("authorize_url", "token_url", "revoke_url", "issuer")
    found = (declared.base_url, *(getattr(declared.auth, name, None) for name in names))
    return tuple(dict.fromkeys(address for address in found if address))


def _declared(settings: Mapping[str, Any], *, allow_http: bool) -> Declaration:
    given = dict(settings) if isinstance(settings, Mapping) else settings
    try:
        return Declaration.model_validate(given, context={"allow_http": allow_http})
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    # raised outside of the handler: the cause would carry the values along
    told = [_sentence(problem) for problem in problems[:SHOWN_PROBLEMS]]
    more = len(problems) - len(told)
    told += [f"{more} more problems."] if more else []
    raise RequestError(" ".join(told), action="Correct the settings and save them again.")


def _sentence(problem: ErrorDetails) -> str:
    place = [str(name) for name in problem["loc"]]
    if place[:1] == ["auth"]:
        del place[1:2]  # the type, which is no key of the declaration
    if place[-1:] == ["[key]"]:
        place.pop()
    where = ".".join(map(_short, place)) or "settings"
    return f"{where}: {_complaint(problem, place)}."


def _short(name: str) -> str:
    shown = name if name.isprintable() else ascii(name)
    return shown if len(shown) <= SHOWN_NAME else f"{shown[:SHOWN_NAME]}..."


def _complaint(problem: ErrorDetails, place: list[str]) -> str:
    if problem["type"] == "extra_forbidden" and is_secret(place[-1]):
        return SEALED
    said = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
    return COMPLAINTS.get(problem["type"], said)
