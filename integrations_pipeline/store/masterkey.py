"""The master key that the settings name: a local one, or what the operator's wrapper calls."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

from integrations_pipeline.errors import MasterKeyError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store.crypto import (
    KEY_BYTES,
    LocalMasterKey,
    MasterKey,
    create_master_key,
    read_key_file,
    read_master_key,
)

ACTION = (
    "Correct INTEGRATIONS_KEY_WRAPPER: it names package.module:factory, importable here, and the "
    "factory returns an object with wrap and unwrap (docs/operating.md, 'A KMS')."
)


def master_key(settings: Settings) -> MasterKey:
    """What wraps the data keys of this installation.

    Raises:
        MasterKeyError: it is missing or can't be used.
    """
    if settings.key_wrapper is not None:
        return key_wrapper(settings.key_wrapper)
    return LocalMasterKey(read_master_key(settings))


def key_of_file(path: Path) -> MasterKey:
    """The local master key in this file, made first if there is none.

    Raises:
        MasterKeyError: it can't be made or read.
    """
    create_master_key(path)
    return LocalMasterKey(read_key_file(path))


def key_wrapper(name: str) -> MasterKey:
    """The MasterKey that `package.module:factory` makes; its errors become MasterKeyError.

    Raises:
        MasterKeyError: it can't be imported or made, or is none.
    """
    made = _call(name, partial(_made, name))
    if not (callable(getattr(made, "wrap", None)) and callable(getattr(made, "unwrap", None))):
        raise MasterKeyError(f"The key wrapper {name!r} has no wrap and unwrap.", action=ACTION)
    return _Foreign(name, made)


def _made(name: str) -> Any:
    module, _, factory = name.partition(":")
    return getattr(import_module(module), factory)()


@dataclass(frozen=True, slots=True, repr=False)
class _Foreign:
    """A MasterKey that is not ours: whatever it raises or returns, we stop with the reason."""

    name: str
    made: MasterKey

    def wrap(self, key_id: UUID, key: bytes) -> bytes:
        wrapped = _call(self.name, lambda: self.made.wrap(key_id, key))
        return self._checked(wrapped, bool(wrapped), "wrap", "the wrapped key as bytes")

    def unwrap(self, key_id: UUID, wrapped: bytes) -> bytes:
        key = _call(self.name, lambda: self.made.unwrap(key_id, wrapped))
        right = isinstance(key, bytes) and len(key) == KEY_BYTES
        return self._checked(key, right, "unwrap", f"{KEY_BYTES} bytes")

    def _checked(self, value: Any, right: bool, method: str, wanted: str) -> bytes:
        if isinstance(value, bytes) and right:
            return value
        told = f"The master key can't be used: {method} of {self.name!r} does not return {wanted}."
        raise MasterKeyError(told, action=ACTION)


def _call(name: str, what: Callable[[], Any]) -> Any:
    try:
        return what()
    except Exception as error:
        raise MasterKeyError(
            f"The master key can't be used: {name!r} fails with {type(error).__name__}: {error}.",
            action=ACTION,
        ) from error
