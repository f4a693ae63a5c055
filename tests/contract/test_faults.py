"""Faults met in the middle of a sync: what is repeated, what fails, and what stays."""

import time

import pytest

from integrations_pipeline.store.states import JobStatus
from tests.contract.pages import API, FIRST, first_of_two, page, whole
from tests.contract.service import Answer

EACH = pytest.mark.parametrize("name", FIRST)
EXPIRED = {
    "hubspot": {"status": "error", "category": "EXPIRED_AUTHENTICATION", "message": "Expired"},
    "stripe": {"error": {"type": "invalid_request_error", "code": "api_key_expired"}},
    "zendesk": {"error": "invalid_token", "error_description": "The access token is expired."},
}
TOKEN_PATHS = {
    "hubspot": "/oauth/2026-03/token",
    "stripe": "/v1/oauth/token",
    "zendesk": "/acme/oauth/tokens",
}
TOKEN = {"token_type": "bearer", "access_token": "access-2", "refresh_token": "refresh-2"}


@EACH
def test_a_refused_token_is_refreshed_once_and_the_request_repeated(
    service, connected, declare, name
):
    resource, path, record, key = FIRST[name]
    declare(name, Answer(EXPIRED[name], 401), whole(name, record))
    service.post(TOKEN_PATHS[name], TOKEN)
    account = connected(name)

    assert account.sync(resource).error is None
    bearers = [asked.headers["Authorization"] for asked in service.to(path)]
    assert bearers[:2] == ["Bearer access-1", "Bearer access-2"]
    assert account.live(resource) == {key}


FORM = {"grant_type": "refresh_token", "refresh_token": "refresh-1"}
CLIENT = {"client_id": "app-1", "client_secret": "sk_app"}
ASKED = {
    "hubspot": (FORM | CLIENT, None),
    "stripe": (FORM, "Basic c2tfYXBwOg=="),  # sk_app as the user name, no password
    "zendesk": (
        FORM | CLIENT | {"expires_in": "1800", "refresh_token_expires_in": "2592000"},
        None,
    ),
}


@EACH
def test_a_refresh_is_asked_for_as_the_service_wants_it(service, connected, declare, name):
    declare(name, Answer(EXPIRED[name], 401), whole(name))
    service.post(TOKEN_PATHS[name], TOKEN)
    connected(name).sync(FIRST[name][0])

    asked, (form, basic) = service.to(TOKEN_PATHS[name])[0], ASKED[name]
    assert asked.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert {key: value for key, value in asked.form.items() if key != "scope"} == form
    assert (asked.headers["Authorization"], asked.query) == (basic, {})


@EACH
def test_a_token_refused_after_its_refresh_needs_a_person(service, connected, declare, name):
    declare(name, *[Answer(EXPIRED[name], 401)] * 2, archive=False)
    service.post(TOKEN_PATHS[name], TOKEN)
    account = connected(name)

    result = account.sync(FIRST[name][0])
    assert result.status is JobStatus.FAILED
    assert "Connect the account again." in result.error
    assert account.status() == "ERROR"


DEAD = {
    "hubspot": {
        "status": "BAD_REFRESH_TOKEN",
        "message": "missing or invalid refresh token",
        "error": "invalid_grant",
        "error_description": "missing or invalid refresh token",
    },
    "stripe": {"error": "invalid_grant", "error_description": "Refresh token is not known"},
    "zendesk": {"error": "invalid_grant", "error_description": "The grant is invalid."},
}


@EACH
def test_a_dead_refresh_token_needs_a_person(service, connected, declare, name):
    declare(name, Answer(EXPIRED[name], 401), archive=False)
    service.post(TOKEN_PATHS[name], Answer(DEAD[name], 400))
    account = connected(name)

    result = account.sync(FIRST[name][0])
    assert f"{account.ref.key} {FIRST[name][0]}: " in result.error
    assert "Connect the account again." in result.error
    assert account.status() == "ERROR"


FORBIDDEN = {
    "hubspot": (
        "deals",
        "/crm/v3/objects/deals",
        {"status": "error", "category": "MISSING_SCOPES"},
    ),
    "stripe": ("products", "/v1/products", {"error": {"code": "more_permissions_required"}}),
    "zendesk": ("users", f"{API}/incremental/users/cursor", {"error": {"title": "Forbidden"}}),
}


@EACH
def test_a_forbidden_resource_fails_alone(service, connected, declare, name):
    (resource, _, record, key), (other, path, body) = FIRST[name], FORBIDDEN[name]
    declare(name, whole(name, record))
    service.get(path, Answer(body, 403))
    account = connected(name)

    result = account.sync(resource, other)
    assert {r.name: r.error is None for r in result.resources} == {resource: True, other: False}
    assert result.status is JobStatus.FAILED
    assert result.error.startswith(f"{account.ref.key} {other}: ")
    assert account.live(resource) == {key}
    assert account.status() == "ACTIVE"


DROPPED = Answer(b'{"results": [', headers={"Content-Length": "9000", "Connection": "close"})
AGAIN = {
    "limited": Answer({"message": "slow down"}, 429, {"Retry-After": "0"}),
    "unavailable": Answer(b"maintenance", 503, {"Retry-After": "0"}),
    "bad gateway": Answer(b"<html>502</html>", 502),
    "cut off": DROPPED,
}


@EACH
@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
def test_what_may_work_later_is_asked_again(service, connected, declare, name, again):
    resource, path, record, key = FIRST[name]
    declare(name, again, whole(name, record))
    account = connected(name)

    result = account.sync(resource)
    assert (result.error, account.live(resource)) == (None, {key})
    first, second = service.to(path)[:2]
    assert first.query == second.query
    assert result.usage.waited_seconds > 0


def test_what_stays_broken_is_given_up(service, connected, declare, store):
    store.settings.retry_seconds = 0
    declare("stripe", Answer({"error": {"message": "An outage", "type": "api_error"}}, 500))

    result = connected("stripe").sync("customers")
    assert "customers: Stripe answered 500 to GET /v1/customers: An outage" in result.error
    assert "Sync again later." in result.error


DAILY = {"status": "error", "message": "Daily limit", "policyName": "DAILY"}
LONG = {
    "hubspot": Answer(DAILY, 429),
    "stripe": Answer({"error": {"code": "rate_limit"}}, 429, {"Retry-After": "3600"}),
    "zendesk": Answer({"error": "APIRateLimitExceeded"}, 429, {"Retry-After": "60"}),
}


@EACH
def test_a_wait_longer_than_allowed_is_not_begun(service, connected, declare, name):
    declare(name, LONG[name], archive=False)
    began = time.monotonic()

    result = connected(name).sync(FIRST[name][0])
    assert "answered 429" in result.error
    assert "Sync again later." in result.error
    assert time.monotonic() - began < 4
    assert result.usage.waited_seconds == 0


@EACH
def test_the_next_sync_goes_on_behind_what_was_kept(service, connected, declare, name):
    resource, path, record, key = FIRST[name]
    declare(name, first_of_two(name, record), [], archive=False)
    account = connected(name)
    account.sync(resource)
    service.forget()
    declare(name, whole(name, {**record, "id": 7}))
    changes = {"hubspot": ("POST", f"{path}/search"), "stripe": ("GET", "/v1/events")}
    if name in changes:  # what was read before the fault may have changed since
        service.on(*changes[name], whole(name))
    if name == "hubspot":
        service.get(path, page(), archived="true")

    assert account.sync(resource).error is None
    place = {"hubspot": ("after", "51302"), "stripe": ("starting_after", key)}
    at, where = place.get(name, ("cursor", "c1"))
    assert service.asked[0].params[at] == where
    assert account.live(resource) == {key, "7"}
