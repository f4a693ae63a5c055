"""The vocabulary of writing: which requests change records, and what their answers say.

All of it is data and pure functions; names of fields are the service's own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from integrations_pipeline.connectors.columns import Record, TimeFormat
from integrations_pipeline.connectors.paging import dig

if TYPE_CHECKING:
    from integrations_pipeline.connectors.base import Listing, SearchChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One record on its way out."""

    key: str
    """Stands for this attempt at this record: idempotency key and trace in one."""
    fields: Mapping[str, Any]
    record_id: str | None = None
    external_id: str | None = None
    external_field: str = ""
    """The field that holds the external id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the service says became of one record."""

    record_id: str | None = None
    record: Record | None = None
    """The record as it is now, where the answer shows it."""
    created: bool = False
    error: str | None = None
    """The service's reason for refusing it."""


class Answers(Protocol):
    """How an answer with a good status tells the outcome of each record that was sent."""

    def outcomes(
        self, page: Any, sent: Sequence[Outgoing], *, created: bool
    ) -> list[Outcome | None]:
        """In the order of `sent`; None: the answer does not tell.

        `created`: whether the status was 201.
        """
        ...


@dataclass(frozen=True, slots=True)
class NothingToTell:
    """A good status is all there is: it is true for every record that was sent."""

    def outcomes(
        self, page: Any, sent: Sequence[Outgoing], *, created: bool
    ) -> list[Outcome | None]:
        """All went well."""
        return [Outcome(record_id=one.record_id) for one in sent]


@dataclass(frozen=True, slots=True)
class OneRecord:
    """The answer to a single record is the record."""

    record_at: str = ""
    id_at: str = "id"

    def outcomes(
        self, page: Any, sent: Sequence[Outgoing], *, created: bool
    ) -> list[Outcome | None]:
        """The record, if there is one with an id."""
        record = dig(page, self.record_at)
        key = dig(record, self.id_at)
        if key is None:
            return [None]
        return [Outcome(record_id=str(key), record=record, created=created)]


@dataclass(frozen=True, slots=True)
class TracedResults:
    """Results and errors stand apart; each repeats the trace that was sent with its record."""

    results_at: str
    trace_at: str
    errors_at: str
    error_traces_at: str
    """Paths of the lists of traces or ids that an error is about, joined by `|`."""
    reason_at: str
    new_at: str = ""
    id_at: str = "id"

    def outcomes(
        self, page: Any, sent: Sequence[Outgoing], *, created: bool
    ) -> list[Outcome | None]:
        """By trace; a result without one is known by its id."""
        found: dict[str, Outcome] = {}
        for row in dig(page, self.results_at) or ():
            outcome = self._result(row, created=created)
            found[str(dig(row, self.trace_at) or outcome.record_id)] = outcome
        for row in dig(page, self.errors_at) or ():
            for path in self.error_traces_at.split("|"):
                for trace in dig(row, path) or ():
                    found[str(trace)] = Outcome(error=str(dig(row, self.reason_at) or "refused"))
        return [found.get(one.key) or found.get(one.record_id or "") for one in sent]

    def _result(self, row: Any, *, created: bool) -> Outcome:
        new = dig(row, self.new_at) if self.new_at else created
        return Outcome(record_id=str(dig(row, self.id_at)), record=row, created=bool(new))


@dataclass(frozen=True, slots=True)
class IndexedResults:
    """One result for each record, by its place in what was sent (Zendesk's background jobs)."""

    results_at: str
    index_at: str = "index"
    id_at: str = "id"
    error_at: str = "error"
    details_at: str = "details"
    action_at: str = "action"

    def outcomes(
        self, page: Any, sent: Sequence[Outgoing], *, created: bool
    ) -> list[Outcome | None]:
        """By index."""
        found: dict[int, Outcome] = {}
        for place, row in enumerate(dig(page, self.results_at) or ()):
            index = dig(row, self.index_at)
            found[index if isinstance(index, int) else place] = self._result(row)
        return [found.get(place) for place in range(len(sent))]

    def _result(self, row: Any) -> Outcome:
        if error := dig(row, self.error_at):
            details = dig(row, self.details_at)
            return Outcome(error=f"{error}: {details}" if details else str(error))
        key = dig(row, self.id_at)
        action = str(dig(row, self.action_at) or "")
        return Outcome(record_id=None if key is None else str(key), created=action == "create")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundJob:
    """The write only begins with the answer: a job is asked for until it has ended."""

    id_at: str
    path: str
    """Takes `{id}`."""
    status_at: str
    done: frozenset[str]
    failed: frozenset[str]
    reason_at: str = ""
    every: timedelta = timedelta(seconds=2)
    """The longest pause between two questions."""
    patience: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One kind of request that changes records. `{id}` in the path takes the record's id."""

    method: str
    path: str
    answers: Answers
    body: Callable[[Sequence[Outgoing]], Mapping[str, Any]] | None = None
    batch: int = 1
    """How many records one request takes."""
    ids_param: str = ""
    """Query parameter that takes the records' ids, joined by commas."""
    form: bool = False
    """Whether the body is a form with brackets (`metadata[crm]=7`) instead of JSON."""
    idempotent: bool = False
    """Whether the service remembers the header Idempotency-Key: the same request can be sent
    again, and has one effect."""
    job: BackgroundJob | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """How records are found by our own ids. `{external_id}` in the path takes one."""

    path: str
    records_at: str = ""
    """Path of the records in the answer; empty: the answer is the record."""
    ids_param: str = ""
    """Query parameter that takes an id of ours."""
    body: Callable[[Sequence[str], str, Sequence[str]], Mapping[str, Any]] | None = None
    """Writes the body of a POST from ids of ours, the field that holds them, and the fields that
    are to be shown."""
    batch: int = 1
    settles: timedelta = timedelta(0)
    """After this time a record that was made can be found; before, its absence proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How records made in a span of time are found, to tell them apart by what they hold."""

    way: "Listing | SearchChanges"
    """A search goes by the stamp at which records were made."""
    params: Callable[[datetime, datetime], Mapping[str, str]] | None = None
    """Writes the listing's bounds."""
    newest_first: str = ""
    """Path of the stamp by which the listing runs downwards: it is left where that is too old."""
    settles: timedelta = timedelta(0)
    """As in `Find`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """How a resource's records are written. What is not declared can't be done."""

    create: Write | None = None
    update: Write | None = None
    upsert: Write | None = None
    """By the external id, in one request; without it a record is looked for first."""
    delete: Write | None = None
    read_only: frozenset[str] = frozenset()
    """Fields that the service sets."""
    write_only: frozenset[str] = frozenset()
    """Fields that reads do not show: nobody can tell later whether they were written."""
    external_field: str = ""
    """Field that holds an id of ours. An admin can name another one for the integration."""
    external_is_id: bool = False
    """Whether the external id becomes the service's own id of the record."""
    marks_created: bool = False
    """Whether a record to be made gets an external id of ours where its sender gave none."""
    by_external: Find | None = None
    made: Made | None = None
    born_at: str = ""
    """Path of the time at which a record was made."""
    born_format: TimeFormat = TimeFormat.ISO
    key_life: timedelta = timedelta(0)
    """How long the service remembers an idempotency key."""
    shows_whole: bool = False
    """Whether answers show records just as reads do, so that none is read again."""
    workers: int = 1
    """Requests side by side, where each takes one record."""

    def write(self, operation: str) -> Write | None:
        """The request for an operation, if there is one."""
        found = {
            "create": self.create,
            "update": self.update,
            "upsert": self.upsert,
            "delete": self.delete,
        }
        return found[operation]

    @property
    def operations(self) -> tuple[str, ...]:
        """What can be asked of the resource."""
        possible = {
            "create": self.create,
            "update": self.update,
            "upsert": self.upsert or self.update,
            "delete": self.delete,
        }
        return tuple(name for name, write in possible.items() if write)
