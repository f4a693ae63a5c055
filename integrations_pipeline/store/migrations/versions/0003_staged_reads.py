"""Full reads that show at once, records set aside, the story of a job in more words."""

from pathlib import Path

from alembic import op

from integrations_pipeline.store.migrations import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
