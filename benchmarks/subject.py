"""One measured run in a process of its own: prints what it took as JSON."""

import resource
import sys
import time
from pathlib import Path

import orjson

from benchmarks import engine, floor
from integrations_pipeline.logs import configure_logging


def measure(subject: str, url: str, folder: Path) -> dict[str, float]:
    """Wall and CPU seconds and peak memory of the measured part, and its rows."""
    configure_logging("ERROR")
    store = engine.opened(folder, url)
    ref = engine.integration(store)
    cpu, wall = time.process_time(), time.perf_counter()
    rows = engine.run(store, ref) if subject == "engine" else floor.run(url, engine.database(store))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows": rows,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": peak,
    }


if __name__ == "__main__":
    print(orjson.dumps(measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]))).decode())
