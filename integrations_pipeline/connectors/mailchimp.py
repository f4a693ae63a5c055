"""Mailchimp Marketing.

Odd here: there are no scopes, a token has all the rights of the person who consented; it never
expires, and says `expires_in: 0`. The API's host is the data centre of the account, which only a
call with the token tells; with an API key it is the key's suffix.
"""

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction
from integrations_pipeline.connectors.auth import (
    BasicAuth,
    Fact,
    FollowUp,
    HeaderAuth,
    KeyAccess,
    OAuth,
    Scopes,
)
from integrations_pipeline.connectors.base import Connector, IntegrationType

DC = r"[a-z]{2,4}[0-9]{1,3}"
NAMES = ("audiences", "members", "campaigns", "reports", "segments", "tags")

MAILCHIMP = Connector(
    type=IntegrationType.MAILCHIMP,
    name="mailchimp",
    label="Mailchimp",
    api_base_url="https://{dc}.api.mailchimp.com/3.0",
    oauth=OAuth(
        authorize_url="https://login.mailchimp.com/oauth2/authorize",
        token_url="https://login.mailchimp.com/oauth2/token",  # noqa: S106 - an address
        pkce=False,
        resource_scopes={name: Scopes() for name in NAMES},
        discovery=(
            FollowUp(
                url="https://login.mailchimp.com/oauth2/metadata",
                # the answer has a ready `api_endpoint` too: a host that an answer names gets no
                # token from us, so ours is built from the two or three letters of `dc`
                facts=(Fact("dc", "dc", DC),),
                carriage=HeaderAuth(prefix="OAuth "),
            ),
        ),
    ),
    others={
        "api_key": KeyAccess(
            label="API key",
            template="any:{secret}",  # the user name is not looked at
            carriage=BasicAuth(),
            pattern=rf"[0-9A-Za-z-]+-(?P<dc>{DC})",
        )
    },
    identity=(
        FollowUp(
            url="/?fields=account_id,account_name",
            facts=(Fact("account_id", "account_id"), Fact("account_name", "account_name")),
        ),
    ),
    # The limit is on simultaneous connections, ten for all apps of a user, and no rate.
    quotas=(Quota(concurrent=8),),  # 10 connections of a user, over all apps
    errors=(
        ErrorRule(401, Reaction.CONNECT_AGAIN),  # nothing to refresh: the person or app is gone
        # no title, so this is not the API: its edge turns away what is too much
        ErrorRule(403, Reaction.RETRY, "title", "None", wait_seconds=5),
        ErrorRule(429, Reaction.RATE_LIMITED, wait_seconds=2),  # never says how long
    ),
    message_at=("detail", "title", "error_description", "error"),
    details_at=("errors.0.field", "errors.0.message"),
    request_id_header="X-Request-Id",
)
