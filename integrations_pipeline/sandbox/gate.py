"""The way of every API request: faults, the token, the rate limits, the operation, the log."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from integrations_pipeline.sandbox import faults
from integrations_pipeline.sandbox.faults import Fault
from integrations_pipeline.sandbox.limits import Usage
from integrations_pipeline.sandbox.replies import ApiError, Reply
from integrations_pipeline.sandbox.request_log import LoggedRequest, readable_query
from integrations_pipeline.sandbox.service import (
    ApiRequest,
    Call,
    Operation,
    Service,
    TokenCall,
    routed,
)
from integrations_pipeline.sandbox.state import SandboxState
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.vault import NEVER, AccessToken


class Gate:
    """Answers all requests of one service."""

    def __init__(self, state: SandboxState, service: Service[Any]) -> None:
        self._state = state
        self._service = service
        # The idempotency keys, by account, of the requests that are being worked on.
        self._running: set[tuple[str | None, str]] = set()

    async def serve(self, http: Request) -> Response:
        request = await self._read(http)
        account = self._service.account_of(request, self._state.vault)
        key = self._service.running_key(request)
        if key is None:
            return await self._serve(request, account)
        if (account, key) in self._running:
            return await self._serve(replace(request, repeated=True), account)
        self._running.add((account, key))
        try:
            return await self._serve(request, account)
        finally:
            self._running.discard((account, key))

    async def _serve(self, request: ApiRequest, account: str | None) -> Response:
        fault = self._claim(request)
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            request = replace(request, now=self._state.clock())
        if account is not None and not self._state.has_dataset(self._service.name, account):
            await asyncio.to_thread(self._state.dataset, self._service.name, account)
        response = self._respond(request, account, fault)
        self._log(request, account, response.status_code)
        return response

    def _claim(self, request: ApiRequest) -> Fault | None:
        is_token = routed(self._service.token_operations, request) is not None
        route = routed(self._service.operations, request)
        return self._state.faults.claim(
            self._service.name,
            request.path,
            is_token=is_token,
            is_write=is_token or (route is not None and route[0].writes),
        )

    async def _read(self, http: Request) -> ApiRequest:
        tenant = http.path_params.get("subdomain")
        prefix = self._service.prefix.format(subdomain=tenant)
        path = "/" + str(http.path_params["path"]).removesuffix(".json").rstrip("/")
        return ApiRequest(
            method=http.method,
            path=path,
            query_string=http.url.query,
            headers=http.headers,
            content=await http.body(),
            base=f"{http.url.scheme}://{http.url.netloc}{prefix}",
            tenant=tenant,
            now=self._state.clock(),
        )

    def _log(self, request: ApiRequest, account: str | None, status: int) -> None:
        self._state.log.add(
            LoggedRequest(
                service=self._service.name,
                account=account,
                method=request.method,
                path=request.path,
                query=readable_query(request.query_string),
                status=status,
            )
        )

    def _respond(self, request: ApiRequest, account: str | None, fault: Fault | None) -> Response:
        ordered = fault and self._instead(request, fault)
        reply = ordered or self._answer(request, account)
        common = self._service.headers(request, account)
        reply = replace(reply, headers={**common, **reply.headers})
        if fault is not None and fault.kind in faults.LOSING_KINDS:
            return self._lost(fault, reply)
        if fault is None or fault.kind not in faults.SPOILING_KINDS:
            return reply.response()
        if reply.status == 200 and isinstance(reply.body, dict):
            return self._spoiled(request, account, fault, reply, reply.body)
        fault.remaining += 1
        return reply.response()

    def _lost(self, fault: Fault, reply: Reply) -> Response:
        """The write is done; its caller cannot know. One that failed leaves nothing to lose."""
        if reply.status >= 300:
            fault.remaining += 1
            return reply.response()
        if fault.kind == "lost_reply":
            return faults.VanishedResponse(status_code=reply.status)
        return replace(self._service.server_error(), status=503).response()

    def _instead(self, request: ApiRequest, fault: Fault) -> Reply | None:
        """The answer of a fault that replaces the real one."""
        match fault.kind:
            case "rate_limit":
                budget = self._service.budgets_of(request)[-1]
                usage = Usage(budget, budget.total, fault.seconds, refused=True)
                return self._service.rate_limited(usage)
            case "error":
                return self._service.server_error()
            case "expired_token":
                return self._service.unauthorized("expired")
            case "html":
                return faults.html_page()
            case _:
                return None

    def _spoiled(
        self,
        request: ApiRequest,
        account: str | None,
        fault: Fault,
        reply: Reply,
        body: Record,
    ) -> Response:
        match fault.kind:
            case "truncated":
                return faults.truncated(reply)
            case "drop":
                return faults.dropped(reply)
            case "huge":
                return replace(reply, body=faults.huge(body)).response()
            case "wrong_types":
                wrong = faults.wrong_types(body, fault.remaining)
                return replace(reply, body=wrong).response()
            case _:
                page = fault.looped.setdefault(
                    (request.method, request.path, account),
                    replace(reply, body=self._service.endless(request, body)),
                )
                return page.response()

    def _answer(self, request: ApiRequest, account: str | None) -> Reply:
        try:
            return self._service.refusal(request) or self._dispatch(request, account)
        except ApiError as error:
            return error.reply

    def _dispatch(self, request: ApiRequest, account: str | None) -> Reply:
        token_route = routed(self._service.token_operations, request)
        if token_route is not None:
            return self._issue(*token_route, account)
        access = self._authenticate(request)
        usages = self._spend(request, access.account)
        route = routed(self._service.operations, request)
        if route is None:
            return self._service.unknown_path(request)
        return self._perform(*route, access, usages)

    def _issue(
        self,
        operation: Operation[Callable[[TokenCall], Reply]],
        request: ApiRequest,
        account: str | None,
    ) -> Reply:
        try:
            reply = operation.handler(TokenCall(request, self._state.vault, self._state.config))
        except ApiError as error:
            reply = error.reply
        self._state.token_counts.add(
            (self._service.name, account), request.fields, reply, revokes=operation.revokes
        )
        return reply

    def _authenticate(self, request: ApiRequest) -> AccessToken:
        access = self._key_access(request) or self._token_access(request)
        self._state.vault.used(access)
        return access

    def _key_access(self, request: ApiRequest) -> AccessToken | None:
        account = self._service.key_account(request)
        if account is None or not self._service.belongs(account, request.tenant):
            return None
        now = request.now
        name = self._service.name
        return AccessToken("key", "key", name, account, (), now, now + NEVER, by_key=True)

    def _token_access(self, request: ApiRequest) -> AccessToken:
        value = self._service.bearer(request)
        access = self._state.vault.access_token(self._service.name, value or "")
        if access is None:
            reason = "invalid" if value else "missing"
        elif not self._service.belongs(access.account, request.tenant):
            reason = "invalid"
        elif self._state.vault.is_expired(access):
            reason = "expired"
        else:
            return access
        raise ApiError(self._service.unauthorized(reason))

    def _spend(self, request: ApiRequest, account: str) -> list[Usage]:
        windows = self._state.windows[self._service.name]
        usages = windows.spend(account, self._service.budgets_of(request), request.now)
        refused = [usage for usage in usages if usage.refused]
        if refused:
            raise ApiError(self._service.rate_limited(refused[-1]))
        return usages

    def _perform(
        self,
        operation: Operation[Callable[[Call[Any]], Reply]],
        request: ApiRequest,
        access: AccessToken,
        usages: list[Usage],
    ) -> Reply:
        data = self._state.dataset(self._service.name, access.account)
        call = Call(request, access, data, self._state.vault, self._state.config)
        limits = self._service.limit_headers(usages)
        try:
            if not access.by_key:
                self._service.check_scopes(call)
            reply = operation.handler(call)
        except ApiError as error:
            reply = error.reply
        if operation.writes and reply.status < 300:
            self._state.save()
        if operation.revokes:
            self._state.token_counts.add(
                (self._service.name, access.account), {}, reply, revokes=True
            )
        return replace(reply, headers={**limits, **reply.headers})
