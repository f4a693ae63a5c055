"""The commands about what goes out, as people type them."""

import orjson
import pytest

from tests.e2e.test_commands import run
from tests.integration.outgoing import both_ways, connect, intents, rows, send


@pytest.fixture
def command(store, home):
    """Runs a command; its output."""

    def type_in(*words: str) -> str:
        overrides = str(store.settings.connector_overrides)
        environment = {
            "INTEGRATIONS_HOME": str(home),
            "INTEGRATIONS_CONNECTOR_OVERRIDES": overrides,
        }
        done = run(store, *words, **environment)
        return done.stdout + done.stderr

    return type_in


def test_rows_are_sent_looked_at_and_sent_again(
    store, sandbox, tenant_id, tmp_path, command
) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    file = tmp_path / "rows.jsonl"
    told = [{"email": "cli@example.com", "first_name": "Cli"}, {"email": "bad"}]
    file.write_bytes(b"\n".join(map(orjson.dumps, told)) + b"\n\n")

    assert "2 rows wait" in command("send", ref.key, "contacts", str(file))
    command("sync", ref.key, "--resource", "contacts", "--direction", "push")
    found = orjson.loads(command("outbound", ref.key, "--json"))
    assert found["counts"] == {"contacts": {"DONE": 1, "REJECTED": 1}}
    assert "REJECTED" in command("outbound", ref.key, "contacts")
    assert "1 rows wait" in command("outbound-retry", ref.key, "contacts")


def test_a_conflict_is_decided(store, sandbox, tenant_id, command) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot", conflicts="hold")
    both_ways(store, ref, "contacts")
    key = next(iter(rows(store, ref, "contacts")))
    send(store, ref, "contacts", {"id": key, "phone": "ours"}, operation="update")
    sandbox.change("hubspot", "contacts", key, {"phone": "theirs"})
    both_ways(store, ref, "contacts")
    (held,) = intents(store, ref)

    assert "Say either" in command("outbound-resolve", ref.key, "contacts", str(held.id))
    assert "Decided" in command("outbound-resolve", ref.key, "contacts", str(held.id), "--ours")
    assert intents(store, ref)[0].state == "PENDING"


@pytest.mark.parametrize(("line", "reason"), [(b"[1]", "no JSON object"), (b"{", "line 2")])
def test_a_file_that_holds_something_else_is_refused(
    store, sandbox, tenant_id, tmp_path, command, line, reason
) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"email": "a@b.example"}\n' + line)

    assert reason in command("send", ref.key, "contacts", str(file))
