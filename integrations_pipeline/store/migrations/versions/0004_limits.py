"""What accounts allow, kept for all runs and machines."""

from pathlib import Path

from alembic import op

from integrations_pipeline.store.migrations import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
