"""How rows get into the outbound tables: by Python, by SQL, by mappings."""

import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from integrations_pipeline.errors import RequestError
from integrations_pipeline.sync import outbox
from integrations_pipeline.sync.frames import rows_of_frame
from integrations_pipeline.sync.mapping import MappingSpec, save_mapping
from tests.integration.outgoing import connect, intents, push, rows, states

INSERT = text(
    "INSERT INTO hubspot.contacts_outbound "
    "(tenant_id, integration_id, operation, record_id, data, state, attempts) "
    "VALUES (:t, :i, 'update', :r, '{\"phone\": \"1\"}', 'DONE', 9)"
)


@pytest.fixture
def ref(store, sandbox, tenant_id):
    return connect(store, sandbox, tenant_id, "hubspot")


def test_a_row_that_sql_inserts_begins_at_the_beginning(store, ref) -> None:
    push(store, ref, "contacts", direction="pull")
    key, row = next(iter(rows(store, ref, "contacts").items()))
    with store.tenant(ref.tenant_id) as session:
        session.execute(INSERT, {"t": ref.tenant_id, "i": ref.id, "r": key})

    (made,) = intents(store, ref)
    assert (made.state, made.attempts, made.target) == ("PENDING", 0, "hubspot.contacts")
    assert made.base == row["raw"]
    assert push(store, ref, "contacts").resources[0].counts.updated == 1
    assert rows(store, ref, "contacts")[key]["phone"] == "1"


def test_a_row_for_another_services_integration_is_refused(store, sandbox, tenant_id) -> None:
    other = connect(store, sandbox, tenant_id, "stripe")

    with pytest.raises(IntegrityError, match="is none of hubspot"), store.tenant(tenant_id) as s:
        s.execute(INSERT, {"t": tenant_id, "i": other.id, "r": "1"})


def test_a_frame_becomes_rows() -> None:
    times = pd.to_datetime(["2026-01-01", None], utc=True)
    index = pd.Index(["7", "8"], name="id")
    frame = pd.DataFrame({"phone": ["1", None], "at": times, "n": [1.5, 2]}, index=index)

    assert rows_of_frame(frame) == [
        {"id": "7", "phone": "1", "at": "2026-01-01T00:00:00.000Z", "n": 1.5},
        {"id": "8", "phone": None, "at": None, "n": 2.0},
    ]


BAD = [
    ({"id": "7", "name": "x"}, "create", "nothing to create"),
    ({"phone": "1"}, "update", "neither record_id nor external_id"),
    ({"id": "7", "phone": {1}}, "update", "can't be written as JSON"),
    ({"id": "7"}, "merge", "Possible: create, update, upsert, delete"),
]


@pytest.mark.parametrize(("row", "operation", "reason"), BAD)
def test_a_senseless_row_is_refused_and_none_is_kept(store, ref, row, operation, reason) -> None:
    with pytest.raises(RequestError, match=reason):
        outbox.send(store, ref, "contacts", [{"id": "1", "phone": "1"}, row], operation)
    assert intents(store, ref) == []


def test_push_mappings_make_the_services_fields(store, ref) -> None:
    spec = {"resource": "contacts", "direction": "push"}
    trim = ({"step": "trim"},)
    save_mapping(
        store,
        ref,
        MappingSpec.model_validate(
            {**spec, "target": "firstname", "source": "given", "transforms": trim}
        ),
    )
    row = {"email": "mapped@example.com", "given": "  Ada "}
    outbox.send(store, ref, "contacts", [row], "upsert")

    assert push(store, ref, "contacts").error is None
    assert intents(store, ref)[0].sent == {"email": "mapped@example.com", "firstname": "Ada"}


def test_counts_and_lists_tell_what_became_of_rows(store, ref) -> None:
    good = {"email": "a@b.example"}
    outbox.send(store, ref, "contacts", [good, {"email": "bad"}], "create")
    push(store, ref, "contacts")
    outbox.send(store, ref, "contacts", [good], "upsert")

    assert outbox.counted(store, ref) == {"contacts": {"DONE": 1, "REJECTED": 1, "PENDING": 1}}
    refused = outbox.listed(store, ref, "contacts", states=["REJECTED"])
    assert [one.data for one in refused] == [{"email": "bad"}]
    assert states(store, ref)["PENDING"] == 1
