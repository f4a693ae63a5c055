"""A browser at the web process, and the way through a connect link."""

from urllib.parse import urlsplit

import pytest
import requests
from starlette.testclient import TestClient

from integrations_pipeline.oauth import create_user
from integrations_pipeline.oauth.vault import CALLBACK
from integrations_pipeline.web.app import create_app
from integrations_pipeline.web.tickets import Ticket, connect_link
from tests.integration.support import integration

COOKIE = "integrations"
BACK = f"{CALLBACK}/hubspot"


@pytest.fixture
def ref(store, sandbox, tenant_id):
    return integration(store, sandbox, tenant_id)


def browser_of(store, base_url="http://127.0.0.1:8300") -> TestClient:
    return TestClient(
        create_app(store),
        base_url=base_url,
        follow_redirects=False,
        raise_server_exceptions=False,
    )


@pytest.fixture
def browser(store) -> TestClient:
    return browser_of(store)


def link_to(store, ref, *, another_account=False) -> str:
    """The path of a connect link."""
    user = create_user(store, ref.tenant_id, "ada@example.com", "Ada", "ADMIN")
    return urlsplit(connect_link(store, Ticket(ref.key, user, another_account))).path


def granted(browser, path) -> str:
    """Open the link, agree at the service; the path and query that it sends us back to."""
    opened = browser.get(path)
    back = requests.get(opened.headers["Location"], allow_redirects=False, timeout=10)
    parts = urlsplit(back.headers["Location"])
    return f"{parts.path}?{parts.query}"
