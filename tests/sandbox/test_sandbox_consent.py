"""The authorize pages: what they check, show and send back."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

SERVICES = ("hubspot", "stripe", "zendesk")


def sent_back(response):
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


@pytest.mark.parametrize("service", SERVICES)
def test_state_comes_back_unchanged(sandbox, service):
    assert sent_back(sandbox.authorize(service))["state"] == "st&te"


@pytest.mark.parametrize("service", SERVICES)
def test_consent_page_asks_and_the_answer_is_sent_back(start, service):
    sandbox = start(auto_approve=False)
    page = sandbox.authorize(service)
    hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    hidden = {name: value.replace("&amp;", "&") for name, value in hidden.items()}
    url = sandbox.address(service, "authorize_url")

    allowed = sandbox.http.post(url, data=hidden | {"decision": "allow"})
    denied = sandbox.http.post(url, data=hidden | {"decision": "deny"})

    assert "Allow" in page.text
    assert "acme" in page.text
    assert sent_back(allowed).keys() == {"code", "state"}
    assert sent_back(denied)["error"] == "access_denied"
    assert sandbox.exchange(service, sent_back(allowed)["code"]).status_code == 200


def test_a_decision_in_the_address_does_not_approve(start):
    assert start(auto_approve=False).authorize("hubspot", decision="allow").status_code == 200


@pytest.mark.parametrize("service", SERVICES)
def test_requests_that_cannot_be_redirected_show_a_page(sandbox, service):
    assert sandbox.authorize(service, client_id="unknown").status_code == 400
    assert sandbox.authorize(service, redirect_uri=None).status_code == 400
    assert sandbox.authorize(service, redirect_uri="javascript:alert(1)").status_code == 400


def test_bad_requests_are_redirected_with_an_error(sandbox):
    kind = sandbox.authorize("zendesk", response_type="token")
    plain = sandbox.authorize("hubspot", code_challenge_method="plain")
    scope = sandbox.authorize("zendesk", scope="read everything")

    assert sent_back(kind)["error"] == "unsupported_response_type"
    assert sent_back(plain)["error"] == "invalid_request"
    assert sent_back(scope)["error"] == "invalid_scope"


def test_hubspot_shows_unknown_scopes_to_the_user(sandbox):
    page = sandbox.authorize("hubspot", scope="oauth <b>all</b>")

    assert page.status_code == 400
    assert "&lt;b&gt;all" in page.text
