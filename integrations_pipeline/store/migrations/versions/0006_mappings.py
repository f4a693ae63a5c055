"""Field mappings with their transforms."""

from pathlib import Path

from alembic import op

from integrations_pipeline.store.migrations import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
