"""What one run takes. Standard library only: dlt's environment runs this too."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One run of a subject, as its process is told of it."""

    subject: str
    benchmark: str
    url: str
    database: str
    folder: str
    name: str
    """The same for the syncs that follow each other."""


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Wall seconds, CPU seconds of this process and its children, and the largest one's peak."""
    cpu, wall = _cpu(), time.perf_counter()
    work()
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": _cpu() - cpu,
        "peak_mb": max(_peak_kb(), _usage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024,
    }


def _cpu() -> float:
    both = (_usage(resource.RUSAGE_SELF), _usage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _usage(who: int) -> resource.struct_rusage:
    return resource.getrusage(who)


def _peak_kb() -> int:
    """This program's peak; rusage would count what the parent held when it started us."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
