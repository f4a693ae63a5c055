"""What is asked of the store before a command does anything: names, ids, rows, repeated wishes."""

import pytest

from integrations_pipeline.errors import ConflictError, RequestError
from integrations_pipeline.oauth import IntegrationRef, create_integration
from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import SyncRequest, create_sync_job, get_sync_logs, outbox
from integrations_pipeline.sync.cancelling import cancel_sync_job, retry_sync_job
from integrations_pipeline.sync.history import find_job_id
from integrations_pipeline.sync.jobs import check_request
from integrations_pipeline.sync.mapping import MappingSpec, remove_mapping, save_mapping
from integrations_pipeline.sync.mapping.owning import check_owned
from integrations_pipeline.sync.sendable import check_rows, check_writable, refused_by
from tests.conftest import connect, sync
from tests.integration import outgoing
from tests.unit.mapped import mapping, step


@pytest.fixture
def idle(store, tenant_id) -> IntegrationRef:
    """An integration that was never connected."""
    return create_integration(store, tenant_id, "hubspot", "h", client_id="c", client_secret="s")


def test_a_job_is_found_by_how_its_id_begins(store, idle) -> None:
    ids = [create_sync_job(store, idle, SyncRequest()) for _ in range(20)]  # more than digits

    assert find_job_id(store, idle, str(ids[0])) == ids[0]
    assert find_job_id(store, idle, str(ids[1]).upper()[:13]) == ids[1]
    firsts = [str(one)[0] for one in ids]
    twice = next(one for one in firsts if firsts.count(one) > 1)
    with pytest.raises(RequestError, match="several sync jobs"):
        find_job_id(store, idle, twice)
    for text, told in (("%", "is no job's id"), ("", "is no job's id"), ("0" * 36, "no sync job")):
        with pytest.raises(RequestError, match=told):
            find_job_id(store, idle, text)


def test_a_job_is_not_tried_again_twice(store, idle) -> None:
    job_id = create_sync_job(store, idle, SyncRequest(resources=["contacts"]))
    other = create_sync_job(store, idle, SyncRequest(resources=["owners"]))
    for one in (job_id, other):
        cancel_sync_job(store, idle, one, by="me")

    again = retry_sync_job(store, idle, job_id, by="me")

    with pytest.raises(ConflictError, match=f"waits already: {again}"):
        retry_sync_job(store, idle, job_id, by="me")
    retry_sync_job(store, idle, other, by="me")


WRONG_ROWS = [
    ("contacts", {"id": "1", "created_at": "2026"}, "update", "row 2: created_at can't be written"),
    ("contacts", {"phone": "1"}, "upsert", r"row 2: upsert needs .* external id \(email\)"),
    ("contacts", {"email": "", "phone": "1"}, "upsert", "row 2: upsert needs"),
    ("deals", {"external_id": "x"}, "update", "row 2: update needs a record id"),
    ("owners", {"id": "1"}, "update", "owners can't be written to. Possible: contacts"),
    ("unicorns", {"id": "1"}, "update", "no resource 'unicorns'. Known: "),
]


@pytest.mark.parametrize(
    ("resource", "row", "operation", "told"), WRONG_ROWS, ids=[one[3][:20] for one in WRONG_ROWS]
)
def test_a_row_that_no_push_would_send_is_refused_at_once(
    store, idle, resource, row, operation, told
) -> None:
    with pytest.raises(RequestError, match=told):
        check_rows(store, idle, resource, [{"id": "9", "phone": "1"}, row], operation)


def test_rows_that_a_push_can_send_are_taken(store, sandbox, tenant_id) -> None:
    ref = outgoing.connect(store, sandbox, tenant_id, "hubspot")
    rows = [{"email": "a@b.example"}, {"external_id": "a@b.example"}, {"record_id": 7, "phone": ""}]

    check_rows(store, ref, "contacts", [*rows, {"my_own_field": "1", "id": "3"}], "upsert")
    with pytest.raises(RequestError, match="upsert needs"):
        check_rows(store, ref, "contacts", [{"mail": "a@b.example"}], "upsert")
    save_mapping(store, ref, pushed("email", "mail"))
    check_rows(store, ref, "contacts", [{"mail": "a@b.example"}], "upsert")


def pushed(target: str, source: str) -> MappingSpec:
    return MappingSpec(resource="contacts", target=target, source=source, direction="push")


def test_a_resource_that_can_be_written_is_known(idle) -> None:
    assert check_writable(idle, "contacts").external_field == "email"


def test_rows_to_send_again_must_have_been_refused(store, sandbox, tenant_id) -> None:
    ref = outgoing.connect(store, sandbox, tenant_id, "hubspot")
    rows = [{"email": "good@ok.example"}, {"email": "bad"}]
    outgoing.send(store, ref, "contacts", *rows, operation="create")
    result = outgoing.push(store, ref, "contacts")
    done, refused = outgoing.intents(store, ref)

    assert refused_by(store, ref, result.job_id) == 1
    with pytest.raises(RequestError, match=f"{done.id}, 99999 is not among the rejected"):
        outbox.retry(store, ref, "contacts", [refused.id, 99999, done.id])
    assert outgoing.states(store, ref) == {"DONE": 1, "REJECTED": 1}
    assert outbox.retry(store, ref, "contacts", [refused.id]) == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"direction": "push", "sync_type": "FULL_SYNC"}, "a push reads nothing"),
        ({"sync_type": "SELECTIVE", "ids": ["1", ""]}, "one of the ids is empty"),
        ({"sync_type": "SELECTIVE", "ids": [" "]}, "one of the ids is empty"),
    ],
    ids=["push", "empty", "blank"],
)
def test_a_wish_that_means_nothing_is_refused(idle, asked, told) -> None:
    with pytest.raises(RequestError, match=told):
        check_request(idle, SyncRequest(resources=["contacts"], **asked))


def test_ids_that_the_service_does_not_know_are_named(store, sandbox, tenant_id, capsys) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    known = str(sandbox.records("hubspot", "contacts")[0]["id"])
    ids = [known, "777000111", known, "777000222"]

    result = sync(store, ref, resources=["contacts"], sync_type="SELECTIVE", ids=ids)

    assert (result.status, result.resources[0].warnings) == (JobStatus.COMPLETED, 1)
    (line,) = get_sync_logs(store, ref, result.job_id, level="WARNING")
    assert line.message == "2 of 3 ids are unknown to HubSpot: 777000111, 777000222"
    assert "777000111" not in "".join(capsys.readouterr())


def test_owners_are_named_for_fields_that_are_there(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    check_owned(store, ref, {"contacts": {"first_name": "ours", "firstname": "ours"}})
    check_owned(store, ref, {"contacts": {"jobtitle": "ours"}})  # only the service lists it
    check_owned(store, ref, {"unicorns": {"x": "ours"}, "contacts": "ours"})  # others refuse that
    with pytest.raises(RequestError, match="contacts: there is no field 'nix'"):
        check_owned(store, ref, {"contacts": {"nix": "ours"}})


def test_a_mapping_that_comes_or_goes_changes_no_schema(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    spec = mapping("job_title", "properties.jobtitle", step("trim"), resource="contacts")

    def told() -> tuple[str, ...]:
        wish = {"resources": ["contacts"], "sync_type": "FULL_SYNC"}
        return sync(store, ref, **wish).resources[0].schema_changes

    assert told() == ()
    save_mapping(store, ref, spec)
    assert told() == ()
    remove_mapping(store, ref, "contacts", "job_title")
    assert told() == ()
