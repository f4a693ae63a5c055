"""Cleans text from outside before it enters an error or a log."""

import re

LIMIT = 300
_EMAIL = re.compile(r"[^\s\"'<>@,;:]+@[^\s\"'<>@,;]+")
_SECRET = re.compile(
    r"(?i)\b(?:bearer|basic)\s+\S+|[A-Za-z0-9_\-.+/=]{32,}|\b(?:sk|rk|pat|xox)[_-]\S+"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def clean(text: str) -> str:
    """One short line without e-mail addresses, tokens and control characters."""
    line = _CONTROL.sub(" ", text)
    if len(line) > LIMIT * 4:
        line = line[: LIMIT * 4].rpartition(" ")[0]  # a token that is cut looks harmless
    line = _SECRET.sub("[removed]", _EMAIL.sub("[e-mail]", line)).strip()
    return line if len(line) <= LIMIT else line[: LIMIT - 1] + "…"
