"""What Alembic runs: the steps, on the connection that it was given."""

from alembic import context

from integrations_pipeline.store import models, sync_models  # noqa: F401 - they fill the metadata
from integrations_pipeline.store.tables import SCHEMA, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table_schema=SCHEMA,
)
context.run_migrations()
