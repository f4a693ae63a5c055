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
    hubspot_search_lag_seconds: float = 0.0
    records: int = 2000
