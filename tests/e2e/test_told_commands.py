"""What commands refuse, what they say in the end, and what they keep to themselves."""

import orjson
import pytest

from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.sync import get_sync_job_history
from tests.conftest import connect, sync
from tests.e2e import test_changing
from tests.integration import outgoing
from tests.integration.test_set_aside import put_aside
from tests.integration.test_sync_with_sandbox import rows

run = test_changing.run


@pytest.fixture
def ref(store, sandbox, tenant_id) -> IntegrationRef:
    """A HubSpot account that may be read and written."""
    return outgoing.connect(store, sandbox, tenant_id, "hubspot")


WRONG = [
    (("logs", "KEY", "--resource", "unicorns"), "no resource 'unicorns'. Known: "),
    (("letters", "list", "KEY", "--resource", "nope"), "no resource 'nope'. Known: "),
    (("mapping", "list", "KEY", "--resource", "nope"), "no resource 'nope'. Known: "),
    (("outbound", "KEY", "nope"), "no resource 'nope'. Known: "),
    (("outbound", "KEY", "--state", "LOST"), "no state LOST. Known: PENDING"),
    (("outbound-retry", "KEY", "--intent", "99999"), "99999 is not among the rejected rows"),
    (("send", "KEY", "contacts", "/dev/null"), "is empty: nothing to send"),
    (("retry", "KEY", "abcdef12"), "there is no sync job abcdef12"),
]


def test_names_that_nothing_has_are_refused(ref, run) -> None:
    for words, told in WRONG:
        done = run(*(ref.key if word == "KEY" else word for word in words))

        assert (done.returncode, told in done.stderr) == (2, True), (words, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_push_with_refused_rows_says_where_to_look(store, ref, run, tmp_path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(orjson.dumps({"email": "bad"}))
    run("send", ref.key, "contacts", str(file))

    done = run("sync", ref.key, "--resource", "contacts", "--direction", "push")

    assert done.returncode == 1
    assert f"Next: integrations outbound {ref.key}" in done.stderr
    (job,) = get_sync_job_history(store, ref)
    assert job["requested_by"].endswith("at the command line")
    assert f" {job['id'][:8]} " in f" {run('history', ref.key).stdout} ".replace("\n", " ")
    assert "Sending what waits" in run("logs", ref.key, job["id"][:8]).stdout


def test_letters_are_replayed_where_there_are_some_and_nothing_is_logged(
    store, sandbox, tenant_id, run
) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    sync(store, ref, resources=["customers"])
    put_aside(store, ref, next(iter(rows(store, ref, "customers").values()))["raw"])

    nobody = run("letters", "discard", ref.key)
    done = run("letters", "replay", ref.key, "--json")
    again = run("letters", "replay", ref.key)
    closed = run("letters", "discard", ref.key)

    assert (nobody.returncode, "Add --yes" in nobody.stderr) == (2, True), nobody.stderr
    assert [one["resource"] for one in orjson.loads(done.stdout)] == ["customers"]
    assert (done.returncode, done.stderr) == (0, "")
    assert (again.returncode, again.stdout) == (0, "No record is set aside now.\n")
    assert (closed.returncode, closed.stdout) == (0, "Closed 0.\n")
