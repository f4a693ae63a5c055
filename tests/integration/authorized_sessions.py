"""Sessions for calls of one's own with every way to carry a credential, and where it went."""

import base64
import traceback
from collections.abc import Iterator

import pytest

from integrations_pipeline.connectors.auth import BasicAuth, Carriage, HeaderAuth, QueryAuth
from integrations_pipeline.transport.authorized import AuthorizedSession
from tests.contract.service import Asked, Service, scripted

TOKEN = "user:very-secret"
CARRIAGES = {
    "header": HeaderAuth(),
    "own header": HeaderAuth("X-Access-Token", ""),
    "basic": BasicAuth(),
    "query": QueryAuth("api_key"),
}


class Tokens:
    """A token source that counts what it is asked."""

    def __init__(self) -> None:
        self.given = 0
        self.renewed: list[str] = []

    def token(self) -> str:
        self.given += 1
        return TOKEN

    def renew(self, rejected: str) -> str:
        self.renewed.append(rejected)
        return f"{TOKEN}-{len(self.renewed) + 1}"


def session_to(url: str, tokens: Tokens, carriage: Carriage, **more: object) -> AuthorizedSession:
    options = {"headers": {"X-Version": "7"}, "allow_private": True, "timeout": 10.0, **more}
    return AuthorizedSession(url, tokens, carriage=carriage, **options)


@pytest.fixture
def api() -> Iterator[Service]:
    with scripted() as one:
        yield one


@pytest.fixture
def elsewhere() -> Iterator[Service]:
    with scripted() as one:
        yield one


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture(params=CARRIAGES)
def carriage(request) -> Carriage:
    return CARRIAGES[request.param]


@pytest.fixture
def session(api, tokens, carriage) -> Iterator[AuthorizedSession]:
    with session_to(f"{api.url}/v1", tokens, carriage) as one:
        yield one


def held(asked: Asked) -> str | None:
    """The credential that a request carries, in whichever place."""
    basic = asked.headers.get("Authorization", "")
    if basic.startswith("Basic "):
        return base64.b64decode(basic.removeprefix("Basic ")).decode()
    if basic:
        return basic.removeprefix("Bearer ")
    return asked.headers.get("X-Access-Token") or asked.params.get("api_key")


def bare(asked: Asked) -> bool:
    """Whether nothing of the credential is anywhere in the request."""
    secrets = ("very-secret", base64.b64encode(TOKEN.encode()).decode())
    whole = f"{asked.path} {asked.query} {list(asked.headers.items())} {asked.raw!r}"
    return not any(secret in whole for secret in secrets)


def told(error: BaseException) -> str:
    """All that a log would show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
