"""The OAuth of the services whose records are not emulated: what all of them have in common."""

import pytest

from tests.sandbox.conftest import CALLBACK
from tests.sandbox.dialects import DIALECTS, App, is_refused

ALL = tuple(DIALECTS)
REFRESHING = tuple(name for name, one in DIALECTS.items() if one.refreshes)
ROTATING = tuple(name for name, one in DIALECTS.items() if one.rotates)
STRICT = ("slack", "custom")
GRACIOUS = ("quickbooks", "jira", "shopify", "microsoft_teams")
WITH_PKCE = tuple(name for name, one in DIALECTS.items() if one.pkce)
REVOKING = tuple(name for name, one in DIALECTS.items() if one.revoke)


def counts(sandbox, service, account="acme"):
    return sandbox.http.get(f"/sandbox/{service}/{account}/tokens").json()


@pytest.mark.parametrize("service", ALL)
@pytest.mark.parametrize("account", ["acme", "globex"])
def test_code_becomes_a_token_that_tells_whose_it_is(sandbox, service, account):
    app = App(sandbox, service, account)
    answer = app.connect()

    assert app.works(answer["access_token"])
    text = app.call(token=answer["access_token"]).text.lower()
    assert account in text or sandbox.clients[service, account]["settings"]["tenant"] in text
    assert ("refresh_token" in answer) is DIALECTS[service].refreshes
    assert counts(sandbox, service, account)["granted"] == 1


@pytest.mark.parametrize("service", ALL)
def test_state_comes_back(sandbox, service):
    assert App(sandbox, service).callback()["state"] == "st-te"


@pytest.mark.parametrize("service", ALL)
def test_user_can_deny(start, service):
    sandbox = start(auto_approve=False)
    app = App(sandbox, service)
    asked = app.authorize()
    assert asked.status_code == 200

    fields = {
        "client_id": app.row["client_id"],
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": app.dialect.scope,
        "state": "s",
        "decision": "deny",
    }
    denied = sandbox.http.post(app.url("authorize_url"), data=fields | app.dialect.asks)
    assert "error=access_denied" in denied.headers["location"]


@pytest.mark.parametrize("service", ALL)
def test_code_works_once(sandbox, service):
    app = App(sandbox, service)
    code = app.callback()["code"]

    assert app.exchange(code).status_code == 200
    assert is_refused(app.exchange(code), DIALECTS[service].bad_code)


@pytest.mark.parametrize("service", ALL)
def test_code_expires(sandbox, clock, service):
    app = App(sandbox, service)
    code = app.callback()["code"]
    clock.advance(3600)

    assert "access_token" not in app.exchange(code).json()


@pytest.mark.parametrize("service", ALL)
def test_redirect_uri_must_be_that_of_the_code(sandbox, service):
    app = App(sandbox, service)
    answer = app.exchange(app.callback()["code"], redirect_uri=f"{CALLBACK}/other")

    assert is_refused(answer, DIALECTS[service].bad_redirect)


@pytest.mark.parametrize("service", ALL)
def test_wrong_secret(sandbox, service):
    app = App(sandbox, service)
    answer = app.exchange(app.callback()["code"], secret="wrong")

    assert is_refused(answer, DIALECTS[service].bad_secret)
    assert sum(counts(sandbox, service).values()) == 0


@pytest.mark.parametrize("service", ALL)
def test_code_of_one_account_is_worthless_to_another(sandbox, service):
    answer = App(sandbox, service, "globex").exchange(App(sandbox, service).callback()["code"])

    assert "access_token" not in answer.json()


@pytest.mark.parametrize("service", WITH_PKCE)
@pytest.mark.parametrize("verifier", ["not-the-verifier", ""])
def test_wrong_verifier(sandbox, service, verifier):
    app = App(sandbox, service)
    answer = app.exchange(app.callback()["code"], code_verifier=verifier)

    assert is_refused(answer, (400, "invalid_grant"))


@pytest.mark.parametrize("service", sorted(set(ALL) - {"slack"}))
def test_unknown_grant_type(sandbox, service):
    answer = App(sandbox, service).token(grant_type="password")

    assert is_refused(answer, (400, "unsupported_grant_type"))


@pytest.mark.parametrize("service", ALL)
def test_no_token_and_an_unknown_one(sandbox, service):
    app = App(sandbox, service)
    app.connect()

    assert is_refused(app.call(), DIALECTS[service].no_token)
    assert not app.works("unknown")


@pytest.mark.parametrize("service", REFRESHING)
def test_refresh(start, clock, service):
    sandbox = start(token_seconds=60)
    app = App(sandbox, service)
    first = app.connect()
    clock.advance(60)
    assert not app.works(first["access_token"])

    second = app.refresh(first["refresh_token"]).json()

    assert app.works(second["access_token"])
    rotated = second.get("refresh_token", first["refresh_token"]) != first["refresh_token"]
    assert rotated is DIALECTS[service].rotates
    assert counts(sandbox, service) == {"granted": 1, "refreshed": 1, "refused": 0, "revoked": 0}


@pytest.mark.parametrize("service", REFRESHING)
def test_unknown_refresh_token(sandbox, service):
    assert is_refused(App(sandbox, service).refresh("unknown"), DIALECTS[service].dead)
    assert counts(sandbox, service)["refused"] == 1


@pytest.mark.parametrize("service", ["quickbooks", "jira", "microsoft_teams", "shopify", "custom"])
def test_refresh_token_expires(sandbox, clock, service):
    app = App(sandbox, service)
    token = app.connect()["refresh_token"]
    clock.advance(101 * 86_400)

    assert is_refused(app.refresh(token), DIALECTS[service].dead)


@pytest.mark.parametrize("service", STRICT)
def test_rotated_refresh_token_is_dead(sandbox, service):
    app = App(sandbox, service)
    first = app.connect()["refresh_token"]
    app.refresh(first)

    assert is_refused(app.refresh(first), DIALECTS[service].dead)
    assert counts(sandbox, service)["refused"] == 1


@pytest.mark.parametrize("service", GRACIOUS)
def test_rotated_refresh_token_works_for_a_while(sandbox, service):
    app = App(sandbox, service)
    first = app.connect()["refresh_token"]
    lost = app.refresh(first).json()["refresh_token"]
    again = app.refresh(first)

    assert again.status_code == 200
    assert app.works(again.json()["access_token"])
    # Elsewhere the token whose answer was lost is replaced too.
    assert (app.refresh(lost).status_code == 200) is (service == "microsoft_teams")


@pytest.mark.parametrize(("service", "grace"), [("quickbooks", 86_400), ("jira", 10)])
def test_grace_ends_and_reuse_ends_the_grant(sandbox, clock, service, grace):
    app = App(sandbox, service)
    first = app.connect()["refresh_token"]
    second = app.refresh(first).json()["refresh_token"]
    clock.advance(grace)

    assert is_refused(app.refresh(first), DIALECTS[service].dead)
    assert is_refused(app.refresh(second), DIALECTS[service].dead)
    assert counts(sandbox, service)["refused"] == 2


def test_grace_is_not_prolonged_by_use(sandbox, clock):
    app = App(sandbox, "jira")
    first = app.connect()["refresh_token"]
    for _ in range(2):
        assert app.refresh(first).status_code == 200
        clock.advance(5)

    assert app.refresh(first).status_code == 403


def test_reuse_ends_the_whole_grant_and_no_other(sandbox):
    app = App(sandbox, "custom")
    other = app.connect()
    first = app.connect()
    second = app.refresh(first["refresh_token"]).json()
    app.refresh(first["refresh_token"])

    assert not app.works(second["access_token"])
    assert is_refused(app.refresh(second["refresh_token"]), (400, "invalid_grant"))
    assert app.works(other["access_token"])


@pytest.mark.parametrize("service", REVOKING)
def test_revocation(sandbox, service):
    app = App(sandbox, service)
    answer = app.connect()
    revoked = app.revoke(answer["refresh_token"], answer["access_token"])

    assert revoked.status_code == 200
    assert not app.works(answer["access_token"])
    assert is_refused(app.refresh(answer["refresh_token"]), DIALECTS[service].dead)
    assert counts(sandbox, service) == {"granted": 1, "refreshed": 0, "refused": 1, "revoked": 1}


@pytest.mark.parametrize("service", ALL)
def test_user_disconnects_in_the_service(sandbox, service):
    app, other = App(sandbox, service), App(sandbox, service, "globex")
    answer, others = app.connect(), other.connect()

    ended = sandbox.http.delete(f"/sandbox/{service}/acme/grants")

    assert ended.status_code == 204
    assert not app.works(answer["access_token"])
    if DIALECTS[service].refreshes:
        assert is_refused(app.refresh(answer["refresh_token"]), DIALECTS[service].dead)
    assert other.works(others["access_token"])


@pytest.mark.parametrize("service", sorted(set(ALL) - {"mailchimp", "quickbooks"}))
def test_users_may_grant_less(start, service):
    wanted = DIALECTS[service].scope.replace(",", " ").split()
    answer = App(start(grant_scopes=tuple(wanted[-1:])), service).connect()

    assert answer["scope"] == wanted[-1]


@pytest.mark.parametrize("service", ALL)
def test_tokens_survive_a_restart(start, tmp_path, service):
    state_file = tmp_path / "sandbox.json"
    app = App(start(state_file=state_file), service)
    answer = app.connect()
    if DIALECTS[service].rotates:
        answer = app.refresh(answer["refresh_token"]).json()

    start(state_file=state_file)

    assert app.works(answer["access_token"])
    if DIALECTS[service].refreshes:
        assert "access_token" in app.refresh(answer["refresh_token"]).json()


@pytest.mark.parametrize("service", ALL)
def test_unknown_path_and_faults_have_the_service_s_form(sandbox, service):
    app = App(sandbox, service)
    token = app.connect()["access_token"]
    scheme = "Bearer" if app.dialect.scheme == "OAuth" else app.dialect.scheme
    headers = {app.dialect.header: f"{scheme} {token}".strip()}
    base = f"{sandbox.url}/{service}"
    base += "/acme.myshopify.com" if service == "shopify" else ""

    unknown = sandbox.http.get(f"{base}/no/such/path", headers=headers)
    assert unknown.status_code in {200, 400, 404}
    assert unknown.json()
    for kind in ("rate_limit", "error", "expired_token"):
        sandbox.fault(service, kind)
        answer = sandbox.http.get(f"{base}/no/such/path", headers=headers)
        assert answer.json() != unknown.json()
        assert answer.status_code >= 400 or service in {"slack", "shopify"}


@pytest.mark.parametrize("service", sorted(set(ALL) - {"custom"}))
def test_records_are_not_emulated(sandbox, service):
    path = f"/sandbox/{service}/acme"

    assert sandbox.http.get(f"{path}/counts").json() == {}
    assert sandbox.http.get(f"{path}/records/any").status_code == 404
