"""Alerts: told once, posted until delivered, cleared by connecting again."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from integrations_pipeline.alerts import open_alerts, send_alerts
from integrations_pipeline.oauth import exchange_code_for_token
from integrations_pipeline.oauth.care import care_for_tokens
from integrations_pipeline.oauth.vault import mark_broken
from tests.conftest import SESSION, authorize, connect
from tests.integration.support import run_sql


class Pager:
    """The operator's address: keeps what arrives, and can be out of order."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.status = 200
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if pager.status == 200:
                    pager.got.append(json.loads(body))
                self.send_response(pager.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def pager(store):
    """A pager that the store's alerts go to; alerts of other tests are not its business."""
    run_sql(store, "UPDATE integrations.alert SET sent_at = now() WHERE sent_at IS NULL")
    made = Pager()
    store.settings.alert_url = SecretStr(made.url)
    yield made
    made.server.shutdown()


@pytest.fixture
def ref(store, sandbox, tenant_id):
    """A connected account."""
    return connect(store, sandbox, tenant_id, "hubspot")


def test_an_alert_is_posted_once(store, ref, pager) -> None:
    mark_broken(store, ref, "The grant was revoked.")
    mark_broken(store, ref, "It is still revoked.")

    assert care_for_tokens(store).alerts_sent >= 1  # a round looks after other tests' tokens too
    assert send_alerts(store) == 0
    mine = [alert for alert in pager.got if alert["integration"] == ref.key]
    assert [alert["kind"] for alert in mine] == ["connect_again"]
    assert "The grant was revoked." in mine[0]["message"]


def test_what_can_not_be_delivered_is_tried_again(store, ref, pager) -> None:
    mark_broken(store, ref, "The grant was revoked.")
    pager.status = 500

    assert send_alerts(store) == 0
    pager.status = 200

    assert send_alerts(store) == 1
    assert len(pager.got) == 1


def test_a_pager_that_is_gone_does_no_harm(store, ref, pager) -> None:
    pager.server.shutdown()
    pager.server.server_close()
    mark_broken(store, ref, "The grant was revoked.")

    assert care_for_tokens(store).alerts_sent == 0
    assert [a.kind for a in open_alerts(store, ref.tenant_id)] == ["connect_again"]


def test_connecting_again_clears_and_a_new_fault_is_told_anew(
    store, sandbox, tenant_id, ref, pager
) -> None:
    mark_broken(store, ref, "The grant was revoked.")
    send_alerts(store)
    code, state = authorize(store, ref)
    exchange_code_for_token(store, state=state, code=code, session_id=SESSION)
    assert open_alerts(store, tenant_id) == []

    mark_broken(store, ref, "It was revoked again.")
    assert send_alerts(store) == 1
    assert len(pager.got) == 2


def test_a_consent_that_ends_soon_is_told_in_time(store, ref, pager) -> None:
    run_sql(
        store,
        "UPDATE integrations.oauth_token SET consent_expires_at = now() + interval '30 days' "
        "WHERE integration_id = :id",
        id=ref.id,
    )

    care_for_tokens(store)
    care_for_tokens(store)

    assert [a.kind for a in open_alerts(store, ref.tenant_id)] == ["consent_ends"]
    assert [a["kind"] for a in pager.got if a["integration"] == ref.key] == ["consent_ends"]
