"""Connecting without a browser: a key that an admin copied, or a grant to the client itself."""

import re

from integrations_pipeline.connectors.auth import KeyAccess
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.choosing import scopes_to_ask
from integrations_pipeline.oauth.endpoints import full_settings
from integrations_pipeline.oauth.joining import join_account
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.oauth.vault import integration_row, oauth_client
from integrations_pipeline.store import Store


def needs_browser(ref: IntegrationRef) -> bool:
    """Whether a person must consent in a browser."""
    return not isinstance(ref.way, KeyAccess) and not ref.way.asks_again


def connect_directly(
    store: Store, ref: IntegrationRef, secret: str = "", *, another_account: bool = False
) -> None:
    """Connect with a copied key (`secret`), or with a token that the client asks for itself.

    Raises:
        RequestError: the key does not look like one.
        ServiceError: the service refuses it, or does not answer.
    """
    row = integration_row(store, ref)
    values = full_settings(ref.connector, ref.way, row.settings)
    told = {name: text.format(**values) for name, text in ref.way.facts.items()}
    if not isinstance(ref.way, KeyAccess):
        client = oauth_client(store, ref)
        token = client.ask_again(scopes_to_ask(ref.connector, ref.way, row))
        join_account(store, ref, token, told, another_account=another_account)
        return
    match = re.fullmatch(ref.way.pattern, secret)
    if match is None:
        raise RequestError(
            f"This does not look like a {ref.way.label} of {ref.connector.label}.",
            action="Copy it again, whole and without spaces.",
        )
    token = TokenSet(ref.way.template.format(**values, secret=secret), None, None, ())
    told |= {name: value for name, value in match.groupdict().items() if value}
    join_account(store, ref, token, told, another_account=another_account)
