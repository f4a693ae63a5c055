"""Processes that are killed in the middle of a refresh, and what became of their connections."""

import signal
import time
from dataclasses import dataclass
from uuid import uuid4

from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.oauth.care import care_for_tokens
from tests.integration.support import expire, integration_row, token_row
from tests.integration.token_server import TokenServer
from tests.integration.vault_workers import (
    Worker,
    ask,
    ask_on,
    connect_custom,
    is_usable,
    needs_person,
    place,
)
from tests.integration.waiting import wait_for

MARK = 2.0
BAR = 60.0
"""Seconds within which a refresh that was left half-way must come to an end."""
OF_WORKER = ("claiming", "claimed", "answered", "committing", "committed")
OF_SERVER = ("thinking", "rotated")
SPENT = {"thinking", "rotated", "answered", "committing"}
"""Points at which the service gave tokens that were lost with the process."""
MOST = 3
"""Requests for one connection: of the process that was killed, of care, of a call that follows."""


@dataclass
class Kill:
    """One process that was killed, and where it was then."""

    ref: IntegrationRef
    client: str
    worker: Worker
    point: str = ""


def told(record_property, **figures: object) -> None:
    """Keep figures with the test's result, and show them to who looks."""
    print(figures)  # seen with -rP
    for name, value in figures.items():
        record_property(name, value)


def prepare(store, home, tenant_id, server, points: list[str], mark: float = MARK) -> list[Kill]:
    """For each point an integration with an expired token, and a worker that stops there."""
    kills = []
    for point in points:
        client = point if point in OF_WORKER + OF_SERVER else f"random-{uuid4().hex[:8]}"
        ref = connect_custom(store, tenant_id, server, client)
        expire(store, ref)
        if point:
            server.hold(f"{point}:{client}")
        pauses = (point,) if point in OF_WORKER else ()
        where = place(store, home, ref, mark=mark, control=server.url, pauses=pauses, id=client)
        worker = Worker(where, ask, 1) if point else Worker(where, ask_on)
        kills.append(Kill(ref, client, worker, point))
    return kills


def kill_at_points(kills: list[Kill], server: TokenServer) -> None:
    """Let each arrive at its point, and kill it there; the server's own work goes on."""
    for kill in kills:
        kill.worker.go()
    for kill in kills:
        server.wait_until_reached(f"{kill.point}:{kill.client}")
        kill.worker.send_signal(signal.SIGKILL)
        server.release(f"{kill.point}:{kill.client}")


def kill_after(kill: Kill, server: TokenServer, store, seconds: float) -> None:
    """Kill it so long after it began, wherever it is then; note where that was."""
    kill.worker.go()
    time.sleep(seconds)  # the point is random, not waited for
    kill.worker.send_signal(signal.SIGKILL)
    claimed = token_row(store, kill.ref).refresh_started_at is not None
    if token_row(store, kill.ref).version > 1:
        kill.point = "committed"
    elif server.counts[f"rotated:{kill.client}"]:
        kill.point = "rotated"
    elif server.counts[f"refresh:{kill.client}"]:
        kill.point = "thinking"
    else:
        kill.point = "claimed" if claimed else "claiming"


def care_until_resolved(store, kills: list[Kill]) -> float:
    """Rounds of care until no claim is left; the seconds that it took."""

    def resolved() -> bool:
        care_for_tokens(store)
        return all(token_row(store, kill.ref).refresh_started_at is None for kill in kills)

    return wait_for(resolved, BAR - 1)


def outcome(store, kill: Kill) -> str:
    """How it ended: usable, or in need of a person who was told so."""
    usable, needs = is_usable(store, kill.ref), needs_person(store, kill.ref)
    assert usable is not needs, f"{kill.client}, killed at {kill.point}: neither well nor told"
    assert integration_row(store, kill.ref).status == ("ACTIVE" if usable else "ERROR")
    return "usable" if usable else "needs a person"


def assert_no_loop(store, server: TokenServer, kills: list[Kill]) -> None:
    """Three more rounds and calls send nothing to the token endpoint."""
    before = server.counts["refresh"]
    assert all(server.counts[f"refresh:{kill.client}"] <= MOST for kill in kills)
    for _ in range(3):
        care_for_tokens(store)
        for kill in kills:
            is_usable(store, kill.ref)
    assert server.counts["refresh"] == before
