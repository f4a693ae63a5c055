"""The pipeline's store, as a Dagster resource."""

import dagster as dg
from pydantic import PrivateAttr

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.settings import load_settings
from integrations_pipeline.store import Store, open_store


class DatabaseResource(dg.ConfigurableResource[Store]):
    """The store, opened once per run or tick; its settings come from the environment."""

    _store: Store | None = PrivateAttr(default=None)

    @property
    def store(self) -> Store:
        """The open store."""
        if self._store is None:
            self._store = open_store(load_settings(), CONNECTORS.values())
        return self._store

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Give the connections back."""
        if self._store is not None:
            self._store.close()
            self._store = None
