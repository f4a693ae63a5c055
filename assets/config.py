"""What a data engineer can set on a run, and the sync job that a run carries out."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import dagster as dg
from pydantic import Field

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import IntegrationRef, find_integration
from integrations_pipeline.orchestration.names import JOB_TAG
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import Direction, JobStatus, SyncType
from integrations_pipeline.sync import SyncRequest, create_sync_job
from integrations_pipeline.sync.jobs import find_sync_job, request_of


class SyncConfig(dg.Config):
    """Configuration of a run that a person launches; jobs written elsewhere carry their own."""

    sync_type: SyncType = Field(
        default=SyncType.MANUAL,
        description="MANUAL and SCHEDULED read what changed since the last sync, or all at first. "
        "FULL_SYNC reads all and finds deletions. SELECTIVE reads ids, filtered records or a range "
        "of days only.",
    )
    direction: Direction = Field(
        default=Direction.PULL,
        description="PULL reads from the service, PUSH writes what waits in the outbound tables, "
        "BIDIRECTIONAL does both.",
    )
    fields: list[str] = Field(default=[], description="Columns to fetch; empty: all.")
    filters: dict[str, Any] = Field(
        default={}, description='Conditions, such as {"amount": {"gte": 1000}}; all must hold.'
    )
    ids: list[str] = Field(default=[], description="Records to read, for SELECTIVE.")
    since: str | None = Field(
        default=None,
        description="First day of a range to read (a backfill, with SELECTIVE), as in 2025-01-31.",
    )
    until: str | None = Field(
        default=None, description="The day after the last one of the range, as in 2025-02-28."
    )
    accept_deletions: bool = Field(
        default=False,
        description="Whether a full read may delete more than the integration's rules allow.",
    )


def integration_of_run(store: Store, connector: Connector, key: str) -> IntegrationRef:
    """The integration that the run's partition names; the run fails where it fits nothing."""
    try:
        ref = find_integration(store, key)
    except RequestError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    if ref.connector.name != connector.name:
        reason = f"{key} is an integration of {ref.connector.label}, not of {connector.label}."
        raise dg.Failure(description=reason, allow_retries=False)
    return ref


def _configured(config: SyncConfig, run: dg.DagsterRun) -> SyncRequest:
    return SyncRequest(
        sync_type=config.sync_type,
        direction=config.direction,
        fields=config.fields,
        filters=config.filters,
        ids=config.ids,
        since=_day(config.since, "since"),
        until=_day(config.until, "until"),
        accept_deletions=config.accept_deletions,
        requested_by=run.tags.get("dagster/user"),
    )


def _day(text: str | None, name: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        reason = f"{name}: {text!r} is no day. Write it as in 2025-01-31."
        raise dg.Failure(description=reason, allow_retries=False) from error


def job_for_run(
    store: Store, ref: IntegrationRef, config: SyncConfig, chosen: list[str], run: dg.DagsterRun
) -> UUID | None:
    """The job that this run is to carry out: the one it was launched for, else a new one.

    None: it was launched for a job that another run has carried out. A run that is executed again
    asks for the same once more. The run of a job that was cancelled fails.
    """
    launched_for = run.tags.get(JOB_TAG)
    job = find_sync_job(store, ref, UUID(launched_for)) if launched_for else None
    if job is not None and job.status == JobStatus.PENDING:
        return job.id
    if job is not None and run.parent_run_id is None:
        if job.status == JobStatus.CANCELLED:
            raise dg.Failure(description=job.error, allow_retries=False)
        return None
    asked = request_of(job) if job is not None else _configured(config, run)
    request = replace(asked, resources=tuple(chosen), trigger="dagster", slot=None)
    try:
        return create_sync_job(store, ref, request)
    except RequestError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
