"""Jira Cloud.

Odd here: tokens are Atlassian's, not a site's. One grant may reach several sites, and a site is
reached under its cloud id at one common host; only API tokens go to the site's own host. The token
endpoint takes JSON. Every refresh ends the refresh token before it. Nothing revokes a grant: the
user takes the app off in Atlassian's account pages.
"""

from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Per, Quota, Reaction
from integrations_pipeline.connectors.auth import (
    BasicAuth,
    Fact,
    FollowUp,
    KeyAccess,
    OAuth,
    Scopes,
    Setting,
)
from integrations_pipeline.connectors.base import Connector, IntegrationType

SITE = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.atlassian\.net"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
WORK = Scopes(("read:jira-work",), ("write:jira-work",))
WORK_READ = Scopes(("read:jira-work",))

WRITES = ("POST", "PUT", "DELETE")

JIRA = Connector(
    type=IntegrationType.JIRA,
    name="jira",
    label="Jira",
    api_base_url="https://api.atlassian.com/ex/jira/{cloud_id}",
    oauth=OAuth(
        authorize_url="https://auth.atlassian.com/authorize",
        token_url="https://auth.atlassian.com/oauth/token",  # noqa: S106 - an address
        json_body=True,
        pkce=False,  # not documented for this flow; the secret is sent
        authorize_params={"audience": "api.atlassian.com", "prompt": "consent"},
        # `identity` asks who the user is, which the scopes for work do not cover
        scopes=("offline_access", "read:jira-user"),
        resource_scopes={
            "issues": WORK,
            "projects": WORK_READ,
            "users": Scopes(("read:jira-user",)),
            "worklogs": WORK,
            "comments": WORK,
            "sprints": WORK_READ,
        },
        discovery=(
            FollowUp(
                url="https://api.atlassian.com/oauth/token/accessible-resources",
                facts=(
                    Fact("cloud_id", "id", UUID),
                    Fact("account_id", "id", UUID),
                    Fact("account_name", "name"),
                    Fact("site_url", "url", r"https://[a-z0-9.-]+"),
                ),
                chosen_by="site",
                chosen_at="url",
            ),
        ),
        dead_errors=("unauthorized_client",),
        lifetime=timedelta(hours=1),
        idle=timedelta(days=90),
    ),
    others={
        "api_token": KeyAccess(
            label="API token (ends after a year at most)",
            template="{email}:{secret}",
            carriage=BasicAuth(),
            settings=(
                Setting("email", "E-mail address of the token's user", r"[^\s:/@]+@[^\s:/@]+"),
                Setting("site", "Site (acme.atlassian.net)", SITE),
            ),
            api_base_url="https://{site}",
            facts={"account_id": "{site}", "account_name": "{site}"},
        )
    },
    identity=(
        FollowUp(
            url="/rest/api/3/myself",
            # searches read times in this user's zone
            facts=(Fact("time_zone", "timeZone"), Fact("user_id", "accountId")),
        ),
    ),
    settings=(
        Setting(
            "site", "Site (acme.atlassian.net), where the user has several", f"(?:{SITE})?", ""
        ),
    ),
    quotas=(
        # the bursts that an endpoint takes; we count all of them together
        Quota(100, 1.0, methods=("GET", "POST")),
        Quota(50, 1.0, methods=("PUT", "DELETE")),
        # one point for a request, and one for each record of a page, over all tenants of the app
        Quota(65_000, 3600.0, name="points an hour", per=Per.APP),
        Quota(65_000, 3600.0, "/search", name="points an hour", per=Per.APP, cost=100),
        Quota(20, 2.0, name="writes to an issue", each=r"/issue/[^/?]+", methods=WRITES),
        Quota(100, 30.0, name="writes to an issue (30 s)", each=r"/issue/[^/?]+", methods=WRITES),
    ),
    errors=(
        ErrorRule(401, Reaction.CONNECT_AGAIN, "message", "Unauthorized; scope does not match"),
        ErrorRule(409, Reaction.RETRY),
        ErrorRule(410, Reaction.REJECTED),  # the call was removed, not the record
    ),
    message_at=("errorMessages.0", "message", "error_description", "error"),
    details_at=("errors",),
)
