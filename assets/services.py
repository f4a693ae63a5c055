"""Every resource of every service as an asset; a materialization is a sync job.

The integration is the partition: a run syncs one integration's chosen resources side by side.
"""

from collections.abc import Iterator

import dagster as dg

from assets.checks import CHECKS, Checked, check_results
from assets.config import SyncConfig, integration_of_run, job_for_run
from assets.evidence import column_schema, evidence
from integrations_pipeline.connectors import SYNCED
from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.errors import ConflictError
from integrations_pipeline.oauth import list_integrations, reference
from integrations_pipeline.orchestration.names import JOB_TAG, job_name, partitions_name
from integrations_pipeline.store import Store
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync import Part, execute_sync_job
from integrations_pipeline.sync.launching import end_pending_job
from resources import DatabaseResource

OWNER = "team:data"


def partitions_of(connector: Connector) -> dg.DynamicPartitionsDefinition:
    """The service's integrations, by key (`tenant--name`)."""
    return dg.DynamicPartitionsDefinition(name=partitions_name(connector))


def asset_key(connector: Connector, resource: str) -> dg.AssetKey:
    """The asset of a resource."""
    return dg.AssetKey([connector.name, resource])


def _spec(connector: Connector, resource: Resource) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=asset_key(connector, resource.name),
        description=resource.description,
        group_name=connector.name,
        kinds={connector.name, "postgres"},
        owners=[OWNER],
        metadata={
            "dagster/table_name": table_name(connector, resource),
            "dagster/column_schema": column_schema(resource),
            "documentation": dg.MetadataValue.url(resource.docs_url),
        },
    )


def _checks(connector: Connector) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name=name, asset=asset_key(connector, resource.name), description=description
        )
        for resource in connector.resources
        for name, description in CHECKS.items()
    ]


def service_assets(connector: Connector) -> dg.AssetsDefinition:
    """The multi-asset of one service."""

    @dg.multi_asset(
        name=f"{connector.name}_sync",
        specs=[_spec(connector, resource) for resource in connector.resources],
        check_specs=_checks(connector),
        can_subset=True,
        partitions_def=partitions_of(connector),
    )
    def sync(
        context: dg.AssetExecutionContext, config: SyncConfig, database: DatabaseResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        store = database.store
        if not context.selected_asset_keys:
            yield from _checks_alone(context, connector, store)
            return
        ref = integration_of_run(store, connector, context.partition_key)
        chosen = [key.path[-1] for key in context.selected_asset_keys]
        job_id = job_for_run(store, ref, config, chosen, context.run)
        if job_id is None:
            context.log.info("Another run has taken this job; nothing is left to do.")
            return

        def report(part: Part) -> None:
            context.log.info("%s: %s records", part.resource.name, part.counts.processed)

        run_id = context.run.run_id
        try:
            result = execute_sync_job(store, ref, job_id, run_id=run_id, on_progress=report)
        except ConflictError as error:
            if JOB_TAG not in context.run.tags:  # a job of this run alone must not begin later
                end_pending_job(store, ref, job_id, JobStatus.CANCELLED, str(error))
            raise dg.Failure(description=str(error), allow_retries=False) from error
        for done in result.resources:
            resource = connector.resource(done.name)
            if done.status is JobStatus.COMPLETED and resource and done.name in chosen:
                yield dg.MaterializeResult(
                    asset_key=asset_key(connector, done.name),
                    metadata=evidence(store, ref, resource, result, done),
                    check_results=check_results(
                        context, Checked(store, connector, resource, [ref])
                    ),
                )
        if result.status is JobStatus.PENDING:
            context.log.warning(str(result.error))  # it is launched again by itself
        elif result.error:
            raise dg.Failure(
                description=result.error,
                metadata={"integration": ref.key, "job": str(job_id)},
                allow_retries=False,
            )

    return sync


def _checks_alone(
    context: dg.AssetExecutionContext, connector: Connector, store: Store
) -> Iterator[dg.AssetCheckResult]:
    """Checks that somebody runs without a sync: over all integrations of the service."""
    refs = [reference(row) for row in list_integrations(store) if row.type == connector.type]
    for resource in connector.resources:
        yield from check_results(context, Checked(store, connector, resource, refs))


SERVICE_ASSETS = {name: service_assets(connector) for name, connector in SYNCED.items()}

SERVICE_JOBS = {
    name: dg.define_asset_job(
        job_name(SYNCED[name]),
        selection=dg.AssetSelection.assets(definition),
        description="Syncs one integration: choose its partition, and the resources.",
    )
    for name, definition in SERVICE_ASSETS.items()
}
