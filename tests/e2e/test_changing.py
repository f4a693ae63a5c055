"""`add` and `set` as people type them, and texts of others at the terminal."""

import os
import subprocess
import sys

import orjson
import pytest

from integrations_pipeline import connecting
from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.oauth.vault import oauth_client
from integrations_pipeline.store import Store
from tests.conftest import connect
from tests.e2e.test_commands import PROGRAM
from tests.integration.support import run_sql
from tests.integration.test_all_services import custom_declaration, oauth2


@pytest.fixture
def ref(store, sandbox, tenant_id) -> IntegrationRef:
    """A connected Zendesk account."""
    return connect(store, sandbox, tenant_id, "zendesk")


@pytest.fixture
def run(store: Store, home):
    """Runs a command on the test's store; what is piped in is the secret."""

    def command(*words: str, piped: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "DATABASE_URL": store.url.render_as_string(hide_password=False),
            "INTEGRATIONS_HOME": str(home),
            "INTEGRATIONS_CONNECTOR_OVERRIDES": str(store.settings.connector_overrides),
            "COLUMNS": "160",
        }
        return subprocess.run(
            [PROGRAM, *words],
            env=environment,
            input=piped,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return command


def test_a_secret_is_replaced_and_never_shown(store, ref, run) -> None:
    done = run("set", ref.key, "--client-secret-prompt", piped="NEW-SECRET\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"Next: integrations doctor {ref.key}" in done.stdout
    assert oauth_client(store, ref).client_secret == "NEW-SECRET"
    shown = run("set", ref.key)
    assert (shown.returncode, "subdomain" in shown.stdout) == (0, True), shown.stderr
    assert "NEW-SECRET" not in done.stdout + shown.stdout
    assert orjson.loads(run("set", ref.key, "--json").stdout)["client_secret"] == "set"


def test_a_changed_setting_asks_for_a_new_consent(ref, run) -> None:
    done = run("set", ref.key, "--setting", "subdomain=other", "--resource", "tickets")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"Next: integrations connect {ref.key}" in done.stdout


WRONG = [
    (("--client-secret-prompt",), "No client secret was given"),
    (("--setting", "subdomain"), "no setting"),
    (("--setting", "nothing=x"), "no setting nothing"),
    (("--declaration", "FILE"), "Give --setting name=value"),
    (("--declaration", "FILE", "--setting", "a=b"), "don't go together"),
    (("--declaration", "/nowhere"), "can't be read"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_a_wrong_change_is_refused(ref, run, sandbox, tmp_path, words, said) -> None:
    file = tmp_path / "erp.json"
    file.write_bytes(orjson.dumps(custom_declaration(sandbox, oauth2(sandbox))))

    done = run("set", ref.key, *(str(file) if word == "FILE" else word for word in words))

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_add_refuses_a_declaration_with_settings(run, tmp_path) -> None:
    words = ("add", "custom", "--tenant", "a", "--name", "b", "--client-id", "c")

    done = run(*words, "--declaration", str(tmp_path), "--setting", "x=y", piped="s")

    assert (done.returncode, "don't go together" in done.stderr) == (2, True), done.stderr


def test_a_key_file_is_not_typed(monkeypatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    way = CONNECTORS["google_analytics"].ways["service_account"]

    with pytest.raises(RequestError, match=r"< key\.json"):
        connecting.asked_client_secret(way)


def test_texts_of_others_are_shown_as_they_are(store, ref, run) -> None:
    odd = "Acme [/b] [red]:bug:\x1b[2J"
    sql = "UPDATE integrations.integration SET status_reason = :odd, status = 'ERROR', "
    sql += "facts = facts || jsonb_build_object('account_name', CAST(:odd AS text)) WHERE id = :id"
    run_sql(store, sql, odd=odd, id=ref.id)

    shown = [run(*words) for words in (("list",), ("doctor", ref.key), ("sync", ref.key))]

    for done in shown:
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    assert [done.stdout.count("Acme [/b] [red]:bug: [2J") for done in shown[:2]] == [2, 1]
    assert [done.returncode for done in shown[:2]] == [0, 1]


def test_an_error_with_markup_is_shown(ref, run) -> None:
    done = run("history", "x[/b]--[red]y")

    assert (done.returncode, "'x[/b]--[red]y'" in done.stderr) == (2, True), done.stderr
