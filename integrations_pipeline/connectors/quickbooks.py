"""QuickBooks Online.

Odd here: the company's id comes in the callback's address, never with the tokens, and is part of
every path. A refresh token's value changes about daily and the old one dies a day later; whatever
is refreshed, a person must consent again after five years. One scope reads and writes. Test
companies live on another API host, with keys of their own.
"""

from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction
from integrations_pipeline.connectors.auth import (
    ClientAuth,
    Fact,
    FollowUp,
    OAuth,
    Proof,
    Revoke,
    Scopes,
    Setting,
)
from integrations_pipeline.connectors.base import Connector, IntegrationType

ACCOUNTING = ("com.intuit.quickbooks.accounting",)
RESOURCES = ("invoices", "customers", "payments", "items", "bills", "accounts", "profit_and_loss")

QUICKBOOKS = Connector(
    type=IntegrationType.QUICKBOOKS,
    name="quickbooks",
    label="QuickBooks",
    api_base_url="https://{api_host}/v3/company/{account_id}",
    oauth=OAuth(
        authorize_url="https://appcenter.intuit.com/connect/oauth2",
        token_url="https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",  # noqa: S106 - an address
        revoke=Revoke(
            url="https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
            body={"token": "{token}"},
            json_body=True,
            proof=Proof.CLIENT,
        ),
        client_auth=ClientAuth.BASIC,
        pkce=False,  # not documented, nor in Intuit's own clients
        token_headers={"x-include-refresh-token-hard-expires-in": "true"},
        resource_scopes=dict.fromkeys(RESOURCES, Scopes(ACCOUNTING, ACCOUNTING)),
        callback_facts=(Fact("account_id", "realmId", r"[0-9]{1,20}"),),
        lifetime=timedelta(hours=1),
        idle=timedelta(days=100),
        refresh_life_at="x_refresh_token_expires_in",
        consent_life_at="x_refresh_token_hard_expires_in",
    ),
    identity=(
        FollowUp(
            url="/companyinfo/{account_id}?minorversion=75",
            facts=(Fact("account_name", "CompanyInfo.CompanyName"),),
        ),
    ),
    settings=(
        Setting(
            "api_host",
            "API host (sandbox-quickbooks.api.intuit.com with development keys)",
            r"(?:sandbox-)?quickbooks\.api\.intuit\.com",
            default="quickbooks.api.intuit.com",
        ),
    ),
    # A company takes 10 requests a second and 500 a minute of an app: 7 a second keep both.
    quotas=(
        Quota(30, 60.0, "/batch"),
        Quota(3, 1.0, "/reports/"),
        Quota(8, 1.0),
        Quota(450, 60.0),  # 500 of the company, whichever app asks
        Quota(concurrent=10),
    ),
    errors=(
        # Faults about access may come in lower case.
        ErrorRule(403, Reaction.CONNECT_AGAIN, "Fault.Error.0.code", "3100"),
        ErrorRule(403, Reaction.CONNECT_AGAIN, "fault.error.0.code", "3100"),
        ErrorRule(400, Reaction.NOT_FOUND, "Fault.Error.0.code", "610"),
        ErrorRule(200, Reaction.REJECTED, "Fault"),
        ErrorRule(429, Reaction.RATE_LIMITED, wait_seconds=60),
    ),
    message_at=(
        "Fault.Error.0.Detail",
        "Fault.Error.0.Message",
        "fault.error.0.detail",
        "fault.error.0.message",
        "error_description",
        "error",
    ),
    request_id_header="intuit_tid",
)
