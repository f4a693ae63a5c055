"""What clients of an emulated API have done to an account, for tests that count effects."""

from collections import Counter

ACTIONS = ("created", "updated", "unchanged", "deleted")


class Effects:
    """How many records of each resource were created, updated, left as they were or deleted."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, resource: str, action: str) -> None:
        """Counts one record that a write has reached."""
        self._counts[resource, action] += 1

    def clear(self) -> None:
        """Begins to count anew."""
        self._counts.clear()

    def counted(self) -> dict[str, dict[str, int]]:
        """By resource, then by action; resources that no write has reached are left out."""
        resources = sorted({resource for resource, _ in self._counts})
        return {r: {action: self._counts[r, action] for action in ACTIONS} for r in resources}
