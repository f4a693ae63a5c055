"""Lines that a read adds to its job's story."""

from collections.abc import Sequence
from typing import Protocol

MOST_NAMED = 20
"""Ids that one line names."""


class Note(Protocol):
    """Takes a line for the job's log."""

    def __call__(self, level: str, message: str, *, public: str | None = None) -> None:
        """`public` stands for the message where the process's log must not quote it."""


def note_unknown(note: Note, label: str, unknown: Sequence[str], asked: int) -> None:
    """Tell which of the ids that were asked for the service does not know."""
    if unknown:
        told = f"{len(unknown)} of {asked} ids are unknown to {label}"
        more = " …" if len(unknown) > MOST_NAMED else ""
        named = ", ".join(unknown[:MOST_NAMED]) + more
        note("WARNING", f"{told}: {named}", public=f"{told}.")
