"""What is measured, as the environment says (docs/benchmarks.md lists the variables)."""

import os
from dataclasses import dataclass

BENCHMARKS = ("full_sync", "no_change", "one_percent")
OURS = ("engine", "floor")
PEERS = ("dlt_default", "dlt_best", "dlt_arrow")


@dataclass(frozen=True)
class Plan:
    """Sizes, latencies and subjects."""

    sizes: tuple[int, ...]
    latencies: tuple[int, ...]
    subjects: tuple[str, ...]
    every_runs: int | None
    """Runs of everything, where that was said."""

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Each size with each latency, small ones first."""
        return [(size, latency) for size in self.sizes for latency in self.latencies]

    @property
    def peers(self) -> bool:
        """Whether dlt is needed."""
        return any(subject in PEERS for subject in self.subjects)

    def runs(self, records: int, latency: int) -> int:
        """Three, but one of what takes long."""
        long = records >= 1_000_000 or (latency > 0 and records >= 100_000)
        return self.every_runs or (1 if long else 3)


def planned() -> Plan:
    """The plan of this environment.

    Raises:
        SystemExit: it names an unknown subject.
    """
    known = (*OURS, *PEERS)
    usual = known if _told("PEERS", "") == "1" else OURS
    subjects = tuple(filter(None, _told("ONLY", ",".join(usual)).split(",")))
    if unknown := set(subjects) - set(known):
        raise SystemExit(f"Unknown: {', '.join(unknown)}. Known: {', '.join(known)}.")
    return Plan(
        sizes=_numbers("RECORDS", "10000,100000,1000000"),
        latencies=_numbers("LATENCIES_MS", "0,50"),
        subjects=subjects,
        every_runs=int(_told("RUNS", "0")) or None,
    )


def _told(name: str, default: str) -> str:
    return os.environ.get(f"INTEGRATIONS_BENCH_{name}") or default


def _numbers(name: str, default: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _told(name, default).split(","))
