"""Zendesk's writes: idempotency, scopes, limits, replies that get lost."""

import httpx
import pytest

from tests.sandbox.zendesk_writes import API, TICKET, counted, effects, writer


@pytest.fixture
def zendesk(sandbox):
    return writer(sandbox)


def test_tickets_are_made_once_for_a_key(sandbox, zendesk, clock):
    headers = {"Idempotency-Key": "op-1"}

    def post(client=zendesk, **changes):
        ticket = TICKET["ticket"] | changes
        return client.post(f"{API}/tickets", json={"ticket": ticket}, headers=headers)

    first, again, other = post(), post(), post(subject="Other")

    assert first.json() == again.json()
    assert [a.headers["x-idempotency-lookup"] for a in (first, again)] == ["miss", "hit"]
    assert (other.status_code, other.json()["error"]) == (400, "IdempotentRequestError")
    assert effects(sandbox)["tickets"]["created"] == 1
    assert post(writer(sandbox, "globex")).headers["x-idempotency-lookup"] == "miss"
    clock.advance(7_201)
    assert post(writer(sandbox), subject="Other").status_code == 201


@pytest.mark.parametrize(
    ("scope", "status"), [("read", 403), ("read users:write", 201), ("write", 201)]
)
def test_writes_need_their_scope(sandbox, scope, status):
    client = writer(sandbox, scope=scope)

    assert client.post(f"{API}/users", json={"user": {"name": "Iris"}}).status_code == status
    assert client.get(f"{API}/tickets").status_code == (200 if "read" in scope else 403)
    if "users" in scope:
        assert client.post(f"{API}/tickets", json=TICKET).status_code == 403


def test_accounts_are_apart(sandbox, zendesk):
    user = {"user": {"name": "Iris", "email": "iris@b.example"}}
    answers = [
        client.post(f"{API}/users", json=user) for client in (zendesk, writer(sandbox, "globex"))
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert effects(sandbox, "globex") == effects(sandbox) == {"users": counted(created=1)}


def test_one_user_is_updated_five_times_a_minute(sandbox, zendesk, clock):
    clock.freeze()
    ids = [row["id"] for row in sandbox.records("zendesk", "users")[9:11]]
    body = {"user": {"notes": "x"}}
    answers = [zendesk.put(f"{API}/users/{ids[0]}", json=body) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert zendesk.put(f"{API}/users/{ids[1]}", json=body).status_code == 200
    made = [zendesk.post(f"{API}/tickets", json=TICKET).status_code for _ in range(101)]
    assert set(made) == {201}


def test_lost_replies_leave_the_write_done(sandbox, zendesk, clock):
    headers = {"Idempotency-Key": "op-1"}
    path = f"{API}/tickets"
    sandbox.fault("zendesk", "lost_reply", path="/tickets")
    with pytest.raises(httpx.RemoteProtocolError):
        zendesk.post(path, json=TICKET, headers=headers)
    again = zendesk.post(path, json=TICKET, headers=headers)
    sandbox.fault("zendesk", "late_error")
    users = {"users": [{"name": "Iris", "external_id": "u-1"}]}
    late = zendesk.post(f"{API}/users/create_many", json=users)
    clock.advance(1)

    assert again.headers["x-idempotency-lookup"] == "hit"
    assert late.status_code == 503
    assert zendesk.get(f"{API}/users?external_id=u-1").json()["count"] == 1
    assert effects(sandbox)["tickets"] == effects(sandbox)["users"] == counted(created=1)
