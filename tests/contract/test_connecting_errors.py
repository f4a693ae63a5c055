"""What the errors of services mean, and what is told of them."""

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.access import Reaction
from integrations_pipeline.connectors.microsoft_teams import MICROSOFT_TEAMS
from integrations_pipeline.errors import (
    ConnectAgainError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    StaleCursorError,
    TransientError,
    WrongAddressError,
)
from integrations_pipeline.transport.reactions import error_of, fits
from tests.contract.answers import (
    AADSTS,
    AUTH_TEST,
    EDGE,
    EXPIRED,
    KEY_INVALID,
    NEEDED,
    NO_SCOPE,
    TOKEN,
    graph,
    jira,
    problem,
    quickbooks,
    quickbooks_lower,
    salesforce,
    sent,
    shopify,
    slack,
)
from tests.contract.error_tables import ROWS

KINDS = {
    Reaction.REFRESH: ConnectAgainError,
    Reaction.CONNECT_AGAIN: ConnectAgainError,
    Reaction.FORBIDDEN: ForbiddenError,
    Reaction.NOT_FOUND: NotFoundError,
    Reaction.RATE_LIMITED: RateLimitedError,
    Reaction.REJECTED: RejectedError,
    Reaction.RETRY: TransientError,
    Reaction.STALE_CURSOR: StaleCursorError,
    Reaction.WRONG_HOST: WrongAddressError,
}


@pytest.mark.parametrize(("name", "status", "headers", "body", "reaction", "wait"), ROWS)
def test_a_refusal_becomes_the_right_error(name, status, headers, body, reaction, wait):
    found, error = error_of(CONNECTORS[name], status, headers, sent(body), "GET /x")

    assert found is reaction
    assert type(error) is KINDS[reaction]
    assert getattr(error, "retry_after", None) == wait
    assert str(error).startswith(f"{CONNECTORS[name].label} answered {status} to GET /x")


def line_for(name, body):
    """The first line of the table that fits an answer with status 200."""
    lines = [line for line in CONNECTORS[name].errors if line.status == 200]
    return next((line for line in lines if line.at and fits(line, body)), None)


HIDDEN = [(name, body, reaction) for name, status, _, body, reaction, _ in ROWS if status == 200]


@pytest.mark.parametrize(("name", "body", "reaction"), HIDDEN)
def test_status_200_hides_no_error(name, body, reaction):
    assert line_for(name, body).reaction is reaction


FINE = [
    ("slack", AUTH_TEST),
    ("slack", TOKEN),
    ("slack", {"ok": True, "messages": [], "has_more": False, "warning": "missing_charset"}),
    ("slack", {"ok": True, "channels": [], "response_metadata": {"next_cursor": ""}}),
    ("shopify", {"data": {"orders": {"nodes": []}}, "extensions": {"cost": {}}}),
    ("shopify", {"data": {"shop": None}}),
    ("mailchimp", {"health_status": "Everything's Chimpy!"}),
    ("microsoft_teams", {"value": []}),
]


@pytest.mark.parametrize(("name", "body"), FINE)
def test_a_success_is_taken_for_no_error(name, body):
    assert line_for(name, body) is None


# service, status, body, seconds to wait where no header says
WAITS = [
    ("mailchimp", 403, EDGE, 5),
    ("mailchimp", 429, problem(429, "Too Many Requests"), 2),
    ("slack", 200, slack("ratelimited"), 60),
    ("slack", 429, slack("ratelimited"), 60),
    ("shopify", 200, shopify("THROTTLED"), 10),
    ("shopify", 430, {}, 300),
]


@pytest.mark.parametrize(("name", "status", "body", "seconds"), WAITS)
def test_waiting_is_as_long_as_the_service_needs(name, status, body, seconds):
    _, error = error_of(CONNECTORS[name], status, {}, sent(body), "GET /x")
    assert isinstance(error, TransientError)
    assert error.retry_after == seconds

    _, error = error_of(CONNECTORS[name], status, {"Retry-After": "42"}, sent(body), "GET /x")
    assert error.retry_after == 42


def test_a_service_that_says_how_long_to_wait_is_believed():
    headers = {"Retry-After": "17"}
    _, error = error_of(MICROSOFT_TEAMS, 429, headers, sent(graph("TooManyRequests")), "GET /x")

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 17


# service, status, headers, body, what the message must say
EXPLAINED = [
    ("salesforce", 400, {}, EXPIRED, "Session expired or invalid; INVALID_SESSION_ID"),
    ("salesforce", 400, {}, salesforce("STRING_TOO_LONG", fields=["Phone"]), "['Phone']"),
    (
        "salesforce",
        400,
        {},
        {"error": "invalid_grant", "error_description": "expired access/refresh token"},
        "expired access/refresh token",
    ),
    (
        "quickbooks",
        400,
        {"intuit_tid": "1-65f-a"},
        quickbooks("5010"),
        "Stale : … (request 1-65f-a)",
    ),
    ("quickbooks", 400, {}, quickbooks_lower("3200", "AUTHENTICATION"), "Not allowed"),
    ("google_analytics", 400, {}, NO_SCOPE, "No; ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
    ("jira", 400, {}, jira(400, "Unbounded JQL"), "Unbounded JQL"),
    (
        "jira",
        400,
        {},
        jira(400, summary="You must specify a summary"),
        "You must specify a summary",
    ),
    ("jira", 400, {}, {"code": 401, "message": "Unauthorized"}, "Unauthorized"),
    (
        "mailchimp",
        400,
        {"X-Request-Id": "a1efb240-f8d8"},
        problem(400, "Invalid Resource") | {"errors": [{"field": "status", "message": "Bad."}]},
        "Mailchimp answered 400 to GET /x: No; status; Bad (request a1efb240-f8d8).",
    ),
    (
        "slack",
        200,
        {"X-Slack-Req-Id": "6319165c-f976"},
        NEEDED,
        "Slack answered 200 to GET /x: missing_scope; channels:history (request 6319165c-f976).",
    ),
    (
        "microsoft_teams",
        403,
        {"request-id": "3f0a"},
        graph("Forbidden", "No licence."),
        "Microsoft Teams answered 403 to GET /x: No licence; Forbidden (request 3f0a).",
    ),
    (
        "microsoft_teams",
        400,
        {},
        AADSTS,
        "Microsoft Teams answered 400 to GET /x: AADSTS7000215: Invalid client secret; 7000215.",
    ),
    (
        "shopify",
        200,
        {"X-Request-Id": "b2"},
        shopify("ACCESS_DENIED", "No access."),
        "Shopify answered 200 to GET /x: No access; ACCESS_DENIED (request b2).",
    ),
    ("shopify", 401, {}, {"errors": KEY_INVALID}, f"GET /x: {KEY_INVALID}."),
]


@pytest.mark.parametrize(("name", "status", "headers", "body", "text"), EXPLAINED)
def test_an_error_tells_what_the_service_said(name, status, headers, body, text):
    _, error = error_of(CONNECTORS[name], status, headers, sent(body), "GET /x")

    assert text in str(error)
