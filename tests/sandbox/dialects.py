"""Each service's OAuth as its own clients speak it, with plain `requests`."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import requests

from integrations_pipeline.sandbox.server import overrides
from tests.sandbox.conftest import CALLBACK, VERIFIER, challenge

ANALYTICS = "https://www.googleapis.com/auth/analytics.readonly"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    scope: str = ""
    asks: dict = field(default_factory=dict)
    pkce: bool = False
    json: bool = False
    basic: bool = False
    exchange: dict = field(default_factory=dict)
    refreshes: bool = True
    rotates: bool = False
    keeps_old: bool = False
    method: str = "GET"
    identity: str = ""
    """Path below the API, or the whole address in braces."""
    scheme: str = "Bearer"
    header: str = "Authorization"
    body: dict | None = None
    dead: tuple = (400, "invalid_grant")
    bad_secret: tuple = (401, "invalid_client")
    bad_code: tuple = (400, "invalid_grant")
    bad_redirect: tuple = (400, "invalid_grant")
    no_token: tuple = (401, "")
    revoke: bool = False


DIALECTS = {
    "salesforce": Dialect(
        scope="api refresh_token id",
        pkce=True,
        identity="/services/data/v65.0/query?q=SELECT Id,Name FROM Organization",
        bad_secret=(400, "invalid_client"),
        bad_redirect=(400, "redirect_uri_mismatch"),
        no_token=(401, "INVALID_SESSION_ID"),
        revoke=True,
    ),
    "quickbooks": Dialect(
        scope="com.intuit.quickbooks.accounting",
        basic=True,
        rotates=True,
        keeps_old=True,
        identity="/companyinfo/{account_id}",
        no_token=(401, "3200"),
        revoke=True,
    ),
    "google_analytics": Dialect(
        scope=f"{ANALYTICS} openid email",
        asks={"access_type": "offline", "prompt": "consent"},
        pkce=True,
        identity="{identity_url}",
        bad_redirect=(400, "redirect_uri_mismatch"),
        no_token=(401, "UNAUTHENTICATED"),
        revoke=True,
    ),
    "jira": Dialect(
        scope="read:jira-work read:jira-user offline_access",
        asks={"audience": "api.atlassian.com", "prompt": "consent"},
        json=True,
        rotates=True,
        keeps_old=True,
        identity="{identity_url}",
        dead=(403, "unauthorized_client"),
        bad_code=(403, "invalid_grant"),
        bad_redirect=(403, "invalid_grant"),
        no_token=(401, "Unauthorized"),
    ),
    "mailchimp": Dialect(
        refreshes=False,
        identity="{identity_url}",
        scheme="OAuth",
        no_token=(401, "API Key Invalid"),
    ),
    "slack": Dialect(
        scope="channels:read,users:read.email",
        basic=True,
        rotates=True,
        identity="/auth.test",
        dead=(200, "invalid_refresh_token"),
        bad_secret=(200, "bad_client_secret"),
        bad_code=(200, "code_already_used"),
        bad_redirect=(200, "bad_redirect_uri"),
        no_token=(200, "not_authed"),
        revoke=True,
    ),
    "microsoft_teams": Dialect(
        scope="offline_access openid User.Read Team.ReadBasic.All",
        pkce=True,
        rotates=True,
        keeps_old=True,
        identity="/organization",
        no_token=(401, "InvalidAuthenticationToken"),
    ),
    "shopify": Dialect(
        scope="read_orders,read_products",
        exchange={"expiring": "1"},
        rotates=True,
        keeps_old=True,
        method="POST",
        identity="/graphql.json",
        header="X-Shopify-Access-Token",
        scheme="",
        body={"query": "{shop{id myshopifyDomain}}"},
        bad_code=(400, "invalid_request"),
        bad_redirect=(400, "invalid_request"),
        no_token=(401, "[API] Invalid API key"),
        revoke=True,
    ),
    "custom": Dialect(
        scope="read write",
        pkce=True,
        rotates=True,
        identity="/me",
        no_token=(401, "invalid_token"),
        revoke=True,
    ),
}
_CUSTOM = {
    "authorize_url": "/oauth/authorize",
    "token_url": "/oauth/token",
    "revoke_url": "/oauth/revoke",
    "api_base_url": "",
}


class App:
    """A client of one service, on behalf of one account."""

    def __init__(self, sandbox, service, account="acme"):
        self.service = service
        self.account = account
        self.dialect = DIALECTS[service]
        self.row = sandbox.clients[service, account]
        self.facts = {}
        self._urls = overrides(sandbox.url)[service]
        if service == "custom":
            self._urls = {n: f"{sandbox.url}/custom{path}" for n, path in _CUSTOM.items()}

    def url(self, name):
        text = self._urls[name]
        for key, value in (self.row["settings"] | self.facts).items():
            text = text.replace(f"{{{key}}}", value)
        return text

    def authorize(self, **changes):
        asked = {
            "client_id": self.row["client_id"],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": self.dialect.scope,
            "state": "st-te",
        }
        if self.dialect.pkce:
            asked |= {"code_challenge": challenge(VERIFIER), "code_challenge_method": "S256"}
        asked = asked | self.dialect.asks | changes
        asked = {name: value for name, value in asked.items() if value is not None}
        url = self.url("authorize_url")
        return requests.get(url, params=asked, allow_redirects=False, timeout=20)

    def callback(self, **changes):
        answer = self.authorize(**changes)
        assert answer.status_code == 302, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    def token(self, *, secret=None, headers=None, as_json=None, **fields):
        proof = (self.row["client_id"], secret or self.row["client_secret"])
        more = {"auth": proof} if self.dialect.basic else {}
        if not self.dialect.basic:
            fields = {"client_id": proof[0], "client_secret": proof[1]} | fields
        as_json = self.dialect.json if as_json is None else as_json
        more["json" if as_json else "data"] = fields
        return requests.post(self.url("token_url"), headers=headers, timeout=20, **more)

    def exchange(self, code, *, secret=None, headers=None, **changes):
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        if self.dialect.pkce:
            fields["code_verifier"] = VERIFIER
        fields = fields | self.dialect.exchange | changes
        return self.token(secret=secret, headers=headers, **fields)

    def refresh(self, token, **more):
        return self.token(grant_type="refresh_token", refresh_token=token, **more)

    def connect(self, **changes):
        callback = self.callback(**changes)
        if "realmId" in callback:
            self.facts["account_id"] = callback["realmId"]
        answer = self.exchange(callback["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, path=None, token=None, *, method=None, body=None, **more):
        path = path or self.dialect.identity
        if path.startswith("{identity"):
            url = self.url("identity_url")
        else:
            url = self.url("api_base_url") + path.format(**self.facts)
        headers = {"Accept": "application/json"} | more.pop("headers", {})
        if token is not None:
            headers[self.dialect.header] = f"{self.dialect.scheme} {token}".strip()
        method = method or self.dialect.method
        json = body or self.dialect.body
        return requests.request(method, url, headers=headers, json=json, timeout=20, **more)

    def works(self, token):
        answer = self.call(token=token)
        good = answer.status_code == 200 and '"ok":false' not in answer.text
        assert good or answer.status_code in {200, 401}, answer.text
        return good

    def revoke(self, token, access_token):
        url = self.url("revoke_url")
        headers = {"Authorization": f"Bearer {access_token}"}
        proof = (self.row["client_id"], self.row["client_secret"])
        match self.service:
            case "quickbooks":
                return requests.post(url, json={"token": token}, auth=proof, timeout=20)
            case "slack":
                return requests.post(url, headers=headers, timeout=20)
            case "shopify":
                headers = {"X-Shopify-Access-Token": access_token}
                return requests.delete(url, headers=headers, timeout=20)
            case "custom":
                return requests.post(url, data={"token": token}, auth=proof, timeout=20)
            case _:
                return requests.post(url, data={"token": token}, timeout=20)


def is_refused(answer, expected):
    status, error = expected
    return answer.status_code == status and error in answer.text
