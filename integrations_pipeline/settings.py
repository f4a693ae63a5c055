"""Every setting, in one place: environment variables with the prefix INTEGRATIONS_."""

from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from integrations_pipeline.errors import ConfigurationError


class Override(BaseModel):
    """Where one service is reached instead of its real addresses (see `connector_overrides`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authorize_url: str | None = None
    token_url: str | None = None
    revoke_url: str | None = None
    api_base_url: str | None = None
    key_api_base_url: str | None = None
    """Instead of the API's address for copied keys, where the service has another one for them."""
    identity_url: str | None = None
    """Instead of the whole address that is asked, right after the grant, whose account it is."""
    allow_private_network: bool = False


class Settings(BaseSettings):
    """Settings of one process; children inherit them through the environment."""

    model_config = SettingsConfigDict(
        env_prefix="INTEGRATIONS_", env_ignore_empty=True, extra="ignore"
    )

    home: Path = Field(default=Path(".integrations"), description="Data folder.")
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="PostgreSQL 15 or newer; embedded under the data folder when unset.",
    )
    dagster_database_url: SecretStr | None = Field(
        default=None,
        description="Dagster's own storage; by default the database `<name>_dagster` beside ours.",
    )
    master_key: SecretStr | None = Field(
        default=None, description="32 bytes in base64 that wrap the data keys."
    )
    master_key_file: Path | None = Field(
        default=None, description="File that holds the master key; default `master.key` in home."
    )
    key_wrapper: str | None = Field(
        default=None,
        description="package.module:factory of what wraps the data keys instead, such as a KMS.",
    )
    connector_overrides: Path | None = Field(
        default=None, description="YAML file that points services elsewhere."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8300",
        description="Where browsers reach the web process; OAuth redirects are built from it.",
    )
    dagster_url: str = Field(
        default="http://127.0.0.1:8310", description="Where the Dagster webserver is reached."
    )
    alert_url: SecretStr | None = Field(
        default=None, description="Alerts are posted here as JSON, besides being logged."
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    lease_seconds: int = Field(
        default=30, ge=2, description="A job whose lease was not renewed this long is dead."
    )
    resource_workers: int = Field(
        default=4, ge=1, le=32, description="Resources of one integration read side by side."
    )
    page_workers: int = Field(
        default=4,
        ge=1,
        le=16,
        description="Pages of one resource fetched side by side, where its service allows it.",
    )
    max_pages: int = Field(default=200_000, ge=1, description="Pages one read may take.")
    request_timeout_seconds: float = Field(default=60.0, gt=0, description="Silence allowed.")
    retry_seconds: float = Field(
        default=300.0, ge=0, description="How long one request is tried again before it fails."
    )

    @cached_property
    def data_folder(self) -> Path:
        """The data folder, absolute."""
        return self.home.expanduser().resolve()

    @cached_property
    def overrides(self) -> dict[str, Override]:
        """Overrides by service name, checked.

        Raises:
            ConfigurationError: the file is missing, is no mapping or has an unknown key.
        """
        if self.connector_overrides is None:
            return {}
        return _read_overrides(self.connector_overrides)


def load_settings() -> Settings:
    """Settings of the environment, then of `settings.env` in the data folder, then defaults.

    Raises:
        ConfigurationError: one of them is not valid.
    """
    try:
        home = Settings().data_folder
        return Settings(_env_file=home / "settings.env")
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(
            f"A setting is not valid: {wrong}.", action="docs/operating.md lists all settings."
        ) from error


def _read_overrides(path: Path) -> dict[str, Override]:
    try:
        content: Any = yaml.safe_load(path.read_text()) or {}
        if not isinstance(content, dict):
            raise TypeError("it maps no services to addresses")
        return {str(name): Override.model_validate(value) for name, value in content.items()}
    except (OSError, UnicodeError, yaml.YAMLError, TypeError, ValidationError) as error:
        raise ConfigurationError(
            f"The overrides file {path} can't be used: {error}",
            action="Correct the file named by INTEGRATIONS_CONNECTOR_OVERRIDES, or unset it.",
        ) from error
