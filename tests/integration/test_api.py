"""The API behind a key: doctor and alerts of one's own tenant, and nothing else."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from integrations_pipeline.oauth import create_tenant, create_user
from integrations_pipeline.oauth.vault import mark_broken
from integrations_pipeline.web.app import create_app
from integrations_pipeline.web.keys import create_api_key
from tests.conftest import connect
from tests.integration.support import one_row, run_sql


@pytest.fixture
def web(store, sandbox) -> TestClient:
    """The web application."""
    return TestClient(create_app(store), raise_server_exceptions=True)


def key_of(store, tenant_id, **life) -> dict[str, str]:
    user = create_user(store, tenant_id, "ada@example.com", "Ada", "ADMIN")
    key = create_api_key(store, tenant_id, user, "test", life=timedelta(**life or {"days": 1}))
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def other(store) -> dict[str, str]:
    """The key of another tenant."""
    slug = f"t{uuid4().hex[:12]}"
    return key_of(store, create_tenant(store, slug, slug))


def test_the_doctor_tells_the_same(store, sandbox, web, tenant_id) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")

    answer = web.get(f"/api/integrations/{ref.id}/doctor", headers=key_of(store, tenant_id))

    assert answer.status_code == 200
    assert answer.json()["well"] is True
    assert answer.json()["integration"] == ref.key


def test_a_foreign_integration_looks_like_an_unknown_one(
    store, sandbox, web, tenant_id, other
) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    sandbox.forget_requests()

    foreign = web.get(f"/api/integrations/{ref.id}/doctor", headers=other)
    unknown = web.get(f"/api/integrations/{uuid4()}/doctor", headers=other)

    assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    assert foreign.headers["content-type"] == "application/problem+json"
    assert sandbox.requests("zendesk") == []


def test_alerts_are_the_tenants_own(store, sandbox, web, tenant_id, other) -> None:
    ref = connect(store, sandbox, tenant_id, "zendesk")
    mark_broken(store, ref, "The grant was revoked.")

    mine = web.get("/api/alerts", headers=key_of(store, tenant_id)).json()

    assert [(a["integration"], a["kind"]) for a in mine] == [(ref.key, "connect_again")]
    assert web.get("/api/alerts", headers=other).json() == []


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer ipk_wrong", "Basic eDp5", "x"])
@pytest.mark.parametrize("path", ["/api/alerts", f"/api/integrations/{UUID(int=7)}/doctor"])
def test_without_a_good_key_nothing_is_told(web, path, header) -> None:
    answer = web.get(path, headers={"Authorization": header} if header else {})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_key_ends(store, web, tenant_id) -> None:
    assert web.get("/api/alerts", headers=key_of(store, tenant_id, days=-1)).status_code == 401

    headers = key_of(store, tenant_id)
    run_sql(
        store,
        "UPDATE integrations.api_key SET revoked_at = now() WHERE tenant_id = :t",
        t=tenant_id,
    )
    assert web.get("/api/alerts", headers=headers).status_code == 401


def test_the_key_of_a_disabled_user_is_refused(store, web, tenant_id) -> None:
    headers = key_of(store, tenant_id)
    assert web.get("/api/alerts", headers=headers).status_code == 200

    sql = "UPDATE integrations.app_user SET disabled_at = now() WHERE tenant_id = :t"
    run_sql(store, sql, t=tenant_id)

    assert web.get("/api/alerts", headers=headers).status_code == 401


@pytest.mark.parametrize("junk", ["x", "1", "%00", "a" * 5000, "\u2460", "%ff", str(UUID(int=9))])
def test_what_is_no_id_looks_like_an_unknown_one(store, web, tenant_id, junk) -> None:
    answer = web.get(f"/api/integrations/{junk}/doctor", headers=key_of(store, tenant_id))

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"status": 404, "detail": "There is nothing with this id."}


WRONG = [
    ("GET", "/api", 404),
    ("GET", "/api/secret-word", 404),
    ("GET", "/api/integrations/x/secret-word", 404),
    ("GET", "/api/integrations/callbacks", 404),
    ("POST", "/api/alerts", 405),
    ("DELETE", "/api/integrations/secret-word/doctor", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), WRONG)
def test_every_error_is_a_problem_that_repeats_nothing(
    store, web, tenant_id, method, path, status
) -> None:
    answer = web.request(method, path, headers=key_of(store, tenant_id))

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret-word" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [path for _, path, _ in WRONG] + ["/api/integrations/x/doctor"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_without_a_key_every_path_is_locked(web, method, path) -> None:
    answer = web.request(method, path)

    assert answer.status_code == 401
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_callback_needs_no_key(web) -> None:
    for path in ("/api/integrations/callback", "/api/integrations/callback/doctor"):
        answer = web.get(path)
        assert (answer.status_code, "Not connected" in answer.text) == (400, True)


def test_a_parameter_that_is_malformed_is_not_repeated(store, tenant_id) -> None:
    app = create_app(store)
    app.add_api_route("/api/times", _times)

    headers = key_of(store, tenant_id)
    answer = TestClient(app).get("/api/times", params={"n": "secret-word"}, headers=headers)

    assert (answer.status_code, "secret-word" in answer.text) == (422, False)
    assert answer.headers["content-type"] == "application/problem+json"


def _times(n: int) -> int:
    return n


def test_only_the_hash_of_a_key_is_kept(store, tenant_id) -> None:
    key = key_of(store, tenant_id)["Authorization"].removeprefix("Bearer ")
    row = one_row(store, "SELECT * FROM integrations.api_key WHERE tenant_id = :t", t=tenant_id)
    assert key not in str(row)
    assert len(key) > 40
