"""Salesforce.

Odd here: each org has its own API host, which only the token answer tells and which may change
with every refresh; the answer says neither how long the token lives (the org's session timeout
decides) nor, apart from the scopes, what it may do: that is up to the user's profile. Going over
the org's daily requests answers 403, not 429. Error bodies are lists.
"""

from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction, Told
from integrations_pipeline.connectors.auth import (
    Fact,
    FollowUp,
    Grant,
    OAuth,
    Revoke,
    Scopes,
    Setting,
)
from integrations_pipeline.connectors.base import Connector, IntegrationType

API = "/services/data/v65.0"  # Winter '26; every org offers a version for three years or more
LOGIN = "https://{login_host}/services/oauth2"

NAME = r"[a-z0-9]+(?:-[a-z0-9]+)*"
# Orgs other than production have their kind in the name (partitioned domains).
KINDS = rf"--{NAME}\.sandbox|\.(?:develop|scratch|demo|patch|trailblaze)"
MY_DOMAIN = rf"{NAME}(?:{KINDS})?\.my\.salesforce\.com"
LOGIN_HOST = rf"(?:login|test)\.salesforce\.com|{MY_DOMAIN}"

# Tokens are sent to `instance_url`: it must be a bare Salesforce host. `id` names org and user.
TOKEN_FACTS = (
    Fact("instance_url", "instance_url", r"https://(?:[a-z0-9-]+\.)+salesforce\.com"),
    Fact(
        "identity_url",
        "id",
        r"https://[a-z0-9.-]+/id/(?P<account_id>00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)"
        r"/(?P<user_id>005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)",
    ),
)
SESSION = timedelta(minutes=30)  # sessions last two hours by default, and orgs may shorten that
DEAD = ("inactive_user", "inactive_org")
RESOURCES = ("contacts", "accounts", "opportunities", "leads", "users")

SALESFORCE = Connector(
    type=IntegrationType.SALESFORCE,
    name="salesforce",
    label="Salesforce",
    api_base_url="{instance_url}",
    oauth=OAuth(
        authorize_url=f"{LOGIN}/authorize",
        token_url=f"{LOGIN}/token",
        revoke=Revoke(url=f"{LOGIN}/revoke", body={"token": "{token}"}),
        # `identity` is a query, which needs `api` whatever the integration is for
        scopes=("refresh_token", "id", "api"),
        # one scope reads and writes all that the user may
        resource_scopes=dict.fromkeys(RESOURCES, Scopes(("api",), ("api",))),
        implied={"full": ("api",)},
        token_facts=TOKEN_FACTS,
        dead_errors=DEAD,
        retry_errors=("rate_limit_exceeded",),
        lifetime=SESSION,
        # where the app has rotation on, a refresh token that is used twice ends the whole grant
        idle=timedelta(days=30),  # the app's policy may end tokens that lie unused; none says when
    ),
    others={
        # The app's own "run as" user; answered only at the org's My Domain host. The app's
        # settings name the scopes, so none are asked for.
        "client_credentials": OAuth(
            label="Client credentials of an app in your org",
            grant=Grant.CLIENT_CREDENTIALS,
            settings=(Setting("login_host", "My Domain host (acme.my.salesforce.com)", MY_DOMAIN),),
            token_url=f"{LOGIN}/token",
            revoke=Revoke(url=f"{LOGIN}/revoke", body={"token": "{token}"}),
            pkce=False,
            token_facts=TOKEN_FACTS,
            dead_errors=DEAD,
            retry_errors=("rate_limit_exceeded",),
            lifetime=SESSION,
        )
    },
    identity=(
        FollowUp(
            url=f"{API}/query?q=SELECT+Id,Name+FROM+Organization",
            facts=(Fact("account_name", "records.0.Name"),),
        ),
    ),
    settings=(
        Setting(
            "login_host",
            "Login host (test.salesforce.com for sandboxes, or acme.my.salesforce.com)",
            LOGIN_HOST,
            default="login.salesforce.com",
        ),
    ),
    quotas=(
        Quota(
            0,  # 15,000 and more a day, by edition and licences
            86_400.0,
            name="daily requests",
            told=Told(
                header="Sforce-Limit-Info", pattern=r"api-usage=(?P<used>\d+)/(?P<limit>\d+)"
            ),
        ),
        Quota(concurrent=25),  # of such as run for 20 seconds, which nobody knows beforehand
    ),
    errors=(
        ErrorRule(401, Reaction.REFRESH, "0.errorCode", "INVALID_SESSION_ID"),
        # One code for two limits, neither with Retry-After: a day's requests, and slow requests
        # that run at the same time.
        ErrorRule(403, Reaction.RATE_LIMITED, "0.message", "TotalRequests Limit exceeded.", 3600),
        ErrorRule(403, Reaction.RATE_LIMITED, "0.errorCode", "REQUEST_LIMIT_EXCEEDED", 60),
        ErrorRule(400, Reaction.STALE_CURSOR, "0.errorCode", "INVALID_QUERY_LOCATOR"),
        ErrorRule(400, Reaction.RETRY, "0.errorCode", "UNABLE_TO_LOCK_ROW"),
        ErrorRule(400, Reaction.RETRY, "0.errorCode", "QUERY_TIMEOUT"),
        ErrorRule(400, Reaction.RETRY, "0.errorCode", "SERVER_UNAVAILABLE"),
        ErrorRule(420, Reaction.RETRY),
    ),
    message_at=("0.message", "error_description", "error"),
    details_at=("0.errorCode", "0.fields"),
)
