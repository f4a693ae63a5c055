"""How Stripe's objects are written: one by one, as forms, each known again by its key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from integrations_pipeline.connectors.base import Listing
from integrations_pipeline.connectors.columns import TimeFormat
from integrations_pipeline.connectors.pushing import (
    Find,
    Made,
    OneRecord,
    Outgoing,
    Push,
    Write,
)


def form(sent: Sequence[Outgoing]) -> Mapping[str, Any]:
    """The fields of the one record that a request writes."""
    return dict(sent[0].fields)


def made_between(since: datetime, until: datetime) -> Mapping[str, str]:
    """The bounds of a list of what was made in a span of time."""
    return {
        "created[gte]": str(int(since.timestamp())),
        "created[lte]": str(int(until.timestamp())),
    }


def push(name: str, *, made: Listing, own_ids: bool = False) -> Push:
    """Writes of an object, one by one; each is known again by its key for 24 hours.

    `own_ids`: a new object can be given its id.
    """
    one = OneRecord()
    change = Write(
        method="POST",
        path=f"/v1/{name}/{{id}}",
        body=form,
        form=True,
        idempotent=True,
        answers=one,
    )
    return Push(
        create=replace(change, path=f"/v1/{name}"),
        update=change,
        delete=Write(method="DELETE", path=f"/v1/{name}/{{id}}", answers=one),
        read_only=frozenset({"object", "created", "updated", "livemode", "delinquent", "deleted"}),
        external_field="id" if own_ids else "",
        external_is_id=own_ids,
        by_external=Find(path=f"/v1/{name}/{{external_id}}") if own_ids else None,
        made=Made(way=made, params=made_between),
        born_at="created",
        born_format=TimeFormat.SECONDS,
        key_life=timedelta(hours=24),
        shows_whole=True,
        workers=4,
    )
