"""Bulk writes: a job is queued, works in the background, and its results are asked for later.

A job takes effect at one moment, when its time is up; whoever looks at the account after that
sees what it did.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.seed import iso_seconds
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.data import JOBS, ZendeskData
from integrations_pipeline.sandbox.zendesk.errors import bad_request, not_found, too_many_jobs
from integrations_pipeline.sandbox.zendesk.incremental import ZendeskCall
from integrations_pipeline.sandbox.zendesk.lists import SINGULAR
from integrations_pipeline.sandbox.zendesk.writer import Writer
from integrations_pipeline.sandbox.zendesk.writes import one_of_body

_LIMIT = 100
_MOST_RUNNING = 30
# About an hour.
_KEPT_SECONDS = 3_600
_QUEUED_SHARE = 1 / 3
_DONE = {"create": "Created", "update": "Updated", "delete": "Deleted"}


def create_many(resource: str) -> Callable[[ZendeskCall], Reply]:
    """A job that makes up to 100 records."""
    return lambda call: _begin(call, resource, "create", _listed(call, resource))


def upsert_many(resource: str) -> Callable[[ZendeskCall], Reply]:
    """A job that creates or updates up to 100 records."""
    return lambda call: _begin(call, resource, "upsert", _listed(call, resource))


def update_many(resource: str) -> Callable[[ZendeskCall], Reply]:
    """A job that changes up to 100 records: each in its way, or all named by ids in one."""

    def handler(call: ZendeskCall) -> Reply:
        if "ids" not in call.query:
            return _begin(call, resource, "update", _listed(call, resource))
        change = one_of_body(call, resource)
        return _begin(call, resource, "update", [{**change, "id": key} for key in _ids(call)])

    return handler


def destroy_many(resource: str) -> Callable[[ZendeskCall], Reply]:
    """A job that deletes up to 100 records."""
    return lambda call: _begin(call, resource, "delete", [{"id": key} for key in _ids(call)])


def job_status(call: ZendeskCall) -> Reply:
    """How far a job is, and what became of each record once it is done."""
    job = call.data.tables[JOBS].get(call.params["id"])
    if job is None or call.now > job["due"] + _KEPT_SECONDS:
        raise not_found()
    return Reply({"job_status": _described(call, job)})


def work_on(data: ZendeskData, job: Record) -> list[Record]:
    """Carries out a job; what fails for one record does not stop the others."""
    writer = Writer(data, job["due"])
    return [_result(writer, job, index, one) for index, one in enumerate(job["inputs"])]


def _begin(call: ZendeskCall, resource: str, action: str, inputs: list[Record]) -> Reply:
    if not 1 <= len(inputs) <= _LIMIT:
        raise bad_request("InvalidValue", f"A job is about 1 to {_LIMIT} {resource}")
    if call.data.running_jobs() >= _MOST_RUNNING:
        raise too_many_jobs(_MOST_RUNNING)
    job = {
        "id": secrets.token_hex(16),
        "resource": resource,
        "action": action,
        "inputs": inputs,
        "begins": call.now + call.config.zendesk_job_seconds * _QUEUED_SHARE,
        "due": call.now + call.config.zendesk_job_seconds,
        "results": None,
    }
    call.data.queue(job)
    return Reply({"job_status": {**_described(call, job), "status": "queued", "progress": None}})


def _described(call: ZendeskCall, job: Record) -> Record:
    done = job["results"] is not None
    total = len(job["inputs"])
    status = "completed" if done else "working" if call.now >= job["begins"] else "queued"
    return {
        "id": job["id"],
        "url": f"{call.request.base}/api/v2/job_statuses/{job['id']}.json",
        "total": total,
        "progress": total if done else None if status == "queued" else 0,
        "status": status,
        "message": f"Completed at {iso_seconds(job['due'])}" if done else None,
        "results": job["results"],
    }


def _result(writer: Writer, job: Record, index: int, one: Record) -> Record:
    resource, action = job["resource"], job["action"]
    named = {"id": _number(one["id"])} if action in {"update", "delete"} else {}
    try:
        if action == "upsert":
            record, is_new = writer.upsert(resource, one)
            named, action = {"id": record["id"]}, "create" if is_new else "update"
        elif action == "create":
            named = {"id": writer.create(resource, one)["id"]}
        elif action == "update":
            given = {name: value for name, value in one.items() if name != "id"}
            writer.update(resource, str(one["id"]), given)
        else:
            writer.delete(resource, str(one["id"]))
    except ApiError as failure:
        error = f"{SINGULAR[resource].capitalize()}{action.capitalize()}Failed"
        return {"index": index, **named, "error": error, "details": _reason(failure)}
    return {"index": index, **named, "action": action, "status": _DONE[action], "success": True}


def _reason(failure: ApiError) -> str:
    body: Any = failure.reply.body
    details: Mapping[str, list[Record]] = body.get("details") or {}
    texts = [entry["description"] for entries in details.values() for entry in entries]
    return ", ".join(texts) or str(body["description"])


def _number(identifier: object) -> object:
    return int(str(identifier)) if str(identifier).isdecimal() else identifier


def _listed(call: ZendeskCall, resource: str) -> list[Record]:
    """The list in the body; for updates, each with its id."""
    body: Any = call.request.json
    rows = body.get(resource) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise bad_request("InvalidParameter", f"Parameter {resource} is required")
    if call.request.method == "PUT" and not all("id" in row for row in rows):
        raise bad_request("InvalidParameter", "Each record needs its id")
    return rows


def _ids(call: ZendeskCall) -> list[str]:
    return [text for text in call.query.get("ids", "").split(",") if text]
