"""The web process: people come here to connect accounts, and services send them back here."""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from integrations_pipeline.errors import (
    BadStateError,
    IntegrationsError,
    RequestError,
    TransientError,
)
from integrations_pipeline.oauth import (
    deny_connection,
    exchange_code_for_token,
    find_integration,
    generate_auth_url,
)
from integrations_pipeline.oauth.granted import denial, shortcomings
from integrations_pipeline.oauth.vault import CALLBACK
from integrations_pipeline.store import Store
from integrations_pipeline.web.api import add_api, problem
from integrations_pipeline.web.tickets import read_ticket

TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
SESSION_ID = re.compile(r"[A-Za-z0-9_-]{32,64}")
STYLE = Path(__file__).parent / "templates" / "style.css"


def create_app(store: Store) -> FastAPI:
    """The application around an open store."""
    app = FastAPI(title="Integrations", docs_url=None, redoc_url=None, openapi_url=None)
    public = urlsplit(store.settings.public_url.rstrip("/"))
    app.state.prefix = public.path
    secure = public.scheme == "https"
    cookie = "__Host-integrations" if secure else "integrations"

    @app.exception_handler(IntegrationsError)
    async def explain(request: Request, error: Exception) -> Response:
        status = 400 if isinstance(error, RequestError) else 502
        status = 503 if isinstance(error, TransientError) else status
        if request.url.path.startswith("/api/") and not request.url.path.startswith(CALLBACK):
            return problem(status, str(error))
        return _page(request, "Not connected", str(error), status=status)

    @app.get("/health")
    def health() -> dict[str, str]:
        with store.system():
            return {"status": "ok"}

    @app.get("/style.css")
    def style() -> Response:
        return Response(STYLE.read_bytes(), media_type="text/css")

    @app.get("/", response_class=HTMLResponse)
    def index(request: Request) -> Response:
        text = "Accounts are connected here. Runs, schedules and records' history are in Dagster."
        return _page(request, "Integrations", text, link=store.settings.dagster_url)

    @app.get("/connect/{code}")
    def connect(request: Request, code: str) -> Response:
        """Bind this browser to the connection, and send it to the service."""
        ticket = read_ticket(store, code)
        session_id = _session_of(request, cookie)
        ref = find_integration(store, ticket.integration_key)
        address = generate_auth_url(
            store,
            ref,
            user_id=ticket.user_id,
            session_id=session_id,
            another_account=ticket.another_account,
        )
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            cookie, session_id, max_age=600, path="/", secure=secure, httponly=True, samesite="lax"
        )
        return response

    @app.get(CALLBACK, response_class=HTMLResponse)
    @app.get(CALLBACK + "/{service}", response_class=HTMLResponse)
    def callback(request: Request) -> Response:
        """Where a service sends the browser back to."""
        session_id = request.cookies.get(cookie, "")
        query = _once(request)
        state = _needed(query, "state")
        if "error" in query:
            ref = deny_connection(store, state=state, session_id=session_id)
            return _page(request, "Not connected", denial(ref, query), status=400)
        ref = exchange_code_for_token(
            store,
            state=state,
            code=_needed(query, "code"),
            session_id=session_id,
            path=_public_path(request, public.path),
            parameters=query,
        )
        text = f"{ref.key} is connected to {ref.connector.label}. You can close this page."
        return _page(
            request,
            "Connected",
            text,
            link=store.settings.dagster_url,
            notes=shortcomings(store, ref),
        )

    add_api(app, store)

    @app.middleware("http")
    async def harden(
        request: Request, proceed: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """The last one that is added, so that it sees every answer, those of the lock too."""
        response = await proceed(request)
        response.headers.update(HEADERS)
        return response

    return app


def _session_of(request: Request, cookie: str) -> str:
    """This browser's session: the one that it has, else a new one.

    Its own is kept so that two connections that are begun side by side both end well. That fixes
    no session on anybody: over https the name begins with `__Host-`, so the browser takes the
    cookie from this very host only, not from a neighbour or over plain http (RFC 6265bis, 4.1.3);
    it is HttpOnly, our pages run no scripts, and no parameter of ours sets it. It opens nothing
    by itself: it is good only together with a state that is used once.
    """
    held = request.cookies.get(cookie, "")
    return held if SESSION_ID.fullmatch(held) else secrets.token_urlsafe(32)


def _public_path(request: Request, prefix: str) -> str:
    """The path as browsers see it: a proxy may take our prefix (https://host/prefix) away."""
    path = request.url.path
    return path if path.startswith(f"{prefix}/") else prefix + path


def _once(request: Request) -> dict[str, str]:
    """The query's parameters; one that comes twice could mean two things (RFC 6749, 3.1)."""
    pairs = request.query_params.multi_items()
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadStateError("A parameter of the callback is doubled.")
    return dict(pairs)


def _needed(query: dict[str, str], name: str) -> str:
    if not query.get(name):
        raise BadStateError(f"The parameter {name!r} is missing.")
    return query[name]


def _page(
    request: Request,
    title: str,
    text: str,
    *,
    link: str | None = None,
    notes: Sequence[str] = (),
    status: int = 200,
) -> Response:
    context = {"title": title, "text": text, "notes": notes, "link": link, "good": status < 400}
    return TEMPLATES.TemplateResponse(request, "message.html", context, status_code=status)
