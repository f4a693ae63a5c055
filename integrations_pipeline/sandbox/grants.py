"""A token endpoint described by data: who proves what, which tokens come, what is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations_pipeline.sandbox.accounts import Client, find_client
from integrations_pipeline.sandbox.config import SandboxConfig
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.service import ApiRequest, TokenCall
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import (
    NEVER,
    AccessToken,
    AuthorizationCode,
    RefreshToken,
    Rotation,
)

_EMPTY = Reply()
_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}
Fields = Mapping[str, Any]


def problem(status: int, error: str, description: str = "") -> Reply:
    """The form of RFC 6749, section 5.2."""
    body = {"error": error, "error_description": description}
    return Reply({name: text for name, text in body.items() if text}, status)


_REFUSALS = {
    "body": problem(400, "invalid_request", "The body is not of the expected media type."),
    "client": problem(401, "invalid_client", "Client authentication failed."),
    "code": problem(400, "invalid_grant", "The code is invalid, expired or was used."),
    "redirect": problem(400, "invalid_grant", "The redirect_uri is not that of the code."),
    "verifier": problem(400, "invalid_grant", "The code_verifier does not match."),
    "refresh": problem(400, "invalid_grant", "The refresh token is invalid or expired."),
    "grant": problem(400, "unsupported_grant_type", "The grant type is not supported."),
    "scope": problem(400, "invalid_scope", "The scope is invalid."),
}


@dataclass(frozen=True)
class Issued:
    """A new access token and what led to it."""

    call: TokenCall
    client: Client
    access: AccessToken
    refresh_token: str | None
    """None where the answer carries none."""
    grant_type: str

    @property
    def account(self) -> str:
        return self.client.account

    @property
    def now(self) -> float:
        return self.call.request.now


def standard(issued: Issued) -> Record:
    """The answer of RFC 6749, section 5.1."""
    answer: Record = {
        "access_token": issued.access.token,
        "token_type": "Bearer",
        "expires_in": issued.access.seconds,
        "scope": " ".join(issued.access.scopes),
    }
    if issued.refresh_token:
        answer["refresh_token"] = issued.refresh_token
    return answer


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """What is particular to one service's token endpoint."""

    service: str
    prefixes: tuple[str, str]
    """What access tokens and refresh tokens begin with."""
    body: str = "form"
    """form, json or either."""
    client_auth: tuple[str, ...] = ("body", "basic")
    grants: tuple[str, ...] = ("authorization_code", "refresh_token")
    implied_grant: str = ""
    """What a request without a grant_type means."""
    redirect_uri: bool = True
    """Whether an exchange must repeat it; where not, one that is sent must agree."""
    refreshable: Callable[[Fields], bool] = lambda _: True
    """Whether a request gets a refresh token, as far as its own fields tell."""
    expires: Callable[[Fields], bool] = lambda _: True
    refresh_seconds: float | None = None
    consent_seconds: float | None = None
    """After this a person must consent again, whatever was refreshed."""
    rotation: Callable[[SandboxConfig, RefreshToken, float], Rotation | None] = lambda *_: None
    """What happens to a refresh token that is used now; None: nothing, it stays the same."""
    repeats_refresh_token: bool = True
    """Whether a refresh answer names the refresh token that stayed the same."""
    scopes_of_client: Callable[[TokenCall], tuple[str, ...] | None] = lambda _: ()
    """The scopes of a client_credentials grant; None refuses it."""
    more_grants: Mapping[str, Callable[[TokenCall], Reply]] = field(default_factory=dict)
    check: Callable[[TokenCall, Client], Reply | None] = lambda *_: None
    """A refusal of the service's own, once the client is known."""
    refusals: Mapping[str, Reply] = field(default_factory=dict)
    answer: Callable[[Issued], Record] = standard

    def refusal(self, *kinds: str) -> ApiError:
        """The service's own words for the first of these that it has words for."""
        known = (self.refusals[kind] for kind in kinds if kind in self.refusals)
        return ApiError(next(known, None) or _REFUSALS[kinds[-1]])

    def seconds_left(self, old: RefreshToken, now: float) -> float | None:
        """The life of the token that replaces an old one."""
        if self.consent_seconds is None or self.refresh_seconds is None:
            return self.refresh_seconds
        return min(self.refresh_seconds, old.consented_at + self.consent_seconds - now)


class TokenEndpoint:
    """Answers token requests by a service's rules."""

    def __init__(self, rules: TokenRules) -> None:
        self._rules = rules

    def __call__(self, call: TokenCall) -> Reply:
        self._check_body(call.request)
        fields = call.request.fields
        grant_type = str(fields.get("grant_type") or self._rules.implied_grant)
        if grant_type in self._rules.more_grants:
            return self._rules.more_grants[grant_type](call)
        client = proven_client(self._rules, call.request)
        refused = self._rules.check(call, client)
        if refused:
            return refused
        if grant_type not in self._rules.grants:
            raise self._rules.refusal("grant")
        issued = self._issue(call, client, grant_type)
        return Reply(self._rules.answer(issued), headers=_HEADERS)

    def _check_body(self, request: ApiRequest) -> None:
        if self._rules.body not in {"either", "json" if request.says_json else "form"}:
            raise self._rules.refusal("body")

    def _issue(self, call: TokenCall, client: Client, grant_type: str) -> Issued:
        match grant_type:
            case "authorization_code":
                access = self._exchange(call, client)
                shown: str | None = access.refresh_token
            case "refresh_token":
                access, shown = self._refresh(call, client)
            case _:
                access, shown = self._on_behalf_of_itself(call, client), None
        return Issued(call, client, access, shown or None, grant_type)

    def _exchange(self, call: TokenCall, client: Client) -> AccessToken:
        fields = call.request.fields
        value = _text(fields, "code")
        was_spent = call.vault.was_spent(value)
        code = call.vault.redeem(client, value)
        if code is None:
            raise self._rules.refusal(*(["used"] if was_spent else []), "code")
        self._check_code(code, fields)
        seconds = self._access_seconds(call, fields)
        prefix = self._rules.prefixes[0]
        if not code.offline or not self._rules.refreshable(fields):
            return call.vault.grant_access(
                client, code.scopes, prefix=prefix, access_seconds=seconds
            )
        return call.vault.grant(
            client,
            code.scopes,
            prefixes=self._rules.prefixes,
            access_seconds=seconds,
            refresh_seconds=self._rules.refresh_seconds,
        )

    def _check_code(self, code: AuthorizationCode, fields: Fields) -> None:
        usual = None if self._rules.redirect_uri else code.redirect_uri
        if fields.get("redirect_uri", usual) != code.redirect_uri:
            raise self._rules.refusal("redirect")
        if not code.verified_by(_text(fields, "code_verifier")):
            raise self._rules.refusal("verifier")

    def _refresh(self, call: TokenCall, client: Client) -> tuple[AccessToken, str | None]:
        old = self._live(call, client)
        seconds = self._access_seconds(call, call.request.fields)
        rotation = self._rules.rotation(call.config, old, call.request.now)
        if rotation is None:
            prefix = self._rules.prefixes[0]
            access = call.vault.renew(old, prefix=prefix, access_seconds=seconds)
            return access, old.token if self._rules.repeats_refresh_token else None
        access = call.vault.grant(
            client,
            old.scopes,
            prefixes=self._rules.prefixes,
            access_seconds=seconds,
            refresh_seconds=self._rules.seconds_left(old, call.request.now),
            old=old,
        )
        call.vault.replace(old, access, rotation)
        return access, access.refresh_token

    def _live(self, call: TokenCall, client: Client) -> RefreshToken:
        value = _text(call.request.fields, "refresh_token")
        live = call.vault.refresh_token(client, value)
        if live is not None:
            return live
        known = call.vault.remembered(client, value)
        if known is not None and known.replaced_by:
            rotation = self._rules.rotation(call.config, known, call.request.now)
            if rotation is not None and rotation.reuse_ends_grant:
                call.vault.end_grant(known.family)
        raise self._rules.refusal("refresh")

    def _on_behalf_of_itself(self, call: TokenCall, client: Client) -> AccessToken:
        scopes = self._rules.scopes_of_client(call)
        if scopes is None:
            raise self._rules.refusal("scope")
        return call.vault.grant_access(
            client,
            scopes,
            prefix=self._rules.prefixes[0],
            access_seconds=call.config.token_seconds,
        )

    def _access_seconds(self, call: TokenCall, fields: Fields) -> int:
        return call.config.token_seconds if self._rules.expires(fields) else NEVER


@dataclass(frozen=True)
class Revocation:
    """An endpoint in the manner of RFC 7009."""

    rules: TokenRules
    proves_client: bool = False
    whole_grant: bool = False
    """Whether an access token takes its refresh token along."""
    unknown: Reply = _EMPTY
    """The answer about a token that is none; the RFC sees no error in that."""
    done: Reply = _EMPTY

    def __call__(self, call: TokenCall) -> Reply:
        if self.rules.body == "json" and not call.request.says_json:
            raise self.rules.refusal("body")
        client = proven_client(self.rules, call.request) if self.proves_client else None
        value = _text({**call.request.query, **call.request.fields}, "token")
        token = call.vault.any_token(self.rules.service, value)
        if token is None or (client is not None and client.account != token.account):
            return self.unknown
        if self.whole_grant or isinstance(token, RefreshToken):
            call.vault.end_grant(token.family)
        else:
            call.vault.revoke_access(value)
        return self.done


def proven_client(rules: TokenRules, request: ApiRequest) -> Client:
    """The client that a request comes from, its secret checked."""
    name, secret = _claimed(rules, request)
    client = find_client(rules.service, name)
    if client is None:
        raise rules.refusal("client")
    if client.client_secret != secret:
        raise rules.refusal("secret", "client")
    return client


def claimed_client(rules: TokenRules, request: ApiRequest) -> Client | None:
    """The client that a request says it comes from."""
    return find_client(rules.service, _claimed(rules, request)[0])


def _claimed(rules: TokenRules, request: ApiRequest) -> tuple[str, str]:
    if "basic" in rules.client_auth and request.basic is not None:
        return request.basic
    if "body" in rules.client_auth:
        fields = request.fields
        return _text(fields, "client_id"), _text(fields, "client_secret")
    return "", ""


def _text(fields: Fields, name: str) -> str:
    return str(fields.get(name, ""))
