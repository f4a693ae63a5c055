"""How an integration's syncs behave: rules that its admin sets, checked when they are saved."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from integrations_pipeline.errors import RequestError, fault_in_words


class ConflictRule(StrEnum):
    """Who wins where a field was changed on both sides since it was last synced."""

    SOURCE_WINS = "source_wins"
    OURS_WINS = "ours_wins"
    NEWEST_WINS = "newest_wins"
    HOLD = "hold"


class FieldOwner(StrEnum):
    """Who may change a field; a shared one may be changed on both sides."""

    SOURCE = "source"
    OURS = "ours"
    SHARED = "shared"


FieldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
"""A field's name at a service."""


class SyncPolicy(BaseModel):
    """The rules of one integration; what is not set has the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conflicts: ConflictRule = Field(
        default=ConflictRule.SOURCE_WINS, description="Where both sides changed a field."
    )
    owners: dict[str, dict[str, FieldOwner]] = Field(
        default={}, description='By resource and field, as in {"contacts": {"phone": "ours"}}.'
    )
    external_ids: dict[str, FieldName] = Field(
        default={}, description="By resource, the unique field at the service that holds our id."
    )
    max_deleted_share: float = Field(
        default=0.5, ge=0, le=1, description="A full read that deletes more of a table is held."
    )
    reserve_share: float = Field(
        default=0.05, ge=0, lt=1, description="Part of the service's limits that is left unused."
    )

    def owner(self, resource: str, field: str) -> FieldOwner:
        """Who may change a field."""
        return self.owners.get(resource, {}).get(field, FieldOwner.SHARED)


USUAL = SyncPolicy()
"""The rules of an integration for which nothing was set."""


def checked_policy(values: dict[str, Any]) -> SyncPolicy:
    """The rules in their typed form.

    Raises:
        RequestError: an unknown rule, or a value that it can't have.
    """
    try:
        return SyncPolicy.model_validate(values)
    except ValidationError as error:
        faults = error.errors()
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {fault_in_words(e)}" for e in faults)
        known = ", ".join(SyncPolicy.model_fields)
        raise RequestError(f"A rule is not valid: {wrong}.", action=f"Known: {known}.") from error
