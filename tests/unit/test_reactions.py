"""From an answer to the error that says what to do: the table, the wait, the words."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.access import Reaction
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
from integrations_pipeline.transport.reactions import error_of, retry_after

CURSOR = {"errors": [{"code": "InvalidCursor"}]}
AFTER = {"error": {"param": "starting_after", "message": "No such object"}}
TABLE = [
    ("hubspot", 400, {}, Reaction.REJECTED, RejectedError, None),
    ("hubspot", 401, {}, Reaction.REFRESH, ConnectAgainError, None),
    ("hubspot", 403, {}, Reaction.FORBIDDEN, ForbiddenError, None),
    ("hubspot", 404, {}, Reaction.NOT_FOUND, NotFoundError, None),
    ("hubspot", 408, {}, Reaction.RETRY, TransientError, None),
    ("hubspot", 410, {}, Reaction.NOT_FOUND, NotFoundError, None),
    ("hubspot", 418, {}, Reaction.REJECTED, RejectedError, None),
    ("hubspot", 423, {}, Reaction.RETRY, TransientError, 2),
    ("hubspot", 425, {}, Reaction.RETRY, TransientError, None),
    ("hubspot", 429, {}, Reaction.RATE_LIMITED, RateLimitedError, 1),
    ("hubspot", 429, {"policyName": "DAILY"}, Reaction.RATE_LIMITED, RateLimitedError, 86_400),
    ("hubspot", 477, {}, Reaction.RETRY, TransientError, 60),
    ("hubspot", 500, {}, Reaction.RETRY, TransientError, None),
    ("hubspot", 503, None, Reaction.RETRY, TransientError, None),
    ("hubspot", 302, {}, Reaction.REJECTED, RejectedError, None),
    ("stripe", 400, AFTER, Reaction.STALE_CURSOR, StaleCursorError, None),
    ("stripe", 404, AFTER, Reaction.STALE_CURSOR, StaleCursorError, None),
    ("stripe", 404, {}, Reaction.NOT_FOUND, NotFoundError, None),
    ("stripe", 403, {"error": {"code": "account_invalid"}}, Reaction.CONNECT_AGAIN,
     ConnectAgainError, None),
    ("stripe", 403, {"error": "plain text"}, Reaction.FORBIDDEN, ForbiddenError, None),
    ("stripe", 409, {}, Reaction.RETRY, TransientError, None),
    ("stripe", 424, {}, Reaction.RETRY, TransientError, None),
    ("stripe", 429, {}, Reaction.RATE_LIMITED, RateLimitedError, None),
    ("zendesk", 400, CURSOR, Reaction.STALE_CURSOR, StaleCursorError, None),
    ("zendesk", 400, {"error": "StartTimeTooRecent"}, Reaction.RETRY, TransientError, 60),
    ("zendesk", 422, {"error": "StartTimeTooRecent"}, Reaction.RETRY, TransientError, 60),
    ("zendesk", 422, {}, Reaction.REJECTED, RejectedError, None),
    ("zendesk", 404, {"error": "RecordNotFound"}, Reaction.NOT_FOUND, NotFoundError, None),
    ("zendesk", 404, {}, Reaction.WRONG_HOST, WrongAddressError, None),
    ("zendesk", 404, [], Reaction.WRONG_HOST, WrongAddressError, None),
]  # fmt: skip


@pytest.mark.parametrize(("service", "status", "body", "reaction", "kind", "wait"), TABLE)
def test_the_table(service, status, body, reaction, kind, wait) -> None:
    raw = b"<html>" if body is None else orjson.dumps(body)

    found, error = error_of(CONNECTORS[service], status, {}, raw, "GET /x")

    assert (found, type(error), error.status) == (reaction, kind, status)
    assert getattr(error, "retry_after", None) == wait


def test_a_wrong_host_names_the_setting_to_check() -> None:
    _, error = error_of(CONNECTORS["zendesk"], 404, {}, b"{}", "GET /x")

    assert "subdomain" in error.action


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


NUMBERS = [("7", 7.0), ("0", 0.0), (" 30 ", 30.0), ("86400", 86400.0)]
JUNK = ["", " ", "soon", "-5", "1.5", "1,5", "²", "7 seconds", "nan", "inf", "Mon, 99 Foo 2024"]
JUNK += ["Mon, 01 Jan 99999 00:00:00 GMT", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"]


@pytest.mark.parametrize(("value", "seconds"), NUMBERS)
def test_retry_after_as_a_number(value, seconds) -> None:
    assert retry_after({"Retry-After": value}) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90), (0, 0), (-3600, 0)])
def test_retry_after_as_a_date(ahead, seconds) -> None:
    assert retry_after({"Retry-After": in_seconds(ahead)}) == pytest.approx(seconds, abs=2)


def test_retry_after_as_a_date_without_a_zone() -> None:
    value = in_seconds(90).replace("GMT", "-0000")

    assert retry_after({"Retry-After": value}) == pytest.approx(90, abs=2)


@pytest.mark.parametrize("value", JUNK)
def test_junk_says_nothing(value) -> None:
    assert retry_after({"Retry-After": value}) is None


def test_an_absent_header_says_nothing() -> None:
    assert retry_after({}) is None


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=40))
def test_no_header_breaks_anything(value) -> None:
    seconds = retry_after({"Retry-After": value})

    assert seconds is None or seconds >= 0


def test_the_header_goes_before_the_table() -> None:
    raw = orjson.dumps({"policyName": "DAILY"})

    _, limited = error_of(CONNECTORS["hubspot"], 429, {"Retry-After": "3"}, raw, "GET /x")
    _, busy = error_of(CONNECTORS["hubspot"], 503, {"Retry-After": "9"}, b"", "GET /x")

    assert (limited.retry_after, busy.retry_after) == (3, 9)


MESSAGES = [
    ("hubspot", {"message": "Bad thing"}, "Bad thing"),
    ("stripe", {"error": {"message": "No such customer"}}, "No such customer"),
    ("stripe", {"error": "invalid_grant", "error_description": "It is old"}, "It is old"),
    ("zendesk", {"error": "X", "description": "Not here"}, "Not here"),
    ("zendesk", {"errors": [{"detail": "Cursor broken"}]}, "Cursor broken"),
]


@pytest.mark.parametrize(("service", "body", "told"), MESSAGES)
def test_the_service_speaks_in_the_error(service, body, told) -> None:
    connector = CONNECTORS[service]

    _, error = error_of(connector, 400, {}, orjson.dumps(body), "GET /v1/x")

    assert f"{connector.label} answered 400 to GET /v1/x: {told}" in str(error)


REQUEST_IDS = [
    ("hubspot", {}, {"correlationId": "req_42"}),
    ("stripe", {"Request-Id": "req_42"}, {}),
]


@pytest.mark.parametrize(("service", "headers", "body"), REQUEST_IDS)
def test_the_request_id_is_told(service, headers, body) -> None:
    _, error = error_of(CONNECTORS[service], 500, headers, orjson.dumps(body), "GET /x")

    assert "(request req_42)" in str(error)


def test_the_message_is_cleaned() -> None:
    body = {"message": f"Token {'x' * 40} of ada@example.com\nINFO forged"}

    _, error = error_of(CONNECTORS["hubspot"], 400, {}, orjson.dumps(body), "GET /x")

    assert not any(leak in str(error) for leak in ("xxxx", "ada@", "\n"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"3", b"null", b'{"message": {"a": 1}}'])
def test_an_odd_body_is_no_problem(body) -> None:
    for connector in CONNECTORS.values():
        for status in (400, 401, 403, 404, 429, 500):
            _, error = error_of(connector, status, {}, body, "GET /x")
            assert str(status) in str(error)
