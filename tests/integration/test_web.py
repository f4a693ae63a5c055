"""The web process: connect links, junk, and what every page carries."""

import base64
import time
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations_pipeline.oauth.vault import CALLBACK
from integrations_pipeline.web import tickets
from tests.integration import web_browser
from tests.integration.support import run_sql
from tests.integration.web_browser import BACK, COOKIE, browser_of, link_to

browser, ref = web_browser.browser, web_browser.ref


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


def test_every_browser_has_a_session_of_its_own(store, ref) -> None:
    path = link_to(store, ref)
    sessions = set()
    for _ in range(5):
        browser = browser_of(store)
        browser.get(path)
        sessions.add(browser.cookies[COOKIE])

    assert len(sessions) == 5


def test_a_browser_keeps_its_session(store, browser, ref) -> None:
    opened = [browser.get(link_to(store, ref)) for _ in range(3)]

    assert len({answer.headers["Set-Cookie"].partition(";")[0] for answer in opened}) == 1
    assert len({answer.headers["Location"] for answer in opened}) == 3  # states of their own


ODD = ["", "x", "a" * 31, "a" * 65, "a" * 40 + "!", "a b" * 20, "\x80" * 40]


@pytest.mark.parametrize("value", ODD)
def test_a_cookie_that_is_not_ours_is_replaced(store, browser, ref, value) -> None:
    headers = {"Cookie": f"{COOKIE}={value}".encode("latin-1")}
    cookie = browser.get(link_to(store, ref), headers=headers).headers["Set-Cookie"]

    given = cookie.partition(";")[0].removeprefix(f"{COOKIE}=")
    assert len(given) == 43
    assert given != value


def test_over_https_a_cookie_of_another_name_is_no_session(store, ref) -> None:
    """A neighbouring host, or plain http, can plant a cookie, but none that begins so."""
    store.settings.public_url = "https://connect.example"
    headers = {"Cookie": f"{COOKIE}={'a' * 43}"}
    opened = browser_of(store, "https://connect.example").get(link_to(store, ref), headers=headers)

    assert "a" * 43 not in opened.headers["Set-Cookie"]


def test_invented_links_do_not_keep_us_waiting(store, browser) -> None:
    invented = [
        base64.urlsafe_b64encode(b"\x01" + uuid4().bytes + bytes(60)).decode() for _ in range(5)
    ]
    began = time.monotonic()
    for code in invented:
        page = browser.get(f"/connect/{code}")
        assert (page.status_code, "not valid" in page.text) == (400, True)
    assert time.monotonic() - began < 1.0  # looking for a key takes a second, each


def test_below_a_prefix_the_style_is_found(store) -> None:
    store.settings.public_url = "https://connect.example/saas/"

    page = browser_of(store, "https://connect.example").get("/")

    assert 'href="/saas/style.css"' in page.text


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
