"""Microsoft Teams, through Microsoft Graph.

Odd here: whoever signs in decides which organisation is connected, unless its tenant is told
before. A refresh leaves the old refresh token alive; the newest is kept all the same. Nothing can
be revoked by a request: consent is taken back in the organisation's own pages.
"""

from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Per, Quota, Reaction
from integrations_pipeline.connectors.auth import Fact, FollowUp, Grant, OAuth, Scopes, Setting
from integrations_pipeline.connectors.base import Connector, IntegrationType

LOGIN = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0"
GRAPH = "https://graph.microsoft.com"
GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
DOMAIN = r"(?:[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?\.)+[A-Za-z]{2,63}"

# Every resource but chats and reports is reached by way of the list of teams.
TEAMS = "Team.ReadBasic.All"
CHANNELS = (TEAMS, "Channel.ReadBasic.All")

MICROSOFT_TEAMS = Connector(
    type=IntegrationType.MICROSOFT_TEAMS,
    name="microsoft_teams",
    label="Microsoft Teams",
    api_base_url=f"{GRAPH}/v1.0",
    # newer kinds of messages would else all be called `unknownFutureValue`
    headers={"Prefer": "include-unknown-enum-members"},
    oauth=OAuth(
        authorize_url=f"{LOGIN}/authorize",
        token_url=f"{LOGIN}/token",
        # admins often have several accounts; the wrong one would be taken silently
        authorize_params={"response_mode": "query", "prompt": "select_account"},
        # the first is for refresh tokens, the last for the organisation's id and name
        scopes=("offline_access", "openid", "profile", "User.Read"),
        resource_scopes={
            "teams": Scopes((TEAMS,), ("Team.Create",)),
            "channels": Scopes(CHANNELS, ("Channel.Create",)),
            "channel_messages": Scopes(
                (*CHANNELS, "ChannelMessage.Read.All"), ("ChannelMessage.Send",)
            ),
            "members": Scopes((TEAMS, "TeamMember.Read.All"), ("TeamMember.ReadWrite.All",)),
            "chats": Scopes(("Chat.ReadBasic",), ("ChatMessage.Send",)),
            "usage_reports": Scopes(("Reports.Read.All",)),
        },
        scope_prefix=f"{GRAPH}/",
        dead_errors=("interaction_required", "consent_required"),
        lifetime=timedelta(hours=1),
        idle=timedelta(days=90),
    ),
    others={
        "client_credentials": OAuth(
            label="App-only access",
            # nobody signs in who could decide which organisation
            settings=(Setting("tenant", "Tenant (id or domain)", rf"{GUID}|{DOMAIN}"),),
            facts={"account_id": "{tenant}"},
            grant=Grant.CLIENT_CREDENTIALS,
            token_url=f"{LOGIN}/token",
            # what an administrator granted the app, whole; named scopes must not stand beside it
            scopes=(f"{GRAPH}/.default",),
            lifetime=timedelta(hours=1),
        )
    },
    identity=(
        FollowUp(
            url="/organization?$select=id,displayName",
            facts=(
                Fact("account_id", "value.0.id", GUID),
                Fact("account_name", "value.0.displayName"),
            ),
            optional=True,  # an app may not have been granted it; then its tenant is known
        ),
    ),
    settings=(
        Setting(
            "tenant",
            "Tenant (id or domain of the organisation; `organizations` lets the sign-in decide)",
            rf"organizations|common|{GUID}|{DOMAIN}",
            default="organizations",
        ),
    ),
    quotas=(
        Quota(14, 600.0, "/reports/", name="one report", each=r"/reports/\w+", alone=True),
        # a team or channel bears 4 requests a second of one app
        Quota(3, 1.0, "/teams/", name="one team", each=r"/teams/[^/?]+", alone=True),
        Quota(15, 1.0),
        Quota(200, 1.0, "/messages", name="messages, all tenants", per=Per.APP),
        Quota(600, 1.0, "/teams/", name="teams, all tenants", per=Per.APP),
    ),
    errors=(
        ErrorRule(400, Reaction.STALE_CURSOR, "error.code", "syncStateNotFound"),
        ErrorRule(400, Reaction.STALE_CURSOR, "error.code", "SyncStateNotFound"),
        ErrorRule(400, Reaction.STALE_CURSOR, "error.code", "resyncRequired"),
        ErrorRule(410, Reaction.STALE_CURSOR),
    ),
    message_at=("error.message", "error_description", "error"),
    # the numbers may change, so nothing depends on them; support asks for them
    details_at=("error.code", "error_codes.0"),
    request_id_header="request-id",
)
