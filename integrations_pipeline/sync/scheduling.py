"""Cron per integration: what is due becomes one PENDING job per slot."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from sqlalchemy import select

from integrations_pipeline.errors import IntegrationsError, RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef, reference
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.store.states import IntegrationStatus, SyncType
from integrations_pipeline.sync.jobs import SyncRequest, create_sync_job

READY = {IntegrationStatus.ACTIVE, IntegrationStatus.SYNCING}


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a tick did about one due integration: a job, or the reason why not."""

    key: str
    job_id: UUID | None
    reason: str | None = None


def set_schedule(
    store: Store, ref: IntegrationRef, cron: str | None, timezone: str = "UTC"
) -> datetime | None:
    """Give the integration a cron expression in a time zone (None: no schedule).

    Returns:
        The first time it will run, in UTC.

    Raises:
        RequestError: the expression or the time zone is not valid.
    """
    following = next_time(cron, timezone, datetime.now(UTC)) if cron else None
    with store.tenant(ref.tenant_id) as session:
        row = session.get_one(Integration, (ref.tenant_id, ref.id))
        row.schedule_cron, row.schedule_timezone, row.next_sync_at = cron, timezone, following
    return following


def next_time(cron: str, timezone: str, after: datetime) -> datetime:
    """The first time after `after` that the expression names in the time zone, in UTC.

    Raises:
        RequestError: the expression or the time zone is not valid, or no such time comes.
    """
    try:
        times = CronSim(cron, after.astimezone(ZoneInfo(timezone)))
        # in the hour that a night repeats, the library also names times that have passed
        return next(time for each in times if (time := each.astimezone(UTC)) > after)
    except CronSimError as error:
        raise RequestError(
            f"{cron!r} is no cron expression.", action="Five fields, as in '*/15 * * * *'."
        ) from error
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RequestError(
            f"{timezone!r} is no time zone.", action="Use a name such as Europe/Berlin."
        ) from error
    except StopIteration as error:
        raise RequestError(f"{cron!r} names no time that ever comes.") from error


def dispatch_due(store: Store, type_name: str, now: datetime) -> list[Dispatched]:
    """One PENDING job for every integration of a type whose time has come; its next time is set."""
    due = select(Integration).where(Integration.next_sync_at <= now, Integration.type == type_name)
    with store.system() as session:
        rows = list(session.scalars(due.order_by(Integration.next_sync_at)))
    return [_dispatch_alone(store, row, now) for row in rows]


def _dispatch_alone(store: Store, row: Integration, now: datetime) -> Dispatched:
    """One integration whose schedule is broken must not stop the others."""
    try:
        return _dispatch(store, row, now)
    except IntegrationsError as error:
        return Dispatched(row.key, None, str(error))


def _dispatch(store: Store, row: Integration, now: datetime) -> Dispatched:
    reason, job_id = None, None
    if row.status in READY:
        request = SyncRequest(
            sync_type=SyncType.SCHEDULED, trigger="schedule", slot=row.next_sync_at
        )
        job_id = create_sync_job(store, reference(row), request)
    else:
        reason = f"it is {row.status}"
    with store.tenant(row.tenant_id) as session:
        owner = session.get_one(Integration, (row.tenant_id, row.id), with_for_update=True)
        if owner.schedule_cron is None:
            owner.next_sync_at = None
        elif owner.next_sync_at is not None and owner.next_sync_at <= now:
            owner.next_sync_at = next_time(owner.schedule_cron, owner.schedule_timezone, now)
    return Dispatched(row.key, job_id, reason)


def summary(dispatched: Iterable[Dispatched]) -> str:
    """What a tick did, in one line."""
    parts = [f"{d.key}: {d.reason or 'job written'}" for d in dispatched]
    return "; ".join(parts) or "Nothing is due."
