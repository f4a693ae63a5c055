"""Synced records as DataFrames, for downstream assets and notebooks."""

from typing import TYPE_CHECKING

import dagster as dg

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import find_integration
from resources.database import DatabaseResource

if TYPE_CHECKING:
    import pandas as pd


class RecordsResource(dg.ConfigurableResource[None]):
    """Reads what was synced: `records.frame("acme--crm", "contacts")`."""

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
