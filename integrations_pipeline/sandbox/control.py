"""The sandbox's own endpoints: look at the data, change it, order faults, read the log."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from integrations_pipeline.sandbox.accounts import ACCOUNTS, CLIENTS
from integrations_pipeline.sandbox.dataset import Dataset, RefusedError
from integrations_pipeline.sandbox.faults import KINDS, Fault
from integrations_pipeline.sandbox.keys import keys_of
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.state import SandboxState

_SETTINGS = (
    "token_seconds",
    "zendesk_held_back_seconds",
    "zendesk_job_seconds",
    "hubspot_search_lag_seconds",
    "stripe_search_lag_seconds",
    "jira_grace_seconds",
    "quickbooks_rotation_seconds",
    "quickbooks_grace_seconds",
)
_SCOPES = "grant_scopes"


class Control:
    """Loopback only, so without authentication."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        data = "/sandbox/{service}/{account}"
        table: list[tuple[str, str, Callable[[Request], Awaitable[Reply]]]] = [
            ("GET", "/sandbox/health", self.health),
            ("GET", "/sandbox/accounts", self.accounts),
            ("GET", "/sandbox/requests", self.requests),
            ("DELETE", "/sandbox/requests", self.clear_requests),
            ("POST", "/sandbox/settings", self.settings),
            ("POST", "/sandbox/{service}/faults", self.add_fault),
            ("DELETE", "/sandbox/{service}/faults", self.clear_faults),
            ("GET", f"{data}/tokens", self.tokens),
            ("DELETE", f"{data}/grants", self.end_grants),
            ("GET", f"{data}/counts", self.counts),
            ("GET", f"{data}/effects", self.effects),
            ("DELETE", f"{data}/effects", self.clear_effects),
            ("GET", f"{data}/records/{{resource}}", self.records),
            ("POST", f"{data}/records/{{resource}}", self.create),
            ("GET", f"{data}/records/{{resource}}/{{id}}", self.record),
            ("PATCH", f"{data}/records/{{resource}}/{{id}}", self.change),
            ("DELETE", f"{data}/records/{{resource}}/{{id}}", self.delete),
        ]
        return [Route(path, _endpoint(method), methods=[verb]) for verb, path, method in table]

    async def health(self, request: Request) -> Reply:
        del request
        return Reply({"status": "ok"})

    async def accounts(self, request: Request) -> Reply:
        del request
        rows = [
            {
                "account": client.account,
                "service": client.service,
                "client_id": client.client_id,
                "client_secret": client.client_secret,
                "settings": client.settings,
                "keys": keys_of(client.service, client.account),
            }
            for client in CLIENTS
        ]
        return Reply(rows)

    async def requests(self, request: Request) -> Reply:
        asked = request.query_params
        return Reply(
            {
                "requests": self._state.log.entries(
                    asked.get("service") or None, asked.get("account") or None
                )
            }
        )

    async def clear_requests(self, request: Request) -> Reply:
        del request
        self._state.log.clear()
        return Reply(status=204)

    async def settings(self, request: Request) -> Reply:
        wanted = await _object(request)
        for name, value in wanted.items():
            if not _is_scopes(name, value) and not _is_span(name, value):
                raise _problem(422, f"No such setting or value: {name}.")
        changed: Any = {n: tuple(v) if isinstance(v, list) else v for n, v in wanted.items()}
        self._state.config = replace(self._state.config, **changed)
        return Reply({n: getattr(self._state.config, n) for n in (*_SETTINGS, _SCOPES)})

    async def add_fault(self, request: Request) -> Reply:
        service = self._service(request)
        fault = _fault(await _object(request))
        self._state.faults.add(service, fault)
        return Reply({"kind": fault.kind, "count": fault.remaining}, 201)

    async def clear_faults(self, request: Request) -> Reply:
        self._state.faults.clear(self._service(request))
        return Reply(status=204)

    async def tokens(self, request: Request) -> Reply:
        key = self._service(request), self._account(request)
        return Reply(self._state.token_counts.of(key))

    async def end_grants(self, request: Request) -> Reply:
        """The user disconnects the app in the service itself."""
        self._state.vault.end_grants(self._service(request), self._account(request))
        return Reply(status=204)

    async def counts(self, request: Request) -> Reply:
        data = self._dataset(request)
        return Reply({name: len(data.live(name)) for name in data.synced})

    async def effects(self, request: Request) -> Reply:
        """What clients of the API have created, changed and deleted, control calls left out."""
        return Reply(self._dataset(request).effects.counted())

    async def clear_effects(self, request: Request) -> Reply:
        self._dataset(request).effects.clear()
        return Reply(status=204)

    async def records(self, request: Request) -> Reply:
        data, resource = self._resource(request)
        return Reply({"records": data.live(resource)})

    async def record(self, request: Request) -> Reply:
        data, resource = self._resource(request)
        return Reply(_existing(data, resource, request.path_params["id"]))

    async def create(self, request: Request) -> Reply:
        data, resource = self._resource(request)
        record = data.create(resource, await _object(request), self._state.clock())
        self._state.save()
        return Reply(record, 201)

    async def change(self, request: Request) -> Reply:
        data, resource = self._resource(request)
        identifier = request.path_params["id"]
        _existing(data, resource, identifier)
        record = data.change(resource, identifier, await _object(request), self._state.clock())
        self._state.save()
        return Reply(record)

    async def delete(self, request: Request) -> Reply:
        data, resource = self._resource(request)
        identifier = request.path_params["id"]
        _existing(data, resource, identifier)
        data.delete(resource, identifier, self._state.clock())
        self._state.save()
        return Reply(status=204)

    def _service(self, request: Request) -> str:
        name = str(request.path_params["service"])
        if name not in self._state.services:
            raise _problem(404, f"No service {name}.")
        return name

    def _account(self, request: Request) -> str:
        account = str(request.path_params["account"])
        if account not in ACCOUNTS:
            raise _problem(404, f"No account {account}.")
        return account

    def _dataset(self, request: Request) -> Dataset:
        account = self._account(request)
        data: Dataset = self._state.dataset(self._service(request), account)
        return data

    def _resource(self, request: Request) -> tuple[Dataset, str]:
        data = self._dataset(request)
        resource = str(request.path_params["resource"])
        if resource not in data.tables:
            raise _problem(404, f"No resource {resource}.")
        return data, resource


def _endpoint(
    method: Callable[[Request], Awaitable[Reply]],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return (await method(request)).response()
        except ApiError as error:
            return error.reply.response()
        except RefusedError as refusal:
            return Reply({"error": str(refusal)}, 409).response()

    return endpoint


def _existing(data: Dataset, resource: str, identifier: str) -> dict[str, Any]:
    record = data.find(resource, identifier)
    if record is None:
        raise _problem(404, f"No live {resource} record {identifier}.")
    return record


def _fault(wanted: dict[str, Any]) -> Fault:
    kind, count = wanted.get("kind"), wanted.get("count", 1)
    seconds, share = wanted.get("seconds", 1.5), wanted.get("share", 1.0)
    if kind not in KINDS:
        raise _problem(422, f"The kind is none of {', '.join(sorted(KINDS))}.")
    if not isinstance(count, int) or count < 1 or not _is_number(seconds) or seconds < 0:
        raise _problem(422, "The count or the seconds are no positive number.")
    if not _is_number(share) or not 0 < share <= 1:
        raise _problem(422, "The share is not above 0 and at most 1.")
    return Fault(kind, count, str(wanted.get("path") or ""), seconds, share)


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise _problem(422, "The body is no JSON object.")
    return body


def _is_span(name: str, value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return name in _SETTINGS and value >= 0


def _is_scopes(name: str, value: object) -> bool:
    """A list of strings, or nothing to let users grant all again."""
    is_list = isinstance(value, list) and all(isinstance(scope, str) for scope in value)
    return name == _SCOPES and (value is None or is_list)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _problem(status: int, text: str) -> ApiError:
    return ApiError(Reply({"error": text}, status))
