"""Stripe's objects created, updated and deleted by form-encoded requests."""

from collections.abc import Callable, Mapping
from typing import Any

from integrations_pipeline.sandbox.dataset import RefusedError
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.stripe.errors import invalid, missing, problem
from integrations_pipeline.sandbox.stripe.expansion import expanded
from integrations_pipeline.sandbox.stripe.forms import (
    Convert,
    converted,
    merged_metadata,
    nested,
    texts,
)
from integrations_pipeline.sandbox.stripe.lists import StripeCall, version
from integrations_pipeline.sandbox.stripe.repeats import once
from integrations_pipeline.sandbox.stripe.versions import rendered
from integrations_pipeline.sandbox.stripe.writables import Writable
from integrations_pipeline.sandbox.tables import Record


def created(kind: Writable) -> Callable[[StripeCall], Reply]:
    """The endpoint that makes an object."""

    def write(call: StripeCall, cause: Record) -> Reply:
        values, expand = _parameters(call, kind, kind.create)
        for name in kind.required:
            if values.get(name) is None:
                raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
        identifier = values.pop("id", None) or call.data.next_id(kind.resource)
        values["metadata"] = merged_metadata({}, values.get("metadata"))
        if call.data.tables[kind.resource].get(identifier) is not None:
            message = f"{kind.kind.capitalize()} already exists."
            raise ApiError(problem(400, message, code="resource_already_exists", param="id"))
        record = kind.new(identifier, values, int(call.now))
        call.data.insert(kind.resource, record, call.now, cause)
        return _shown(call, record, expand)

    return once(write)


def updated(kind: Writable) -> Callable[[StripeCall], Reply]:
    """The endpoint that changes the fields that are sent."""

    def write(call: StripeCall, cause: Record) -> Reply:
        values, expand = _parameters(call, kind, kind.update)
        record = _existing(call, kind)
        if "metadata" in values:
            values["metadata"] = merged_metadata(record["metadata"], values["metadata"])
        record = call.data.update(kind.resource, record, values, call.now, cause)
        return _shown(call, record, expand)

    return once(write)


def deleted(kind: Writable) -> Callable[[StripeCall], Reply]:
    """Deletes an object; a subscription is canceled, and of invoices only drafts go."""

    def write(call: StripeCall, cause: Record) -> Reply:
        record = _existing(call, kind)
        if kind.resource == "subscriptions" and record["status"] == "canceled":
            raise missing(kind.kind, record["id"])
        try:
            call.data.delete(kind.resource, record["id"], call.now, cause)
        except RefusedError as refusal:
            message = f"You can only delete draft {kind.resource}."
            raise ApiError(problem(400, message)) from refusal
        call.data.effects.add(kind.resource, "deleted")
        return _shown(call, call.data.tables[kind.resource][record["id"]], [])

    return lambda call: write(call, {"id": None, "idempotency_key": None})


def _parameters(
    call: StripeCall, kind: Writable, fields: Mapping[str, Convert]
) -> tuple[dict[str, Any], list[str]]:
    given = nested(call.request.form_pairs)
    expand = texts("expand", given.pop("expand", ""))
    values = converted(given, fields)
    for name, (resource, other) in kind.links.items():
        identifier = values.get(name)
        if identifier and call.data.find(resource, identifier) is None:
            raise missing(other, identifier, status=400, param=name)
    return values, expand


def _existing(call: StripeCall, kind: Writable) -> Record:
    record = call.data.find(kind.resource, call.params["id"])
    if record is None:
        raise missing(kind.kind, call.params["id"])
    return record


def _shown(call: StripeCall, record: Record, expand: list[str]) -> Reply:
    shown = rendered(record, version(call))
    return Reply(expanded(call.data, shown, expand, version(call)))
