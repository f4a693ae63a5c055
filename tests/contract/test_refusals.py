"""Answers that are no success, in each service's own form, and the reaction to them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest

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
)
from integrations_pipeline.transport.reactions import error_of


def hubspot(category, **more):
    return {
        "status": "error",
        "message": "No.",
        "correlationId": "9c1e",
        "category": category,
    } | more


def limited(policy):
    return hubspot("RATE_LIMITS", errorType="RATE_LIMIT", policyName=policy)


def stripe(code, kind="invalid_request_error", **more):
    return {"error": {"type": kind, "code": code, "message": "No.", **more}}


def zendesk(error, description="No."):
    return {"error": error, "description": description}


HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
SECONDS = {"Retry-After": "42"}
DATE = {"Retry-After": format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)}
CURSOR = {"errors": [{"code": "InvalidCursor", "title": "…", "detail": "…"}]}
TITLED = {"error": {"title": "Forbidden", "message": "You do not have access to this page."}}
BUSY = zendesk("APIRateLimitExceeded", "Number of allowed requests per minute exceeded")

# service, status, headers, body, class of the error, seconds to wait (None: grows by itself)
TABLE = [
    ("hubspot", 429, {}, limited("DAILY"), RateLimitedError, 86_400),
    ("hubspot", 429, {}, limited("TEN_SECONDLY_ROLLING"), RateLimitedError, 10),
    ("hubspot", 429, {}, limited("SECONDLY"), RateLimitedError, 1),
    ("hubspot", 429, SECONDS, limited("TEN_SECONDLY_ROLLING"), RateLimitedError, 42),
    ("hubspot", 423, {}, hubspot("LOCKED"), TransientError, 2),
    ("hubspot", 477, SECONDS, hubspot("MIGRATION_IN_PROGRESS"), TransientError, 42),
    ("hubspot", 521, {}, HTML, TransientError, None),
    ("hubspot", 401, {}, hubspot("EXPIRED_AUTHENTICATION"), ConnectAgainError, None),
    ("hubspot", 403, {}, hubspot("MISSING_SCOPES"), ForbiddenError, None),
    ("hubspot", 404, {}, hubspot("OBJECT_NOT_FOUND"), NotFoundError, None),
    ("hubspot", 400, {}, hubspot("VALIDATION_ERROR"), RejectedError, None),
    ("hubspot", 414, {}, HTML, RejectedError, None),
    ("stripe", 429, {}, stripe("rate_limit"), RateLimitedError, None),
    ("stripe", 429, {}, stripe("lock_timeout"), RateLimitedError, None),
    ("stripe", 429, SECONDS, stripe("rate_limit"), RateLimitedError, 42),
    ("stripe", 400, {}, stripe("parameter_invalid_empty"), RejectedError, None),
    ("stripe", 400, {}, stripe("resource_missing", param="starting_after"), StaleCursorError, None),
    ("stripe", 401, {}, stripe("api_key_expired"), ConnectAgainError, None),
    ("stripe", 402, {}, stripe("card_declined", "card_error"), RejectedError, None),
    ("stripe", 403, {}, stripe("more_permissions_required"), ForbiddenError, None),
    ("stripe", 403, {}, stripe("account_invalid"), ConnectAgainError, None),
    ("stripe", 404, {}, stripe("resource_missing", param="id"), NotFoundError, None),
    ("stripe", 409, {}, stripe("idempotency_key_in_use"), TransientError, None),
    ("stripe", 424, {}, stripe("external", "api_error"), TransientError, None),
    ("stripe", 500, {}, stripe("", "api_error"), TransientError, None),
    ("stripe", 500, {"Stripe-Should-Retry": "false"}, stripe("", "api_error"), RejectedError, None),
    ("stripe", 400, {"Stripe-Should-Retry": "true"}, stripe("conflict"), TransientError, None),
    ("zendesk", 429, SECONDS, BUSY, RateLimitedError, 42),
    ("zendesk", 429, DATE, BUSY, RateLimitedError, 0),
    ("zendesk", 429, SECONDS, b"Too many requests", RateLimitedError, 42),
    ("zendesk", 429, {}, BUSY, RateLimitedError, None),
    ("zendesk", 503, SECONDS, b"Down for maintenance", TransientError, 42),
    ("zendesk", 401, {}, zendesk("Couldn't authenticate you"), ConnectAgainError, None),
    ("zendesk", 403, {}, TITLED, ForbiddenError, None),
    ("zendesk", 404, {}, zendesk("RecordNotFound"), NotFoundError, None),
    ("zendesk", 400, {}, zendesk("InvalidPaginationDepth"), RejectedError, None),
    ("zendesk", 400, {}, zendesk("StartTimeTooRecent"), TransientError, 60),
    ("zendesk", 422, {}, zendesk("StartTimeTooRecent"), TransientError, 60),
    ("zendesk", 422, {}, zendesk("RecordInvalid"), RejectedError, None),
    ("zendesk", 400, {}, CURSOR, StaleCursorError, None),
    ("zendesk", 409, {}, zendesk("UpdateConflict"), TransientError, None),
]


@pytest.mark.parametrize(("name", "status", "headers", "body", "kind", "wait"), TABLE)
def test_a_refusal_becomes_the_right_error(name, status, headers, body, kind, wait):
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    reaction, error = error_of(CONNECTORS[name], status, headers, raw, "GET /x")

    assert type(error) is kind
    assert getattr(error, "retry_after", None) == wait
    assert (reaction is Reaction.REFRESH) == (status == 401)
    assert f"answered {status} to GET /x" in str(error)


def told(name, status, body, **headers):
    return str(error_of(CONNECTORS[name], status, headers, orjson.dumps(body), "GET /x")[1])


SCOPES = hubspot(
    "MISSING_SCOPES",
    errors=[{"message": "…", "context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}],
)
EXPLAINED = {
    "hubspot message": ("hubspot", 400, {"status": "error", "message": "Bad limit"}, "Bad limit"),
    "hubspot scope": ("hubspot", 403, SCOPES, "crm.objects.deals.read"),
    "hubspot correlation": ("hubspot", 400, hubspot("VALIDATION_ERROR"), "9c1e"),
    "stripe message": ("stripe", 400, stripe("x"), "No."),
    "zendesk description": ("zendesk", 400, zendesk("X", "Bad page"), "Bad page"),
    "zendesk title": ("zendesk", 403, TITLED, "You do not have access"),
    "zendesk list": ("zendesk", 400, {"errors": [{"code": "X", "detail": "Old"}]}, "Old"),
    "zendesk token": ("zendesk", 401, {"error": "x", "error_description": "Revoked"}, "Revoked"),
    "zendesk host": ("zendesk", 404, {"error": "InvalidEndpoint"}, "Check the subdomain"),
}


@pytest.mark.parametrize(("name", "status", "body", "part"), EXPLAINED.values(), ids=EXPLAINED)
def test_the_error_says_what_the_service_says(name, status, body, part):
    assert part in told(name, status, body)


def test_the_error_names_what_stripes_support_asks_for():
    headers = {"Request-Id": "req_Sample7"}
    assert "req_Sample7" in told("stripe", 400, stripe("x"), **headers)
