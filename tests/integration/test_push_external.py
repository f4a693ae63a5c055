"""External ids: the fields that admins name for them, and records that are known by them."""

from dataclasses import replace
from typing import Any

import pytest

from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.policies import change_policy
from integrations_pipeline.store.policy import SyncPolicy
from integrations_pipeline.store.states import JobStatus
from tests.integration.outgoing import both_ways, connect, intents, rows, send, states

SQL = "x}' || (1 / 0)::text || '{y"
WRONG = [
    ({"contacts": SQL}, r"external_ids\.contacts"),
    ({"contacts": "email,phone"}, r"external_ids\.contacts"),
    ({"contacts": "email\n"}, r"external_ids\.contacts"),
    ({"nothing": "email"}, "no resource nothing"),
]


@pytest.mark.parametrize(("external_ids", "reason"), WRONG, ids=["sql", "list", "line", "resource"])
def test_a_rule_that_names_no_field_is_refused(
    store, sandbox, tenant_id, external_ids: dict[str, str], reason: str
) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")

    with pytest.raises(RequestError, match=reason):
        change_policy(store, ref, {"external_ids": external_ids})
    assert change_policy(store, ref, {"external_ids": {"deals": "crm_id"}}).external_ids


def test_a_fields_name_is_no_sql(store, sandbox, tenant_id) -> None:
    """Also where a name has got past the check."""
    ref = connect(store, sandbox, tenant_id, "hubspot")
    assert both_ways(store, ref, "contacts").error is None
    unchecked = SyncPolicy.model_construct(external_ids={"contacts": SQL})
    ref = replace(ref, policy=unchecked)
    send(store, ref, "contacts", {"external_id": "e1", "phone": "1"}, operation="upsert")

    result = both_ways(store, ref, "contacts")

    assert result.status is JobStatus.COMPLETED, result.error
    assert states(store, ref) == {"REJECTED": 1}  # by HubSpot, which has no such property


def test_a_record_known_by_its_external_id_is_compared(store, sandbox, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "hubspot")
    assert both_ways(store, ref, "contacts").error is None
    live: list[dict[str, Any]] = [
        row for row in rows(store, ref, "contacts").values() if row["email"] and row["phone"]
    ]
    same = {"external_id": live[0]["email"], "phone": live[0]["phone"]}
    other = {"external_id": live[1]["email"], "phone": "+49 30 9"}
    send(store, ref, "contacts", same, other, operation="upsert")

    assert both_ways(store, ref, "contacts").error is None
    assert [one.state for one in intents(store, ref)] == ["SKIPPED", "DONE"]
