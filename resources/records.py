"""Synced records as DataFrames, for downstream assets and notebooks."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import find_integration
from resources.database import DatabaseResource

if TYPE_CHECKING:
    import pandas as pd


class RecordsResource(dg.ConfigurableResource[None]):
    """Reads what was synced, and sends what is to be written at the service.

    `records.frame("acme--crm", "contacts")`; `records.send("acme--crm", "contacts", frame)`.
    """

    database: DatabaseResource

    def frame(self, key: str, resource: str) -> "pd.DataFrame":
        """The live records of an integration's resource: id, typed columns, stamps.

        Raises:
            RequestError: there is no such integration or resource.
        """
        from integrations_pipeline.sync.frames import records_frame

        ref = find_integration(self.database.store, key)
        found = ref.connector.resource(resource)
        if found is None:
            raise RequestError(f"{key}: {ref.connector.label} has no resource {resource!r}.")
        return records_frame(self.database.store, ref, found)

    def send(
        self,
        key: str,
        resource: str,
        rows: "pd.DataFrame | Iterable[Mapping[str, Any]]",
        operation: str = "upsert",
    ) -> int:
        """Put rows into the resource's outbound table; the next push sends them. Returns how many.

        `record_id` or `id` (the service's) and `external_id` (ours) say which record is meant; the
        other columns are its fields, and a missing value empties one.

        Raises:
            RequestError: the resource can't be written to so, or a row can't be.
        """
        import pandas as pd

        from integrations_pipeline.sync import outbox
        from integrations_pipeline.sync.frames import rows_of_frame

        ref = find_integration(self.database.store, key)
        found = rows_of_frame(rows) if isinstance(rows, pd.DataFrame) else rows
        return outbox.send(self.database.store, ref, resource, found, operation)
