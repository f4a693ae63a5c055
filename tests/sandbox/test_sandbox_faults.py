"""Every kind of fault at every service, and which requests they hit."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

SERVICES = ("hubspot", "stripe", "zendesk")
LIST = {
    "hubspot": "/crm/v3/objects/contacts?limit=5",
    "stripe": "/v1/customers?limit=5",
    "zendesk": "/api/v2/users?page[size]=5",
}
ROWS = {"hubspot": "results", "stripe": "data", "zendesk": "users"}


@pytest.fixture(params=SERVICES)
def service(request):
    return request.param


@pytest.fixture
def api(sandbox, service):
    return sandbox.api(service)


def test_rate_limit(sandbox, service, api):
    sandbox.fault(service, "rate_limit", seconds=2.5)
    answer = api.get(LIST[service])

    assert answer.status_code == 429
    assert answer.headers.get("Retry-After") == ("3" if service == "zendesk" else None)
    assert api.get(LIST[service]).status_code == 200


def test_error(sandbox, service, api):
    sandbox.fault(service, "error", count=2)
    answers = [api.get(LIST[service]) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [500, 500, 200]
    assert answers[0].json()


def test_expired_token(sandbox, service, api):
    sandbox.fault(service, "expired_token")

    assert [api.get(LIST[service]).status_code for _ in range(2)] == [401, 200]


def test_html(sandbox, service, api):
    sandbox.fault(service, "html")
    answer = api.get(LIST[service])

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_truncated(sandbox, service, api):
    sandbox.fault(service, "truncated")
    answer = api.get(LIST[service])

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_drop(sandbox, service, api):
    sandbox.fault(service, "drop")

    with pytest.raises(httpx.RemoteProtocolError):
        api.get(LIST[service])
    assert api.get(LIST[service]).status_code == 200


def test_huge(sandbox, service, api):
    sandbox.fault(service, "huge")
    answer = api.get(LIST[service])

    assert len(answer.content) > 10 * 1024 * 1024
    assert len(answer.json()[ROWS[service]]) == 5


def test_wrong_types(sandbox, service, api):
    sandbox.fault(service, "wrong_types", count=3)
    shapes = [api.get(LIST[service]).json()[ROWS[service]] for _ in range(3)]

    assert sorted(type(shape).__name__ for shape in shapes) == ["dict", "int", "list"]
    assert all(isinstance(row, str) for shape in shapes if isinstance(shape, list) for row in shape)


def test_wrong_type_of_a_single_record(sandbox):
    client = sandbox.api("stripe")
    sandbox.fault("stripe", "wrong_types")

    assert isinstance(client.get("/v1/account").json(), list)


def test_slow_requests_do_not_hold_up_others(sandbox, service, api):
    api.get(LIST[service])
    sandbox.fault(service, "slow", seconds=1.0)
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(api.get, LIST[service])
        while not slow.running():
            time.sleep(0.001)
        quick = [sandbox.http.get("/sandbox/health") for _ in range(5)]
        passed = time.monotonic() - begin
        assert not slow.done()
        assert slow.result().status_code == 200

    assert {answer.status_code for answer in quick} == {200}
    assert passed < 1.0 <= time.monotonic() - begin


def following(service, page):
    """The query that a client sends to get the next page."""
    match service:
        case "hubspot":
            return f"&after={page['paging']['next']['after']}"
        case "stripe":
            assert page["has_more"]
            return f"&starting_after={page['data'][-1]['id']}"
        case _:
            assert page["meta"]["has_more"]
            return f"&page[after]={page['meta']['after_cursor']}"


def test_loop(sandbox, service, api):
    sandbox.fault(service, "loop", count=1000)
    first = api.get(LIST[service]).json()
    second = api.get(LIST[service] + following(service, first)).json()
    third = api.get(LIST[service] + following(service, second)).json()

    assert first == second == third


@pytest.mark.parametrize(
    ("path", "leads_on"),
    [
        ("tickets/cursor", lambda page: not page["end_of_stream"] and page["after_cursor"]),
        ("organizations", lambda page: not page["end_of_stream"] and page["next_page"]),
    ],
)
def test_loop_in_the_exports(sandbox, path, leads_on):
    client = sandbox.api("zendesk")
    sandbox.fault("zendesk", "loop", count=1000)
    pages = [client.get(f"/api/v2/incremental/{path}?start_time=0").json() for _ in range(3)]

    assert pages[0] == pages[1] == pages[2]
    assert leads_on(pages[0])


def test_loop_on_a_last_page(sandbox):
    client = sandbox.api("hubspot")
    sandbox.fault("hubspot", "loop", count=2)

    assert client.get("/crm/v3/owners/").json()["paging"]["next"]["after"]


def test_path_narrows_a_fault(sandbox, service, api):
    sandbox.fault(service, "error", path=LIST[service].partition("?")[0])
    other = {"hubspot": "/crm/v3/owners", "stripe": "/v1/account", "zendesk": "/api/v2/users/me"}
    if service != "zendesk":
        assert api.get(other[service]).status_code == 200

    assert api.get(LIST[service]).status_code == 500


def test_token_requests_are_hit_only_by_name(sandbox, service):
    sandbox.fault(service, "error")
    first = sandbox.connect(service)
    assert first["access_token"]

    sandbox.fault(service, "rate_limit", path="token")
    assert sandbox.refresh(service, first["refresh_token"]).status_code == 429
    assert sandbox.refresh(service, first["refresh_token"]).status_code == 200


def test_spoiling_waits_for_an_answer_to_spoil(sandbox, service):
    sandbox.fault(service, "truncated")
    assert sandbox.api(service, token="unknown").get(LIST[service]).status_code == 401

    with pytest.raises(json.JSONDecodeError):
        sandbox.api(service).get(LIST[service]).json()


def test_faults_can_be_cleared(sandbox, service, api):
    sandbox.fault(service, "error", count=1000)

    assert sandbox.http.delete(f"/sandbox/{service}/faults").status_code == 204
    assert api.get(LIST[service]).status_code == 200


@pytest.mark.parametrize(
    "fault",
    [{"kind": "earthquake"}, {}, {"kind": "error", "count": 0}, {"kind": "slow", "seconds": -1}],
)
def test_faults_that_do_not_exist(sandbox, fault):
    assert sandbox.http.post("/sandbox/stripe/faults", json=fault).status_code == 422
    assert sandbox.http.post("/sandbox/paypal/faults", json=fault).status_code == 404
