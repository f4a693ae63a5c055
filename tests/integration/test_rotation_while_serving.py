"""Keys are rotated while others read and write: nothing is lost, whoever is killed or is first."""

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from integrations_pipeline.store import Place, Store, rotation
from integrations_pipeline.store.models import Integration, OAuthToken
from tests.integration import rotated_store
from tests.integration.rotated_store import (
    PROGRAM,
    check_all,
    environment,
    fill,
    keys_of,
    rotated,
    run,
    under,
    wait_for,
)
from tests.integration.rotation_serving import more, served
from tests.integration.support import at_once, one_row, owner

hasty, mine = rotated_store.hasty, rotated_store.mine


@contextmanager
def held(store: Store, table: str) -> Iterator[None]:
    """Rows that a rotation can't have for now: it can't come to its end."""
    with owner(store) as connection:
        connection.execute(text(f"SELECT 1 FROM integrations.{table} FOR UPDATE"))
        yield


def _rotation_under_load(store: Store, count: int) -> None:
    fill(store, count)
    total, (old,) = check_all(store), keys_of(store)
    with served(store) as counts:
        with held(store, "oauth_state"):
            process = subprocess.Popen([PROGRAM, "keys", "rotate"], env=environment(store))
            wait_for(lambda: under(store, "oauth_token", "access_token", old) < count)
            process.send_signal(signal.SIGKILL)
            process.wait()
            new = keys_of(store)[-1]
        assert under(store, "oauth_state", "code_verifier", old) == count
        more(counts)
        began = time.monotonic()
        done = run(store, "keys", "rotate")
        seconds = time.monotonic() - began
        more(counts)
    assert done.returncode == 0, done.stderr
    assert "An earlier rotation had not ended" in done.stdout
    assert keys_of(store) == [new]
    assert check_all(store) == total
    print(f"{total} values, {seconds:.1f} s; served: {counts[0]} tried, {counts[1]} failed")
    assert counts[1] == 0


def test_rotation_while_serving_survives_a_kill(mine) -> None:
    _rotation_under_load(mine, 1_000)


@pytest.mark.soak
def test_rotation_of_ten_thousand_while_serving_survives_a_kill(mine) -> None:
    _rotation_under_load(mine, 10_000)


def test_a_write_under_a_key_that_is_gone_is_refused(mine, hasty) -> None:
    fill(mine, 1)
    tenant, one = one_row(mine, "SELECT tenant_id, id FROM integrations.integration")
    place = Place(tenant, one, "oauth_token.access_token")
    late = mine.keyring.seal("late", place)
    rotated(mine)

    with pytest.raises(IntegrityError, match="key that is gone"), mine.tenant(tenant) as session:
        session.execute(update(OAuthToken).values(access_token=late))
    check_all(mine)


def test_a_writer_at_work_keeps_its_key(mine, hasty) -> None:
    """It has sealed and written under the old key, and commits when all else is done."""
    fill(mine, 2)
    tenant, one = one_row(mine, "SELECT tenant_id, id FROM integrations.integration LIMIT 1")
    name = "oauth_token.access_token"
    sealed = mine.keyring.seal(f"{name} of {one}", Place(tenant, one, name))
    with ThreadPoolExecutor(1) as pool:
        with mine.tenant(tenant) as session:
            mine_only = update(OAuthToken).where(OAuthToken.integration_id == one)
            session.execute(mine_only.values(access_token=sealed))
            report = pool.submit(rotated, mine)
            # of the two tokens, one is done, and the other one is the writer's
            wait_for(lambda: under(mine, "oauth_token", "access_token", keys_of(mine)[0]) == 1)
        assert report.result(60).deleted == 1
    assert check_all(mine) == 9


def test_a_process_that_only_writes_is_never_refused(mine) -> None:
    """It meets no value under the new key, and must learn of it in time all the same."""
    fill(mine, 5)
    tenant, one = one_row(mine, "SELECT tenant_id, id FROM integrations.integration LIMIT 1")
    name = "integration.client_secret"

    def write() -> None:
        sealed = mine.keyring.seal(f"{name} of {one}", Place(tenant, one, name))
        with mine.tenant(tenant) as session:
            row = update(Integration).where(Integration.id == one)
            session.execute(row.values(client_secret=sealed))

    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(rotated, mine)
        while not report.done():
            write()
    write()
    assert report.result().deleted == 1
    assert check_all(mine) == 5 * 4 + 3


@pytest.mark.parametrize("count", [0, 500])
def test_rotations_at_once_end_with_one_key(mine, hasty, count) -> None:
    if count:
        fill(mine, count)

    reports = at_once(4, lambda: rotated(mine))

    assert all(isinstance(report, rotation.Report) for report in reports), reports
    assert [report.left for report in reports] == [()] * 4
    assert len(keys_of(mine)) == 1
    assert check_all(mine) == (4 * count + count * 2 // 3 if count else 0)
