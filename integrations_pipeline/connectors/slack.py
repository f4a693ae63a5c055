"""Slack.

Odd here: failures come with status 200 and `ok: false`, from the token endpoint too. Whether
tokens expire is each app's own choice: with rotation they live 12 hours, without it for ever.
A bot reads only channels that it was invited to.
"""

from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction
from integrations_pipeline.connectors.auth import (
    ClientAuth,
    Fact,
    FollowUp,
    KeyAccess,
    OAuth,
    Proof,
    Revoke,
    Scopes,
)
from integrations_pipeline.connectors.base import Connector, IntegrationType

# Public channels only: private ones and direct messages are for the customer to offer.
CONVERSATIONS = ("channels:read", "channels:history")
TRANSIENT = (
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "team_added_to_org",
)
WORKSPACE = r"[TE][A-Z0-9]+"
TIER_2 = ("/conversations.list", "/users.list", "/usergroups.list")
TIER_3 = ("/conversations.history", "/conversations.replies", "/files.list")


def told(reaction: Reaction, *codes: str, wait: float | None = None) -> tuple[ErrorRule, ...]:
    """Lines of the error table for codes that come with status 200."""
    return tuple(ErrorRule(200, reaction, "error", code, wait) for code in codes)


SLACK = Connector(
    type=IntegrationType.SLACK,
    name="slack",
    label="Slack",
    api_base_url="https://slack.com/api",
    oauth=OAuth(
        authorize_url="https://slack.com/oauth/v2/authorize",
        token_url="https://slack.com/api/oauth.v2.access",  # noqa: S106 - an address
        revoke=Revoke(url="https://slack.com/api/auth.revoke", body={}, proof=Proof.TOKEN),
        client_auth=ClientAuth.BASIC,
        pkce=False,  # turning it on makes the app a public client, and there is no way back
        scope_separator=",",
        resource_scopes={
            "channels": Scopes(("channels:read",), ("channels:manage",)),
            "users": Scopes(("users:read", "users:read.email")),
            "messages": Scopes(CONVERSATIONS, ("chat:write",)),
            "threads": Scopes(CONVERSATIONS, ("chat:write",)),
            "files": Scopes(("files:read",), ("files:write",)),
            "user_groups": Scopes(("usergroups:read",)),
        },
        # `team` is null where a whole organisation installs the app; then identity tells
        token_facts=(
            Fact("account_id", "team.id", WORKSPACE),
            Fact("account_name", "team.name"),
        ),
        ok_at="ok",
        dead_errors=(
            "invalid_refresh_token",
            "token_revoked",
            "account_inactive",
            "invalid_code",
            "code_already_used",
        ),
        retry_errors=("ratelimited", "rate_limited", *TRANSIENT),
        # Documented for public clients only; nothing is said of ours, so we keep to it as well.
        idle=timedelta(days=30),
    ),
    others={
        # a token that rotates (xoxe.…) would die within 12 hours: it needs OAuth
        "bot_token": KeyAccess(label="Bot or user token", pattern=r"xox[bp]-[0-9A-Za-z-]+")
    },
    identity=(
        FollowUp(
            url="/auth.test",
            facts=(Fact("account_id", "team_id", WORKSPACE), Fact("account_name", "team")),
        ),
    ),
    # Each method has a budget of its own in each workspace: tiers of 20, 50 and 100 a minute.
    # each method by itself: the others go on when one is refused
    quotas=(
        *(Quota(20, 60.0, path, alone=True) for path in TIER_2),
        *(Quota(50, 60.0, path, alone=True) for path in TIER_3),
        Quota(100, 60.0, "/conversations.members", alone=True),
        Quota(1, 1.0, "/chat.postMessage", alone=True),
    ),
    errors=(
        *told(Reaction.REFRESH, "token_expired"),
        *told(Reaction.CONNECT_AGAIN, "invalid_auth", "not_authed", "account_inactive"),
        *told(Reaction.CONNECT_AGAIN, "token_revoked", "org_login_required", "ekm_access_denied"),
        *told(Reaction.CONNECT_AGAIN, "team_access_not_granted"),
        *told(Reaction.FORBIDDEN, "missing_scope", "not_allowed_token_type"),
        *told(Reaction.FORBIDDEN, "no_permission", "access_denied"),
        *told(Reaction.RATE_LIMITED, "ratelimited", "rate_limited", wait=60),
        *told(Reaction.RETRY, *TRANSIENT),
        *told(Reaction.STALE_CURSOR, "invalid_cursor"),
        # this channel or thread gives us nothing; the others may
        *told(Reaction.NOT_FOUND, "channel_not_found", "thread_not_found", "not_in_channel"),
        *told(Reaction.NOT_FOUND, "is_archived", "method_not_supported_for_channel_type"),
        ErrorRule(200, Reaction.REJECTED, "ok", "False"),
        ErrorRule(429, Reaction.RATE_LIMITED, wait_seconds=60),
    ),
    message_at=("error",),
    details_at=("needed", "response_metadata.messages.0"),
    request_id_header="X-Slack-Req-Id",
)
