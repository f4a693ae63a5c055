"""The JSON file through which tokens and changed records survive a restart."""

import os
import threading
from pathlib import Path
from typing import Any

import orjson


class StateFile:
    """One JSON document, replaced as a whole; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def load(self) -> dict[str, Any]:
        if self._path is None or not self._path.exists():
            return {}
        document: dict[str, Any] = orjson.loads(self._path.read_bytes())
        return document

    def save(self, document: dict[str, Any]) -> None:
        if self._path is None:
            return
        content = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
            # The file holds tokens, so only its owner may read it.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            draft.replace(self._path)
