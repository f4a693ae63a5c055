"""What the canary test does: every service and way, and every failure, in every face there is."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import orjson
import requests
import structlog

from integrations_pipeline import cli
from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.auth import KeyAccess
from integrations_pipeline.oauth import (
    IntegrationRef,
    connect_directly,
    create_user,
    find_integration,
    get_valid_token,
    store_oauth_token,
)
from integrations_pipeline.oauth.clients import authorized_session, service_client
from integrations_pipeline.oauth.doctor import examine
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.oauth.vault import integration_row, oauth_client
from integrations_pipeline.store import Store
from integrations_pipeline.web.tickets import Ticket, connect_link
from tests.conftest import Sandbox
from tests.e2e.canaries import Canaries, Evidence
from tests.e2e.canary_servers import Echo
from tests.integration.support import expire, run_sql
from tests.integration.test_all_services import EXTRA, custom_declaration, oauth2

PROGRAM = str(Path(sys.executable).parent / "integrations")
TENANT = "canary"
SHOWN_ONCE = {
    "connect": ("connect link", re.compile(r"/connect/(\S+)")),
    "api-key": ("API key", re.compile(r"(ipk_\S+)")),
}
"""What two commands are there to show, and nobody else shows."""


@dataclass
class World:
    """One installation, its sandbox, and what was heard of it."""

    home: Path
    store: Store
    sandbox: Sandbox
    echo: Echo
    web: str
    evidence: Evidence
    canaries: Canaries
    log: io.StringIO = field(default_factory=io.StringIO)

    def hear_structlog(self) -> None:
        """Let the pipeline's own log lines come here; each command points them elsewhere."""
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(self.log))

    def attempt(self, label: str, call: Callable[[], Any]) -> Any:
        """Do something that may fail, and keep all that its error tells."""
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.evidence.error(label, error)
            return None

    def cli(self, *words: str, stdin: str = "") -> str:
        """A command, as `main` runs it; returns what it shows."""
        out, err = io.StringIO(), io.StringIO()
        before = sys.argv, sys.stdin
        sys.argv, sys.stdin = ["integrations", *words], io.StringIO(stdin)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                self.attempt(" ".join(words), self._main)
        finally:
            sys.argv, sys.stdin = before
            self.hear_structlog()
        return self._shown(words, out.getvalue(), err.getvalue())

    def _main(self) -> None:
        try:
            cli.main()
        except SystemExit as end:
            if end.__context__ is not None:
                self.evidence.error("a command's end", end.__context__)

    def spawn(self, *words: str, stdin: str = "", environment: Any = None) -> str:
        """A command in a process of its own."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        variables = {**os.environ, **(environment or {})}
        process = subprocess.Popen([PROGRAM, *words], text=True, env=variables, **pipes)
        self.evidence.processes(process.pid, without=PUT_THERE)
        out, err = process.communicate(stdin, timeout=120)
        return self._shown(words, out, err)

    def _shown(self, words: tuple[str, ...], out: str, err: str) -> str:
        name, pattern = SHOWN_ONCE.get(words[0], ("", None))
        kept = out
        for value in pattern.findall(out) if pattern else ():
            self.canaries.add(name, value)
            kept = kept.replace(value, "")
        self.evidence.add("terminal", " ".join(words[:2]), f"{kept}\n{err}")
        return out

    def add(self, service: str, name: str = "", way: str = "", secret: str | None = None) -> Any:
        """An integration of the sandbox's acme account, added at the terminal."""
        client = self.sandbox.client(service)
        by_key = isinstance(CONNECTORS[service].ways.get(way or "oauth"), KeyAccess)
        name = name or "-".join(filter(None, (service, way))).replace("_", "-")
        words = ["add", service, "--tenant", TENANT, "--name", name, "--way", way]
        settings = {**client["settings"], **(EXTRA.get((service, way)) or {})}
        if service == "custom":
            words += ["--declaration", self.written(oauth2(self.sandbox))]
        words += [w for k, v in settings.items() for w in ("--setting", f"{k}={v}")]
        if not (by_key or way == "service_account"):
            words += ["--client-id", client["client_id"]]
        usual = client["keys"][way] if way == "service_account" else client["client_secret"]
        self.cli(*words, stdin="" if by_key else secret or usual)
        return find_integration(self.store, f"{TENANT}--{name}")

    def written(self, auth: dict[str, Any], url: str = "") -> str:
        """A file with the declaration of a custom service."""
        path = self.home.parent / f"{uuid4()}.json"
        declared = custom_declaration(self.sandbox, auth)
        path.write_bytes(orjson.dumps({**declared, **({"base_url": url} if url else {})}))
        return str(path)

    def get(self, browser: requests.Session, path: str, **params: Any) -> requests.Response:
        """A page of ours; the state and the cookie are where they must be, and nowhere else."""
        url = f"{self.web}{path}"
        answer = browser.get(url, params=params, allow_redirects=False, timeout=60)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        state = dict(parse_qsl(urlsplit(headers.get("location", "")).query)).get("state", "")
        cookie = answer.cookies.get("integrations") or ""
        self.canaries.add("session cookie", cookie)
        for name, value in (("location", state), ("set-cookie", cookie)):
            if value:
                headers[name] = headers[name].replace(value, "")
        label = f"{path[:14]} {answer.status_code}"
        self.evidence.add("answers of the web process", label, f"{headers}\n{answer.text}")
        return answer

    def visit(self, ref: IntegrationRef) -> tuple[requests.Session, str, dict[str, str]]:
        """Open a connect link and agree: the browser, and the way back that it was sent."""
        user = create_user(self.store, ref.tenant_id, "ada@ours.example", "Ada", "ADMIN")
        link = urlsplit(connect_link(self.store, Ticket(ref.key, user))).path
        self.canaries.add("connect link", link.removeprefix("/connect/"))
        browser = requests.Session()
        there = self.get(browser, link).headers["Location"]
        back = requests.get(there, allow_redirects=False, timeout=30).headers["Location"]
        query = dict(parse_qsl(urlsplit(back).query))
        self.canaries.add("code", query.get("code"))
        return browser, urlsplit(back).path, query

    def connect_by_web(self, service: str) -> IntegrationRef:
        """Every bad day of the callback, and then the good one."""
        ref = self.add(service)
        wrong = self.add(service, f"wrong-{service}".replace("_", "-"), secret=f"no-{uuid4()}")
        browser, path, query = self.visit(wrong)
        self.get(browser, path, **query)
        browser, path, query = self.visit(ref)
        said = f"{query['state']} for {self.sandbox.client(service)['client_secret']}"
        denied = {"error": "access_denied", "error_description": said, "state": query["state"]}
        self.get(browser, path, **{**denied, "error": said})
        self.get(browser, path, **denied)
        browser, path, query = self.visit(ref)
        self.get(browser, path, **{**query, "code": query["code"][:-4] + "AAAA"})
        browser, path, query = self.visit(ref)
        self.sandbox.fault(service, "html", path=self.token_path(ref))
        self.get(browser, path, **query)
        self.sandbox.send("DELETE", f"/sandbox/{service}/faults")
        browser, path, query = self.visit(ref)
        self.get(browser, path, **query, doubled=[query["code"], query["code"]])
        self.get(browser, path, **{**query, "state": query["state"][:-4] + "AAAA"})
        self.get(requests.Session(), path, **query)
        assert self.get(browser, path, **query).status_code == 200, service
        return ref

    def connect_by_key(self, service: str, way: str) -> IntegrationRef:
        """A copied key or a grant to the client itself, at the terminal: wrong, then right."""
        ref = self.add(service, way=way)
        key = self.sandbox.client(service)["keys"].get(way, "")
        for secret in (f"{key[:-3]}000", f"{key} {key}", key):
            self.cli("connect", ref.key, stdin=secret)
            self.attempt(f"{ref.key} connected", lambda s=secret: self._directly(ref, s))
        assert integration_row(self.store, ref).status == "ACTIVE", ref.key
        self.probe(ref, "at once")
        return ref

    def _directly(self, ref: IntegrationRef, secret: str) -> None:
        connect_directly(self.store, ref, secret)

    def connect_to_echo(self, name: str, auth: dict[str, Any], secret: str) -> IntegrationRef:
        """A custom service that repeats what it was sent, connected while it is well."""
        self.echo.mode = "ok"
        declaration = self.written(auth, self.echo.url)
        words = ["add", "custom", "--tenant", TENANT, "--name", name, "--declaration", declaration]
        by_client = auth["type"] == "client_credentials"
        self.cli(*words, *(["--client-id", "us"] if by_client else []), stdin=secret)
        ref = find_integration(self.store, f"{TENANT}--{name}")
        self.cli("connect", ref.key, stdin="" if by_client else secret)
        assert integration_row(self.store, ref).status == "ACTIVE", ref.key
        return ref

    def move(self, ref: IntegrationRef, url: str) -> None:
        """Let a custom service, and its token endpoint, be at another address."""
        for place, address in (("{base_url}", url), ("{auth,token_url}", f"{url}/token")):
            run_sql(
                self.store,
                "UPDATE integrations.integration SET settings = jsonb_set("
                "settings, CAST(:place AS text[]), to_jsonb(CAST(:url AS text)), false) "
                "WHERE id = :id",
                place=place,
                url=address,
                id=ref.id,
            )

    def probe(self, ref: IntegrationRef, when: str) -> None:
        """Doctor, client and session, while something is wrong (or not)."""
        label = f"{ref.key} {when}"
        found = self.attempt(label, lambda: examine(self.store, ref))
        self.evidence.add("results of functions", label, repr(found))
        self.attempt(label, lambda: service_client(self.store, ref).get("/things"))
        self.attempt(label, lambda: self._session(ref))

    def _session(self, ref: IntegrationRef) -> None:
        answer = authorized_session(self.store, ref).get("/things")
        self.evidence.add("results of functions", ref.key, f"{answer!r} {answer.url}")
        answer.raise_for_status()
        answer.json()

    def token_path(self, ref: IntegrationRef) -> str:
        """What is in the path of the service's token endpoint, and in no other of it."""
        return oauth_client(self.store, ref).endpoints.token_url.rpartition("/")[2]

    def run_out(self, ref: IntegrationRef) -> None:
        """Let the token have run out, and nobody rest from failures."""
        expire(self.store, ref)
        rested = "UPDATE integrations.oauth_token SET refresh_not_before = NULL"
        run_sql(self.store, f"{rested} WHERE integration_id = :id", id=ref.id)

    def refresh(self, ref: IntegrationRef, *faults: str) -> None:
        """Refresh a token that has run out, under faults of the token endpoint."""
        for kind in faults:
            self.run_out(ref)
            if kind != "well":
                path, service = self.token_path(ref), ref.connector.name
                self.sandbox.fault(service, kind, path=path, seconds=0.1)
            self.attempt(f"{ref.key} {kind}", lambda: get_valid_token(self.store, ref))
            self.sandbox.send("DELETE", f"/sandbox/{ref.connector.name}/faults")

    def trouble(self, ref: IntegrationRef, *faults: str) -> None:
        """Ask the service for something under faults of its API."""
        for kind in faults:
            self.sandbox.fault(ref.connector.name, kind, count=3, seconds=0)
            self.probe(ref, kind)
            self.sandbox.send("DELETE", f"/sandbox/{ref.connector.name}/faults")

    def refused_rows(self, ref: IntegrationRef, email: str) -> None:
        """Rows that the database refuses: a token and a user whose owners do not exist."""
        token = TokenSet(f"at-{uuid4()}", f"rt-{uuid4()}", None, ())
        self.canaries.add("token in a refused row", token.access_token, token.refresh_token)
        nobody = replace(ref, id=uuid4())
        self.attempt("refused token", lambda: store_oauth_token(self.store, nobody, token))
        stranger = uuid4()
        self.attempt(
            "refused user", lambda: create_user(self.store, stranger, email, email, "ADMIN")
        )


PUT_THERE = ("DATABASE_URL", "INTEGRATIONS_DAGSTER_DATABASE_URL", "INTEGRATIONS_ALERT_URL")
"""Variables of the environment where the operator put a secret, or that are made of one."""
