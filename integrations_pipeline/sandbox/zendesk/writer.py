"""Tickets, users and organizations created, updated and deleted, whether singly or by a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.checks import UNIQUE, fields_of
from integrations_pipeline.sandbox.zendesk.data import ZendeskData
from integrations_pipeline.sandbox.zendesk.errors import (
    not_found,
    record_invalid,
    update_conflict,
)


@dataclass(frozen=True)
class Writer:
    """What a client may do to the records of an account at a moment."""

    data: ZendeskData
    now: float

    def create(self, resource: str, given: Mapping[str, Any]) -> Record:
        """A new record."""
        values = fields_of(self.data, resource, dict(given), None)
        if resource == "tickets":
            values = self._opened(values, given)
        return self.data.insert(resource, values, self.now)

    def update(self, resource: str, identifier: str, given: Mapping[str, Any]) -> Record:
        """The fields that are sent, changed; a comment alone is a change too."""
        record = self.data.find(resource, identifier)
        if record is None:
            raise not_found()
        if resource == "tickets":
            _check_open(record)
            _check_stamp(record, given)
        is_ticket = resource == "tickets"
        given = {**given, **_changed_tags(record, given)}
        if is_ticket:
            # It is the first comment, which nothing changes.
            given.pop("description", None)
        values = fields_of(self.data, resource, given, record)
        values |= self._requester(given) if is_ticket else {}
        touched = is_ticket and bool(given.get("comment"))
        return self.data.update(resource, record, values, self.now, touched=touched)

    def upsert(self, resource: str, given: Mapping[str, Any]) -> tuple[Record, bool]:
        """The record and whether it is new: found by external id, or a user by the address."""
        record = self._match(resource, given)
        if record is None:
            return self.create(resource, given), True
        return self.update(resource, str(record["id"]), given), False

    def delete(self, resource: str, identifier: str) -> None:
        """Deletes a live record the way the service does."""
        if self.data.find(resource, identifier) is None:
            raise not_found()
        self.data.delete(resource, identifier, self.now)
        self.data.effects.add(resource, "deleted")

    def _match(self, resource: str, given: Mapping[str, Any]) -> Record | None:
        if resource == "organizations" and given.get("id") is not None:
            return self.data.find(resource, str(given["id"]))
        names = ("external_id",) if resource == "organizations" else UNIQUE[resource][::-1]
        for name in names:
            value = given.get(name)
            found = self.data.holder(resource, name, str(value)) if value else None
            if found is not None:
                return found
        return None

    def _opened(self, values: Record, given: Mapping[str, Any]) -> Record:
        """A ticket needs a comment; who sends it is its requester unless another is named."""
        body = _body(given) or values.get("description")
        if not body:
            blank = {"description": "Description: cannot be blank", "error": "BlankValue"}
            raise record_invalid({"base": [blank]})
        admin = self.data.admin_id
        people = {"requester_id": admin, "submitter_id": admin}
        people |= {name: values[name] for name in people if values.get(name)}
        people |= self._requester(given)
        requester = self.data.find("users", str(people["requester_id"])) or {}
        belongs = {"organization_id": requester.get("organization_id")}
        return {**belongs, **values, **people, "description": body}

    def _requester(self, given: Mapping[str, Any]) -> Record:
        """The user with the address in the ticket, made when there is none."""
        about = given.get("requester")
        if not isinstance(about, Mapping):
            return {}
        address = str(about.get("email") or "")
        user = self.data.holder("users", "email", address) if address else None
        if user is None:
            user = self.create("users", {"email": address, "name": about.get("name")})
        return {"requester_id": user["id"]}


def _body(given: Mapping[str, Any]) -> str | None:
    comment = given.get("comment")
    if not isinstance(comment, Mapping):
        return comment if isinstance(comment, str) else None
    return comment.get("body") or comment.get("html_body")


def _check_open(record: Record) -> None:
    if record["status"] == "closed":
        text = "Status: closed prevents ticket update"
        raise record_invalid({"status": [{"description": text, "error": "InvalidValue"}]})


def _check_stamp(record: Record, given: Mapping[str, Any]) -> None:
    """A safe update is refused when the ticket was changed after the moment it names."""
    if not given.get("safe_update"):
        return
    try:
        seen = datetime.fromisoformat(str(given.get("updated_stamp")))
        outdated = datetime.fromisoformat(record["updated_at"]) > seen
    except (ValueError, TypeError) as error:
        text = "Updated stamp: is not a valid time"
        details = {"updated_stamp": [{"description": text, "error": "InvalidFormat"}]}
        raise record_invalid(details) from error
    if outdated:
        raise update_conflict()


def _changed_tags(record: Record, given: Mapping[str, Any]) -> Record:
    """Tags to add and tags to remove, beside those that replace all."""
    more, fewer = given.get("additional_tags") or [], given.get("remove_tags") or []
    if not more and not fewer:
        return {}
    tags = [*given.get("tags", record["tags"]), *more]
    return {"tags": [tag for tag in tags if tag not in fewer]}
