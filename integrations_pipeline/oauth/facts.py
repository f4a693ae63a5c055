"""Facts that a service tells about an account: read, and believed only where they fit."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from integrations_pipeline.connectors.auth import Fact
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import AnswerError

LONGEST = 500
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

log = structlog.get_logger("integrations_pipeline.oauth")


def read_facts(wanted: Iterable[Fact], answer: Any, label: str) -> dict[str, str]:
    """The facts that an answer holds; one that it lacks is left out.

    Raises:
        AnswerError: one does not have its form: tokens must not follow it anywhere.
    """
    found: dict[str, str] = {}
    for fact in wanted:
        value = dig(answer, fact.at)
        if value is not None and value != "":
            found |= _checked(fact, value, label)
    return found


def sound_facts(wanted: Iterable[Fact], answer: Any, label: str) -> dict[str, str]:
    """The facts that have their form; of the others only the log tells, by name."""
    found: dict[str, str] = {}
    for fact in wanted:
        try:
            found |= read_facts((fact,), answer, label)
        except AnswerError:
            log.warning("fact_left_out", service=label, fact=fact.name)
    return found


def _checked(fact: Fact, value: Any, label: str) -> Mapping[str, str]:
    told = isinstance(value, str | int) and not isinstance(value, bool)
    text = str(value) if told else ""
    fine = len(text) <= LONGEST and not UNSTORABLE.search(text)
    match = re.fullmatch(fact.pattern, text) if fine else None
    if match is None:
        raise AnswerError(
            f"{label} told a {fact.name} that can't be right; nothing was sent there.",
            action="Connect the account again, and report it if it stays.",
        )
    return {fact.name: text, **{k: v for k, v in match.groupdict().items() if v}}
