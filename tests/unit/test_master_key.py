"""The master key: a file that is made, or a wrapper of the operator's."""

import os
import sys
from uuid import uuid4

import pytest

from integrations_pipeline.errors import MasterKeyError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store.crypto import LocalMasterKey, MasterKey
from integrations_pipeline.store.masterkey import key_of_file, key_wrapper, master_key


def test_a_new_master_key_file_is_made_and_an_existing_one_used(tmp_path) -> None:
    path = tmp_path / "below" / "new.key"

    assert key_of_file(path) == key_of_file(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_master_key_file_that_cant_be_made_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(MasterKeyError, match=r"below\.key can't be written"):
        key_of_file(tmp_path / "file" / "below.key")


WRAPPERS = """
from integrations_pipeline.store.crypto import LocalMasterKey

class Silent:
    def wrap(self, key_id, key):
        return None
    def unwrap(self, key_id, wrapped):
        return b"short"

class Refusing:
    def wrap(self, key_id, key):
        raise PermissionError("AccessDenied: kms:Encrypt")
    unwrap = wrap

def good():
    return LocalMasterKey(b"k" * 32)

def failing():
    raise OSError("no region")

def nothing():
    return object()

number = 7
"""


@pytest.fixture
def wrappers(tmp_path, monkeypatch) -> str:
    (tmp_path / "my_wrappers.py").write_text(WRAPPERS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_wrappers"
    sys.modules.pop("my_wrappers", None)


def test_a_wrapper_takes_the_place_of_the_local_key(wrappers, tmp_path) -> None:
    settings = Settings(home=tmp_path, key_wrapper=f"{wrappers}:good")
    key_id, key = uuid4(), os.urandom(32)

    master: MasterKey = master_key(settings)

    assert LocalMasterKey(b"k" * 32).unwrap(key_id, master.wrap(key_id, key)) == key


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "Empty module name"),
        ("no_such_module:make", "no_such_module"),
        ("my_wrappers", "AttributeError"),
        ("my_wrappers:absent", "absent"),
        ("my_wrappers:number", "not callable"),
        ("my_wrappers:failing", "no region"),
        ("my_wrappers:nothing", "no wrap and unwrap"),
    ],
)
def test_a_wrapper_that_cant_be_made_is_told(wrappers, name, told) -> None:
    with pytest.raises(MasterKeyError, match=rf"(?s){told}.*INTEGRATIONS_KEY_WRAPPER"):
        key_wrapper(name)


@pytest.mark.parametrize(
    ("factory", "told"), [("Silent", "does not return"), ("Refusing", "AccessDenied")]
)
def test_a_wrapper_that_fails_is_told(wrappers, factory, told) -> None:
    made = key_wrapper(f"{wrappers}:{factory}")

    with pytest.raises(MasterKeyError, match=told):
        made.wrap(uuid4(), b"x" * 32)
    with pytest.raises(MasterKeyError, match=told):
        made.unwrap(uuid4(), b"wrapped")
