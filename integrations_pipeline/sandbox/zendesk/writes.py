"""Zendesk's records created, updated and deleted one by one."""

from collections.abc import Callable
from typing import Any

import orjson

from integrations_pipeline.sandbox.idempotency import (
    LONGEST_KEY,
    OtherRequestError,
    StoredAnswers,
)
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.data import IDEMPOTENCY_KEYS, shown
from integrations_pipeline.sandbox.zendesk.errors import bad_request
from integrations_pipeline.sandbox.zendesk.incremental import ZendeskCall
from integrations_pipeline.sandbox.zendesk.lists import SINGULAR
from integrations_pipeline.sandbox.zendesk.writer import Writer

_KEPT_SECONDS = 2 * 3600
_LOOKUP = "x-idempotency-lookup"


def created(resource: str) -> Callable[[ZendeskCall], Reply]:
    """201 with the new record."""

    def handler(call: ZendeskCall) -> Reply:
        given = one_of_body(call, resource)
        record = Writer(call.data, call.now).create(resource, given)
        return Reply({SINGULAR[resource]: record}, 201, {"Location": record["url"]})

    return handler


def created_once(call: ZendeskCall) -> Reply:
    """A new ticket; with an Idempotency-Key, the same request again only gives its answer."""
    create = created("tickets")
    key = call.request.headers.get("idempotency-key")
    if not key:
        return create(call)
    if len(key) > LONGEST_KEY:
        text = f"Idempotency-Key has up to {LONGEST_KEY} characters"
        raise bad_request("IdempotentRequestError", text)
    answers = StoredAnswers(call.data.tables[IDEMPOTENCY_KEYS], _KEPT_SECONDS)
    parameters = orjson.dumps(call.request.json, option=orjson.OPT_SORT_KEYS)
    try:
        stored = answers.recall(key, call.request, parameters)
    except OtherRequestError as error:
        text = "The Idempotency-Key was used for a request with other parameters"
        raise bad_request("IdempotentRequestError", text) from error
    if stored is not None:
        return Reply(stored.body, stored.status, {**stored.headers, _LOOKUP: "hit"})
    reply = create(call)
    answers.keep(key, call.request, parameters, reply)
    return Reply(reply.body, reply.status, {**reply.headers, _LOOKUP: "miss"})


def updated(resource: str) -> Callable[[ZendeskCall], Reply]:
    """The record with the fields that were sent changed."""

    def handler(call: ZendeskCall) -> Reply:
        given = one_of_body(call, resource)
        record = Writer(call.data, call.now).update(resource, call.params["id"], given)
        return Reply({SINGULAR[resource]: record})

    return handler


def deleted(resource: str) -> Callable[[ZendeskCall], Reply]:
    """204; a user is answered with, inactive."""

    def handler(call: ZendeskCall) -> Reply:
        identifier = call.params["id"]
        Writer(call.data, call.now).delete(resource, identifier)
        if resource != "users":
            return Reply(status=204)
        user = call.data.tables["users"][int(identifier)]
        return Reply({"user": shown(user)})

    return handler


def upserted(resource: str) -> Callable[[ZendeskCall], Reply]:
    """201 for a new record, 200 for one that was there."""

    def handler(call: ZendeskCall) -> Reply:
        given = one_of_body(call, resource)
        record, is_new = Writer(call.data, call.now).upsert(resource, given)
        return Reply({SINGULAR[resource]: record}, 201 if is_new else 200)

    return handler


def one_of_body(call: ZendeskCall, resource: str) -> Record:
    """The object under the name of the resource."""
    body: Any = call.request.json
    given = body.get(SINGULAR[resource]) if isinstance(body, dict) else None
    if not isinstance(given, dict):
        text = f"Parameter {SINGULAR[resource]} is required"
        raise bad_request("InvalidParameter", text)
    return given
