"""How a request carries its credential."""

import base64

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from integrations_pipeline.connectors.auth import BasicAuth, Carriage, QueryAuth

PORTS = {"https": 443, "http": 80}


def carried(carriage: Carriage, credential: str) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and query parameters that carry a credential."""
    if isinstance(carriage, QueryAuth):
        return {}, {carriage.name: credential}
    if isinstance(carriage, BasicAuth):
        pair = base64.b64encode(credential.encode()).decode()
        return {"Authorization": f"Basic {pair}"}, {}
    return {carriage.name: carriage.prefix + credential}, {}


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: a credential never leaves the origin that it is for.

    Read by the parser that `requests` connects by: another one could see another host.
    """
    if "\\" in url or not url.isprintable():
        return "", url, 0  # libraries disagree about where such an address leads
    try:
        parts = parse_url(url)
    except LocationParseError:  # no address at all
        return "", url, 0
    scheme = (parts.scheme or "").lower()
    return scheme, (parts.host or "").lower(), parts.port or PORTS.get(scheme, 0)
