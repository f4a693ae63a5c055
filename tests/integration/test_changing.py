"""Changing an integration: the checks of a new one, and nothing else moves."""

import pytest

from integrations_pipeline.errors import IntegrationsError, NotConnectedError, RequestError
from integrations_pipeline.oauth import (
    Choice,
    change_integration,
    create_integration,
    find_integration,
    get_valid_token,
    told_integration,
)
from integrations_pipeline.oauth.vault import oauth_client
from integrations_pipeline.store import SealError
from tests.conftest import connect
from tests.integration.support import integration, integration_row, run_sql, token_row
from tests.integration.test_all_services import custom_declaration, oauth2


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected Zendesk account: it has a setting."""
    return connect(store, sandbox, tenant_id, "zendesk")


def test_a_new_secret_is_sealed_and_used_at_once(store, ref) -> None:
    before, token = integration_row(store, ref), token_row(store, ref)

    assert change_integration(store, ref, client_secret="a new one") is False

    after = integration_row(store, ref)
    assert oauth_client(store, ref).client_secret == "a new one"
    assert b"a new one" not in bytes(after.client_secret)
    kept = set(before._fields) - {"client_secret", "updated_at"}
    assert {name: getattr(after, name) for name in kept} == {n: getattr(before, n) for n in kept}
    assert token_row(store, ref) == token


def test_a_secret_that_does_not_open_is_replaced(store, ref) -> None:
    sql = "UPDATE integrations.integration SET client_secret = client_secret || '\\x00' "
    run_sql(store, sql + "WHERE id = :id", id=ref.id)
    with pytest.raises(SealError):
        oauth_client(store, ref)

    change_integration(store, ref, client_secret="found again")

    assert oauth_client(store, ref).client_secret == "found again"


CHANGES = [
    ("settings", {"subdomain": "other"}),
    ("resources", ["tickets"]),
    ("direction", "bidirectional"),
    ("client_id", "another"),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_what_needs_a_new_consent_says_so(store, ref, name, value) -> None:
    assert change_integration(store, ref, **{name: value}) is True
    assert getattr(integration_row(store, ref), name) == value
    assert change_integration(store, ref, **{name: value}) is False


REFUSED = [
    {"settings": {"subdomain": "evil.example/"}},
    {"settings": {"subdomain": ""}},
    {"settings": {"password": "x"}},
    {"resources": ["unicorns"]},
    {"direction": "sideways"},
]


@pytest.mark.parametrize("change", REFUSED)
def test_a_bad_change_changes_nothing(store, ref, change) -> None:
    before = integration_row(store, ref)

    with pytest.raises(RequestError):
        change_integration(store, ref, client_secret="new", **change)

    assert integration_row(store, ref) == before


def test_settings_go_over_the_old_ones(store, tenant_id, sandbox) -> None:
    made = create_integration(
        store,
        tenant_id,
        "zendesk",
        "z",
        settings={"subdomain": "acme", "email": "a@b.example"},
        choice=Choice("api_token"),
    )

    change_integration(store, made, settings={"email": "c@d.example"})

    assert integration_row(store, made).settings == {"subdomain": "acme", "email": "c@d.example"}
    with pytest.raises(RequestError, match="without a client"):
        change_integration(store, made, client_secret="x")


def custom(store, sandbox, tenant_id):
    declaration = custom_declaration(sandbox, oauth2(sandbox))
    given = {"client_id": "i", "client_secret": "s"}
    return create_integration(store, tenant_id, "custom", "erp", settings=declaration, **given)


def test_a_declaration_replaces_the_old_one(store, sandbox, tenant_id) -> None:
    made = custom(store, sandbox, tenant_id)
    new = custom_declaration(sandbox, {**oauth2(sandbox), "scopes": ["write"]})
    del new["test"]

    assert change_integration(store, made, settings=new) is True

    assert integration_row(store, made).settings == new
    assert find_integration(store, made.key).way.scopes == ("write",)


BEARER = {"type": "bearer"}


@pytest.mark.parametrize("broken", [{}, {"auth": BEARER}, {"base_url": "ftp://x"}, {"x": "y"}])
def test_a_declaration_is_checked_and_keeps_the_way(store, sandbox, tenant_id, broken) -> None:
    made = custom(store, sandbox, tenant_id)
    before = integration_row(store, made)
    new = {**before.settings, **broken} if broken else {}

    with pytest.raises(IntegrationsError):
        change_integration(store, made, settings=new)

    assert integration_row(store, made) == before


@pytest.mark.parametrize(
    "file", ["{", "x", "[]", "{}", '{"client_email": "a", "private_key": "b"}', "null", "1"]
)
def test_what_is_no_key_file_is_never_stored(store, sandbox, tenant_id, file) -> None:
    settings, way = sandbox.client("google_analytics")["settings"], Choice("service_account")
    right = sandbox.client("google_analytics")["keys"]["service_account"]

    def made(slug, secret):
        given = {"client_secret": secret, "settings": settings, "choice": way}
        return create_integration(store, tenant_id, "google_analytics", slug, **given)

    with pytest.raises(RequestError, match="key file can't be used"):
        made("bad", file)
    good = made("good", right)
    with pytest.raises(RequestError, match="key file can't be used"):
        change_integration(store, good, client_secret=file)
    assert oauth_client(store, good).client_secret == right
    change_integration(store, good, client_secret=right)


def test_what_is_set_is_told_without_secrets(store, sandbox, tenant_id) -> None:
    made = integration(store, sandbox, tenant_id, "zendesk")
    client = sandbox.client("zendesk")

    told = told_integration(store, made)

    assert (told["client_id"], told["settings"]) == (client["client_id"], client["settings"])
    assert client["client_secret"] not in str(told)


def test_tokens_go_to_no_other_address(store, sandbox, tenant_id) -> None:
    made = connect(store, sandbox, tenant_id, "zendesk")

    assert change_integration(store, made, settings={"subdomain": "elsewhere"})

    sandbox.forget_requests()
    with pytest.raises(NotConnectedError):
        get_valid_token(store, made)
    assert integration_row(store, made).status == "INACTIVE"
    assert sandbox.requests("zendesk") == []
