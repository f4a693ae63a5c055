"""How often token endpoints were asked, to see whether a client refreshes more than it must."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from integrations_pipeline.sandbox.replies import Reply

_NAMES = ("granted", "refreshed", "refused", "revoked")
# What the services say about a refresh token that does not work, or no longer.
_DEAD = frozenset({"invalid_grant", "unauthorized_client", "invalid_refresh_token"})
Key = tuple[str, str | None]


class TokenCounts:
    """Counts by service and account, of what was really answered: faults do not count."""

    def __init__(self) -> None:
        self._counts: dict[Key, Counter[str]] = defaultdict(Counter)

    def add(self, key: Key, fields: Mapping[str, Any], reply: Reply, *, revokes: bool) -> None:
        """Counts one answer to a request with these fields."""
        body = reply.body if isinstance(reply.body, dict) else {}
        good = reply.status < 300 and body.get("ok") is not False
        # Slack and Shopify exchange codes without naming a grant type.
        grant_type = str(fields.get("grant_type") or fields.get("code") or "")
        name = _name(grant_type, good=good, dead=body.get("error") in _DEAD)
        if revokes:
            name = "revoked" if good and body.get("revoked") is not False else ""
        if name:
            self._counts[key][name] += 1

    def of(self, key: Key) -> dict[str, int]:
        return {name: self._counts[key][name] for name in _NAMES}


def _name(grant_type: str, *, good: bool, dead: bool) -> str:
    if grant_type == "refresh_token":
        return "refreshed" if good else "refused" if dead else ""
    return "granted" if good and grant_type else ""
