"""Settings of the sandbox."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SandboxConfig:
    """How the sandbox behaves; spans are in seconds.

    The real services hold tokens for 1800 to 3600 seconds and Zendesk's exports
    hold back 60 seconds: the defaults here are shorter, to see the effects soon.
    """

    state_file: Path | None = None
    auto_approve: bool = False
    token_seconds: int = 300
    zendesk_held_back_seconds: float = 2.0
    # How long a job for many records takes; a third of it waiting in the queue.
    zendesk_job_seconds: float = 0.3
    hubspot_search_lag_seconds: float = 0.0
    # Up to a minute in reality.
    stripe_search_lag_seconds: float = 0.0
    records: int = 2000
    # What users consent to, whatever is asked for; None: to all of it.
    grant_scopes: tuple[str, ...] | None = None
    # How long a refresh token of Jira works on after it was replaced; 600 in reality.
    jira_grace_seconds: float = 10.0
    # The age at which QuickBooks replaces a refresh token's value; 86400 in reality.
    quickbooks_rotation_seconds: float = 0.0
    # How long QuickBooks takes the old value after that.
    quickbooks_grace_seconds: float = 86_400.0
