"""What may stand in a custom declaration: addresses, header names, parameters, scopes.

Everything here decides where credentials may travel. No message repeats a value.
"""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo

SHOWN_PROBLEMS, SHOWN_NAME = 10, 80
_SECRET = re.compile(
    r"(?:.*(?:secret|passw(?:or)?d|pwd|passphrase|credentials?|assertion|jwt|tokens?|authorization"
    r"|(?:api|app|application|access|auth|private|subscription|signing|master)key))|key|pass"
)
SEALED = (
    "looks like a secret: remove it and give the secret to `integrations connect`, "
    "where it is stored sealed"
)
# connection and framing belong to the transport (RFC 9110, 7.6.1), cookies to nobody
_OUR_HEADERS = (
    r"cookie|host|content-length|transfer-encoding|connection|te|trailer|upgrade|keep-alive|expect"
    r"|proxy-.*"
)
# a request object (RFC 9101) would replace every other parameter, `state` among them
_OUR_AUTHORIZE = (
    r"client_id|redirect_uri|state|response_(type|mode)|code_challenge(_method)?|scope"
    r"|request(_uri)?"
)
_OUR_TOKEN = r"grant_type|code|refresh_token|client_id|client_secret|redirect_uri|code_verifier"  # noqa: S105
_TYPES = "must be one of oauth2, client_credentials, api_key, basic and bearer"
COMPLAINTS = {
    "missing": "is missing: add it",
    "extra_forbidden": "is not known here: remove it",
    "union_tag_invalid": f"`type` {_TYPES}",
    "union_tag_not_found": f"`type` is missing; it {_TYPES}",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}
_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"


def ensure(fine: object, problem: str) -> None:
    """Refuse what is not fine; pydantic tells the problem with its place."""
    if not fine:
        raise ValueError(problem)


def _like(pattern: str, problem: str) -> AfterValidator:
    def check(value: str) -> str:
        ensure(re.fullmatch(pattern, value), problem)
        return value

    return AfterValidator(check)


def _taken(name: str, ours: str) -> bool:
    return bool(re.fullmatch(ours, name.lower()))


def is_secret(name: str) -> bool:
    """Whether a name says that its value is a secret."""
    return bool(_SECRET.fullmatch(re.sub(r"[^a-z0-9]", "", name.lower())))


def _free(ours: str) -> AfterValidator:
    def check(name: str) -> str:
        ensure(not _taken(name, ours), "is set by us: remove it")
        ensure(not is_secret(name), SEALED)
        return name

    return AfterValidator(check)


def _reference(value: str, ours: str) -> str:
    allowed = re.fullmatch(r"[^\x00-\x20\x7f-\U0010ffff\\{}\"<>^`|#]{1,2000}", value)
    ensure(allowed, "must be at most 2000 ASCII characters without spaces, braces, \\ and #")
    path, _, query = value.partition("?")
    ensure(".." not in unquote(path), 'must not contain "..": write the path in full')
    for name, _ in parse_qsl(query, keep_blank_values=True):
        ensure(not _taken(name, ours), "sets a parameter that is ours: take it out")
        ensure(not is_secret(name), f"has a parameter that {SEALED}")
    return value


def _is_host(host: str) -> bool:
    if ":" in host:
        return "%" not in host and ip_address(host).version == 6
    return len(host) < 254 and bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", host))


def _split(value: str) -> SplitResult:
    problem = "must be a whole address with a host, such as https://api.example.com/v2"
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        ensure(_is_host(host) and parts.port != 0, problem)
        ensure((":" in host) == ("[" in parts.netloc), problem)  # [v1.x] would be the host v1.x
    except ValueError:  # also a port or an IPv6 address that is none
        raise ValueError(problem) from None
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _address(value: str, info: ValidationInfo) -> str:
    parts = _split(_reference(value, f"{_OUR_AUTHORIZE}|{_OUR_TOKEN}"))
    ensure("@" not in parts.netloc, "must not hold a user or password: take them out")
    plain = (info.context or {}).get("allow_http") and _is_loopback(parts.hostname or "")
    ensure(parts.scheme in ("https", "http" if plain else "https"), "must begin with https://")
    return value


def _address_or_none(value: str, info: ValidationInfo) -> str:
    return _address(value, info) if value else ""


def path(value: str) -> str:
    """A path of the API."""
    fine = value.startswith("/") and not value.startswith("//") and "://" not in value
    ensure(fine, "must be a path of the API that begins with one /, such as /me")
    return _reference(value, "")


def _different(headers: dict[str, str]) -> dict[str, str]:
    names = {name.lower() for name in headers}
    ensure(len(names) == len(headers), "names the same header twice: keep one of them")
    return headers


def key_name(name: str, info: ValidationInfo) -> str:
    """The header or parameter that carries a key."""
    if info.data.get("place") == "query":
        ensure(re.fullmatch(_PARAMETER, name), _NO_PARAMETER)
        return name
    ensure(re.fullmatch(_TOKEN, name), _NO_TOKEN)
    ensure(not _taken(name, _OUR_HEADERS), "must not be a header of the connection: name another")
    return name


def key_prefix(prefix: str, info: ValidationInfo) -> str:
    """What goes before a key in its header."""
    fine = re.fullmatch(r"[ -z|~]{0,40}", prefix)
    ensure(fine, "must be at most 40 printable characters, without braces")
    in_query = prefix and info.data.get("place") == "query"
    ensure(not in_query, "goes before a key in a header only: remove it")
    return prefix


def span(unit: timedelta, count: int | None) -> timedelta | None:
    """So many units of time."""
    return None if count is None else count * unit


_TOKEN, _NO_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", "must be a header name (RFC 9110, 5.1)"
_PARAMETER = r"[A-Za-z0-9_.$\[\]-]{1,100}"
_NO_PARAMETER = "must be a parameter's name: letters, digits, _ . $ [ ] -"
SCOPE = _like(r"[!#-\[\]-z|~]{1,300}", "must be printable ASCII without spaces (RFC 6749, 3.3)")
PLAIN = _like(
    r"[^\x00-\x1f\x7f{}\ud800-\udfff]{0,1000}", "must be text without control characters or braces"
)
_FIELD = _like(r"(?! )[ -z|~]{0,1000}(?<! )", "must be printable ASCII, trimmed, without braces")
_KEYS = _like(r"(?!.*\.\.)(?!\.)[\w.-]{0,200}(?<!\.)", "must be keys joined by dots")

Address = Annotated[str, AfterValidator(_address)]
MaybeAddress = Annotated[str, AfterValidator(_address_or_none)]
BaseAddress = Annotated[Address, _like(r"[^?]*", "must have no query: put it in each path")]
HeaderName = Annotated[str, _like(_TOKEN, _NO_TOKEN), _free(f"authorization|{_OUR_HEADERS}")]
Headers = Annotated[dict[HeaderName, Annotated[str, _FIELD]], AfterValidator(_different)]
AuthorizeName = Annotated[str, _like(_PARAMETER, _NO_PARAMETER), _free(_OUR_AUTHORIZE)]
TokenName = Annotated[str, _like(_PARAMETER, _NO_PARAMETER), _free(_OUR_TOKEN)]
JsonPath = Annotated[str, _KEYS]
Flag = Annotated[bool, Field(strict=True)]
