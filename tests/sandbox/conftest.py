"""A real server for the sandbox: one for the session, with a fresh application for every test."""

import base64
import hashlib
import socket
import threading
import time
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import uvicorn

from integrations_pipeline.sandbox.server import SandboxConfig, create_app, overrides

CALLBACK = "http://127.0.0.1:8000/oauth/callback"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
SCOPES = {
    "hubspot": "oauth crm.objects.contacts.read crm.objects.companies.read "
    "crm.objects.deals.read crm.objects.tickets.read crm.objects.owners.read",
    "stripe": "",
    "zendesk": "read",
}


class Clock:
    """The time of day, which can be set forward and stopped."""

    def __init__(self):
        self.ahead = 0.0
        self.stopped_at = None

    def __call__(self):
        return (self.stopped_at or time.time()) + self.ahead

    def freeze(self):
        self.stopped_at = time.time()

    def advance(self, seconds):
        self.ahead += seconds


class Server:
    """A uvicorn server on a free port, whose application can be replaced."""

    def __init__(self):
        self.app = create_app(SandboxConfig())
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._answer, interface="asgi3", lifespan="off", log_level="critical"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    async def _answer(self, scope, receive, send):
        await self.app(scope, receive, send)

    def start(self):
        self._thread.start()
        poll(lambda: httpx.get(f"{self.url}/sandbox/health").status_code == 200)

    def stop(self):
        self._server.should_exit = True
        self._thread.join(timeout=10)


def poll(condition, seconds=10.0):
    """Waits until the condition holds; errors on the way count as not yet."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssertionError("the condition did not come true in time")


class Sandbox:
    """One application on the server, and what a client does with it."""

    def __init__(self, server, clock, config):
        server.app = create_app(config, clock=clock)
        self.url = server.url
        self.clock = clock
        self.http = httpx.Client(base_url=server.url, timeout=20)
        self.open_clients = [self.http]
        rows = self.http.get("/sandbox/accounts").json()
        self.clients = {(row["service"], row["account"]): row for row in rows}

    def address(self, service, name, account="acme"):
        return overrides(self.url)[service][name].replace("{subdomain}", account)

    def authorize(self, service, account="acme", **changes):
        """The authorize request as the client sends it."""
        asked = {
            "client_id": self.clients[service, account]["client_id"],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": SCOPES[service],
            "state": "st&te",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
        } | changes
        asked = {name: value for name, value in asked.items() if value is not None}
        return self.http.get(self.address(service, "authorize_url", account), params=asked)

    def code(self, service, account="acme", **changes):
        return redirected(self.authorize(service, account, **changes))["code"]

    def token(self, service, account="acme", *, secret=None, **fields):
        """A token request with the service's way of client authentication."""
        client = self.clients[service, account]
        secret = secret or client["client_secret"]
        url = self.address(service, "token_url", account)
        if service == "stripe":
            return self.http.post(url, data=fields, auth=(secret, ""))
        proof = {"client_id": client["client_id"], "client_secret": secret}
        return self.http.post(url, data=proof | fields)

    def exchange(self, service, code, account="acme", **changes):
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        if service == "stripe":
            fields = {"grant_type": "authorization_code", "code": code}
        return self.token(service, account, **(fields | changes))

    def refresh(self, service, refresh_token, account="acme"):
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.token(service, account, **fields)

    def connect(self, service, account="acme", **changes):
        return self.exchange(service, self.code(service, account, **changes), account).json()

    def api(self, service, account="acme", token=None):
        """A client of the service's API with a fresh token."""
        token = token or self.connect(service, account)["access_token"]
        client = httpx.Client(
            base_url=self.address(service, "api_base_url", account),
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )
        self.open_clients.append(client)
        return client

    def close(self):
        for client in self.open_clients:
            client.close()

    def fault(self, service, kind, **more):
        answer = self.http.post(f"/sandbox/{service}/faults", json={"kind": kind} | more)
        assert answer.status_code == 201

    def counts(self, service, account="acme"):
        return self.http.get(f"/sandbox/{service}/{account}/counts").json()

    def records(self, service, resource, account="acme"):
        return self.http.get(f"/sandbox/{service}/{account}/records/{resource}").json()["records"]

    def create(self, service, resource, fields, account="acme"):
        answer = self.http.post(f"/sandbox/{service}/{account}/records/{resource}", json=fields)
        assert answer.status_code == 201
        return answer.json()

    def change(self, service, resource, identifier, fields, account="acme"):
        path = f"/sandbox/{service}/{account}/records/{resource}/{identifier}"
        answer = self.http.patch(path, json=fields)
        assert answer.status_code == 200
        return answer.json()

    def delete(self, service, resource, identifier, account="acme"):
        path = f"/sandbox/{service}/{account}/records/{resource}/{identifier}"
        return self.http.delete(path).status_code


def challenge(verifier):
    hashed = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def redirected(response):
    """The parameters that a redirect carries to the callback."""
    assert response.status_code == 302
    target = response.headers["location"]
    assert target.startswith(CALLBACK + "?")
    return dict(parse_qsl(urlsplit(target).query))


@pytest.fixture(scope="session")
def server():
    running = Server()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def start(server, clock):
    """Starts a sandbox with other settings than the usual ones."""
    running = []

    def started(**settings):
        usual = {"auto_approve": True, "records": 60, "zendesk_held_back_seconds": 0.0}
        running.append(Sandbox(server, clock, SandboxConfig(**(usual | settings))))
        return running[-1]

    yield started
    for sandbox in running:
        sandbox.close()


@pytest.fixture
def sandbox(start):
    return start()
