"""The canary test can fail: what is planted is found, in every kind of place and spelling."""

import base64
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests
import structlog
from sqlalchemy import create_engine, text

from tests.conftest import Sandbox
from tests.e2e.canaries import Canaries, Evidence, Heard, Search, spellings
from tests.e2e.canary_servers import SANDBOX_THREAD, repeating
from tests.e2e.canary_world import World

PLANTED = f"planted-{uuid4()}"


def _in_an_error(evidence: Evidence, hidden: object) -> None:
    try:
        try:
            raise KeyError(PLANTED)
        except KeyError:
            raise ValueError("nothing to see") from hidden
    except ValueError as error:
        evidence.error("planted", error)


def _in_a_database(world: World, value: str) -> None:
    with create_engine(world.store.url).begin() as connection:
        connection.execute(text(f"CREATE TABLE planted AS SELECT {value} AS x"), {"v": PLANTED})
    world.evidence.database("planted", world.store.url)
    with create_engine(world.store.url).begin() as connection:
        connection.execute(text("DROP TABLE planted"))


def _in_a_log(evidence: Evidence) -> None:
    logger, heard = logging.getLogger("planted"), Heard(evidence, deaf_to=SANDBOX_THREAD)
    logger.addHandler(heard)
    logger.setLevel(logging.DEBUG)
    logger.debug("nothing but %.4s", PLANTED)


def _in_a_process(evidence: Evidence, words: list[str], **environment: str) -> None:
    waiting = [sys.executable, "-c", "input()", *words]
    variables = {**os.environ, **environment}
    process = subprocess.Popen(waiting, stdin=subprocess.PIPE, env=variables)
    evidence.processes(process.pid)
    process.communicate(b"\n")


def _in_a_file(evidence: Evidence, folder: Path) -> None:
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "deep" / "down" / "log").write_bytes(b"\xff" * 1001 + PLANTED.encode())
    evidence.files(folder)


def _in_an_answer(world: World) -> None:
    world.echo.mode = "400"
    browser = requests.Session()
    browser.headers["X-Api-Key"] = PLANTED
    world.get(browser, "/")


def _told(world: World, _: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTEGRATIONS_MASTER_KEY_FILE", f"/{PLANTED}")
        world.cli("list")


PLANTS = {
    "planted database": lambda world, _: _in_a_database(world, "CAST(:v AS text)"),
    "planted database, bytes": lambda world, _: _in_a_database(world, "convert_to(:v, 'UTF8')"),
    "planted database, JSON": lambda world, _: _in_a_database(world, "to_jsonb(CAST(:v AS text))"),
    "logs of this process": lambda world, _: _in_a_log(world.evidence),
    "tracebacks": lambda world, _: _in_an_error(world.evidence, KeyError(PLANTED)),
    "errors, innermost included": lambda world, _: _in_an_error(world.evidence, None),
    "files": lambda world, folder: _in_a_file(world.evidence, folder),
    "process arguments": lambda world, _: _in_a_process(world.evidence, [PLANTED]),
    "process environment": lambda world, _: _in_a_process(world.evidence, [], PLANTED=PLANTED),
    "answers of the web process": lambda world, _: _in_an_answer(world),
    "terminal": _told,
}


@pytest.fixture
def planted(store, tmp_path) -> Iterator[World]:
    """A world with nothing in it but one canary."""
    canaries = Canaries()
    canaries.add("planted", PLANTED)
    with repeating(Canaries()) as echo:
        none = Sandbox("")
        yield World(tmp_path, store, none, echo, echo.url, Evidence(), canaries)
    structlog.reset_defaults()


@pytest.mark.parametrize("place", PLANTS)
def test_a_planted_canary_is_found_in(planted, tmp_path, place) -> None:
    PLANTS[place](planted, tmp_path)

    kind = "planted database" if "database" in place else place
    assert planted.evidence.found(Search(planted.canaries.needles()), kind)


@pytest.mark.parametrize("spelling", [name for name, _ in spellings(PLANTED.encode())])
def test_a_planted_canary_is_found_spelled_as(spelling) -> None:
    canaries, odd = Canaries(), f'<{PLANTED}>&"\\ü'
    canaries.add("planted", odd)
    written = dict(spellings(odd.encode()))[spelling]

    for offset in range(9):
        assert Search(canaries.needles()).hits(b"-" * offset + written + b"-")


def test_a_planted_canary_is_found_inside_other_base64() -> None:
    canaries = Canaries()
    canaries.add("planted", PLANTED)

    for user in ("", "u", "us", "usr"):
        pair = base64.b64encode(f"{user}:{PLANTED}:x".encode())
        assert Search(canaries.needles()).hits(b"Authorization: Basic " + pair)
