"""The records of one Zendesk account and the changes that the control endpoints make.

Each record keeps, under _stamp, the moment the exports sort it by: finer than the whole
seconds of generated_timestamp, so that two changes within a second keep their order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from integrations_pipeline.sandbox.dataset import Dataset, RefusedError
from integrations_pipeline.sandbox.seed import ANCHOR, chance, iso_seconds, moments, spread
from integrations_pipeline.sandbox.tables import Record, Table
from integrations_pipeline.sandbox.zendesk import records as made
from integrations_pipeline.sandbox.zendesk.drafts import draft
from integrations_pipeline.sandbox.zendesk.records import Desk

_BUILDERS = {
    "tickets": made.ticket,
    "users": made.user,
    "organizations": made.organization,
    "satisfaction_ratings": made.rating,
}
JOBS = "job_statuses"
IDEMPOTENCY_KEYS = "idempotency_keys"
_RECEIVED = frozenset({"good", "bad"})


class ZendeskData(Dataset):
    """Tickets with their metrics, users, organizations, ratings and ticket fields."""

    synced = ("tickets", "users", "organizations", "ticket_metrics", "satisfaction_ratings")

    def __init__(
        self,
        account: str,
        records: int,
        changed: Mapping[str, Sequence[Record]],
        work: Callable[["ZendeskData", Record], list[Record]],
    ) -> None:
        self._work = work
        self._desk = Desk(
            account,
            {
                "tickets": records + made.DELETED_TICKETS,
                "users": records + made.AGENTS + made.INACTIVE_USERS,
                "organizations": max(1, records // 10),
                "satisfaction_ratings": max(2, records * 3 // 10),
            },
        )
        generated: dict[str, Iterable[Record]] = {n: self._generated(n) for n in _BUILDERS}
        self.tables = {n: Table(rows, changed.get(n, ())) for n, rows in generated.items()}
        self.tables["ticket_metrics"] = Table(self._metrics(), changed.get("ticket_metrics", ()))
        self.tables["ticket_fields"] = Table(made.ticket_fields())
        for name in (JOBS, IDEMPOTENCY_KEYS):
            self.tables[name] = Table((), changed.get(name, ()))
        self._waiting = [job for job in self.tables[JOBS] if job["results"] is None]

    @property
    def admin_id(self) -> int:
        return self._desk.id("users", 0)

    def exported(self, resource: str) -> list[Record]:
        """In the order of the incremental exports."""
        return self.tables[resource].ordered("export", export_order)

    def live(self, resource: str) -> list[Record]:
        rows = self.tables[resource].ordered("id", lambda record: record["id"])
        return [shown(record) for record in rows if self.is_live(resource, record)]

    def find(self, resource: str, identifier: str) -> Record | None:
        record = self.tables[resource].get(int(identifier)) if identifier.isdecimal() else None
        return shown(record) if record and self.is_live(resource, record) else None

    def is_live(self, resource: str, record: Record) -> bool:
        match resource:
            case "tickets":
                return bool(record["status"] != "deleted")
            case "users":
                return bool(record["active"])
            case "organizations":
                return record["deleted_at"] is None
            case "ticket_metrics":
                ticket = self.tables["tickets"].get(record["ticket_id"])
                return ticket is not None and self.is_live("tickets", ticket)
            case "satisfaction_ratings":
                return record["score"] in _RECEIVED
            case _:
                return True

    def metric_set(self, ticket: Record) -> Record | None:
        """The metrics of a ticket, whose ids run in step."""
        place = ticket["id"] - self._desk.id("tickets", 0)
        return self.tables["ticket_metrics"].get(self._desk.id("ticket_metrics", place))

    def holder(self, resource: str, name: str, value: str) -> Record | None:
        """The live record with this value of a field; case makes no difference."""

        def folded(record: Record) -> str | None:
            held = record[name]
            return held.casefold() if held and self.is_live(resource, record) else None

        found = self.tables[resource].with_value(f"by {name}", folded, value.casefold())
        return shown(found[0]) if found else None

    def insert(self, resource: str, values: Mapping[str, Any], now: float) -> Record:
        """A record that a client of the API makes."""
        self.effects.add(resource, "created")
        record = draft(self._desk, resource, len(self.tables[resource]), now)
        return self._put(resource, {**record, **values, "id": record["id"]}, now)

    def update(
        self,
        resource: str,
        record: Record,
        values: Mapping[str, Any],
        now: float,
        *,
        touched: bool = False,
    ) -> Record:
        """The record with other values; if none differs and nothing touched it, it stays."""
        if not touched and all(record.get(name) == value for name, value in values.items()):
            self.effects.add(resource, "unchanged")
            return record
        self.effects.add(resource, "updated")
        return self.change(resource, str(record["id"]), values, now)

    def queue(self, job: Record) -> None:
        """Takes on a job."""
        self.tables[JOBS].put(job)
        self._waiting.append(job)

    def running_jobs(self) -> int:
        """How many jobs are queued or being worked on."""
        return len(self._waiting)

    def settle(self, now: float) -> None:
        """Carries out the jobs whose time is up, in the order of their times."""
        if not self._waiting:
            return
        due = sorted((job for job in self._waiting if job["due"] <= now), key=_due)
        self._waiting = [job for job in self._waiting if job["due"] > now]
        for job in due:
            self.tables[JOBS].put({**job, "results": self._work(self, job)})

    def create(self, resource: str, fields: Mapping[str, Any], now: float) -> Record:
        if resource not in _BUILDERS:
            raise RefusedError(f"Records of {resource} cannot be made by themselves.")
        place = len(self.tables[resource])
        record = _BUILDERS[resource](self._desk, place, now)
        return self._put(resource, {**record, **fields, "id": record["id"]}, now)

    def change(
        self, resource: str, identifier: str, fields: Mapping[str, Any], now: float
    ) -> Record:
        if resource in {JOBS, IDEMPOTENCY_KEYS}:
            raise RefusedError(f"Records of {resource} follow from requests.")
        record = self.tables[resource][int(identifier)]
        return self._put(resource, {**record, **fields, "id": record["id"]}, now)

    def delete(self, resource: str, identifier: str, now: float) -> None:
        record = self.tables[resource][int(identifier)]
        match resource:
            case "tickets":
                record = made.deleted_ticket(record)
            case "users":
                record = {**record, "active": False}
            case "organizations":
                record = {**record, "deleted_at": iso_seconds(now)}
            case _:
                raise RefusedError(f"Zendesk would not delete records of {resource}.")
        self._put(resource, record, now)

    def _put(self, resource: str, record: Record, now: float) -> Record:
        record = _stamped(resource, record, now, now)
        self.tables[resource].put(record)
        if resource == "tickets":
            self._touch_metric(record, now)
        elif resource == "ticket_metrics":
            self._touch_ticket(record["ticket_id"], now)
        return shown(record)

    def _touch_metric(self, ticket: Record, now: float) -> None:
        metric = self.metric_set(ticket)
        if metric is None:
            place = ticket["id"] - self._desk.id("tickets", 0)
            metric = made.metric(self._desk, place, ticket)
        self.tables["ticket_metrics"].put(_stamped("ticket_metrics", metric, now, now))

    def _touch_ticket(self, ticket_id: int, now: float) -> None:
        """A change of metrics brings the ticket into the next export, its updated_at unmoved."""
        ticket = self.tables["tickets"].get(ticket_id)
        if ticket is not None:
            stamps = {"generated_timestamp": int(now), "_stamp": now}
            self.tables["tickets"].put({**ticket, **stamps})

    def _generated(self, resource: str) -> Iterator[Record]:
        total = self._desk.sizes[resource]
        deleted = spread(made.DELETED_TICKETS, total) if resource == "tickets" else ()
        customers = total - made.AGENTS
        gone = spread(made.INACTIVE_USERS, customers) if resource == "users" else ()
        for place in range(total):
            dice = chance(self._desk.account, f"moments/{resource}", place)
            created, updated = map(int, moments(dice, place, total))
            record = _BUILDERS[resource](self._desk, place, created)
            if place in deleted:
                record = made.deleted_ticket(record)
            if place - made.AGENTS in gone:
                record = {**record, "active": False}
            # Every tenth record was touched by the system later on, its updated_at unmoved.
            later = place % 10 == 4
            stamp = updated + int((ANCHOR - updated) * dice.random()) if later else updated
            yield _stamped(resource, record, updated, stamp)

    def _metrics(self) -> Iterator[Record]:
        for ticket in self.tables["tickets"]:
            place = ticket["id"] - self._desk.id("tickets", 0)
            yield made.metric(self._desk, place, ticket)


def shown(record: Record) -> Record:
    """The record as the API shows it."""
    return {name: value for name, value in record.items() if name != "_stamp"}


def export_order(record: Record) -> tuple[float, int]:
    """The order of the exports, which is also what their cursors hold."""
    return record["_stamp"], record["id"]


def _due(job: Record) -> float:
    moment: float = job["due"]
    return moment


def _stamped(resource: str, record: Record, updated: float, stamp: float) -> Record:
    stamps: Record = {"updated_at": iso_seconds(updated), "_stamp": float(stamp)}
    if resource == "tickets":
        stamps["generated_timestamp"] = int(stamp)
    return {**record, **stamps}
