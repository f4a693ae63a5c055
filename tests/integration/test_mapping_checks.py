"""Mappings are checked when they are saved, and can be tried before."""

import pytest

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth import IntegrationRef
from integrations_pipeline.sync.mapping import list_mappings, save_mapping
from integrations_pipeline.sync.mapping.catalogs import known_fields
from integrations_pipeline.sync.mapping.previewing import preview_mapping
from integrations_pipeline.sync.reporting import MASK
from tests.conftest import connect, sync
from tests.integration.support import integration
from tests.unit.mapped import mapping, step


@pytest.fixture
def ref(store, sandbox, tenant_id) -> IntegrationRef:
    return connect(store, sandbox, tenant_id, "hubspot")


WRONG = [
    ("nothing", "properties.email", [], {}, "has no resource 'nothing'. Known: contacts"),
    ("contacts", "properties.jobtitel", [], {}, "Did you mean properties.jobtitle?"),
    ("contacts", "properties.emial|properties.email", [], {}, "no field 'properties.emial'"),
    ("contacts", "", [step("template", text="{properties.nobody}")], {}, "properties.nobody"),
    ("contacts", "it", [step("concat", fields=["properties.nobody"])], {}, "properties.nobody"),
    ("contacts", "name", [], {"direction": "push", "target": "nobody"}, "no field 'nobody'"),
    ("contacts", "id", [], {"direction": "push", "target": "hs_object_id"}, "can't be written"),
    ("owners", "name", [], {"direction": "push", "target": "firstName"}, "can't be written to"),
]


@pytest.mark.parametrize(("resource", "source", "steps", "more", "told"), WRONG)
def test_fields_that_the_service_does_not_have_are_refused(
    store, ref, resource, source, steps, more, told
) -> None:
    given = {"resource": resource, **more}
    spec = mapping(given.pop("target", "out"), source, *steps, **given)

    with pytest.raises(RequestError) as error:
        save_mapping(store, ref, spec)

    assert told in str(error.value)
    assert list_mappings(store, ref) == []


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("properties.message", {}),
        ("createdAt", {}),
        ("associations.companies.0", {}),
        ("anything", {"direction": "push", "target": "jobtitle"}),
    ],
)
def test_fields_that_the_service_has_are_taken(store, ref, source, more) -> None:
    spec = mapping(more.pop("target", "out"), source, resource="contacts", **more)

    save_mapping(store, ref, spec)

    assert list_mappings(store, ref) == [spec]


def test_without_a_list_of_fields_the_stored_records_tell(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "stripe")
    known = mapping("mode", "livemode", resource="customers")
    unknown = mapping("mode", "livemood", resource="customers")
    save_mapping(store, ref, unknown)  # there is nothing yet that could tell
    sync(store, ref, resources=["customers"])

    save_mapping(store, ref, known)
    with pytest.raises(RequestError, match="no field 'livemood'"):
        save_mapping(store, ref, unknown)

    assert list_mappings(store, ref) == [known]


def test_before_an_account_is_connected_mappings_can_be_saved(store, sandbox, tenant_id) -> None:
    ref = integration(store, sandbox, tenant_id)

    save_mapping(store, ref, mapping("out", "properties.anything", resource="contacts"))

    assert len(list_mappings(store, ref)) == 1


def test_a_preview_shows_what_would_be_and_hides_persons(store, sandbox, ref) -> None:
    sync(store, ref, resources=["contacts"])

    stages = mapping(
        "s", "properties.lifecyclestage", step("case", to="upper"), resource="contacts"
    )
    mails = mapping("m", "properties.email", step("case", to="upper"), resource="contacts")
    hidden = mapping("h", "properties.email", step("mask", keep_last=4), resource="contacts")
    undone = mapping(
        "u",
        "properties.email",
        "mask",
        step("template", text="{properties.email}"),
        resource="contacts",
    )
    wrong = mapping("w", "properties.email", "parse_number", resource="contacts")

    shown = preview_mapping(store, ref, stages)
    assert len(shown) == 5
    assert all(row["after"] == row["before"].upper() for row in shown)
    for spec in (mails, undone):
        rows = preview_mapping(store, ref, spec)
        assert {row["after"] for row in rows} <= {MASK, ""}
        assert {row["before"] for row in rows} <= {MASK, ""}
        assert MASK in {row["after"] for row in rows}
    masked = {row["after"] for row in preview_mapping(store, ref, hidden)} - {""}
    assert all(after.startswith("***") and len(after) == 7 for after in masked)
    assert masked
    told = preview_mapping(store, ref, wrong, limit=50)
    assert any("w: is no number" in row["fault"] for row in told)
    assert "@" not in str(told)
    assert list_mappings(store, ref) == []


def test_a_push_has_no_records_to_try(store, ref) -> None:
    spec = mapping("jobtitle", "title", resource="contacts", direction="push")

    with pytest.raises(RequestError, match="Only mappings that pull"):
        preview_mapping(store, ref, spec)


def test_the_fields_of_a_service_are_listed_with_what_is_known(store, sandbox, ref) -> None:
    fields = {row["from"]: row for row in known_fields(store, ref, "contacts")}

    assert fields["properties.jobtitle"]["type"] == "string"
    assert fields["properties.firstname"]["column"] == "first_name"
    assert fields["properties.hs_object_id"]["type"] == "number, read only"
    assert fields["createdAt"] == {
        "from": "createdAt",
        "type": "timestamp",
        "label": "",
        "column": "created_at",
    }
    with pytest.raises(RequestError, match="has no resource"):
        known_fields(store, ref, "nothing")
