"""The web process: people come here to connect accounts, and services send them back here."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from integrations_pipeline.errors import IntegrationsError, RequestError, TransientError
from integrations_pipeline.oauth import (
    BadStateError,
    deny_connection,
    exchange_code_for_token,
    find_integration,
    generate_auth_url,
)
from integrations_pipeline.oauth.vault import CALLBACK
from integrations_pipeline.store import Store
from integrations_pipeline.web.tickets import read_ticket

TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STYLE = Path(__file__).parent / "templates" / "style.css"


def create_app(store: Store) -> FastAPI:
    """The application around an open store."""
    app = FastAPI(title="Integrations", docs_url=None, redoc_url=None, openapi_url=None)
    secure = urlsplit(store.settings.public_url).scheme == "https"
    cookie = "__Host-integrations" if secure else "integrations"

    @app.middleware("http")
    async def harden(
        request: Request, proceed: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await proceed(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(IntegrationsError)
    async def explain(request: Request, error: Exception) -> Response:
        status = 400 if isinstance(error, RequestError) else 502
        status = 503 if isinstance(error, TransientError) else status
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
    def connect(code: str) -> Response:
        """Bind this browser to the connection, and send it to the service."""
        ticket = read_ticket(store, code)
        session_id = secrets.token_urlsafe(32)
        ref = find_integration(store, ticket.integration_key)
        address = generate_auth_url(store, ref, user_id=ticket.user_id, session_id=session_id)
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            cookie, session_id, max_age=600, path="/", secure=secure, httponly=True, samesite="lax"
        )
        return response

    @app.get(CALLBACK, response_class=HTMLResponse)
    def callback(
        request: Request,
        state: Annotated[list[str] | None, Query()] = None,
        code: Annotated[list[str] | None, Query()] = None,
        error: Annotated[list[str] | None, Query()] = None,
    ) -> Response:
        """Where the service sends the browser back to."""
        session_id = request.cookies.get(cookie, "")
        if error:
            ref = deny_connection(store, state=_one("state", state), session_id=session_id)
            text = f"{ref.connector.label} says that access was not granted."
            return _page(request, "Not connected", text, status=400)
        ref = exchange_code_for_token(
            store, state=_one("state", state), code=_one("code", code), session_id=session_id
        )
        text = f"{ref.key} may now read from {ref.connector.label}. You can close this page."
        return _page(request, "Connected", text, link=store.settings.dagster_url)

    return app


def _one(name: str, values: list[str] | None) -> str:
    """The value of a parameter that must come exactly once."""
    if not values or len(values) != 1 or not values[0]:
        raise BadStateError(f"The parameter {name!r} is missing or doubled.")
    return values[0]


def _page(
    request: Request, title: str, text: str, *, link: str | None = None, status: int = 200
) -> Response:
    context = {"title": title, "text": text, "link": link, "good": status < 400}
    return TEMPLATES.TemplateResponse(request, "message.html", context, status_code=status)
