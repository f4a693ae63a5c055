"""The API: JSON for programs, each request with a key of its tenant. Errors are RFC 9457."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import select

from integrations_pipeline.alerts import open_alerts
from integrations_pipeline.errors import IntegrationsError
from integrations_pipeline.oauth import reference
from integrations_pipeline.oauth.doctor import examine
from integrations_pipeline.store import Store
from integrations_pipeline.store.models import Integration
from integrations_pipeline.web.keys import UnauthorizedError, tenant_of


class NoSuchError(IntegrationsError):
    """Nothing of this tenant has this id: a foreign one looks like an unknown one."""


def add_api(app: FastAPI, store: Store) -> None:
    """Put the API's routes and errors on the application."""
    api = APIRouter(prefix="/api")

    @api.get("/integrations/{integration_id}/doctor")
    def doctor(request: Request, integration_id: UUID) -> dict[str, Any]:
        """Why the integration's connection is unwell, and what to do."""
        tenant_id = tenant_of(store, request)
        with store.tenant(tenant_id) as session:
            row = session.scalar(select(Integration).where(Integration.id == integration_id))
        if row is None:
            raise NoSuchError("There is nothing with this id.")
        return examine(store, reference(row)).told()

    @api.get("/alerts")
    def alerts(request: Request) -> list[dict[str, Any]]:
        """What a person must look after."""
        return [one.told() for one in open_alerts(store, tenant_of(store, request))]

    @app.exception_handler(UnauthorizedError)
    async def refuse(_: Request, error: Exception) -> JSONResponse:
        return problem(401, str(error), headers={"WWW-Authenticate": "Bearer"})

    @app.exception_handler(NoSuchError)
    async def miss(_: Request, error: Exception) -> JSONResponse:
        return problem(404, str(error))

    app.include_router(api)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as RFC 9457 wants it."""
    return JSONResponse(
        {"status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )
