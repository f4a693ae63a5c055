"""How an account is connected: OAuth 2.0 in each service's dialect, or a key that admins copy.

Addresses and templates are filled from the integration's settings and facts: `{shop}`, `{dc}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """Something the admin tells before the account can be connected; never a secret."""

    name: str
    label: str
    pattern: str
    """The whole value must match: settings become parts of host names and paths."""
    default: str | None = None
    """None: it must be told."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something the service tells about the account, kept with the integration.

    `account_id` and `account_name` are facts of every service: they tell two accounts apart.
    """

    name: str
    at: str
    """Path in the answer, or the parameter's name in the callback."""
    pattern: str = r"[\s\S]+"
    """The whole value must match: a fact may become part of an address that tokens are sent to.
    Named groups are facts of their own."""


@dataclass(frozen=True, slots=True)
class HeaderAuth:
    """The credential travels in a header."""

    name: str = "Authorization"
    prefix: str = "Bearer "


@dataclass(frozen=True, slots=True)
class QueryAuth:
    """The credential travels as a query parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """The credential is `user:password`, for HTTP Basic (RFC 7617)."""


Carriage = HeaderAuth | QueryAuth | BasicAuth
"""How a request to the API carries the credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A call made right after the grant, to learn whose account it is."""

    url: str
    """A path of the API, or a whole address."""
    facts: tuple[Fact, ...]
    body: Mapping[str, Any] | None = None
    """Sent by POST, where a GET does not do."""
    carriage: Carriage | None = None
    """Where this one call carries the token in another way."""
    chosen_by: str = ""
    """Name of the setting that chooses from a list of accounts which one grant reaches."""
    chosen_at: str = ""
    """Path, inside an entry, of what that setting is compared with."""
    optional: bool = False
    """The account's rights may not cover it; then its facts stay unknown."""


class Grant(StrEnum):
    """How tokens are got."""

    CODE = "authorization_code"
    """A person consents in the browser (RFC 6749, 4.1)."""
    CLIENT_CREDENTIALS = "client_credentials"
    """The client asks in its own name (RFC 6749, 4.4)."""
    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    """A service account signs a statement (RFC 7523); its secret is a key file in JSON."""


class ClientAuth(StrEnum):
    """How the client proves itself at the token endpoint (RFC 6749, 2.3.1)."""

    BODY = "body"
    BASIC = "basic"
    BASIC_SECRET = "basic_secret"  # noqa: S105 - the secret as user name, no password
    """HTTP Basic with the secret as user name and an empty password."""


class Proof(StrEnum):
    """Who a revocation request says that it comes from, by its Authorization header."""

    NOTHING = "nothing"
    CLIENT = "client"
    """The client's id and secret, by HTTP Basic."""
    SECRET = "secret"  # noqa: S105 - a word
    """The client's secret as bearer token."""
    TOKEN = "token"  # noqa: S105 - a word
    """The access token as bearer token: it ends itself."""


RFC_7009 = {
    "token": "{token}",
    "token_type_hint": "{kind}",
    "client_id": "{client_id}",
    "client_secret": "{client_secret}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """How a service is told that a connection ends.

    The body's values are filled from `token` (the refresh token where there is one), `kind` (of
    that token), `client_id`, `client_secret` and the account's facts.
    """

    url: str
    method: str = "POST"
    body: Mapping[str, str] = field(default_factory=lambda: RFC_7009)
    json_body: bool = False
    proof: Proof = Proof.NOTHING


@dataclass(frozen=True, slots=True)
class Scopes:
    """What an account must grant before a resource can be read, and written."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """A service's OAuth 2.0 facts."""

    token_url: str
    authorize_url: str = ""
    """Empty where the grant needs no browser."""
    revoke: Revoke | None = None
    grant: Grant = Grant.CODE
    label: str = "OAuth"
    settings: tuple[Setting, ...] = ()
    """Told in addition to the connector's own, or instead of one of the same name."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is known without asking, from the settings: `{"account_id": "{tenant}"}`."""
    client_auth: ClientAuth = ClientAuth.BODY
    json_body: bool = False
    """Whether the token endpoint takes JSON instead of a form."""
    pkce: bool = True
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    token_params: Mapping[str, str] = field(default_factory=dict)
    token_headers: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    """Asked for always; the chosen resources add theirs."""
    resource_scopes: Mapping[str, Scopes] = field(default_factory=dict)
    """By resource. A resource that is missing here needs none of its own."""
    scope_separator: str = " "
    scope_prefix: str = ""
    """What the service may write before the scopes it granted."""
    implied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Scopes that a granted one includes without naming them."""
    issuer: str = ""
    """What `iss` in the callback must be (RFC 9207); else the authorize address's origin."""
    signed_callback: bool = False
    """The callback carries `hmac`, `timestamp` and `shop`, signed with the client secret."""
    discovery: tuple[FollowUp, ...] = ()
    """Calls that tokens of this kind need before the connector's own `identity`."""
    callback_facts: tuple[Fact, ...] = ()
    token_facts: tuple[Fact, ...] = ()
    """Read from the answer to an exchange, and again from every refresh."""
    ok_at: str = ""
    """Path of a flag without which an answer with status 200 is an error too."""
    dead_errors: tuple[str, ...] = ()
    """Error codes, beside `invalid_grant`, that only a new consent can mend."""
    retry_errors: tuple[str, ...] = ()
    """Error codes, beside the RFC's, that pass by themselves."""
    lifetime: timedelta | None = None
    """Life of an access token whose answer says none; None means that it does not expire."""
    idle: timedelta | None = None
    """A refresh token that is not used this long dies; we use it well before."""
    refresh_life_at: str = ""
    """Key of the seconds that the refresh token itself will live."""
    consent_life_at: str = ""
    """Key of the seconds after which a person must consent again, whatever is refreshed."""
    carriage: Carriage = HeaderAuth()

    @property
    def asks_again(self) -> bool:
        """Whether new tokens are got without a refresh token and without a person."""
        return self.grant is not Grant.CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAccess:
    """A key that an admin copies from the service's own pages, instead of OAuth."""

    label: str
    """What the service calls it."""
    template: str = "{secret}"
    """The credential, made from the secret and the settings: `{email}/token:{secret}`."""
    carriage: Carriage = HeaderAuth()
    settings: tuple[Setting, ...] = ()
    """Told in addition to the connector's own, or instead of one of the same name."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is known without asking, from the settings: `{"account_id": "{site}"}`."""
    api_base_url: str = ""
    """Where the API is reached with such a key, if elsewhere."""
    pattern: str = r"[!-~]+"
    """The whole secret must match; named groups are facts. Headers and encodings take ASCII."""


Way = OAuth | KeyAccess
"""A way to connect an account."""
