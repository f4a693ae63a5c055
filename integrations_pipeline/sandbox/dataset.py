"""What every account's data offers to the control endpoints, whatever the service."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from integrations_pipeline.sandbox.effects import Effects
from integrations_pipeline.sandbox.tables import Record, Table


class RefusedError(Exception):
    """The service itself would not allow this change."""


class Dataset(ABC):
    """The records of one account at one service."""

    synced: ClassVar[Sequence[str]]
    tables: dict[str, Table]

    @cached_property
    def effects(self) -> Effects:
        """What clients of the API did to the records."""
        return Effects()

    def settle(self, now: float) -> None:
        """Carries out what the service does in the background and has got done by now."""
        del now

    @abstractmethod
    def live(self, resource: str) -> list[Record]:
        """The records a complete sync would hold as live, as the API shows them."""

    @abstractmethod
    def find(self, resource: str, identifier: str) -> Record | None:
        """One live record, as the API shows it."""

    @abstractmethod
    def create(self, resource: str, fields: Mapping[str, Any], now: float) -> Record:
        """A new record: generated like the others, then given these fields."""

    @abstractmethod
    def change(
        self, resource: str, identifier: str, fields: Mapping[str, Any], now: float
    ) -> Record:
        """The live record with new fields and a new update stamp."""

    @abstractmethod
    def delete(self, resource: str, identifier: str, now: float) -> None:
        """Deletes a live record the way the service does."""

    def changed(self) -> dict[str, list[Record]]:
        return {name: table.changed() for name, table in self.tables.items()}
