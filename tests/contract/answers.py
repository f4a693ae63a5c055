"""Answers of the services that can be connected: errors in each one's form, and successes."""

import orjson


def salesforce(code, message="No.", **more):
    return [{"message": message, "errorCode": code, **more}]


def quickbooks(code, kind="ValidationFault"):
    error = {"Message": "Stale", "Detail": "Stale : …", "code": code, "element": ""}
    return {"Fault": {"Error": [error], "type": kind}, "time": "2026-05-04T09:02:31.000-07:00"}


def quickbooks_lower(code, kind):
    error = {"message": "No.", "detail": "Not allowed", "code": code}
    return {"fault": {"type": kind, "error": [error]}}


def google(code, status, reason="…"):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return {"error": {"code": code, "message": "No.", "status": status, "details": details}}


def jira(status, *messages, **errors):
    return {"errorMessages": list(messages), "errors": errors, "status": status}


HTML = b"<html><body>502 Bad Gateway</body></html>"
SECONDS = {"Retry-After": "42"}
DAILY = salesforce("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
AT_ONCE = salesforce("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")
EXPIRED = salesforce("INVALID_SESSION_ID", "Session expired or invalid")
NO_SCOPE = google(403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
TIRED = google(429, "RESOURCE_EXHAUSTED")
MISMATCH = {"code": 401, "message": "Unauthorized; scope does not match"}


def slack(error, **more):
    return {"ok": False, "error": error, **more}


def graph(code, message="No."):
    return {"error": {"code": code, "message": message, "innerError": {"request-id": "9c1e"}}}


def shopify(code, message="No."):
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def problem(status, title):
    return {"title": title, "status": status, "detail": "No.", "instance": "9c1e", "errors": []}


EDGE = b"<html>Access Denied</html>"
KEY_INVALID = "[API] Invalid API key or access token (unrecognized login or wrong password)"
NEEDED = slack("missing_scope", needed="channels:history", provided="channels:read")
AADSTS = {
    "error": "invalid_client",
    "error_description": "AADSTS7000215: Invalid client secret.",
    "error_codes": [7000215],
}
TOKEN = {"ok": True, "team": {"id": "T0AH", "name": "Acme"}, "enterprise": None}
AUTH_TEST = {"ok": True, "team": "Acme", "team_id": "T0AH", "user_id": "U0BOT", "bot_id": "B01"}


def sent(body):
    """The body of an answer as it comes."""
    return body if isinstance(body, bytes) else orjson.dumps(body)
