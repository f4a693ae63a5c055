"""Everything that serves on one machine: web process, code server, Dagster's UI and daemon."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from integrations_pipeline.orchestration.home import (
    DATABASE_VARIABLE,
    LOCATION,
    dagster_url,
    write_home,
    write_workspace,
)
from integrations_pipeline.processes import Processes, answers, free_port, listens
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Store

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the parts listen, all on loopback."""

    web: int
    dagster: int
    code: int
    sandbox: int

    @classmethod
    def choose(cls, say: Say, first: int, *, sandbox: bool = False) -> "Ports":
        """The ports from `first` on, or free ones near them; what was in use is said."""

        def taken(wanted: int, port: int) -> None:
            say(f"Port {wanted} is in use; taking {port}.")

        web, dagster, code = (free_port(first + step, taken) for step in (0, 10, 20))
        return cls(web, dagster, code, free_port(first + 30, taken) if sandbox else 0)

    @property
    def public_url(self) -> str:
        """The web process."""
        return f"http://127.0.0.1:{self.web}"

    @property
    def dagster_url(self) -> str:
        """The Dagster UI."""
        return f"http://127.0.0.1:{self.dagster}"

    @property
    def sandbox_url(self) -> str:
        """The sandbox, where one is started."""
        return f"http://127.0.0.1:{self.sandbox}"


def environment(settings: Settings, store: Store, ports: Ports) -> dict[str, str]:
    """What the children need to know: the same database, key, overrides and addresses."""
    found = {
        "DATABASE_URL": store.url.render_as_string(hide_password=False),
        "INTEGRATIONS_HOME": str(settings.data_folder),
        **addresses(settings, ports),
        "DAGSTER_HOME": str(settings.data_folder / "dagster"),
        DATABASE_VARIABLE: dagster_url(settings, store.url).render_as_string(hide_password=False),
    }
    if settings.connector_overrides is not None:
        overrides = Path(settings.connector_overrides).resolve()
        found["INTEGRATIONS_CONNECTOR_OVERRIDES"] = str(overrides)
    return found


def addresses(settings: Settings, ports: Ports) -> dict[str, str]:
    """Where browsers reach us: what was set, save that a port of this machine is the real one."""
    chosen = {
        "INTEGRATIONS_PUBLIC_URL": (settings.public_url, ports.public_url),
        "INTEGRATIONS_DAGSTER_URL": (settings.dagster_url, ports.dagster_url),
    }
    return {
        name: ours if _is_local(given) and name not in os.environ else given
        for name, (given, ours) in chosen.items()
    }


def remember(settings: Settings, values: dict[str, str]) -> None:
    """Set variables in the data folder's settings file, for other commands; other lines stay."""
    path = settings.data_folder / "settings.env"
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in lines if line.partition("=")[0].strip() not in values]
    path.write_text("\n".join([*kept, *(f"{k}={v}" for k, v in values.items())]) + "\n")


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def start_stack(processes: Processes, settings: Settings, ports: Ports, say: Say) -> None:
    """Start the four processes and wait until each answers."""
    write_home(settings)
    workspace = str(write_workspace(settings, ports.code))
    say("Starting the web process and the Dagster code server …")
    processes.start("web", "integrations", "web", "--port", str(ports.web))
    processes.start(
        "code-server",
        *("dagster", "api", "grpc", "-m", "integrations_pipeline.definitions"),
        *("-h", "127.0.0.1", "-p", str(ports.code), "--location-name", LOCATION),
    )
    processes.wait_ready("web", answers(f"{ports.public_url}/health"))
    processes.wait_ready("code-server", listens(ports.code))
    say("Starting the Dagster UI and daemon …")
    processes.start(
        "dagster-webserver",
        *("dagster-webserver", "-h", "127.0.0.1", "-p", str(ports.dagster), "-w", workspace),
    )
    processes.wait_ready("dagster-webserver", answers(f"{ports.dagster_url}/server_info"))
    processes.start("dagster-daemon", "dagster-daemon", "run", "-w", workspace)
