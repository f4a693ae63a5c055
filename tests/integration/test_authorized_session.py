"""The session for calls of one's own: what it asks, what it renews, and what is the caller's."""

import pytest

from integrations_pipeline.connectors.base import MAX_BODY_BYTES
from integrations_pipeline.errors import AnswerError, ConnectAgainError
from tests.contract.service import Answer
from tests.integration import authorized_sessions
from tests.integration.authorized_sessions import TOKEN, held

api = authorized_sessions.api
carriage = authorized_sessions.carriage
session = authorized_sessions.session
tokens = authorized_sessions.tokens


def test_a_path_is_below_the_apis_address_and_authorized(session, api) -> None:
    api.get("/v1/things", {"things": []})

    answer = session.get("/things", params={"q": "a b"})

    (asked,) = api.asked
    assert (answer.status_code, answer.json()) == (200, {"things": []})
    assert (asked.path, asked.params["q"], held(asked)) == ("/v1/things", "a b", TOKEN)
    assert (asked.headers["Accept"], asked.headers["X-Version"]) == ("application/json", "7")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_every_kind_of_request_is_authorized(session, api, method) -> None:
    api.on(method, "/v1/things", {})

    session.request(method, "/things", json={"a": 1})

    (asked,) = api.asked
    assert (asked.method, asked.json, held(asked)) == (method, {"a": 1}, TOKEN)


def test_a_whole_address_of_the_api_is_authorized(session, api) -> None:
    api.get("/v2/things", {})

    session.get(f"{api.url}/v2/things")

    assert held(api.asked[0]) == TOKEN


def test_each_request_asks_for_the_token_anew(session, api, tokens) -> None:
    api.get("/v1/things", {}, {}, {})

    for _ in range(3):
        session.get("/things")

    assert (tokens.given, tokens.renewed) == (3, [])


def test_after_401_there_is_one_renewal_and_one_more_try(session, api, tokens) -> None:
    api.post("/v1/things", Answer({}, 401), {"done": True})

    answer = session.post("/things", json={"a": 1}, params={"q": "1"})

    assert answer.json() == {"done": True}
    assert tokens.renewed == [TOKEN]
    assert [held(asked) for asked in api.asked] == [TOKEN, f"{TOKEN}-2"]
    assert [(asked.json, asked.params["q"]) for asked in api.asked] == [({"a": 1}, "1")] * 2


def test_a_second_401_is_the_callers(session, api, tokens) -> None:
    api.get("/v1/things", Answer({}, 401), Answer({"no": 1}, 401))

    answer = session.get("/things")

    assert (answer.status_code, answer.json()) == (401, {"no": 1})
    assert len(tokens.renewed) == 1
    assert len(api.asked) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500])
def test_other_refusals_are_the_callers(session, api, tokens, status) -> None:
    api.get("/v1/things", Answer({}, status))

    assert session.get("/things").status_code == status
    assert tokens.renewed == []


def test_a_renewal_that_needs_a_person_says_so(session, api, tokens, monkeypatch) -> None:
    api.get("/v1/things", Answer({}, 401))

    def dead(rejected: str) -> str:
        raise ConnectAgainError("The connection has ended.")

    monkeypatch.setattr(tokens, "renew", dead)
    with pytest.raises(ConnectAgainError):
        session.get("/things")
    assert len(api.asked) == 1


def test_a_body_above_the_limit_is_refused_unless_it_streams(session, api) -> None:
    big = Answer(b"x" * (MAX_BODY_BYTES + 1))
    api.get("/v1/big", big, big)

    with pytest.raises(AnswerError, match="larger than 8192 KiB"):
        session.get("/big")
    with session.get("/big", stream=True) as answer:
        assert sum(len(chunk) for chunk in answer.iter_content(65536)) == MAX_BODY_BYTES + 1


def test_a_body_at_the_limit_is_taken(session, api) -> None:
    api.get("/v1/big", Answer(b"x" * MAX_BODY_BYTES))

    assert len(session.get("/big").content) == MAX_BODY_BYTES
