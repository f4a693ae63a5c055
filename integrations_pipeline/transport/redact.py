"""Cleans text from outside before it enters an error or a log."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

LIMIT = 300
SHORTEST = 4
"""A shorter secret is part of many words."""
_EMAIL = re.compile(r"[^\s\"'<>@,;:]+@[^\s\"'<>@,;]+")
_SECRET = re.compile(
    r"(?i)\b(?:bearer|basic)\s+\S+|[A-Za-z0-9_\-.+/=]{32,}|\b(?:sk|rk|pat|xox)[_-]\S+"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """One short line without e-mail addresses, tokens and control characters.

    `secrets` were sent: a service that repeats them, in whatever spelling, does not spread them.
    """
    line = _CONTROL.sub(" ", text)
    for spelling in sorted(_spellings(secrets), key=len, reverse=True):
        line = line.replace(spelling, "[removed]")
    if len(line) > LIMIT * 4:
        line = line[: LIMIT * 4].rpartition(" ")[0]  # a token that is cut looks harmless
    line = _SECRET.sub("[removed]", _EMAIL.sub("[e-mail]", line)).strip()
    return line if len(line) <= LIMIT else line[: LIMIT - 1] + "…"


def _spellings(secrets: Iterable[str]) -> set[str]:
    whole = {secret for secret in secrets if len(secret) >= SHORTEST}
    parts = {part for secret in whole for part in secret.split(":") if len(part) >= SHORTEST}
    known = whole | parts
    encoded = {base64.b64encode(secret.encode()).decode() for secret in known}
    return known | encoded | {quote(secret, safe="") for secret in known}
