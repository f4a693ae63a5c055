"""CRM objects created, updated and archived one by one; what batches share with that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations_pipeline.sandbox.hubspot.data import HubSpotData
from integrations_pipeline.sandbox.hubspot.errors import conflict, not_found, validation
from integrations_pipeline.sandbox.hubspot.links import Node, target_of
from integrations_pipeline.sandbox.hubspot.objects import (
    HubSpotCall,
    body_of,
    lookup,
    object_type,
    present,
)
from integrations_pipeline.sandbox.hubspot.records import Properties
from integrations_pipeline.sandbox.hubspot.values import checked
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.tables import Record

_SINGULAR = {"contacts": "Contact", "companies": "Company", "deals": "Deal", "tickets": "Ticket"}


@dataclass(frozen=True)
class Planned:
    """A write that has passed all checks."""

    properties: Properties
    record: Record | None = None
    """What is to be updated; None: it is to be created."""
    targets: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Planner:
    """Checks the writes of one request before any of them is carried out."""

    data: HubSpotData
    resource: str
    # Unique values that earlier inputs of the request will have taken, in lower case.
    taken: dict[tuple[str, str], str] = field(default_factory=dict)

    def creation(self, given: Mapping[str, Any]) -> Planned:
        """A new record with its associations."""
        properties = checked(self.data, self.resource, given.get("properties", {}))
        targets = tuple(self._targets(given.get("associations") or []))
        self._claim(properties, None)
        return Planned(properties, None, targets)

    def change(self, record: Record, given: Mapping[str, Any]) -> Planned:
        """New values for some of a record's properties."""
        properties = checked(self.data, self.resource, given.get("properties"))
        self._claim(properties, record)
        return Planned(properties, record)

    def carry_out(self, plan: Planned, now: float) -> Record:
        """The record as it is after the write."""
        if plan.record is not None:
            return self.data.update(self.resource, plan.record, plan.properties, now)
        record = self.data.insert(self.resource, plan.properties, now)
        for target in plan.targets:
            self.data.links.add((self.resource, record["id"]), target)
        return record

    def _claim(self, properties: Properties, record: Record | None) -> None:
        """Takes unique values for a record, unless others have them."""
        own = record["id"] if record else None
        unique = {
            (name, value.casefold())
            for name, value in properties.items()
            if value and self.data.definitions(self.resource)[name].unique
        }
        for name, value in unique:
            other = self.data.holder(self.resource, name, value)
            if other is not None and other["id"] != own:
                raise conflict(_SINGULAR[self.resource], other["id"])
            if (name, value) in self.taken:
                raise validation(f"Duplicate value of {name} in the batch: {value}")
        self.taken.update(dict.fromkeys(unique, own or ""))

    def _targets(self, entries: Any) -> list[Node]:
        if not isinstance(entries, list):
            raise validation("associations must be a list")
        return [self._target(entry) for entry in entries]

    def _target(self, entry: Any) -> Node:
        try:
            key, kind = str(entry["to"]["id"]), entry["types"][0]["associationTypeId"]
        except (KeyError, IndexError, TypeError) as error:
            raise validation("An association needs to.id and types") from error
        target = target_of(self.resource, kind)
        if target is None or self.data.find(target, key) is None:
            raise validation(f"No association of type {kind} is possible with {key}")
        return target, key


def create_object(call: HubSpotCall) -> Reply:
    """201 with the new object."""
    return _written(call, lambda planner: planner.creation(body_of(call)), 201)


def update_object(call: HubSpotCall) -> Reply:
    """Changes the properties that are sent, of the object with this id or unique value."""
    resource = object_type(call)
    record = lookup(call, resource, call.params["id"], call.query.get("idProperty"))
    if record is None:
        raise not_found()
    return _written(call, lambda planner: planner.change(record, body_of(call)), 200)


def archive_object(call: HubSpotCall) -> Reply:
    """204, be it there or gone already."""
    resource = object_type(call)
    record = call.data.find(resource, call.params["id"])
    if record is not None:
        call.data.archive(resource, record, call.now)
    return Reply(status=204)


def _written(call: HubSpotCall, plan: Callable[[Planner], Planned], status: int) -> Reply:
    planner = Planner(call.data, object_type(call))
    planned = plan(planner)
    record = planner.carry_out(planned, call.now)
    asked = list(planned.properties)
    return Reply(present(call.data, planner.resource, record, asked), status)
