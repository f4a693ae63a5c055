"""Dagster's home: its configuration, its database, its workspace."""

import os
from pathlib import Path

import yaml
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import ProgrammingError

from integrations_pipeline.errors import ConfigurationError
from integrations_pipeline.settings import Settings
from integrations_pipeline.store.database import normal_url

DATABASE_VARIABLE = "INTEGRATIONS_DAGSTER_DATABASE_URL"
LOCATION = "integrations"


def dagster_url(settings: Settings, url: URL) -> URL:
    """Dagster's database: the one that was set, else one beside ours, made if it is missing.

    dagster-postgres knows psycopg2 only, so the driver is written out.

    Raises:
        ConfigurationError: it is missing and can't be made.
    """
    if settings.dagster_database_url is not None:
        given = normal_url(settings.dagster_database_url.get_secret_value(), DATABASE_VARIABLE)
        return given.set(drivername="postgresql+psycopg2")
    name = f"{url.database}_dagster"
    engine = create_engine(url, isolation_level="AUTOCOMMIT", hide_parameters=True)
    try:
        with engine.connect() as connection:
            find = text("SELECT 1 FROM pg_database WHERE datname = :name")
            if not connection.scalar(find, {"name": name}):
                connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    except ProgrammingError as error:
        raise ConfigurationError(
            f"The database {name} for Dagster's storage can't be made: {error.orig}",
            action=f"Make it, or set {DATABASE_VARIABLE}.",
        ) from error
    finally:
        engine.dispose()
    return url.set(drivername="postgresql+psycopg2", database=name)


def write_home(settings: Settings) -> Path:
    """Write Dagster's configuration below the data folder and return its folder."""
    folder = settings.data_folder / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(yaml.safe_dump(_configuration(folder), sort_keys=False))
    return folder


def write_workspace(settings: Settings, port: int) -> Path:
    """Write the workspace that names our code server."""
    path = settings.data_folder / "dagster" / "workspace.yaml"
    server = {"host": "127.0.0.1", "port": port, "location_name": LOCATION}
    path.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    return path


def _configuration(folder: Path) -> dict[str, object]:
    """Options explained in docs/operating.md."""
    runs = max(2, (os.cpu_count() or 2))
    per_integration = {
        "key": "dagster/partition",
        "value": {"applyLimitPerUniqueValue": True},
        "limit": 1,
    }
    workers = {"use_threads": True, "num_workers": 4}
    return {
        "storage": {"postgres": {"postgres_url": {"env": DATABASE_VARIABLE}}},
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(folder / "compute_logs")},
        },
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(folder)},
        },
        "run_queue": {
            "dequeue_interval_seconds": 1,
            "dequeue_use_threads": True,
            "dequeue_num_workers": 4,
        },
        "concurrency": {
            "runs": {"max_concurrent_runs": runs, "tag_concurrency_limits": [per_integration]}
        },
        "sensors": {**workers, "num_submit_workers": 4},
        "schedules": {**workers, "num_submit_workers": 4},
        "run_monitoring": {
            "enabled": True,
            "start_timeout_seconds": 180,
            "max_runtime_seconds": 21_600,
            "free_slots_after_run_end_seconds": 60,
            "poll_interval_seconds": 30,
        },
        "retention": {
            "sensor": {"purge_after_days": {"skipped": 1, "success": 14, "failure": 30}},
            "schedule": {"purge_after_days": {"skipped": 1, "success": 30, "failure": 30}},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }
