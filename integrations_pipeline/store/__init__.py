"""The database: models, sessions behind the tenant wall, migrations, sealed secrets."""

from integrations_pipeline.store.crypto import Keyring, Place, SealError
from integrations_pipeline.store.database import Store
from integrations_pipeline.store.opening import open_store

__all__ = ["Keyring", "Place", "SealError", "Store", "open_store"]
