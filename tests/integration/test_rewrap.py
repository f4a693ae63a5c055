"""The master key is changed: another file, or a wrapper of the operator's."""

import os
import subprocess
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import MasterKeyError
from integrations_pipeline.store import Place, Store, open_store, rotation
from integrations_pipeline.store.datakeys import open_keyring
from tests.integration import rotated_store
from tests.integration.rotated_store import PROGRAM, check_all, fill, rotated, run
from tests.integration.support import owner

hasty, mine = rotated_store.hasty, rotated_store.mine

WRAPPER = """
from integrations_pipeline.store.crypto import LocalMasterKey
def make():
    return LocalMasterKey(b"k" * 32)
def fails():
    raise OSError("the KMS does not answer")
"""


def test_rewrapped_keys_open_with_the_new_master_key_only(mine, tmp_path) -> None:
    fill(mine, 10)
    path = tmp_path / "new.key"

    done = run(mine, "keys", "rewrap", "--new-key-file", str(path))

    assert done.returncode == 0, done.stderr
    assert f"INTEGRATIONS_MASTER_KEY_FILE={path}" in done.stdout
    assert "restart" in done.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(MasterKeyError, match="wrong"):
        open_store(mine.settings, CONNECTORS.values())
    renewed = mine.settings.model_copy(update={"master_key_file": path})
    after = open_store(renewed, CONNECTORS.values())
    assert check_all(after) == 46
    after.close()


def test_a_running_process_goes_on_after_rewrap_until_a_key_is_new(mine, tmp_path, hasty) -> None:
    fill(mine, 10)
    path = tmp_path / "new.key"
    place = Place(uuid4(), uuid4(), "x.y")
    assert run(mine, "keys", "rewrap", "--new-key-file", str(path)).returncode == 0
    assert mine.keyring.open(mine.keyring.seal("x", place), place) == "x"
    renewed = mine.settings.model_copy(update={"master_key_file": path})
    after = open_store(renewed, CONNECTORS.values())
    rotated(after)

    with pytest.raises(MasterKeyError):
        mine.keyring.open(after_seal(after, place), place)
    after.close()


def after_seal(store: Store, place: Place) -> bytes:
    """A value under the key that a fresh look finds."""
    with owner(store) as connection:
        return open_keyring(connection, rotation.master_key(store.settings)).seal("x", place)


def test_rewrap_refuses_what_makes_no_sense(mine, tmp_path) -> None:
    (tmp_path / "short").write_text("c2hvcnQ=")
    same = str(mine.settings.data_folder / "master.key")
    cases = {
        (): "either --new-key-file",
        ("--new-key-file", "a", "--new-key-wrapper", "b:c"): "either --new-key-file",
        ("--new-key-file", same): "the master key already",
        ("--new-key-file", str(tmp_path / "short")): "5 bytes",
        ("--new-key-wrapper", "no_such:make"): "no_such",
    }

    for words, told in cases.items():
        done = run(mine, "keys", "rewrap", *words)
        assert (done.returncode, told in done.stderr) == (2, True), (words, done.stderr)
        assert "Traceback" not in done.stderr
    open_store(mine.settings, CONNECTORS.values()).close()


def test_a_wrapper_takes_over_from_the_local_key(mine, tmp_path) -> None:
    fill(mine, 10)
    (tmp_path / "my_kms.py").write_text(WRAPPER)
    name = {"PYTHONPATH": str(tmp_path)}
    named = {**name, "INTEGRATIONS_KEY_WRAPPER": "my_kms:make"}

    assert run(mine, "migrate", **named).returncode == 2  # the keys are not wrapped by it yet
    moved = run(mine, "keys", "rewrap", "--new-key-wrapper", "my_kms:make", **name)
    turned = run(mine, "keys", "rotate", **named)

    assert moved.returncode == 0, moved.stderr
    assert "INTEGRATIONS_KEY_WRAPPER=my_kms:make" in moved.stdout
    assert (turned.returncode, "40 rows" in turned.stdout) == (0, True), turned.stderr
    assert run(mine, "migrate").returncode == 2
    back = run(mine, "keys", "rewrap", "--new-key-file", str(tmp_path / "local.key"), **named)
    assert back.returncode == 0, back.stderr
    local = run(mine, "migrate", INTEGRATIONS_MASTER_KEY_FILE=str(tmp_path / "local.key"))
    assert local.returncode == 0, local.stderr


@pytest.mark.parametrize("name", ["my_kms:fails", "my_kms:absent", "absent:make"])
def test_a_wrapper_that_fails_ends_every_command_before_a_write(fresh, tmp_path, name) -> None:
    (tmp_path / "my_kms.py").write_text(WRAPPER)
    address = fresh.database_url.get_secret_value()
    home = {"INTEGRATIONS_HOME": str(fresh.home), "DATABASE_URL": address}
    wrapper = {"PYTHONPATH": str(tmp_path), "INTEGRATIONS_KEY_WRAPPER": name}

    for words in (["migrate"], ["keys", "rotate"], ["list"]):
        done = subprocess.run(
            [PROGRAM, *words],
            env={**os.environ, **home, **wrapper},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, "INTEGRATIONS_KEY_WRAPPER" in done.stderr) == (2, True)
        assert "Traceback" not in done.stderr
    with create_engine(address, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT to_regnamespace('integrations')")) is None
