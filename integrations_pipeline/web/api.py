"""The API: JSON for programs, each request with a key of its tenant. Errors are RFC 9457.

The key is looked at before anything else of a request: without one, nobody learns what is here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import select
from starlette.exceptions import HTTPException

from integrations_pipeline.alerts import open_alerts
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth import IntegrationRef, reference
from integrations_pipeline.oauth.doctor import examine
from integrations_pipeline.oauth.vault import CALLBACK
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.web.keys import UnauthorizedError, tenant_of


class NoSuchError(IntegrationsError):
    """Nothing of this tenant has this id: a foreign one looks like an unknown one."""


def add_api(app: FastAPI, store: Store) -> None:
    """Put the API's routes, errors and lock on the application."""
    api = APIRouter(prefix="/api")

    @api.get("/integrations/{integration_id}/doctor")
    def doctor(request: Request, integration_id: str) -> dict[str, Any]:
        """Why the integration's connection is unwell, and what to do."""
        return examine(store, _found(store, request.state.tenant_id, integration_id)).told()

    @api.get("/alerts")
    def alerts(request: Request) -> list[dict[str, Any]]:
        """What a person must look after."""
        return [one.told() for one in open_alerts(store, request.state.tenant_id)]

    @app.middleware("http")
    async def lock(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        """Whose key it is goes to the routes as `request.state.tenant_id`."""
        if _is_locked(request.scope["path"]):
            try:
                request.state.tenant_id = await run_in_threadpool(tenant_of, store, request)
            except UnauthorizedError as error:
                return problem(401, str(error), headers={"WWW-Authenticate": "Bearer"})
        return await proceed(request)

    _add_errors(app)
    app.include_router(api)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error as RFC 9457 wants it."""
    return JSONResponse(
        {"status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def _add_errors(app: FastAPI) -> None:
    """What goes wrong below /api is told as a problem; nothing of the request is repeated."""

    @app.exception_handler(NoSuchError)
    async def miss(_: Request, error: Exception) -> Response:
        return problem(404, str(error))

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> Response:
        if not _is_api(request.scope["path"]):
            return await http_exception_handler(request, error)
        return problem(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def reject(request: Request, error: RequestValidationError) -> Response:
        if not _is_api(request.scope["path"]):
            return await request_validation_exception_handler(request, error)
        return problem(422, "A parameter of this request is missing or malformed.")


def _is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


def _is_locked(path: str) -> bool:
    """The callbacks carry no key: their proof is the state that they bring."""
    return _is_api(path) and path != CALLBACK and not path.startswith(f"{CALLBACK}/")


def _found(store: Store, tenant_id: UUID, integration_id: str) -> IntegrationRef:
    with store.tenant(tenant_id) as session:
        query = select(Integration).where(Integration.id == _uuid(integration_id))
        row = session.scalar(query)
    if row is None:
        raise NoSuchError("There is nothing with this id.")
    return reference(row)


def _uuid(text: str) -> UUID | None:
    """The id; None, which no row has, if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
