"""The web process's callback: the whole way, and its many bad days."""

from urllib.parse import parse_qs, urlsplit

import pytest

from integrations_pipeline.oauth.vault import CALLBACK
from tests.integration import web_browser
from tests.integration.support import integration_row, run_sql, token_requests
from tests.integration.web_browser import BACK, browser_of, granted, link_to

browser, ref = web_browser.browser, web_browser.ref


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


def test_two_connections_begun_in_one_browser_both_end_well(store, browser, ref) -> None:
    backs = [granted(browser, link_to(store, ref)) for _ in range(2)]

    assert [browser.get(back).status_code for back in backs] == [200, 200]


@pytest.mark.parametrize("public", ["http://127.0.0.1:8300/saas", "http://127.0.0.1:8300/saas/"])
def test_a_proxy_may_take_the_prefix_away(store, ref, public) -> None:
    store.settings.public_url = public
    browser = browser_of(store)
    back = granted(browser, link_to(store, ref).removeprefix("/saas"))

    page = browser.get(back.removeprefix("/saas"))

    assert back.startswith("/saas/")
    assert (page.status_code, "Connected" in page.text) == (200, True), page.text


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
