"""What a backfill will cost, before it begins: records, requests, time, and how that is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Float, Integer, cast, func, select, text

from integrations_pipeline.connectors.access import Quota
from integrations_pipeline.connectors.base import Resource, SearchChanges
from integrations_pipeline.connectors.narrowing import Span
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import IntegrationsError, RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.oauth.clients import service_client
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.sync_models import IntegrationSyncJob, ResourceSync
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync.backfill import SpanRequests, days
from integrations_pipeline.sync.batches import Wanted
from integrations_pipeline.sync.filters import parse_filters
from integrations_pipeline.sync.jobs import SyncRequest, check_request
from integrations_pipeline.sync.slices import Slice
from integrations_pipeline.transport.account import Priority
from integrations_pipeline.transport.client import ServiceClient

RECENT = 20
"""Parts of earlier jobs that the time of a request is taken from."""
SERVICE, SERVICE_ALL, OURS, UNKNOWN = (
    "the service's count",
    "the service's count of all its records",
    "our rows of these days",
    "unknown",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one resource of a backfill will cost; None: nobody knows."""

    resource: str
    by: str
    """Which time of a record decides: of its creation, or of its last change."""
    records: int | None
    calls: int | None
    seconds: float | None
    basis: str
    """How the number of records is known."""


def forecast(store: Store, ref: IntegrationRef, request: SyncRequest) -> list[Forecast]:
    """The cost of each resource. Asks the service for counts, with one request each.

    Raises:
        RequestError: see `check_request`.
    """
    names = check_request(ref, request)
    if request.since is None or request.until is None:
        raise RequestError(f"{ref.key}: a forecast is for a range of days.")
    whole = days(request.since, request.until)
    client = service_client(store, ref)
    client.priority = Priority.BULK
    found = [one for one in ref.connector.resources if one.name in names]
    try:
        return [_forecast(store, ref, client, one, whole, request) for one in found]
    finally:
        client.close()


def _forecast(
    store: Store,
    ref: IntegrationRef,
    client: ServiceClient,
    resource: Resource,
    whole: Slice,
    request: SyncRequest,
) -> Forecast:
    terms = parse_filters(resource, request.filters)
    requests = SpanRequests(client, resource, Wanted(mode="backfill", terms=terms), max_pages=1)
    records, basis = _counted(client, requests, resource, whole)
    if basis in (SERVICE_ALL, UNKNOWN) and (ours := _ours(store, ref, resource, whole)) is not None:
        records, basis = ours, OURS
    calls = None if records is None else _calls(resource, requests.span, records)
    seconds = None if calls is None else _seconds(store, ref, resource, calls)
    return Forecast(
        resource=resource.name,
        by=str(requests.span.by),
        records=records,
        calls=calls,
        seconds=seconds,
        basis=basis,
    )


def _counted(
    client: ServiceClient, requests: SpanRequests, resource: Resource, whole: Slice
) -> tuple[int | None, str]:
    """The service's own count, if it has one and gives it."""
    span = requests.span
    try:
        if span.field and isinstance(resource.changes, SearchChanges):
            body = resource.changes.request(requests.first_search(whole, 1))
            count, basis = dig(client.post(resource.changes.path, body), "total"), SERVICE
        elif span.total is not None:
            page = client.get(span.total.path)
            count, basis = dig(page, span.total.count_at), SERVICE_ALL
        else:
            return None, UNKNOWN
    except IntegrationsError:
        return None, UNKNOWN  # a forecast is worth no failure; the backfill tells what is wrong
    return (count, basis) if isinstance(count, int) else (None, UNKNOWN)


def _ours(store: Store, ref: IntegrationRef, resource: Resource, whole: Slice) -> int | None:
    """Our rows of these days; None where we have no rows of the resource at all."""
    span = resource.span
    column = span.column if span else "source_updated_at"
    sql = f"""
        SELECT count(*), count(*) FILTER (WHERE "{column}" >= :start AND "{column}" < :end)
        FROM {table_name(ref.connector, resource)}
        WHERE tenant_id = :tenant AND integration_id = :integration AND deleted_at IS NULL
    """
    values = {"tenant": ref.tenant_id, "integration": ref.id}
    with store.tenant(ref.tenant_id) as session:
        every, found = session.execute(
            text(sql), {**values, "start": whole.start, "end": whole.end}
        ).one()
    return int(found) if every else None


def _calls(resource: Resource, span: Span, records: int) -> int:
    """Pages, at least one, and what is read apart for each page of a search."""
    pages = max(1, math.ceil(records / span.page_size))
    apart = len(resource.associations) if span.field and records else 0
    return pages * (1 + apart)


def _seconds(store: Store, ref: IntegrationRef, resource: Resource, calls: int) -> float | None:
    """What earlier requests took, but no less than the service's limits ask for."""
    path = _path(resource)
    limited = [
        quota.seconds / quota.requests
        for quota in ref.connector.quotas
        if _limits(quota, path) and quota.requests < calls
    ]
    known = [each for each in (_measured(store, ref, resource), *limited) if each is not None]
    return round(max(known) * calls, 1) if known else None


def _limits(quota: Quota, path: str) -> bool:
    return quota.requests > 0 and quota.seconds > 0 and quota.fits("GET", path)


def _path(resource: Resource) -> str:
    by_search = resource.span is not None and resource.span.field
    if by_search and isinstance(resource.changes, SearchChanges):
        return resource.changes.path
    return resource.listing.path


def _measured(store: Store, ref: IntegrationRef, resource: Resource) -> float | None:
    """Seconds for each request of the resource's last parts, loading included."""
    part, job = ResourceSync, IntegrationSyncJob
    took = cast(func.extract("epoch", part.finished_at - part.started_at), Float)
    recent = (
        select(took.label("seconds"), cast(part.api_calls, Integer).label("calls"))
        .join(job, (job.tenant_id == part.tenant_id) & (job.id == part.job_id))
        .where(
            part.tenant_id == ref.tenant_id,
            job.integration_id == ref.id,
            part.resource == resource.name,
            part.status == JobStatus.COMPLETED,
            part.api_calls > 0,
        )
        .order_by(part.finished_at.desc())
        .limit(RECENT)
        .subquery()
    )
    with store.tenant(ref.tenant_id) as session:
        seconds, calls = session.execute(
            select(func.sum(recent.c.seconds), func.sum(recent.c.calls))
        ).one()
    return float(seconds) / int(calls) if calls else None


def total_of(forecasts: Sequence[Forecast]) -> tuple[int, int]:
    """Requests and seconds of all of them, as far as they are known."""
    calls = sum(one.calls or 0 for one in forecasts)
    return calls, math.ceil(sum(one.seconds or 0.0 for one in forecasts))
