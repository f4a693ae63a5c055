"""Up to 100 CRM objects created, updated, upserted or archived by one request.

With a trace id on every input, those that fail are told apart in an answer of status 207; without,
the first that fails makes the whole batch fail, and nothing is written.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integrations_pipeline.sandbox.hubspot.errors import batch_error, validation
from integrations_pipeline.sandbox.hubspot.objects import (
    HubSpotCall,
    inputs_of,
    object_type,
    present,
    unique_property,
)
from integrations_pipeline.sandbox.hubspot.writes import Planned, Planner
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.seed import iso_milliseconds
from integrations_pipeline.sandbox.tables import Record

_LIMIT = 100
Input = Mapping[str, Any]
Plan = Callable[[Planner, Input], Planned]


def batch_create(call: HubSpotCall) -> Reply:
    """201, or 207 when some failed."""
    return _batch(call, inputs_of(call, _LIMIT), lambda planner, one: planner.creation(one), 201)


def batch_update(call: HubSpotCall) -> Reply:
    """Objects that do not exist are reported by id and do not stop the others."""
    inputs = inputs_of(call, _LIMIT)
    _refuse_duplicates(inputs)
    planner = Planner(call.data, object_type(call))
    found = [(one, _record(planner, one)) for one in inputs]
    records = {id(one): record for one, record in found if record is not None}
    missing = [one for one, record in found if record is None]
    here = [one for one in inputs if id(one) in records]
    reply = _batch(call, here, lambda plans, one: plans.change(records[id(one)], one), 200)
    return _with_missing(reply, missing) if missing else reply


def batch_upsert(call: HubSpotCall) -> Reply:
    """By a unique property: results tell which objects are new."""
    inputs = inputs_of(call, _LIMIT)
    _refuse_duplicates(inputs)
    return _batch(call, inputs, _upsert, 200, tells_new=True)


def batch_archive(call: HubSpotCall) -> Reply:
    """204, whether the objects are there or gone already."""
    resource = object_type(call)
    for one in inputs_of(call, _LIMIT):
        record = call.data.find(resource, str(one.get("id")))
        if record is not None:
            call.data.archive(resource, record, call.now)
    return Reply(status=204)


def _upsert(planner: Planner, one: Input) -> Planned:
    if not one.get("idProperty"):
        raise validation("idProperty is required for each input of an upsert")
    name = unique_property(planner.data, planner.resource, one["idProperty"])
    record = planner.data.holder(planner.resource, name, str(one.get("id")))
    if record is None:
        properties = {name: str(one.get("id")), **(one.get("properties") or {})}
        return planner.creation({**one, "properties": properties})
    return planner.change(record, one)


def _record(planner: Planner, one: Input) -> Record | None:
    key = str(one.get("id"))
    if not one.get("idProperty"):
        return planner.data.find(planner.resource, key)
    name = unique_property(planner.data, planner.resource, one["idProperty"])
    return planner.data.holder(planner.resource, name, key)


def _refuse_duplicates(inputs: Sequence[Input]) -> None:
    ids = [str(one.get("id")).casefold() for one in inputs]
    if len(set(ids)) < len(ids):
        raise validation("Duplicate IDs found in batch input")


def _batch(
    call: HubSpotCall, inputs: Sequence[Input], plan: Plan, status: int, *, tells_new: bool = False
) -> Reply:
    """All inputs are checked before the first is written."""
    planner = Planner(call.data, object_type(call))
    traced = all(one.get("objectWriteTraceId") for one in inputs)
    plans: list[tuple[Input, Planned]] = []
    errors: list[dict[str, object]] = []
    for one in inputs:
        try:
            plans.append((one, plan(planner, one)))
        except ApiError as failure:
            if not traced:
                raise
            errors.append(_error(failure, one))
    results = [_result(call, planner, one, planned, tells_new) for one, planned in plans]
    stamp = iso_milliseconds(call.now)
    times = dict.fromkeys(("requestedAt", "startedAt", "completedAt"), stamp)
    answer = {"status": "COMPLETE", "results": results, **times}
    if errors:
        return Reply({**answer, "numErrors": len(errors), "errors": errors}, 207)
    return Reply(answer, status)


def _result(
    call: HubSpotCall, planner: Planner, one: Input, planned: Planned, tells_new: bool
) -> Record:
    record = planner.carry_out(planned, call.now)
    result = present(call.data, planner.resource, record, list(planned.properties))
    if tells_new:
        result["new"] = planned.record is None
    if one.get("objectWriteTraceId"):
        result["objectWriteTraceId"] = one["objectWriteTraceId"]
    return result


def _error(failure: ApiError, one: Input) -> dict[str, object]:
    body: Any = failure.reply.body
    context = {"objectWriteTraceId": [str(one["objectWriteTraceId"])]}
    return batch_error(body["category"], body["message"], context, body.get("errors") or ())


def _with_missing(reply: Reply, missing: Sequence[Input]) -> Reply:
    body: Any = reply.body
    context = {"ids": [str(one.get("id")) for one in missing]}
    traces = [str(one["objectWriteTraceId"]) for one in missing if one.get("objectWriteTraceId")]
    if traces:
        context["objectWriteTraceId"] = traces
    message = "Could not find some objects, they may be deleted or not exist."
    errors = [*body.get("errors", []), batch_error("OBJECT_NOT_FOUND", message, context)]
    return Reply({**body, "numErrors": len(errors), "errors": errors}, 207)
