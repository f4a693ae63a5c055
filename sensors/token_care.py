"""Looks after tokens that no run asks for."""

import dagster as dg

from integrations_pipeline.oauth.care import care_for_tokens
from resources import DatabaseResource


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Resolves refreshes whose process died, uses refresh tokens before they die of "
    "idleness, and sends alerts.",
)
def token_care(database: DatabaseResource) -> dg.SkipReason:
    """It requests no runs: what it did is the tick's skip reason."""
    return dg.SkipReason(str(care_for_tokens(database.store)))
