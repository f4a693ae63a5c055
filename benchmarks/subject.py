"""One measured run in a process of its own: prints what it took as JSON, as its last line."""

import json
import sys
from importlib import import_module

from benchmarks.measuring import Task, measured
from benchmarks.plan import PEERS

MODULES = dict.fromkeys(PEERS, "peer_dlt")


def main() -> None:
    """Make ready what is not measured, then measure."""
    task = Task(**json.loads(sys.argv[1]))
    module = import_module(f"benchmarks.{MODULES.get(task.subject, task.subject)}")
    print(json.dumps(measured(module.ready(task))))


if __name__ == "__main__":
    main()
