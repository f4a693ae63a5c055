"""Checks of what a service's redirect brings, before anything is sent anywhere."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from integrations_pipeline.errors import BadStateError
from integrations_pipeline.oauth.provider import OAuthClient
from integrations_pipeline.transport.carriage import origin

SIGNATURE_SECONDS = 90
"""How old a signed callback may be: what Shopify's own library accepts."""


def check_issuer(client: OAuthClient, query: Mapping[str, str]) -> None:
    """Where the service names itself, it must be the one that we asked (RFC 9207).

    Raises:
        BadStateError: the answer comes from another server.
    """
    named = query.get("iss")
    if named is None:
        return
    declared = client.oauth.issuer
    # a service whose issuer is not declared must at least be the host that was asked
    same_host = origin(named) == origin(client.endpoints.authorize_url)
    if named.rstrip("/") != declared.rstrip("/") if declared else not same_host:
        raise BadStateError("The answer comes from another server than the one that was asked.")


def check_signature(
    client: OAuthClient, query: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    """A service that signs its callbacks with the client secret must have signed this one.

    Raises:
        BadStateError: it did not, it did so too long ago, or for another shop.
    """
    if not client.oauth.signed_callback:
        return
    parameters = sorted((k, v) for k, v in query.items() if k not in {"hmac", "signature"})
    # Shopify's own libraries differ in what they escape; all of them escape the delimiters
    forms = (urlencode(parameters), urlencode(parameters, safe="/+=:", quote_via=quote))
    if not any(_signed(client, form, query.get("hmac", "")) for form in forms):
        raise BadStateError("The callback does not carry the service's signature.")
    stamp = query.get("timestamp", "")[:20]
    age = abs(time.time() - int(stamp)) if stamp.isascii() and stamp.isdigit() else None
    if age is None or age > SIGNATURE_SECONDS:
        raise BadStateError("The callback is too old.")
    if query.get("shop", "").lower() != str(settings.get("shop", "")).lower():
        raise BadStateError("The callback is about another shop.")


def _signed(client: OAuthClient, text: str, signature: str) -> bool:
    digest = hmac.new(client.client_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(digest.encode(), signature.encode())
