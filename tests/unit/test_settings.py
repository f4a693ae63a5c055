"""Settings: where they come from, which goes first, and what a broken file says."""

from pathlib import Path

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import ConfigurationError, RequestError
from integrations_pipeline.oauth.endpoints import endpoints_of, full_settings
from integrations_pipeline.settings import Override, Settings, load_settings

BROKEN = [
    ("hubspot: [", "list that is not closed"),
    ("- hubspot", "list"),
    ("just text", "text"),
    ("hubspot: {api_url: x}", "unknown key"),
    ("hubspot: {token_url: 5}", "number"),
    ("hubspot:", "no value"),
    ("hubspot: text", "text as value"),
    ("hubspot: {allow_private_network: perhaps}", "no boolean"),
]


@pytest.mark.parametrize("content", [c for c, _ in BROKEN], ids=[name for _, name in BROKEN])
def test_a_broken_overrides_file_is_named(tmp_path, content) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text(content)

    with pytest.raises(ConfigurationError, match=r"(?s)overrides\.yaml.*CONNECTOR_OVERRIDES"):
        _ = Settings(connector_overrides=path).overrides


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"hubspot: {token_url: \xe4}"])
def test_an_overrides_file_that_is_no_text_is_named(tmp_path, content) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"overrides\.yaml"):
        _ = Settings(connector_overrides=path).overrides


@pytest.mark.parametrize("path", ["missing.yaml", "."])
def test_an_unreadable_overrides_file_is_named(tmp_path, path) -> None:
    with pytest.raises(ConfigurationError, match="can't be used"):
        _ = Settings(connector_overrides=tmp_path / path).overrides


def test_overrides_are_read(tmp_path) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text("hubspot: {api_base_url: 'http://x', allow_private_network: true}\nstripe: {}")

    found = Settings(connector_overrides=path).overrides

    expected = Override(api_base_url="http://x", allow_private_network=True)
    assert found == {"hubspot": expected, "stripe": Override()}


@pytest.mark.parametrize("content", ["", "# nothing", "{}"])
def test_an_empty_overrides_file_overrides_nothing(tmp_path, content) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text(content)

    assert Settings(connector_overrides=path).overrides == {}


def settings_in(monkeypatch: pytest.MonkeyPatch, home: Path, *lines: str, **env: str) -> Settings:
    (home / "settings.env").write_text("\n".join(lines))
    for name, value in {"INTEGRATIONS_HOME": str(home), **env}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_the_environment_goes_before_the_file_and_the_file_before_defaults(
    monkeypatch, tmp_path
) -> None:
    found = settings_in(
        monkeypatch,
        tmp_path,
        "INTEGRATIONS_LEASE_SECONDS=11",
        "INTEGRATIONS_MAX_PAGES=12",
        INTEGRATIONS_MAX_PAGES="13",
    )

    assert (found.lease_seconds, found.max_pages, found.resource_workers) == (11, 13, 4)


def test_the_file_can_name_the_database(monkeypatch, tmp_path) -> None:
    found = settings_in(monkeypatch, tmp_path, "DATABASE_URL=postgresql://u:pw@h/d")

    assert found.database_url.get_secret_value() == "postgresql://u:pw@h/d"
    assert "pw" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTEGRATIONS_LEASE_SECONDS", "soon"),
        ("INTEGRATIONS_LEASE_SECONDS", "1"),
        ("INTEGRATIONS_RESOURCE_WORKERS", "0"),
        ("INTEGRATIONS_RESOURCE_WORKERS", "33"),
        ("INTEGRATIONS_REQUEST_TIMEOUT_SECONDS", "0"),
    ],
)
def test_a_senseless_value_is_a_configuration_error(monkeypatch, tmp_path, name, value) -> None:
    with pytest.raises(ConfigurationError, match=f"(?i){name.removeprefix('INTEGRATIONS_')}"):
        settings_in(monkeypatch, tmp_path, **{name: value})


def test_empty_variables_count_as_unset(monkeypatch, tmp_path) -> None:
    found = settings_in(monkeypatch, tmp_path, DATABASE_URL="", INTEGRATIONS_MASTER_KEY="")

    assert (found.database_url, found.master_key) == (None, None)


def test_unknown_variables_do_no_harm(monkeypatch, tmp_path) -> None:
    found = settings_in(monkeypatch, tmp_path, "INTEGRATIONS_OLD=1", INTEGRATIONS_OTHER="x")

    assert found.data_folder == tmp_path.resolve()


def settled(service: str, told: dict, way: str = "oauth") -> dict[str, str]:
    connector = CONNECTORS[service]
    return full_settings(connector, connector.ways[way], told)


HOSTS = ["", "Acme", "acme.evil.example", "acme/", "a@b", "-a", "a b", "acme\n", "ä", "../x"]


@pytest.mark.parametrize("subdomain", [*HOSTS, None, 5, ["acme"]])
def test_a_setting_that_would_lead_to_another_host_is_refused(subdomain) -> None:
    with pytest.raises(RequestError, match="subdomain"):
        settled("zendesk", {"subdomain": subdomain})


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(RequestError, match="HubSpot has no setting base_url"):
        settled("hubspot", {"base_url": "https://evil.example"})


@pytest.mark.parametrize("email", ["", "a", "a@b:x", "a b@c", "a@b/token", "a@b\n", None, 5])
def test_a_setting_of_the_way_is_checked_as_well(email) -> None:
    with pytest.raises(RequestError, match="'email'"):
        settled("zendesk", {"subdomain": "acme", "email": email}, "api_token")


def test_a_setting_of_another_way_is_unknown() -> None:
    with pytest.raises(RequestError, match="no setting email"):
        settled("zendesk", {"subdomain": "acme", "email": "a@b.example"})


def test_a_default_stands_for_a_setting_that_was_not_told() -> None:
    told = {
        setting.name: settled(connector.name, {}, way)[setting.name] == setting.default
        for connector in CONNECTORS.values()
        for way, access in connector.ways.items()
        for setting in (*connector.settings, *access.settings)
        if all(one.default is not None for one in (*connector.settings, *access.settings))
    }

    assert told
    assert all(told.values())


def test_the_addresses_of_an_account() -> None:
    found = endpoints_of(CONNECTORS["zendesk"], Settings(), {"subdomain": "acme"})

    assert found.api_base_url == "https://acme.zendesk.com"
    assert found.token_url == "https://acme.zendesk.com/oauth/tokens"
    assert found.revoke_url == "https://acme.zendesk.com/api/v2/oauth/tokens/current"
    assert found.allow_private is False


def test_an_address_whose_fact_is_unknown_is_empty() -> None:
    mailchimp = CONNECTORS["mailchimp"]

    before = endpoints_of(mailchimp, Settings(), {})
    after = endpoints_of(mailchimp, Settings(), {}, facts={"dc": "us6"})

    assert before.api_base_url == ""
    assert before.token_url == after.token_url != ""
    assert after.api_base_url.startswith("https://us6.")


def test_a_fact_does_not_stand_for_a_setting() -> None:
    found = endpoints_of(
        CONNECTORS["zendesk"], Settings(), {"subdomain": "acme"}, facts={"subdomain": "evil"}
    )

    assert found.api_base_url == "https://acme.zendesk.com"


@pytest.mark.parametrize(
    "key", ["authorize_url", "token_url", "revoke_url", "api_base_url", "identity_url"]
)
@pytest.mark.parametrize("url", ["http://x", "ftp://x", "//x", "httpsx://x"])
def test_plain_http_needs_the_operators_word(tmp_path, key, url) -> None:
    path = tmp_path / "o.yaml"
    path.write_text(f"hubspot: {{{key}: '{url}'}}")

    with pytest.raises(ConfigurationError, match="https"):
        endpoints_of(CONNECTORS["hubspot"], Settings(connector_overrides=path), {})
