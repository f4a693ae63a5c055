"""A cheaper wall around the tenants of record tables."""

from pathlib import Path

from alembic import op

from integrations_pipeline.store.migrations import run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
