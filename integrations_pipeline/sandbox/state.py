"""Everything the running sandbox remembers, apart from the HTTP side."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from integrations_pipeline.sandbox.config import SandboxConfig
from integrations_pipeline.sandbox.dataset import Dataset
from integrations_pipeline.sandbox.faults import Faults
from integrations_pipeline.sandbox.limits import RollingWindows
from integrations_pipeline.sandbox.request_log import RequestLog
from integrations_pipeline.sandbox.service import Service
from integrations_pipeline.sandbox.state_file import StateFile
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.token_counts import TokenCounts
from integrations_pipeline.sandbox.vault import Vault


class SandboxState:
    """Tokens, data of the accounts, faults, the request log and the rate windows."""

    def __init__(
        self,
        config: SandboxConfig,
        services: Mapping[str, Service[Any]],
        clock: Callable[[], float],
    ) -> None:
        self.config = config
        self.services = services
        self.clock = clock
        self.faults = Faults()
        self.log = RequestLog()
        self.token_counts = TokenCounts()
        self.windows = {name: RollingWindows() for name in services}
        self._file = StateFile(config.state_file)
        stored = self._file.load()
        self._changed: dict[str, dict[str, list[Record]]] = stored.get("changed", {})
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._generating = threading.Lock()
        self.vault = Vault(clock, stored.get("tokens", {}), self.save)

    def dataset(self, service: str, account: str) -> Any:
        """The data of an account, generated when first asked for."""
        key = (service, account)
        with self._generating:
            if key not in self._datasets:
                changed = self._changed.get(f"{service}/{account}", {})
                generate = self.services[service].dataset
                self._datasets[key] = generate(account, self.config.records, changed)
            self._datasets[key].settle(self.clock())
            return self._datasets[key]

    def has_dataset(self, service: str, account: str) -> bool:
        return (service, account) in self._datasets

    def save(self) -> None:
        """Writes tokens and changed records to the state file."""
        for (service, account), dataset in list(self._datasets.items()):
            self._changed[f"{service}/{account}"] = dataset.changed()
        self._file.save({"tokens": self.vault.dump(), "changed": self._changed})
