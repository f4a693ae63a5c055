"""HubSpot's forms of error answers."""

import uuid
from collections.abc import Mapping, Sequence

import orjson

from integrations_pipeline.sandbox.limits import Usage
from integrations_pipeline.sandbox.replies import ApiError, Reply

_UNAUTHORIZED = {
    "missing": ("INVALID_AUTHENTICATION", "Authentication credentials not found."),
    "invalid": ("INVALID_AUTHENTICATION", "Authentication credentials are not valid."),
    "expired": ("EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired."),
}


def problem(status: int, category: str, message: str, **more: object) -> Reply:
    """The usual error body."""
    body = {
        "status": "error",
        "message": message,
        "correlationId": str(uuid.uuid4()),
        "category": category,
    }
    return Reply({**body, **more}, status)


def validation(message: str) -> ApiError:
    """400: the request breaks a rule."""
    return ApiError(problem(400, "VALIDATION_ERROR", message))


def not_found(message: str = "Object not found. objectIds are usually numeric.") -> ApiError:
    """404: no such object."""
    return ApiError(problem(404, "OBJECT_NOT_FOUND", message))


def invalid_values(found: Sequence[Mapping[str, str]]) -> ApiError:
    """400: what is wrong with the value of each property, in the message and beside it."""
    listed = [{"isValid": False, **entry} for entry in found]
    details = [
        {
            "message": entry["message"],
            "code": entry["error"],
            "context": {"propertyName": [entry["name"]]},
        }
        for entry in found
    ]
    message = f"Property values were not valid: {orjson.dumps(listed).decode()}"
    return ApiError(problem(400, "VALIDATION_ERROR", message, errors=details))


def conflict(kind: str, existing: str) -> ApiError:
    """409: another live record has the unique value, and the message says which."""
    message = f"{kind} already exists. Existing ID: {existing}"
    return ApiError(problem(409, "CONFLICT", message))


def batch_error(
    category: str, message: str, context: Mapping[str, list[str]], errors: Sequence[object] = ()
) -> dict[str, object]:
    """One of the errors of a multi-status answer; the official library wants all of its fields."""
    return {
        "status": "error",
        "category": category,
        "message": message,
        "context": context,
        "errors": list(errors),
        "links": {},
    }


def missing_scopes(scopes: list[str]) -> ApiError:
    """403: the token's scopes do not reach."""
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": scopes},
    }
    message = "This access token has insufficient scope"
    return ApiError(problem(403, "MISSING_SCOPES", message, subCategory=None, errors=[detail]))


def unauthorized(reason: str) -> Reply:
    """401: the token is missing, invalid or expired."""
    return problem(401, *_UNAUTHORIZED[reason])


def rate_limited(usage: Usage) -> Reply:
    """429: promises no Retry-After."""
    policy = "SECONDLY" if usage.budget.name == "search" else "TEN_SECONDLY_ROLLING"
    return Reply(
        {
            "status": "error",
            "message": f"You have reached your {policy.lower()} limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": str(uuid.uuid4()),
            "policyName": policy,
            "requestId": uuid.uuid4().hex,
        },
        429,
    )


def token_problem(status: str, error: str, message: str) -> ApiError:
    """400 of the token endpoints: HubSpot's own status beside the one of RFC 6749."""
    body = {"status": status, "message": message, "error": error, "error_description": message}
    return ApiError(Reply(body, 400))
