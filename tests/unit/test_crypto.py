"""Sealed secrets open in their place only; the master key is there, right and private."""

import base64
import os
import stat
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_pipeline.errors import MasterKeyError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store.crypto import (
    Keyring,
    Place,
    SealError,
    create_master_key,
    read_master_key,
    unwrap,
    wrap,
)

OLD, NEW = uuid4(), uuid4()
KEYS = {OLD: os.urandom(32), NEW: os.urandom(32)}
KEYRING = Keyring(KEYS, NEW)
PLACE = Place(uuid4(), uuid4(), "oauth_token.access_token")


@given(st.text())
def test_a_secret_comes_back(text) -> None:
    assert KEYRING.open(KEYRING.seal(text, PLACE), PLACE) == text


def test_no_two_seals_are_alike_and_none_shows_the_text() -> None:
    seals = {KEYRING.seal("a secret text", PLACE) for _ in range(100)}

    assert len(seals) == 100
    assert not any(b"secret" in one for one in seals)


ELSEWHERE = [
    replace(PLACE, tenant_id=uuid4()),
    replace(PLACE, row_id=uuid4()),
    replace(PLACE, column="oauth_token.refresh_token"),
    replace(PLACE, column=""),
    Place(PLACE.row_id, PLACE.tenant_id, PLACE.column),
]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_secret_opens_in_no_other_place(place) -> None:
    with pytest.raises(SealError):
        KEYRING.open(KEYRING.seal("x", PLACE), place)


def test_any_altered_byte_is_noticed() -> None:
    sealed = KEYRING.seal("a secret", PLACE)

    for index in range(len(sealed)):
        altered = bytearray(sealed)
        altered[index] ^= 1
        with pytest.raises(SealError):
            KEYRING.open(bytes(altered), PLACE)


@pytest.mark.parametrize("length", [0, 1, 16, 17, 20, 28, 29, 40, 45])
def test_a_value_cut_short_stays_shut(length) -> None:
    sealed = KEYRING.seal("a secret", PLACE)

    with pytest.raises(SealError):
        KEYRING.open(sealed[:length], PLACE)


@pytest.mark.parametrize("junk", [b"x", b"\x01" * 60, b"plain text token that was never sealed"])
def test_what_was_never_sealed_stays_shut(junk) -> None:
    with pytest.raises(SealError):
        KEYRING.open(junk, PLACE)


def test_a_key_that_is_gone_opens_nothing() -> None:
    sealed = KEYRING.seal("x", PLACE)

    with pytest.raises(SealError, match="unknown key"):
        Keyring({OLD: KEYS[OLD]}, OLD).open(sealed, PLACE)


def test_older_keys_still_open() -> None:
    sealed = Keyring({OLD: KEYS[OLD]}, OLD).seal("x", PLACE)

    assert KEYRING.open(sealed, PLACE) == "x"
    assert KEYRING.seal("x", PLACE)[1:17] == NEW.bytes


def test_another_key_under_the_same_id_opens_nothing() -> None:
    with pytest.raises(SealError):
        Keyring({NEW: os.urandom(32)}, NEW).open(KEYRING.seal("x", PLACE), PLACE)


def test_a_wrapped_key_is_bound_to_master_and_id() -> None:
    master, key = os.urandom(32), os.urandom(32)
    wrapped = wrap(master, OLD, key)

    assert unwrap(master, OLD, wrapped) == key
    for other, key_id in ((os.urandom(32), OLD), (master, NEW)):
        with pytest.raises(MasterKeyError, match="wrong"):
            unwrap(other, key_id, wrapped)


BAD = [
    (base64.b64encode(bytes(range(31))).decode(), "31 bytes"),
    (base64.b64encode(bytes(range(33))).decode(), "33 bytes"),
    ("", "0 bytes"),
    ("no base64 at all!", "not base64"),
    ("äöü", "not base64"),
    ("A" * 43, "not base64"),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_a_bad_master_key_file_is_refused_without_showing_it(tmp_path, text, told) -> None:
    (tmp_path / "master.key").write_text(text, encoding="utf-8")

    with pytest.raises(MasterKeyError, match=told) as refused:
        read_master_key(Settings(home=tmp_path))
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(("text", "told"), BAD[:2] + BAD[3:])
def test_a_bad_master_key_in_the_environment_is_refused(monkeypatch, tmp_path, text, told) -> None:
    create_master_key(tmp_path / "master.key")  # must not be fallen back to
    monkeypatch.setenv("INTEGRATIONS_MASTER_KEY", text)

    with pytest.raises(MasterKeyError, match=told) as refused:
        read_master_key(Settings(home=tmp_path))
    assert text not in str(refused.value)


def test_a_binary_master_key_file_is_refused(tmp_path) -> None:
    (tmp_path / "master.key").write_bytes(b"\xff\xfe" + os.urandom(30))

    with pytest.raises(MasterKeyError):
        read_master_key(Settings(home=tmp_path))


def test_a_missing_master_key_is_named(tmp_path) -> None:
    with pytest.raises(MasterKeyError, match=r"no master key: .*master\.key.*INTEGRATIONS_MASTER"):
        read_master_key(Settings(home=tmp_path))


def test_where_the_master_key_is_looked_for(tmp_path) -> None:
    keys = {name: base64.b64encode(os.urandom(32)).decode() for name in ("env", "named", "home")}
    (tmp_path / "master.key").write_text(keys["home"])
    (tmp_path / "named").write_text(keys["named"] + "\n")
    named = {"home": tmp_path, "master_key_file": tmp_path / "named"}
    places = [{**named, "master_key": keys["env"]}, named, {"home": tmp_path}]

    found = [base64.b64encode(read_master_key(Settings(**place))).decode() for place in places]

    assert found == [keys["env"], keys["named"], keys["home"]]


def test_a_new_master_key_is_private(tmp_path) -> None:
    path = tmp_path / "below" / "master.key"
    before = os.umask(0)
    try:
        create_master_key(path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(read_master_key(Settings(master_key_file=path))) == 32


def test_an_existing_master_key_is_kept(tmp_path) -> None:
    path = tmp_path / "master.key"
    create_master_key(path)
    before = path.read_bytes()

    create_master_key(path)

    assert path.read_bytes() == before


def test_the_master_key_does_not_show(tmp_path) -> None:
    key = base64.b64encode(os.urandom(32)).decode()

    settings = Settings(home=tmp_path, master_key=key)

    assert key not in repr(settings) + str(settings) + settings.model_dump_json()
