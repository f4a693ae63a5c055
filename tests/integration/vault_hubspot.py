"""A connected HubSpot account whose token is near its end."""

import pytest

from tests.conftest import connect

ALIVE = "2 minutes"
"""What is left to a token that should be refreshed, and can be used."""


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected HubSpot account; nothing was asked of it since."""
    made = connect(store, sandbox, tenant_id, "hubspot")
    sandbox.forget_requests()
    return made
