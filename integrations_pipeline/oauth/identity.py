"""Whose account it is: the calls that follow a grant, and the facts that they tell."""

from collections.abc import Mapping
from typing import Any

from integrations_pipeline.connectors.auth import FollowUp, OAuth, Way
from integrations_pipeline.connectors.base import Connector
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.errors import (
    AnswerError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
    RequestError,
)
from integrations_pipeline.oauth.endpoints import Endpoints, endpoints_of, filled
from integrations_pipeline.oauth.facts import read_facts
from integrations_pipeline.settings import Settings
from integrations_pipeline.transport.client import ServiceClient, TokenSource

RETRY_SECONDS = 20.0


class FixedToken:
    """The token source of a connection that is not stored yet."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """The token."""
        return self._token

    def renew(self, rejected: str) -> str:
        """The same: there is no other yet."""
        return self._token


def who_is(
    connector: Connector,
    way: Way,
    settings: Settings,
    account_settings: Mapping[str, Any],
    token: str,
    facts: Mapping[str, str],
) -> dict[str, str]:
    """All facts about the account that a token opens, beginning with those that are known.

    There is no `account_id` among them where nothing tells whose account it is.

    Raises:
        ServiceError: the service does not tell what is needed to reach the account.
        RequestError: the grant reaches several accounts, and none of them was chosen.
    """
    found = dict(facts)
    for call in calls_of(connector, way):
        endpoints = endpoints_of(connector, settings, account_settings, way=way, facts=found)
        answer, _ = ask(connector, way, endpoints, call, found, FixedToken(token))
        chosen = _chosen(connector, call, answer, account_settings) if call.chosen_by else answer
        found |= read_facts(call.facts, chosen, connector.label)
    return {**_named_by_settings(connector, account_settings), **found}


def _named_by_settings(connector: Connector, account_settings: Mapping[str, Any]) -> dict[str, str]:
    """The account's id, made from the settings that every way in needs to be told."""
    needed = [setting.name for setting in connector.settings if setting.default is None]
    told = [str(account_settings.get(name) or "") for name in needed]
    return {"account_id": "/".join(told)} if told and all(told) else {}


def calls_of(connector: Connector, way: Way) -> tuple[FollowUp, ...]:
    """The calls that tell whose account it is, in order."""
    return (*(way.discovery if isinstance(way, OAuth) else ()), *connector.identity)


def ask(
    connector: Connector,
    way: Way,
    endpoints: Endpoints,
    call: FollowUp,
    facts: Mapping[str, Any],
    tokens: TokenSource,
) -> tuple[Any, float | None]:
    """The answer to one of these calls, and how many seconds our clock was ahead of its date.

    Raises:
        ServiceError: the service does not answer it, and it is needed.
    """
    absolute = not call.url.startswith("/")
    base = (endpoints.identity_url or call.url) if absolute else endpoints.api_base_url
    path = "" if absolute else filled(call.url, facts)
    if not base or not (absolute or path):
        raise AnswerError(f"{connector.label} did not tell where the account is reached.")
    client = ServiceClient(
        connector,
        base,
        tokens,
        carriage=call.carriage or way.carriage,
        allow_private=endpoints.allow_private,
        timeout=RETRY_SECONDS,
        retry_seconds=RETRY_SECONDS,
    )
    try:
        answer = client.ask("GET" if call.body is None else "POST", path, body=call.body)
    except (ForbiddenError, NotFoundError, RejectedError):
        if not call.optional:
            raise
        answer = None
    finally:
        client.close()
    return answer, client.clock_ahead


def _chosen(
    connector: Connector, call: FollowUp, answer: Any, account_settings: Mapping[str, Any]
) -> Any:
    """The one account of a list that the integration is about."""
    entries = answer if isinstance(answer, list) else []
    wanted = str(account_settings.get(call.chosen_by) or "")
    named = [(entry, str(dig(entry, call.chosen_at) or "")) for entry in entries]
    fitting = [e for e, name in named if not wanted or _host(name) == _host(wanted)]
    names = sorted({_host(name) for _, name in named})
    if len({_host(str(dig(e, call.chosen_at))) for e in fitting}) == 1:
        return fitting[0]
    raise RequestError(
        f"{connector.label} gave access to {', '.join(names) or 'no account at all'}.",
        action=f"Set {call.chosen_by!r} to the one that is meant, and connect again.",
    )


def _host(address: str) -> str:
    return address.removeprefix("https://").rstrip("/").lower()
