"""The fields that records were seen with."""

from pathlib import Path

from alembic import op

from integrations_pipeline.store.migrations import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
