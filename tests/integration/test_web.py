"""The web process: connect links, the callback's many bad days, and what every page carries."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from integrations_pipeline.oauth import create_user
from integrations_pipeline.oauth.vault import CALLBACK
from integrations_pipeline.web import tickets
from integrations_pipeline.web.app import create_app
from integrations_pipeline.web.tickets import Ticket, connect_link
from tests.integration.support import integration, integration_row, run_sql, token_requests

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


def test_the_link_binds_the_browser_and_leads_to_the_service(store, sandbox, browser, ref) -> None:
    opened = browser.get(link_to(store, ref))

    assert opened.status_code == 303
    assert opened.headers["Location"].startswith(f"{sandbox.url}/hubspot/oauth/authorize?")
    cookie = opened.headers["Set-Cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/", "max-age=600"))
    session_id = browser.cookies[COOKIE]
    assert len(session_id) >= 43
    assert session_id not in opened.headers["Location"]


def test_over_https_the_cookie_is_a_host_cookie(store, ref) -> None:
    store.settings.public_url = "https://connect.example"
    opened = browser_of(store, "https://connect.example").get(link_to(store, ref))

    cookie = opened.headers["Set-Cookie"]
    assert cookie.startswith("__Host-integrations=")
    assert "Secure" in cookie
    assert "domain" not in cookie.lower()


def test_the_redirect_address_is_ours_whatever_the_host_header_says(store, browser, ref) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    opened = browser.get(link_to(store, ref), headers=headers)

    asked = parse_qs(urlsplit(opened.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"http://127.0.0.1:8300{BACK}"]


def test_every_visit_has_a_session_of_its_own(store, ref) -> None:
    path = link_to(store, ref)
    sessions = set()
    for _ in range(5):
        browser = browser_of(store)
        browser.get(path)
        sessions.add(browser.cookies[COOKIE])

    assert len(sessions) == 5


def test_the_whole_way(store, browser, ref) -> None:
    page = browser.get(granted(browser, link_to(store, ref)))

    assert (page.status_code, "Connected" in page.text) == (200, True)
    assert f"{ref.key} is connected to HubSpot" in page.text
    assert "can&#39;t be synced" not in page.text
    assert integration_row(store, ref).status == "ACTIVE"


def test_a_callback_twice_is_refused(store, sandbox, browser, ref) -> None:
    back = granted(browser, link_to(store, ref))

    assert [browser.get(back).status_code for _ in range(3)] == [200, 400, 400]
    assert token_requests(sandbox, "hubspot") == 1


def test_a_callback_in_another_browser_is_refused(store, sandbox, browser, ref) -> None:
    back = granted(browser, link_to(store, ref))
    stranger, other_session = browser_of(store), browser_of(store)
    other_session.get(link_to(store, ref))

    for wrong in (stranger, other_session):
        assert wrong.get(back).status_code == 400
    assert token_requests(sandbox, "hubspot") == 0
    assert browser.get(back).status_code == 200


CHANGES = {  # S and C stand for the true state and code
    "no state": {"code": "C"},
    "empty state": {"state": "", "code": "C"},
    "no code": {"state": "S"},
    "empty code": {"state": "S", "code": ""},
    "two states": {"state": ["S", "S"], "code": "C"},
    "two codes": {"state": "S", "code": ["C", "C"]},
    "other state": {"state": "x" * 43, "code": "C"},
    "array state": {"state[]": "S", "code": "C"},
    "exchanged": {"state": "C", "code": "S"},
    "nothing": {},
    "two of another": {"state": "S", "code": "C", "scope": ["a", "a"]},
    "two unknown": {"state": "S", "code": "C", "x": ["", ""]},
}


def filled(value, true):
    """The parameter with the true values put in."""
    return (
        [true.get(one, one) for one in value] if isinstance(value, list) else true.get(value, value)
    )


@pytest.mark.parametrize("kind", CHANGES)
def test_a_changed_callback_is_refused(store, sandbox, browser, ref, kind) -> None:
    asked = parse_qs(urlsplit(granted(browser, link_to(store, ref))).query)
    state, code = asked["state"][0], asked["code"][0]

    sent = {name: filled(v, {"S": state, "C": code}) for name, v in CHANGES[kind].items()}
    page = browser.get(BACK, params=sent)

    assert (page.status_code, "Not connected" in page.text) == (400, True)
    assert token_requests(sandbox, "hubspot") == 0
    right = browser.get(BACK, params={"state": state, "code": code})
    assert right.status_code == 200  # a forged callback does not spoil the true one


def test_a_denied_consent_uses_the_state_up(store, sandbox, browser, ref) -> None:
    asked = parse_qs(urlsplit(granted(browser, link_to(store, ref))).query)
    state = asked["state"][0]

    denied = browser.get(BACK, params={"error": "access_denied", "state": state})

    assert (denied.status_code, "not granted" in denied.text) == (400, True)
    assert browser.get(BACK, params=asked).status_code == 400
    assert token_requests(sandbox, "hubspot") == 0


PLACES = [CALLBACK, f"{CALLBACK}/stripe", f"{CALLBACK}/nobody", f"{CALLBACK}/HUBSPOT"]


@pytest.mark.parametrize("place", PLACES)
def test_a_callback_at_another_address_is_refused(store, sandbox, browser, ref, place) -> None:
    back = granted(browser, link_to(store, ref))

    page = browser.get(back.replace(BACK, place))

    assert (page.status_code, "another address" in page.text) == (400, True)
    assert token_requests(sandbox, "hubspot") == 0
    assert integration_row(store, ref).status == "INACTIVE"


DENIALS = [
    ({"error": "OAUTH_APPROVAL_ERROR_GENERIC"}, "Ask the administrator to install"),
    (
        {"error": "invalid_grant", "error_description": "app must be installed into org"},
        "Ask the administrator to install",
    ),
    ({"error": "access_denied"}, "access was not granted"),
    (
        {"error": "server_error", "error_description": "<b>a@b.example</b>"},
        "server_error &lt;b&gt;[e-mail]",
    ),
]


@pytest.mark.parametrize(("said", "told"), DENIALS)
def test_a_denial_says_who_can_help(store, browser, ref, said, told) -> None:
    asked = parse_qs(urlsplit(granted(browser, link_to(store, ref))).query)

    page = browser.get(BACK, params={**said, "state": asked["state"][0]})

    assert (page.status_code, told in page.text) == (400, True), page.text
    assert integration_row(store, ref).status == "INACTIVE"


@pytest.mark.parametrize(("confirmed", "status"), [(False, 400), (True, 200)])
def test_another_account_needs_a_link_that_says_so(store, browser, ref, confirmed, status) -> None:
    sql = "UPDATE integrations.integration SET account_id = 'before' WHERE id = :id"
    run_sql(store, sql, id=ref.id)

    page = browser.get(granted(browser, link_to(store, ref, another_account=confirmed)))

    assert (page.status_code, "account before" in page.text) == (status, not confirmed)
    assert (integration_row(store, ref).account_id == "before") is not confirmed


def test_a_providers_error_is_shown_as_text(store, browser, ref) -> None:
    granted(browser, link_to(store, ref))

    page = browser.get(BACK, params={"error": "<script>alert(1)</script>", "state": "x"})

    assert page.status_code == 400
    assert "<script" not in page.text


TROUBLE = [("error", 503), ("rate_limit", 503), ("html", 503)]


@pytest.mark.parametrize(("kind", "status"), TROUBLE)
def test_the_services_trouble_is_told(store, sandbox, browser, ref, kind, status) -> None:
    back = granted(browser, link_to(store, ref))
    sandbox.fault("hubspot", kind, path="token")

    page = browser.get(back)

    assert (page.status_code, "Not connected" in page.text) == (status, True)
    assert "Traceback" not in page.text


def test_an_old_link_is_refused(store, browser, ref, monkeypatch) -> None:
    path = link_to(store, ref)
    now = time.time()
    monkeypatch.setattr(tickets.time, "time", lambda: now + tickets.LIFE_SECONDS + 1)

    page = browser.get(path)

    assert (page.status_code, "too old" in page.text) == (400, True)
    assert COOKIE not in browser.cookies


def test_a_tampered_link_is_refused(store, browser, ref) -> None:
    path = link_to(store, ref)
    start = len("/connect/")
    for place in range(start, len(path), 7):
        other = "A" if path[place] != "A" else "B"
        assert browser.get(path[:place] + other + path[place + 1 :]).status_code == 400, place
    assert COOKIE not in browser.cookies


def test_a_link_to_a_deleted_integration_is_refused(store, browser, ref) -> None:
    path = link_to(store, ref)
    run_sql(store, "DELETE FROM integrations.integration WHERE id = :id", id=ref.id)

    assert browser.get(path).status_code == 400


JUNK = ["/connect/", "/connect/x", "/connect/%00", "/connect/%ff%fe", "/connect/" + "A" * 8000]
JUNK += ["/connect/A==", "/connect/..%2f..%2fetc", "/connect/①②", f"/connect/{'AQ' * 40}"]
JUNK += [f"{CALLBACK}?state=%00&code=%00", f"{CALLBACK}?state=%ff&code=%fe", f"{CALLBACK}?error="]
JUNK += [f"{CALLBACK}?state={'x' * 9000}&code=y", f"{CALLBACK}?error=a&error=b", CALLBACK + "/x"]
JUNK += [f"{BACK}?state=%00&code=%00", f"{BACK}?error=a&error=b", f"{BACK}/%2e%2e?state=x&code=y"]
JUNK += ["/nothing", "/style.css/x", "/docs", "/openapi.json"]


@pytest.mark.parametrize("path", JUNK)
def test_junk_is_the_clients_fault(browser, path) -> None:
    for cookie in (None, "junk", "\x80"):
        headers = {} if cookie is None else {"Cookie": f"{COOKIE}={cookie}".encode("latin-1")}
        assert 400 <= browser.get(path, headers=headers).status_code < 500


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(state=st.text(max_size=60), code=st.text(max_size=60), error=st.text(max_size=9))
def test_no_callback_breaks_the_process(browser, state, code, error) -> None:
    clean = {"state": state, "code": code, "error": error}
    params = {
        k: v.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for k, v in clean.items()
    }

    assert browser.get(BACK, params=params).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", CALLBACK, BACK, "/connect/x"])
def test_only_reading_is_possible(browser, method, path) -> None:
    assert browser.request(method, path).status_code == 405


PAGES = [
    ("/", 200),
    ("/health", 200),
    ("/style.css", 200),
    (CALLBACK, 400),
    (BACK, 400),
    ("/connect/x", 400),
]
PAGES += [("/nothing", 404)]
EXPECTED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
POLICY = ("default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'")


@pytest.mark.parametrize(("path", "status"), PAGES)
def test_every_answer_carries_the_security_headers(browser, path, status) -> None:
    answer = browser.get(path)

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
    assert all(part in answer.headers["Content-Security-Policy"] for part in POLICY)
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert " style=" not in answer.text
