"""Stripe's form of error answers."""

from integrations_pipeline.sandbox.replies import ApiError, Reply

_NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization"
    " header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)
_UNAUTHORIZED = {
    "missing": (None, _NO_KEY),
    "invalid": (None, "Invalid API Key provided: sk_acct_***"),
    "expired": ("api_key_expired", "Expired API Key provided: sk_acct_***"),
}


def problem(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    kind: str = "invalid_request_error",
) -> Reply:
    """The usual error body: fields without a value are left out."""
    about = {
        "code": code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}" if code else "",
        "message": message,
        "param": param,
        "type": kind,
    }
    return Reply({"error": {name: value for name, value in about.items() if value}}, status)


def invalid(message: str, param: str, code: str = "parameter_invalid_empty") -> ApiError:
    """400: a parameter has a bad value."""
    return ApiError(problem(400, message, code=code, param=param))


def unknown_parameter(name: str) -> ApiError:
    """400: Stripe refuses what it does not know."""
    message = f"Received unknown parameter: {name}"
    return ApiError(problem(400, message, code="parameter_unknown", param=name))


def missing(kind: str, identifier: str, *, status: int = 404, param: str = "id") -> ApiError:
    """The object does not exist, or no longer."""
    message = f"No such {kind}: '{identifier}'"
    return ApiError(problem(status, message, code="resource_missing", param=param))


def unauthorized(reason: str) -> Reply:
    """401: the key is missing, invalid or expired."""
    code, message = _UNAUTHORIZED[reason]
    return problem(401, message, code=code)


def token_problem(status: int, error: str, message: str) -> ApiError:
    """The token endpoint's form, that of RFC 6749."""
    return ApiError(Reply({"error": error, "error_description": message}, status))
