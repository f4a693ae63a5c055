"""Secrets at rest: AES-256-GCM under data keys, which a master key wraps.

A sealed value carries its key's id, and its associated data binds it to tenant, row, column and
key (NIST SP 800-38D): a value moved by SQL to another place does not open.
"""

import base64
import binascii
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from integrations_pipeline.errors import IntegrationsError, MasterKeyError
from integrations_pipeline.settings import Settings

KEY_BYTES = 32
NONCE_BYTES = 12
FORMAT = b"\x01"
SHORTEST = len(FORMAT) + 16 + NONCE_BYTES + 16
"""Format, key id, nonce and the authentication tag of an empty text."""


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


class Keyring:
    """The unwrapped data keys of this process; new values are sealed under the current one."""

    def __init__(self, keys: dict[UUID, bytes], current: UUID) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = current

    def seal(self, text: str, place: Place) -> bytes:
        """The text, encrypted for its place."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(
            nonce, text.encode(), place.associated_data(self._current)
        )
        return FORMAT + self._current.bytes + nonce + sealed

    def open(self, sealed: bytes, place: Place) -> str:
        """The text that was sealed for this place.

        Raises:
            SealError: it was sealed for another place, altered, or under an unknown key.
        """
        if len(sealed) < SHORTEST:
            raise SealError("A stored secret is cut off.")
        key_id, nonce, body = UUID(bytes=sealed[1:17]), sealed[17:29], sealed[29:]
        key = self._keys.get(key_id)
        if sealed[:1] != FORMAT or key is None:
            raise SealError("A stored secret is sealed under an unknown key.")
        try:
            return key.decrypt(nonce, body, place.associated_data(key_id)).decode()
        except InvalidTag as error:
            raise SealError("A stored secret was moved or altered; it stays shut.") from error


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
    except InvalidTag as error:
        raise MasterKeyError("The master key is wrong: it does not open the data keys.") from error


def read_master_key(settings: Settings) -> bytes:
    """The master key from the environment, the named file, or `master.key` in the data folder.

    Raises:
        MasterKeyError: there is none, or it is not 32 bytes in base64.
    """
    if settings.master_key is not None:
        return _decode(settings.master_key.get_secret_value(), "INTEGRATIONS_MASTER_KEY")
    path = settings.master_key_file or settings.data_folder / "master.key"
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
    """Write a new master key to `path`, readable by its owner only; an existing file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")
