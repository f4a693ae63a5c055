"""A requests session that reaches public addresses only, with timeouts and no redirects."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from integrations_pipeline.transport.guard import pinned_pools

USER_AGENT = "integrations-pipeline/0.1"


class _GuardedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        pinned_pools(self.poolmanager)


def guarded(session: requests.Session, *, allow_private: bool, connections: int = 8) -> None:
    """Put the guard and our name on a session; it follows no redirects and no proxy settings."""
    adapter = HTTPAdapter if allow_private else _GuardedAdapter
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter(pool_connections=4, pool_maxsize=connections))
    session.trust_env = False
    session.max_redirects = 0  # a redirect could carry a secret to another host
    session.headers["User-Agent"] = USER_AGENT


def new_session(*, allow_private: bool, connections: int = 8) -> requests.Session:
    """A session for one service."""
    session = requests.Session()
    guarded(session, allow_private=allow_private, connections=connections)
    return session
