"""Which addresses `serve` tells its processes, and remembers for other commands."""

import pytest

from integrations_pipeline.settings import Settings, load_settings
from integrations_pipeline.stack import Ports, addresses, remember

PORTS = Ports(9170, 9180, 9190, 0)
PUBLIC = "INTEGRATIONS_PUBLIC_URL"


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ("https://integrations.acme.example", "https://integrations.acme.example"),
        ("http://10.0.0.5:8300", "http://10.0.0.5:8300"),
        ("http://127.0.0.1:8300", "http://127.0.0.1:9170"),
        ("http://localhost:9999", "http://127.0.0.1:9170"),
    ],
)
def test_an_address_of_ones_own_is_kept(given, reached) -> None:
    assert addresses(Settings(public_url=given), PORTS)[PUBLIC] == reached


def test_what_the_environment_says_is_kept_whatever_it_is(monkeypatch) -> None:
    monkeypatch.setenv(PUBLIC, "http://localhost:9999")

    assert addresses(Settings(), PORTS)[PUBLIC] == "http://localhost:9999"


def test_other_commands_find_the_address(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("INTEGRATIONS_HOME", str(tmp_path))
    (tmp_path / "settings.env").write_text("INTEGRATIONS_LOG_LEVEL=DEBUG\nOTHER=1\n")

    remember(load_settings(), addresses(load_settings(), PORTS))

    assert load_settings().public_url == "http://127.0.0.1:9170"
    assert load_settings().log_level == "DEBUG"
    assert "OTHER=1" in (tmp_path / "settings.env").read_text()
