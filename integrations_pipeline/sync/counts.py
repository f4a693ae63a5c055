"""What became of records: counted for a batch, a resource, a job."""

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records of a batch, a resource or a job."""

    processed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejected: int = 0
    """Set aside: see `DeadLetter`."""

    def __add__(self, other: "Counts") -> "Counts":
        """The sums."""
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))

    def told(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)
