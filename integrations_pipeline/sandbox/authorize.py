"""The authorize page: checks what the client asks for and lets the user allow or deny it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from integrations_pipeline.sandbox.accounts import Client, find_client
from integrations_pipeline.sandbox.service import ConsentRules, Service
from integrations_pipeline.sandbox.state import SandboxState
from integrations_pipeline.sandbox.vault import AuthorizationCode

_PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)


class AuthorizePage:
    """GET shows the consent page, POST takes the user's decision."""

    def __init__(self, state: SandboxState, service: Service[Any]) -> None:
        self._state = state
        self._service = service

    async def serve(self, http: Request) -> Response:
        if http.method == "POST":
            asked = dict(parse_qsl((await http.body()).decode(), keep_blank_values=True))
        else:
            asked = dict(http.query_params)
        tenant = http.path_params.get("subdomain")
        if not self._service.tenant_exists(tenant):
            return _page(404, problem="No account has this address.")
        client = find_client(self._service.name, asked.get("client_id"))
        if client is None or not self._service.belongs(client.account, tenant):
            return _page(400, problem="No app has this client_id.")
        problem = page_problem(self._service.consent, asked)
        if problem:
            return _page(400, problem=problem)
        error = redirected_error(self._service.consent, asked)
        if error:
            return self._back(client, asked, error)
        return self._decide(http.method, client, asked)

    def _decide(self, method: str, client: Client, asked: Mapping[str, str]) -> Response:
        allowed = method == "POST" and asked.get("decision") == "allow"
        if allowed or self._state.config.auto_approve:
            return self._back(client, asked, {"code": self._code(client, asked)})
        if method == "POST":
            refused = {"error": "access_denied", "error_description": "The user denied access."}
            return self._back(client, asked, refused)
        return _page(
            200,
            title=self._service.consent.title,
            account=client.account,
            client_id=client.client_id,
            scopes=_scopes(self._service.consent, asked),
            asked=asked,
        )

    def _back(
        self, client: Client, asked: Mapping[str, str], answer: Mapping[str, str]
    ) -> Response:
        target = asked["redirect_uri"]
        state = {"state": asked["state"]} if "state" in asked else {}
        full = self._service.callback(client, {**answer, **state}, self._state.clock())
        joint = "&" if urlsplit(target).query else "?"
        return RedirectResponse(f"{target}{joint}{urlencode(full)}", 302)

    def _code(self, client: Client, asked: Mapping[str, str]) -> str:
        rules = self._service.consent
        scopes = self._granted(asked)
        code = AuthorizationCode(
            service=client.service,
            account=client.account,
            redirect_uri=asked["redirect_uri"],
            scopes=scopes,
            offline=_is_offline(rules, asked, scopes),
            challenge=asked.get("code_challenge") if rules.pkce else None,
            expires_at=self._state.clock() + rules.code_seconds,
        )
        return self._state.vault.issue_code(rules.code_prefix, code)

    def _granted(self, asked: Mapping[str, str]) -> tuple[str, ...]:
        """The user may be set to grant less than what is asked for."""
        limit = self._state.config.grant_scopes
        scopes = _scopes(self._service.consent, asked)
        return tuple(scope for scope in scopes if limit is None or scope in limit)


def page_problem(rules: ConsentRules, asked: Mapping[str, str]) -> str | None:
    """What is shown to the user, since the client's redirect cannot be trusted with it."""
    target = urlsplit(asked.get("redirect_uri", ""))
    if target.scheme not in {"http", "https"} or not target.netloc or target.fragment:
        return "The redirect_uri is missing or not an absolute http(s) address."
    for name, value in rules.required.items():
        if asked.get(name) != value if value else not asked.get(name):
            return f"The parameter {name} is missing or wrong."
    bad = _bad_scopes(rules, asked)
    if bad and not rules.scope_error_redirects:
        return f"The app does not have these scopes: {', '.join(bad)}."
    return None


def redirected_error(rules: ConsentRules, asked: Mapping[str, str]) -> dict[str, str] | None:
    """What is sent back to the client, RFC 6749 section 4.1.2.1."""
    kind = asked.get("response_type", "" if rules.response_type_required else "code")
    if kind != "code":
        return {"error": "unsupported_response_type"}
    method = asked.get("code_challenge_method", "plain")
    if rules.pkce and asked.get("code_challenge") and method != "S256":
        return {"error": "invalid_request", "error_description": "code_challenge_method"}
    bad = _bad_scopes(rules, asked)
    if bad:
        return {"error": "invalid_scope", "error_description": " ".join(bad)}
    return None


def _bad_scopes(rules: ConsentRules, asked: Mapping[str, str]) -> list[str]:
    return [scope for scope in _scopes(rules, asked) if not rules.scopes.fullmatch(scope)]


def _scopes(rules: ConsentRules, asked: Mapping[str, str]) -> list[str]:
    """HubSpot alone has scopes that an account may lack; these accounts lack none."""
    both = f"{asked.get('scope', '')} {asked.get('optional_scope', '')}"
    return both.replace(rules.scope_separator, " ").split()


def _is_offline(rules: ConsentRules, asked: Mapping[str, str], granted: tuple[str, ...]) -> bool:
    by_scope = not rules.offline_scopes or bool(rules.offline_scopes & set(granted))
    return by_scope and all(
        wanted in asked.get(name, "").split() for name, wanted in rules.offline_params.items()
    )


def _page(status: int, **values: object) -> Response:
    page = _PAGES.get_template("consent.html").render(**values)
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})
