"""The vault against the sandbox's rotating services: many processes spend no refresh token twice.

Zendesk ends the old pair at once; the custom service ends the whole grant when one comes twice.
"""

import time

import pytest

from integrations_pipeline.oauth.doctor import examine
from tests.integration.support import integration_row, token_row
from tests.integration.test_all_services import connected
from tests.integration.vault_workers import place, renew_on, workers
from tests.integration.waiting import wait_for


@pytest.mark.parametrize("service", ["zendesk", "custom"])
@pytest.mark.parametrize(
    "refreshes",
    [
        pytest.param(60, id="60"),
        pytest.param(1000, id="1000", marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_refreshes_of_eight_processes_against_the_sandbox(
    store, home, sandbox, tenant_id, record_property, service, refreshes
) -> None:
    ref = connected(store, sandbox, tenant_id, service)
    began = time.monotonic()

    def counts() -> dict[str, int]:
        return sandbox.get(f"/sandbox/{service}/acme/tokens")

    with workers([place(store, home, ref)] * 8, renew_on) as renewing:
        wait_for(
            lambda: (
                counts()["refreshed"] >= refreshes or integration_row(store, ref).status == "ERROR"
            ),
            60 + refreshes * 0.6,
        )
        results = [one.end() for one in renewing]

    found = counts()
    record_property("refreshes", found["refreshed"])
    record_property("refused", found["refused"])
    record_property("seconds", round(time.monotonic() - began, 1))
    assert [errors for _, errors in results] == [[]] * 8
    assert found["refused"] == 0
    assert found["refreshed"] == token_row(store, ref).version - 1 >= refreshes
    assert examine(store, ref).well
