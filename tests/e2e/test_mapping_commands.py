"""`integrations mapping …` as people type it."""

import orjson
import pytest

from integrations_pipeline.oauth import IntegrationRef
from tests.conftest import connect, sync
from tests.e2e import test_changing

run = test_changing.run


@pytest.fixture
def ref(store, sandbox, tenant_id) -> IntegrationRef:
    """A connected HubSpot account whose contacts are there."""
    made = connect(store, sandbox, tenant_id, "hubspot")
    sync(store, made, resources=["contacts"])
    return made


def test_a_field_is_found_tried_mapped_shown_and_removed(ref, run) -> None:
    where = (ref.key, "contacts")
    source = ("--from", "properties.lifecyclestage", "--step", "trim", "--step", "case:to=upper")

    listed = run("mapping", "fields", *where)
    tried = run("mapping", "preview", *where, "stage", *source, "--json")
    saved = run("mapping", "set", *where, "stage", *source)
    shown = run("mapping", "list", ref.key)
    told = run("mapping", "list", ref.key, "--json")
    removed = run("mapping", "remove", *where, "stage")
    empty = run("mapping", "list", ref.key)

    assert "properties.lifecyclestage" in listed.stdout
    assert all(row["after"] == row["before"].upper() for row in orjson.loads(tried.stdout))
    assert f"integrations sync {ref.key} --resource contacts" in saved.stdout, saved.stderr
    assert 'trim, case{"to":"upper"}' in shown.stdout
    (spec,) = orjson.loads(told.stdout)
    assert spec["transforms"] == [{"step": "trim"}, {"step": "case", "to": "upper"}]
    assert f"Removed. Next: integrations sync {ref.key}" in removed.stdout
    assert "Nothing is mapped." in empty.stdout


WRONG = [
    (["--from", "properties.lifecyclestag"], "Did you mean properties.lifecyclestage?"),
    (["--from", "properties.email", "--step", "shout"], "Transforms: trim, case"),
    (["--from", "properties.email", "--step", "case:upper"], "name:option=value"),
    (["--from", "properties.email", "--step", "{nothing"], "--step is no JSON"),
    (["--step", "trim"], "a source is needed"),
]


@pytest.mark.parametrize(("options", "told"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_mistakes_are_told_in_a_line(ref, run, options, told) -> None:
    done = run("mapping", "set", ref.key, "contacts", "out", *options)

    assert done.returncode == 2
    assert told in done.stderr.replace("\n", " ")


def test_the_transforms_are_listed(ref, run) -> None:
    told = orjson.loads(run("mapping", "steps", "--json").stdout)

    assert {"parse_number", "lookup", "hash"} <= {one["step"] for one in told}
    options = {one["step"]: one["options"] for one in told}
    assert options["case"]["to"] == {
        "needed": True,
        "default": None,
        "values": ["lower", "upper", "title"],
    }
