"""Stripe's Idempotency-Key: a repeated request gets the first answer, and does nothing."""

import secrets
from collections.abc import Callable
from typing import Any

from integrations_pipeline.sandbox.idempotency import (
    LONGEST_KEY,
    OtherRequestError,
    StoredAnswers,
)
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.stripe.data import IDEMPOTENCY_KEYS
from integrations_pipeline.sandbox.stripe.errors import problem
from integrations_pipeline.sandbox.stripe.lists import StripeCall
from integrations_pipeline.sandbox.tables import Record

IDEMPOTENCY_HEADER = "idempotency-key"
_KEPT_SECONDS = 86_400
# Errors of a write that had begun; those of its parameters are found before, and not stored.
_STORED_ERRORS = frozenset({"resource_missing", "resource_already_exists"})

Write = Callable[[StripeCall, Record], Reply]


def key_of(call: StripeCall) -> str | None:
    """The key in the header."""
    return call.request.headers.get(IDEMPOTENCY_HEADER) or None


def once(write: Write) -> Callable[[StripeCall], Reply]:
    """The write, done once for each key; it is told what its events will name as their cause."""

    def handler(call: StripeCall) -> Reply:
        request_id, key = f"req_{secrets.token_hex(7)}", key_of(call)
        cause: Record = {"id": request_id, "idempotency_key": key}
        if key is None:
            return _named(write(call, cause), request_id)
        stored = _recalled(call, key)
        if stored is not None:
            return stored
        try:
            reply = write(call, cause)
        except ApiError as error:
            if _code(error.reply) not in _STORED_ERRORS:
                raise
            reply = error.reply
        headers = {"Idempotency-Key": key, "Original-Request": request_id}
        reply = Reply(reply.body, reply.status, headers)
        _answers(call).keep(key, call.request, sorted(call.request.form_pairs), reply)
        return _named(reply, request_id)

    return handler


def _recalled(call: StripeCall, key: str) -> Reply | None:
    if len(key) > LONGEST_KEY:
        message = f"Idempotency keys have up to {LONGEST_KEY} characters."
        raise ApiError(problem(400, message, kind="idempotency_error"))
    if call.request.repeated:
        message = "There is currently another in-progress request using this Idempotent Key."
        reply = problem(409, message, code="idempotency_key_in_use", kind="idempotency_error")
        raise ApiError(reply)
    try:
        parameters = sorted(call.request.form_pairs)
        stored = _answers(call).recall(key, call.request, parameters)
    except OtherRequestError as error:
        message = (
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}'."
        )
        raise ApiError(problem(400, message, kind="idempotency_error")) from error
    if stored is None:
        return None
    return Reply(stored.body, stored.status, {**stored.headers, "Idempotent-Replayed": "true"})


def _answers(call: StripeCall) -> StoredAnswers:
    return StoredAnswers(call.data.tables[IDEMPOTENCY_KEYS], _KEPT_SECONDS)


def _named(reply: Reply, request_id: str) -> Reply:
    return Reply(reply.body, reply.status, {**reply.headers, "Request-Id": request_id})


def _code(reply: Reply) -> str | None:
    body: Any = reply.body
    code: str | None = body["error"].get("code")
    return code
