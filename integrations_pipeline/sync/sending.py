"""Sending attempts: one request for many where the service allows it, split where it refuses."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.connectors.pushing import (
    BackgroundJob,
    Outcome,
    Outgoing,
    Push,
    Write,
)
from integrations_pipeline.errors import (
    FenceLostError,
    NotFoundError,
    OutcomeUnknownError,
    RejectedError,
    ServiceError,
)
from integrations_pipeline.store.outbound import IntentState, Operation
from integrations_pipeline.sync.counts import Counts
from integrations_pipeline.sync.ledger import Attempt, Verdict
from integrations_pipeline.sync.verdicts import rejected
from integrations_pipeline.transport.client import ServiceClient

UnderWay = Callable[[Sequence[Attempt], str | None], None]
FIRST_PAUSE = 0.2
"""Seconds before a background job is asked for again; then it doubles, up to the declared."""
CONFIRMED = {
    Operation.CREATE: Counts(processed=1, created=1),
    Operation.UPDATE: Counts(processed=1, updated=1),
    Operation.UPSERT: Counts(processed=1, updated=1),
    Operation.DELETE: Counts(processed=1, deleted=1),
}


@dataclass(slots=True)
class Delivery:
    """What became of a group of attempts."""

    verdicts: list[Verdict] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    """Records that answers have shown."""
    lost: list[Attempt] = field(default_factory=list)
    """Attempts whose outcome is unknown."""
    error: ServiceError | None = None
    """Why nothing more can be sent now."""

    def __add__(self, other: "Delivery") -> "Delivery":
        """Both."""
        return Delivery(
            self.verdicts + other.verdicts,
            self.records + other.records,
            self.lost + other.lost,
            self.error or other.error,
        )


class Sender:
    """Sends attempts at one resource's records, until the service takes nothing more.

    `under_way` is told of attempts that go out once more, and of the background job that does them.
    """

    def __init__(
        self, client: ServiceClient, push: Push, external_field: str, under_way: UnderWay
    ) -> None:
        self._client = client
        self._push = push
        self._external_field = external_field
        self._under_way = under_way
        self._stopped_by: ServiceError | None = None

    def send(self, operation: str, attempts: Sequence[Attempt]) -> Delivery:
        """Send attempts of one operation; what is certain is a verdict, the rest is `lost`.

        Raises:
            FenceLostError: the job was taken away; all that has no verdict is unknown.
        """
        write = self._push.write(operation)
        if write is None or not attempts:
            return Delivery()
        if write.batch > 1:
            return self._batch(write, list(attempts))
        if self._push.workers == 1 or len(attempts) == 1:
            return _sum(lambda one: self._batch(write, [one]), attempts)
        with ThreadPoolExecutor(self._push.workers) as pool:
            return sum(pool.map(lambda one: self._batch(write, [one]), attempts), Delivery())

    def ask(self, operation: str, remote_job: str, attempts: Mapping[int, Attempt]) -> Delivery:
        """What a background job has done for attempts, by their places in it.

        Raises:
            ServiceError: the service does not tell.
        """
        write = self._push.write(operation)
        mine = list(attempts.values())
        if write is None or write.job is None:
            return Delivery(lost=mine)
        try:
            page = self._client.get(_path(write.job, remote_job))
        except NotFoundError:  # it has ended long ago, and its outcome is forgotten
            self._under_way(mine, None)
            return Delivery(lost=mine)
        if not _has_ended(write.job, page):
            return Delivery(lost=mine)
        size = max(attempts) + 1  # in the place of what is decided already anything may stand
        sent = [self._outgoing(attempts.get(place, mine[0])) for place in range(size)]
        outcomes = write.answers.outcomes(page, sent, created=operation == Operation.CREATE)
        untold = [one for place, one in attempts.items() if outcomes[place] is None]
        self._under_way(untold, None)
        told = [(one, outcomes[place]) for place, one in attempts.items()]
        return _sum(lambda pair: self._told(write, *pair, alone=size == 1), told)

    def _batch(self, write: Write, attempts: list[Attempt]) -> Delivery:
        if self._stopped_by is not None:
            return _unsent(attempts, self._stopped_by)
        try:
            outcomes = self._outcomes(write, attempts)
        except FenceLostError:
            raise
        except OutcomeUnknownError:
            return Delivery(lost=attempts)
        except (RejectedError, NotFoundError) as error:
            return self._refused(write, attempts, error)
        except ServiceError as error:
            self._stopped_by = error
            return _unsent(attempts, error)
        told = zip(attempts, outcomes, strict=True)
        alone = len(attempts) == 1
        return _sum(lambda pair: self._told(write, *pair, alone=alone), list(told))

    def _told(
        self, write: Write, attempt: Attempt, outcome: Outcome | None, *, alone: bool
    ) -> Delivery:
        if outcome is None:
            return Delivery(lost=[attempt])
        if outcome.error is None:
            records = [dict(outcome.record)] if outcome.record else []
            return Delivery([done(attempt, outcome)], records)
        if not alone:  # others of its batch may have been in its way
            if write.job is not None:
                self._under_way([attempt], None)
            return self._batch(write, [attempt])
        return Delivery([rejected(attempt.intent, outcome.error)])

    def _refused(self, write: Write, attempts: list[Attempt], error: ServiceError) -> Delivery:
        """A batch that is refused whole is split until the bad record stands alone."""
        if len(attempts) > 1:
            half = len(attempts) // 2
            return self._batch(write, attempts[:half]) + self._batch(write, attempts[half:])
        one = attempts[0]
        if isinstance(error, NotFoundError) and one.operation == Operation.DELETE:
            return Delivery([done(one, Outcome(record_id=one.record_id))])
        return Delivery([rejected(one.intent, str(error))])

    def _outcomes(self, write: Write, attempts: list[Attempt]) -> list[Outcome | None]:
        sent = [self._outgoing(one) for one in attempts]
        path = write.path
        if "{id}" in path:
            path = path.format(id=quote(str(sent[0].record_id), safe=""))
        ids = ",".join(str(one.record_id) for one in sent)
        page = self._client.write(
            write.method,
            path,
            params={write.ids_param: ids} if write.ids_param else None,
            body=write.body(sent) if write.body else None,
            form=write.form,
            key=sent[0].key if write.idempotent else "",
        )
        if write.job is not None:
            page = self._ended(write.job, attempts, page)
        created = attempts[0].operation == Operation.CREATE
        return write.answers.outcomes(page, sent, created=created)

    def _outgoing(self, attempt: Attempt) -> Outgoing:
        return Outgoing(
            key=attempt.key,
            fields=attempt.fields,
            record_id=attempt.record_id,
            external_id=attempt.external_id,
            external_field=self._external_field,
        )

    def _ended(self, job: BackgroundJob, attempts: Sequence[Attempt], page: Any) -> Any:
        """The last answer about the background job that an answer has announced.

        Raises:
            OutcomeUnknownError: it does not end, or the service does not tell.
        """
        if _has_ended(job, page):
            return page
        remote_job = str(dig(page, job.id_at))
        self._under_way(attempts, remote_job)
        path = _path(job, remote_job)
        left, pause = job.patience.total_seconds(), FIRST_PAUSE
        try:
            while not _has_ended(job, page):
                if left <= 0:
                    raise OutcomeUnknownError(f"The job behind {path} does not end.")
                self._client.wait(pause)
                left, pause = left - pause, min(pause * 2, job.every.total_seconds())
                page = self._client.get(path)
        except OutcomeUnknownError:
            raise
        except ServiceError as error:
            raise OutcomeUnknownError(str(error)) from error
        return page


def done(attempt: Attempt, outcome: Outcome) -> Verdict:
    """The service has confirmed it."""
    counts = CONFIRMED[Operation(attempt.operation)]
    if outcome.created:
        counts = CONFIRMED[Operation.CREATE]
    return Verdict(
        intent=attempt.intent,
        state=IntentState.DONE,
        remote_id=outcome.record_id or attempt.record_id,
        counts=counts,
    )


def _unsent(attempts: Sequence[Attempt], error: ServiceError) -> Delivery:
    """Nothing was done; they are sent later."""
    waiting = [
        Verdict(intent=one.intent, state=IntentState.PENDING, reason=str(error)) for one in attempts
    ]
    return Delivery(verdicts=waiting, error=error)


def _path(job: BackgroundJob, remote_job: str) -> str:
    return job.path.format(id=quote(remote_job, safe=""))


def _has_ended(job: BackgroundJob, page: Any) -> bool:
    return dig(page, job.status_at) in job.done | job.failed


def _sum(send: Callable[[Any], Delivery], things: Sequence[Any]) -> Delivery:
    """One after the other."""
    total = Delivery()
    for one in things:
        total += send(one)
    return total
