"""Sending groups of attempts, against a client that says what the service would."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.errors import RejectedError, TransientError
from integrations_pipeline.sync.ledger import Attempt
from integrations_pipeline.sync.sending import Delivery, Sender

COUNT = 20


def attempts() -> list[Attempt]:
    return [
        Attempt(
            intent=SimpleNamespace(id=number),  # type: ignore[arg-type]
            operation="create",
            key=str(number),
            fields={"name": "x"},
        )
        for number in range(COUNT)
    ]


def sent(service: str, resource: str, answer: Callable[[int], Any], workers: int) -> Any:
    """What comes of a group, and how many requests it took. `answer` is given their number."""
    calls: list[int] = []

    def write(*_: Any, **__: Any) -> Any:
        calls.append(1)
        return answer(len(calls))

    declared = CONNECTORS[service].resource(resource)
    assert declared is not None
    assert declared.push is not None
    client: Any = SimpleNamespace(write=write)
    sender = Sender(client, replace(declared.push, workers=workers), "", lambda *_: None)
    return sender.send("create", attempts()), len(calls)


def by_state(delivery: Delivery) -> dict[str, int]:
    states = [verdict.state for verdict in delivery.verdicts]
    return {str(state): states.count(state) for state in set(states)}


@pytest.mark.parametrize("workers", [1, 4])
def test_once_the_service_takes_nothing_the_rest_is_not_sent(workers: int) -> None:
    def answer(number: int) -> Any:
        if number > 1:
            raise TransientError("down")
        return {"id": "cus_1"}

    delivery, calls = sent("stripe", "customers", answer, workers)

    assert isinstance(delivery.error, TransientError)
    assert by_state(delivery) == {"DONE": 1, "PENDING": COUNT - 1}
    assert calls <= 1 + workers


def test_once_the_service_takes_nothing_a_refused_batch_is_not_split_further() -> None:
    def answer(number: int) -> Any:
        raise RejectedError("bad") if number == 1 else TransientError("down")

    delivery, calls = sent("hubspot", "contacts", answer, 1)

    assert isinstance(delivery.error, TransientError)
    assert by_state(delivery) == {"PENDING": COUNT}
    assert calls == 2
