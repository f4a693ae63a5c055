"""The limits of an account hold over all processes that call it."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.counting_server import counting

ROOT = Path(__file__).parents[2]


def run_workers(store, service, processes, threads, seconds, quotas, **more):
    """Processes that begin together and call until the time is over; what each of them tells."""
    task = {
        "database": store.url.render_as_string(hide_password=False),
        "url": service.url,
        "account": f"account-{uuid4().hex}",
        "quotas": quotas,
        "threads": threads,
        "seconds": seconds,
        "more": more,
    }
    command = [sys.executable, "-m", "tests.integration.limits_worker", json.dumps(task)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [
        subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), **pipes) for _ in range(processes)
    ]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [json.loads(worker.communicate(timeout=seconds + 120)[0]) for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * processes
    return told


SHARES = [
    pytest.param(20, 2.0, 7, 0.0, id="20-in-2s"),
    pytest.param(50, 10.0, 60, 0.0, id="50-in-10s", marks=pytest.mark.soak),
    pytest.param(50, 10.0, 60, 0.05, id="50-in-10s-reserve", marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("requests", "span", "seconds", "reserve"), SHARES)
def test_eight_processes_use_a_limit_whole_and_never_more(store, requests, span, seconds, reserve):
    quota = {"requests": requests, "seconds": span}
    with counting() as service:
        told = run_workers(store, service, 8, 4, seconds, [quota], reserve=reserve)
        most, calls = service.most_in(span), sum(one["calls"] for one in told)
        begun = min(service.times)
        full = (max(service.times) - begun) / span
        used = sum(at < begun + int(full) * span for at in service.times) / (int(full) * requests)

    print(f"{calls} calls, at most {most} in {span:g} s, {used:.1%} used over {full:.1f} spans")
    assert [one["errors"] for one in told] == [[]] * 8
    assert most <= requests
    assert used >= 0.9


def test_processes_leave_a_dead_account_in_peace_and_try_it_one_at_a_time(store):
    with counting(lambda _: (503, {}, b"down")) as service:
        told = run_workers(store, service, 4, 2, 9, [], retry_seconds=1)
        times = sorted(service.times)

    gaps = [later - one for one, later in pairwise(times)]
    first = next(place for place, gap in enumerate(gaps) if gap > 1.5) + 1
    print(f"{first} calls, then tries after {[round(gap, 1) for gap in gaps[first - 1 :]]} s")
    assert first <= 5 + 8  # five that failed, and what was under way by then
    assert len(gaps) >= first
    assert all(gap >= 1.9 for gap in gaps[first - 1 :])
    assert any("tried again at" in error for one in told for error in one["errors"])
