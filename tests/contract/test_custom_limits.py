"""Limits in the declaration of a customer's own API."""

import pytest

from integrations_pipeline.connectors.access import Quota, ResetForm, Told
from integrations_pipeline.connectors.custom import custom_connector
from integrations_pipeline.errors import RequestError
from tests.contract.custom_declarations import BEARER, declared


def quotas(*limits):
    return custom_connector(declared(BEARER, limits=list(limits))).quotas


def test_limits_become_quotas():
    found = quotas(
        {"requests": 100, "seconds": 60, "path_contains": "/orders"},
        {"seconds": 60, "limit": "X-Max", "reset": "X-Reset", "reset_as": "epoch_ms"},
        {"concurrent": 4},
    )

    assert found == (
        Quota(100, 60.0, "/orders"),
        Quota(0, 60.0, told=Told(limit="X-Max", reset="X-Reset", reset_as=ResetForm.EPOCH_MS)),
        Quota(concurrent=4),
    )


@pytest.mark.parametrize(
    ("limit", "place"),
    [
        ({}, "limits.0: needs"),
        ({"requests": 5}, "limits.0: needs"),
        ({"seconds": 5}, "limits.0: needs"),
        ({"requests": 5, "seconds": 5, "remaining": "Authorization"}, "limits.0.remaining:"),
        ({"requests": -1, "seconds": 5}, "limits.0.requests:"),
        ({"requests": 5, "seconds": float("nan")}, "limits.0.seconds:"),
        ({"concurrent": 1, "reset_as": "tomorrow"}, "limits.0.reset_as:"),
        ({"concurrent": 1, "per_minute": 5}, "limits.0.per_minute:"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(limit, place):
    with pytest.raises(RequestError, match=place):
        quotas(limit)
