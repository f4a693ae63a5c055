"""How HubSpot's CRM objects are written: in batches of 100, each record with a trace of its own."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from integrations_pipeline.connectors.base import SearchChanges
from integrations_pipeline.connectors.pushing import (
    Find,
    Made,
    NothingToTell,
    Outgoing,
    Push,
    TracedResults,
    Write,
)

INDEX_LAG = timedelta(minutes=5)
"""The search index lags by seconds to minutes."""
READ_ONLY = frozenset(
    [
        "createdate",
        "lastmodifieddate",
        "hs_createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
        "hs_merged_object_ids",
        "hs_is_closed_won",
    ]
)


def inputs(sent: Sequence[Outgoing]) -> Mapping[str, Any]:
    """A batch of writes. The trace ids turn on an answer for each record."""
    return {"inputs": [_input(one) for one in sent]}


def _input(one: Outgoing) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if one.record_id:
        known = {"id": one.record_id}
    elif one.external_id:
        known = {"id": one.external_id, "idProperty": one.external_field}
    return {**known, "properties": dict(one.fields), "objectWriteTraceId": one.key}


def creations(sent: Sequence[Outgoing]) -> Mapping[str, Any]:
    """A batch of new records, which have no id yet."""
    made = [{"properties": dict(one.fields), "objectWriteTraceId": one.key} for one in sent]
    return {"inputs": made}


def ids_only(sent: Sequence[Outgoing]) -> Mapping[str, Any]:
    """A batch of ids."""
    return {"inputs": [{"id": one.record_id} for one in sent]}


def by_property(ids: Sequence[str], name: str, fields: Sequence[str]) -> Mapping[str, Any]:
    """A batch read by a unique property."""
    inputs = [{"id": one} for one in ids]
    return {"properties": [name, *fields], "idProperty": name, "inputs": inputs}


def push(path: str, unique: str, made: SearchChanges) -> Push:
    """Writes of a CRM object. No header makes a repetition harmless; a unique property does."""
    results = TracedResults(
        results_at="results",
        trace_at="objectWriteTraceId",
        errors_at="errors",
        error_traces_at="context.objectWriteTraceId|context.ids",
        reason_at="message",
        new_at="new",
    )

    def batch(name: str, body: Any) -> Write:
        return Write(
            method="POST", path=f"{path}/batch/{name}", batch=100, body=body, answers=results
        )

    return Push(
        create=batch("create", creations),
        update=batch("update", inputs),
        upsert=batch("upsert", inputs),
        delete=Write(
            method="POST",
            path=f"{path}/batch/archive",
            batch=100,
            body=ids_only,
            answers=NothingToTell(),
        ),
        read_only=READ_ONLY,
        external_field=unique,
        by_external=Find(
            path=f"{path}/batch/read", body=by_property, records_at="results", batch=100
        ),
        made=Made(way=made, settles=INDEX_LAG),
        born_at="createdAt",
    )
