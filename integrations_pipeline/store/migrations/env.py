"""What Alembic runs: the steps, on the connection that it was given."""

from alembic import context

from integrations_pipeline.store.models import SCHEMA, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table_schema=SCHEMA,
)
context.run_migrations()
