"""Google's token endpoint, for people and for service accounts that sign statements."""

from integrations_pipeline.sandbox.accounts import ACCOUNTS, client_of
from integrations_pipeline.sandbox.grants import TokenRules, problem
from integrations_pipeline.sandbox.keys import KEY_FILE_AUDIENCE, service_account
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.rsa_key import claims_of, is_signed
from integrations_pipeline.sandbox.service import TokenCall
from integrations_pipeline.sandbox.tables import Record

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PREFIXES = ("ya29.", "1//0")
_LONGEST = 3600
_SKEW = 60


def statement_account(statement: str) -> str | None:
    """The account whose service account a statement says it comes from."""
    issuer = claims_of(statement).get("iss")
    return next((account for account in ACCOUNTS if service_account(account) == issuer), None)


def _by_statement(call: TokenCall) -> Reply:
    """RFC 7523; there is no refresh token: the client signs another statement."""
    statement = call.request.form.get("assertion", "")
    account, claims = statement_account(statement), claims_of(statement)
    if account is None:
        raise _refused("Invalid grant: account not found")
    if not is_signed(statement, account):
        raise _refused("Invalid JWT Signature.")
    if claims.get("aud") not in {KEY_FILE_AUDIENCE, f"{call.request.base}/token"}:
        raise _refused("Invalid JWT: the audience is not the token endpoint")
    if not _is_timely(claims, call.request.now):
        raise _refused("Invalid JWT: Token must be a short-lived token (60 minutes)")
    scopes = tuple(str(claims.get("scope", "")).split())
    if not scopes:
        message = "Invalid OAuth scope or ID token audience provided."
        raise ApiError(problem(400, "invalid_scope", message))
    access = call.vault.grant_access(
        client_of("google_analytics", account),
        scopes,
        prefix=_PREFIXES[0],
        access_seconds=call.config.token_seconds,
    )
    answer = {"access_token": access.token, "expires_in": access.seconds, "token_type": "Bearer"}
    return Reply(answer, headers={"Cache-Control": "no-store"})


def _refused(message: str) -> ApiError:
    return ApiError(problem(400, "invalid_grant", message))


def _is_timely(claims: Record, now: float) -> bool:
    begin, end = claims.get("iat"), claims.get("exp")
    if not isinstance(begin, int | float) or not isinstance(end, int | float):
        return False
    return begin - _SKEW <= now < end and end - begin <= _LONGEST


RULES = TokenRules(
    service="google_analytics",
    prefixes=_PREFIXES,
    repeats_refresh_token=False,
    more_grants={JWT_BEARER: _by_statement},
    refusals={
        "client": problem(401, "invalid_client", "The OAuth client was not found."),
        "secret": problem(401, "invalid_client", "The provided client secret is invalid."),
        "code": problem(400, "invalid_grant", "Malformed auth code."),
        "redirect": problem(400, "redirect_uri_mismatch", "Bad Request"),
        "verifier": problem(400, "invalid_grant", "Invalid code verifier."),
        "refresh": problem(400, "invalid_grant", "Token has been expired or revoked."),
    },
)
