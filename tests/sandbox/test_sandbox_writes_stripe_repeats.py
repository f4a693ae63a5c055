"""Stripe's idempotency keys, replies that get lost, and its own library."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import stripe as stripe_sdk

from tests.sandbox.stripe_writes import CUSTOMERS, effects


@pytest.fixture
def stripe(sandbox):
    return sandbox.api("stripe")


def library(sandbox, retries=0):
    token = sandbox.clients["stripe", "acme"]["keys"]["api_key"]
    addresses = {"api": sandbox.address("stripe", "api_base_url")}
    return stripe_sdk.StripeClient(token, base_addresses=addresses, max_network_retries=retries)


def test_same_key_gives_the_first_answer(sandbox, stripe, clock):
    headers = {"Idempotency-Key": "op-1"}
    first, again = (stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers) for _ in range(2))
    other = stripe.post(CUSTOMERS, data={"name": "Mina"}, headers=headers)

    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Idempotency-Key"] == "op-1"
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    assert effects(sandbox)["customers"]["created"] == 1
    globex = sandbox.api("stripe", "globex")
    assert "Idempotent-Replayed" not in globex.post(CUSTOMERS, headers=headers).headers

    clock.advance(86_401)
    renewed = sandbox.api("stripe").post(CUSTOMERS, data={"name": "Mina"}, headers=headers)
    assert renewed.json()["name"] == "Mina"


def test_what_is_stored_under_a_key(sandbox, stripe):
    headers = {"Idempotency-Key": "op-1"}
    assert stripe.post(CUSTOMERS, data={"email": "x"}, headers=headers).status_code == 400
    assert stripe.post(CUSTOMERS, data={"email": "x@y.z"}, headers=headers).status_code == 200
    assert stripe.post(CUSTOMERS, headers={"Idempotency-Key": "k" * 256}).status_code == 400

    headers = {"Idempotency-Key": "op-2"}
    gone = [stripe.post(f"{CUSTOMERS}/cus_no", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in gone] == [404, 404]
    assert gone[1].headers["Idempotent-Replayed"] == "true"


def test_same_key_while_the_first_is_running(sandbox, stripe):
    sandbox.fault("stripe", "slow", seconds=0.6)
    headers = {"Idempotency-Key": "op-1"}

    def post():
        return stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(post)
        time.sleep(0.25)
        second = post()
        first = running.result()
    third = post()

    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert first.status_code == 200
    assert third.json() == first.json()
    assert effects(sandbox)["customers"]["created"] == 1


def test_keys_survive_a_restart(start, tmp_path):
    headers = {"Idempotency-Key": "op-1"}
    answers = []
    for _ in range(2):
        client = start(state_file=tmp_path / "state.json").api("stripe")
        answers.append(client.post(CUSTOMERS, data={"name": "Lea"}, headers=headers))

    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["Idempotent-Replayed"] == "true"


def test_writes_draw_on_the_budget(stripe, clock):
    clock.freeze()
    answers = [stripe.post(f"{CUSTOMERS}/cus_no").status_code for _ in range(26)]

    assert answers == [404] * 25 + [429]


@pytest.mark.parametrize("kind", ["lost_reply", "late_error"])
def test_a_lost_reply_is_had_again_with_the_key(sandbox, stripe, kind):
    sandbox.fault("stripe", kind)
    headers = {"Idempotency-Key": "op-1"}
    if kind == "lost_reply":
        with pytest.raises(httpx.RemoteProtocolError):
            stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)
    else:
        late = stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)
        assert (late.status_code, late.json()["error"]["type"]) == (503, "api_error")
    again = stripe.post(CUSTOMERS, data={"name": "Lea"}, headers=headers)

    assert again.json()["name"] == "Lea"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert effects(sandbox)["customers"]["created"] == 1


def test_a_token_can_get_lost_too(sandbox):
    first = sandbox.connect("stripe")
    sandbox.fault("stripe", "lost_reply", path="/oauth/token")
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.refresh("stripe", first["refresh_token"])

    assert sandbox.refresh("stripe", first["refresh_token"]).status_code == 400


def test_the_official_library_repeats_a_lost_write(sandbox):
    sandbox.fault("stripe", "lost_reply")
    client = library(sandbox, retries=2)
    made = client.v1.customers.create({"name": "Lea", "address": {"city": "Lyon"}})
    changed = client.v1.customers.update(made.id, {"metadata": {"crm_id": "7"}})
    found = client.v1.customers.search({"query": "metadata['crm_id']:'7' AND name:'Lea'"})

    assert changed.metadata["crm_id"] == "7"
    assert found.data[0].id == made.id
    assert client.v1.customers.delete(made.id).deleted
    assert effects(sandbox)["customers"]["created"] == 1


def test_the_official_library_raises_its_errors(sandbox):
    client = library(sandbox)
    options = {"idempotency_key": "op-1"}
    client.v1.products.create({"name": "Plan", "images": ["https://b.example/1"]}, options)

    with pytest.raises(stripe_sdk.IdempotencyError):
        client.v1.products.create({"name": "Other"}, options)
    with pytest.raises(stripe_sdk.InvalidRequestError) as caught:
        client.v1.customers.create({"email": "x"})
    assert caught.value.code == "email_invalid"
