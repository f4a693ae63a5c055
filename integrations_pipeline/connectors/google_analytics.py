"""Google Analytics 4.

Odd here: a grant is a Google user's, not a property's, and reaches every property that the user
sees; the admin says which one is read. A refresh token is given only when consent is forced, may
be dropped when the user has more than a hundred of them, and lives seven days while the app's
consent screen is in testing. Quotas count tokens by a report's weight, not requests.
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

TOKEN = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
READ = Scopes(("https://www.googleapis.com/auth/analytics.readonly",))
RESOURCES = (
    "sessions",
    "users",
    "pages",
    "traffic_sources",
    "events",
    "conversions",
    "property_metadata",
)
RESOURCE_SCOPES = dict.fromkeys(RESOURCES, READ)


def tokens(amount: int, seconds: float, name: str) -> Quota:
    """Tokens that reports of one property may cost."""
    told = Told(remaining=f"propertyQuota.{name}.remaining", in_body=True)
    return Quota(amount, seconds, ":run", name=name, cost=10, told=told)


GOOGLE_ANALYTICS = Connector(
    type=IntegrationType.GOOGLE_ANALYTICS,
    name="google_analytics",
    label="Google Analytics",
    api_base_url="https://analyticsdata.googleapis.com/v1beta",
    oauth=OAuth(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url=TOKEN,
        # ends the whole grant, with the scopes of every connection that shares it
        revoke=Revoke(url="https://oauth2.googleapis.com/revoke", body={"token": "{token}"}),
        authorize_params={"access_type": "offline", "prompt": "consent"},
        scopes=("openid", "email"),
        resource_scopes=RESOURCE_SCOPES,
        implied={"https://www.googleapis.com/auth/userinfo.email": ("email",)},
        issuer="https://accounts.google.com",
        discovery=(
            FollowUp(
                url="https://openidconnect.googleapis.com/v1/userinfo",
                facts=(Fact("account_id", "sub"), Fact("account_name", "email")),
            ),
        ),
        lifetime=timedelta(hours=1),
        idle=timedelta(days=180),
        refresh_life_at="refresh_token_expires_in",
    ),
    others={
        # Its e-mail address must be a viewer of the property. Who it is stands in the key file.
        "service_account": OAuth(
            label="Service account key",
            grant=Grant.JWT_BEARER,
            token_url=TOKEN,
            pkce=False,
            resource_scopes=RESOURCE_SCOPES,
            lifetime=timedelta(hours=1),
        )
    },
    settings=(Setting("property_id", "Property id (digits only)", r"[0-9]{0,20}", default=""),),
    # Tokens count a report's weight, mostly less than 10; answers tell what is left of them.
    quotas=(
        Quota(concurrent=10),
        tokens(14_000, 3600.0, "tokensPerProjectPerHour"),
        tokens(40_000, 3600.0, "tokensPerHour"),
        tokens(200_000, 86_400.0, "tokensPerDay"),
    ),
    errors=(
        ErrorRule(
            403,
            Reaction.CONNECT_AGAIN,
            "error.details.0.reason",
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        ),
        # The hourly tokens are the ones that run out; the answer does not say when they return.
        ErrorRule(429, Reaction.RATE_LIMITED, wait_seconds=3600),
        # Ten failures in an hour shut the property off for the rest of it.
        ErrorRule(500, Reaction.RETRY, wait_seconds=60),
        ErrorRule(503, Reaction.RETRY, wait_seconds=60),
    ),
    message_at=("error.message", "error_description", "error"),
    details_at=("error.details.0.reason",),
)
