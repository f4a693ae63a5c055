"""Asking Dagster for runs: launch one for a sync job, read how far it is."""

from urllib.parse import urlsplit
from uuid import UUID

import requests
from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.errors import TransientError
from integrations_pipeline.orchestration.home import LOCATION
from integrations_pipeline.orchestration.names import job_name, partitions_name, tags_of
from integrations_pipeline.store import Store
from integrations_pipeline.sync.launching import Launch, note_run, take_launches

ADD_PARTITION = """
mutation Add($key: String!, $name: String!) {
  addDynamicPartition(partitionKey: $key, partitionsDefName: $name, repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "integrations"
  }) { __typename }
}
"""


class DagsterClient:
    """Speaks to the Dagster webserver's GraphQL API."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url.rstrip("/")
        self._client = DagsterGraphQLClient(
            parts.hostname or "127.0.0.1",
            port_number=parts.port,
            use_https=parts.scheme == "https",
        )

    def add_partition(self, connector: Connector, key: str) -> None:
        """Make an integration known as a partition; it may be known already."""
        body = {
            "query": ADD_PARTITION,
            "variables": {"key": key, "name": partitions_name(connector)},
        }
        requests.post(f"{self._url}/graphql", json=body, timeout=30).raise_for_status()

    def launch(self, store: Store, job_id: UUID) -> str | None:
        """Launch a run for a pending job; None where somebody else has just done so.

        Raises:
            TransientError: Dagster does not take it; the pending-jobs sensor will try again.
        """
        launches = take_launches(store, job_id=job_id)
        return self._submit(store, launches[0]) if launches else None

    def run_status(self, run_id: str) -> str:
        """Dagster's word for how far a run is, such as STARTED or SUCCESS."""
        return str(self._client.get_run_status(run_id).value)

    def _submit(self, store: Store, launch: Launch) -> str:
        connector = launch.ref.connector
        try:
            run_id = self._client.submit_job_execution(
                job_name(connector),
                repository_location_name=LOCATION,
                tags={"dagster/partition": launch.ref.key, **tags_of(launch)},
                asset_selection=[[connector.name, name] for name in launch.resources],
            )
        except (DagsterGraphQLClientError, requests.RequestException) as error:
            raise TransientError(
                f"Dagster does not take the run of {launch.ref.key}: {error}"
            ) from error
        note_run(store, launch, run_id)
        return run_id
