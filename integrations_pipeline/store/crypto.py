"""Secrets at rest: AES-256-GCM under data keys, which a master key wraps.

A sealed value carries its key's id, and its associated data binds it to tenant, row, column and
key (NIST SP 800-38D): a value moved by SQL to another place does not open.
"""

import base64
import binascii
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import SQLAlchemyError

from integrations_pipeline.errors import IntegrationsError, MasterKeyError
from integrations_pipeline.settings import Settings

FRESH_SECONDS = 1.0
"""How old a view of the keys may be to seal under, and the pause after a search for nothing."""
KEY_BYTES = 32
NONCE_BYTES = 12
FORMAT = b"\x01"
SHORTEST = len(FORMAT) + 16 + NONCE_BYTES + 16
"""Format, key id, nonce and the authentication tag of an empty text."""

log = structlog.get_logger("integrations_pipeline.store")


class SealError(IntegrationsError):
    """A sealed value does not open here: it was moved, altered, or its key is gone."""

    action = "Connect the account again."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives: it opens nowhere else."""

    tenant_id: UUID
    row_id: UUID
    column: str
    """Table and column, such as `oauth_token.access_token`."""

    def associated_data(self, key_id: UUID) -> bytes:
        """The bytes that are authenticated with the value."""
        return b"\x00".join(
            (self.tenant_id.bytes, self.row_id.bytes, self.column.encode(), key_id.bytes)
        )


@dataclass(frozen=True, slots=True, repr=False)
class DataKeys:
    """What the database holds: all ids, oldest first, and the keys that were unwrapped."""

    ids: tuple[UUID, ...]
    unwrapped: Mapping[UUID, bytes]

    @property
    def current(self) -> UUID:
        """The newest: what new values are sealed under."""
        return self.ids[-1]


Load = Callable[[Collection[UUID]], DataKeys]
"""Reads the keys; those whose ids are known already need no unwrapping."""


@dataclass(frozen=True, slots=True, repr=False)
class _View:
    keys: Mapping[UUID, AESGCM]
    current: UUID


class Keyring:
    """The unwrapped data keys of this process; new values are sealed under the current one.

    With `load` it follows a rotation that another process runs: it looks for keys that it does not
    know, and for a newer one to seal under. Safe to use from many threads.
    """

    def __init__(self, keys: Mapping[UUID, bytes], current: UUID, load: Load | None = None) -> None:
        self._view = _View({key_id: AESGCM(key) for key_id, key in keys.items()}, current)
        self._load = load
        self._loading, self._looking = threading.Lock(), threading.Lock()
        self._tried = self._seen = time.monotonic()  # when the last load, the last good one began
        self._missed = self._seen - FRESH_SECONDS  # when a key was last looked for in vain

    def seal(self, text: str, place: Place) -> bytes:
        """The text, encrypted for its place."""
        view, nonce = self._fresh_view(), os.urandom(NONCE_BYTES)
        data = place.associated_data(view.current)
        sealed = view.keys[view.current].encrypt(nonce, text.encode(), data)
        return FORMAT + view.current.bytes + nonce + sealed

    def open(self, sealed: bytes, place: Place) -> str:
        """The text that was sealed for this place.

        Raises:
            SealError: it was sealed for another place, altered, or under an unknown key.
            MasterKeyError: its key is there, but this process's master key does not open it.
        """
        if len(sealed) < SHORTEST:
            raise SealError("A stored secret is cut off.")
        key_id, nonce, body = UUID(bytes=sealed[1:17]), sealed[17:29], sealed[29:]
        key = self._find(key_id) if sealed[:1] == FORMAT else None
        if key is None:
            raise SealError("A stored secret is sealed under an unknown key.")
        try:
            return key.decrypt(nonce, body, place.associated_data(key_id)).decode()
        except InvalidTag as error:
            raise SealError("A stored secret was moved or altered; it stays shut.") from error

    def knows(self, key_id: bytes) -> bool:
        """Whether one of our keys has this id; never waits for a key that is being made.

        For values that strangers send, of which most are none of ours.
        """
        return any(key_id == known.bytes for known in self._fresh_view().keys)

    def _fresh_view(self) -> _View:
        now = time.monotonic()
        if self._load is not None and now - self._tried > FRESH_SECONDS:
            try:
                self._renew(now)
            except (SQLAlchemyError, IntegrationsError) as error:
                # What is sealed here may be a token that its service gives out once: the known key
                # still serves, and if it is gone, the database refuses the value.
                log.warning("data keys not read again", error=type(error).__name__)
        return self._view

    def _find(self, key_id: UUID) -> AESGCM | None:
        if key_id not in self._view.keys and self._load is not None:
            self._look_for(key_id)
        return self._view.keys.get(key_id)

    def _look_for(self, key_id: UUID) -> None:
        """Read the keys again for an unknown id; after a search in vain, a second later.

        To refuse at once would be wrong: a key that is made in this second is a good one.
        All who wait share one load.
        """
        asked = time.monotonic()
        with self._looking:
            if self._seen < asked:
                time.sleep(max(0.0, self._missed + FRESH_SECONDS - time.monotonic()))
                self._renew(asked)
                if key_id not in self._view.keys:
                    self._missed = time.monotonic()

    def _renew(self, asked: float) -> None:
        """Read the keys, unless somebody has begun to after `asked` and succeeded."""
        with self._loading:
            if self._load is None or self._seen >= asked:
                return
            self._tried = began = time.monotonic()
            found = self._load(self._view.keys)
            # Keys that were deleted stay known here: a row that was read before may need one.
            more = {key_id: AESGCM(key) for key_id, key in found.unwrapped.items()}
            self._view = _View({**self._view.keys, **more}, found.current)
            self._seen = began


class MasterKey(Protocol):
    """What wraps the data keys: a key of ours, or one that never leaves its KMS."""

    def wrap(self, key_id: UUID, key: bytes) -> bytes:
        """A data key, encrypted and bound to its id."""

    def unwrap(self, key_id: UUID, wrapped: bytes) -> bytes:
        """The data key again; an error if it was wrapped by another key or for another id."""


@dataclass(frozen=True, slots=True, repr=False)
class LocalMasterKey:
    """A master key whose bytes this process holds."""

    key: bytes

    def wrap(self, key_id: UUID, key: bytes) -> bytes:
        """See `wrap`."""
        return wrap(self.key, key_id, key)

    def unwrap(self, key_id: UUID, wrapped: bytes) -> bytes:
        """See `unwrap`."""
        return unwrap(self.key, key_id, wrapped)


def wrap(master: bytes, key_id: UUID, key: bytes) -> bytes:
    """A data key, encrypted under the master key."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, key, key_id.bytes)


def unwrap(master: bytes, key_id: UUID, wrapped: bytes) -> bytes:
    """A data key, decrypted.

    Raises:
        MasterKeyError: the master key is not the one that wrapped it.
    """
    try:
        return AESGCM(master).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.bytes)
    except (InvalidTag, ValueError) as error:
        raise MasterKeyError("The master key is wrong: it does not open the data keys.") from error


def read_master_key(settings: Settings) -> bytes:
    """The master key from the environment, the named file, or `master.key` in the data folder.

    Raises:
        MasterKeyError: there is none, or it is not 32 bytes in base64.
    """
    if settings.master_key is not None:
        return _decode(settings.master_key.get_secret_value(), "INTEGRATIONS_MASTER_KEY")
    return read_key_file(settings.master_key_file or settings.data_folder / "master.key")


def read_key_file(path: Path) -> bytes:
    """The master key in this file.

    Raises:
        MasterKeyError: there is none, or it is not 32 bytes in base64.
    """
    try:
        return _decode(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise MasterKeyError(f"There is no master key: {path} can't be read ({reason}).") from error


def _decode(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MasterKeyError(f"The master key in {source} is not base64.") from error
    if len(key) != KEY_BYTES:
        raise MasterKeyError(
            f"The master key in {source} has {len(key)} bytes; {KEY_BYTES} are needed."
        )
    return key


def create_master_key(path: Path) -> None:
    """Write a new master key to `path`, readable by its owner only; an existing file stays.

    Raises:
        MasterKeyError: it can't be written.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new(path, base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
    except OSError as error:
        if not path.is_file():  # else another process was faster
            raise MasterKeyError(f"{path} can't be written ({error.strerror}).") from error


def _write_new(path: Path, text: str) -> None:
    """On disk when this returns: what the key wraps must not outlive it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
