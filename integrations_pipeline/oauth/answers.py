"""Answers of token endpoints, made harmless before the OAuth library reads them, and after."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

LONGEST = timedelta(days=3650)
_TEXTS = frozenset({"token_type", "error", "error_description", "error_uri", "state"})
_TOKEN = re.compile(r"[ -~]*")
"""What tokens are made of (RFC 6749, appendix A); nothing else can travel in a header."""
_SCOPE = re.compile(r"[!-~]+")
_SECONDS = re.compile(r"([0-9]{1,12})(?:\.[0-9]{0,20})?")


def token_object(raw: bytes) -> dict[str, Any] | None:
    """The object that was answered, or None where its tokens can't be some."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    fine = all(_is_token(body.get(name)) for name in ("access_token", "refresh_token"))
    return body if fine else None


def _is_token(value: Any) -> bool:
    return value is None or (isinstance(value, str) and _TOKEN.fullmatch(value) is not None)


def readable(body: dict[str, Any]) -> bytes:
    """The answer without values that the library can't read: they count as not sent."""
    kept = {name: value for name, value in body.items() if _fits(name, value)}
    for name in ("expires_in", "scope"):
        kept.pop(name, None)
    if (seconds := _seconds(body.get("expires_in"))) is not None:
        kept["expires_in"] = seconds
    if scopes := _scopes(body.get("scope")):
        kept["scope"] = " ".join(scopes)
    if body.get("error"):
        kept.setdefault("error", "unknown")
    return json.dumps(kept).encode()


def _fits(name: str, value: Any) -> bool:
    if name == "expires_at":  # not the RFC's, and we count from `expires_in`
        return False
    if name in {"access_token", "refresh_token"}:
        return bool(value)
    return name not in _TEXTS or (isinstance(value, str) and value != "")


def _seconds(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _SECONDS.fullmatch(str(value).strip())
    return int(match[1]) if match else None


def expiry(seconds: Any, default: timedelta | None, since: datetime) -> datetime | None:
    """When a token ends; missing or senseless seconds mean the service's usual life."""
    life = default
    if not isinstance(seconds, bool):
        try:
            life = min(timedelta(seconds=float(seconds)), LONGEST)
        except (TypeError, ValueError, OverflowError):
            life = default
    if life is not None and life <= timedelta(0):
        life = default
    return None if life is None else since + life


def granted(token: Mapping[str, Any], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes that were granted; where the answer does not tell, those that were asked for."""
    told = (_scopes(token.get(name)) for name in ("scope", "scopes"))
    return next((scopes for scopes in told if scopes is not None), asked)


def _scopes(given: Any) -> tuple[str, ...] | None:
    """The scopes of a text or a list of texts, which may be none at all; None of anything else."""
    texts = [given] if isinstance(given, str) and given else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return None
    # the library takes a list that is joined by commas for one scope
    found = (scope for text in texts for scope in text.replace(",", " ").split())
    return tuple(scope for scope in found if _SCOPE.fullmatch(scope))
