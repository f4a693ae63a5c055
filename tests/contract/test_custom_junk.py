"""Declarations of a Custom service that make no sense at all do no harm."""

import copy
import json

from hypothesis import example, given
from hypothesis import strategies as st

from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.custom import custom_connector
from integrations_pipeline.errors import RequestError
from tests.contract.custom_declarations import (
    API_KEY,
    BEARER,
    CLIENT,
    OAUTH,
    declared,
    put,
    refusal,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("https://a.b"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
WHOLE = declared(OAUTH, headers={"X-Version": "2"}, test={"path": "/me", "account_id": "id"})


def _outcome(settings):
    try:
        built = custom_connector(settings)
    except RequestError as refused:
        return str(refused)
    return built


def _places(value, way=()):
    for name, inner in value.items():
        yield (*way, name)
        if isinstance(inner, dict):
            yield from _places(inner, (*way, name))


@given(JSON)
@example([])
@example({"\ud800": 1})
def test_junk_is_refused_readably(junk):
    outcome = _outcome(junk)

    assert isinstance(outcome, str)
    assert len(outcome) < 3000


def test_depth_does_no_harm():
    deep = json.loads('{"a":' * 900 + "1" + "}" * 900)

    for place in _places(WHOLE):
        settings = copy.deepcopy(WHOLE)
        put(settings, place, deep)
        assert refusal(settings)


@given(st.sampled_from(list(_places(WHOLE))), JSON)
def test_junk_in_one_place_is_taken_or_refused(place, junk):
    settings = copy.deepcopy(WHOLE)
    put(settings, place, junk)
    outcome = _outcome(settings)

    assert isinstance(outcome, str | Connector)


KINDS = [OAUTH, CLIENT, API_KEY, {"type": "basic"}, BEARER]


@given(st.sampled_from(KINDS), st.text(min_size=1), JSON)
def test_junk_under_an_unknown_key_is_refused(auth, name, junk):
    outcome = _outcome(declared({**auth, f"x_{name}": junk}))

    assert isinstance(outcome, str)
    assert outcome.startswith("auth.")
