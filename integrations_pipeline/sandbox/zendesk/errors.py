"""Zendesk's forms of error answers, of which there are several."""

import math
from collections.abc import Mapping, Sequence

from integrations_pipeline.sandbox.limits import Usage
from integrations_pipeline.sandbox.replies import ApiError, Reply

_LIMIT_MESSAGES = {
    "account": "Number of allowed API requests per minute exceeded",
    "incremental-exports": "Number of allowed incremental export API requests per minute exceeded",
    "tickets-index": "Number of allowed list tickets API requests per minute exceeded",
}
_RECORD_MESSAGE = "Number of allowed API requests for this operation exceeded"
_NO_HELP_CENTER = (
    "<!doctype html><title>Zendesk</title><h1>Oops, this help center no longer exists</h1>"
)


def plain(status: int, error: str, description: str) -> Reply:
    """The form with an error and a description."""
    return Reply({"error": error, "description": description}, status)


def bad_request(error: str, description: str) -> ApiError:
    """400: the request breaks a rule of paging or of the export."""
    return ApiError(plain(400, error, description))


def record_invalid(details: Mapping[str, Sequence[Mapping[str, str]]]) -> ApiError:
    """422: what is wrong with each field."""
    body = {"error": "RecordInvalid", "description": "Record validation errors"}
    return ApiError(Reply({**body, "details": details}, 422))


def update_conflict() -> ApiError:
    """409: a safe update of a ticket that was changed meanwhile."""
    text = "Safe Update prevented the update due to outdated ticket data. Please fetch it again."
    return ApiError(plain(409, "UpdateConflict", text))


def too_many_jobs(most: int) -> ApiError:
    """429: as many jobs as an account may have are running."""
    reply = plain(429, "TooManyJobs", f"There are already {most} jobs queued or running")
    header = {"zendesk-ratelimit-inflight-jobs": f"total={most}; remaining=0; resets=60"}
    return ApiError(Reply(reply.body, 429, {**header, "Retry-After": "1"}))


def bad_cursor() -> ApiError:
    """400, in the form with a list of errors."""
    error = {"code": "InvalidCursor", "title": "Invalid cursor", "detail": "Cannot be decoded"}
    return ApiError(Reply({"errors": [error]}, 400))


def not_found() -> ApiError:
    """404: no such record."""
    return ApiError(plain(404, "RecordNotFound", "Not found"))


def forbidden() -> ApiError:
    """403, in the form with a title."""
    message = "You do not have access to this page. Please contact the account owner."
    return ApiError(Reply({"error": {"title": "Forbidden", "message": message}}, 403))


def no_help_center() -> Reply:
    """What a subdomain that does not exist shows."""
    return Reply(_NO_HELP_CENTER, 404)


def unauthorized(reason: str) -> Reply:
    """401: expired and unknown tokens are not told apart."""
    if reason == "missing":
        return Reply({"error": "Couldn't authenticate you"}, 401)
    description = (
        "The access token provided is expired, revoked, malformed or invalid for other reasons."
    )
    return Reply({"error": "invalid_token", "error_description": description}, 401)


def rate_limited(usage: Usage) -> Reply:
    """429, always with Retry-After."""
    message = _LIMIT_MESSAGES.get(usage.budget.name, _RECORD_MESSAGE)
    reply = plain(429, "APIRateLimitExceeded", message)
    return Reply(reply.body, 429, {**budget_headers(usage), "Retry-After": str(usage.wait_seconds)})


def budget_headers(usage: Usage) -> dict[str, str]:
    """How far a budget is spent: the account's in two forms, an endpoint's in one."""
    total, remaining, resets = usage.budget.total, usage.remaining, math.ceil(usage.frees_in)
    if usage.budget.name not in _LIMIT_MESSAGES:
        return {}
    if usage.budget.name != "account":
        value = f"total={total}; remaining={remaining}; resets={resets}"
        return {f"zendesk-ratelimit-{usage.budget.name}": value}
    return {
        "X-Rate-Limit": str(total),
        "X-Rate-Limit-Remaining": str(remaining),
        "ratelimit-limit": str(total),
        "ratelimit-remaining": str(remaining),
        "ratelimit-reset": str(resets),
    }


def token_problem(status: int, error: str, description: str) -> ApiError:
    """The token endpoint's form, that of RFC 6749."""
    return ApiError(Reply({"error": error, "error_description": description}, status))
