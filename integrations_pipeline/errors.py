"""Errors, sorted by what the caller should do.

IntegrationsError
├── ConfigurationError      the operator must change a setting
│   └── MasterKeyError      the key that protects secrets is missing, short or wrong
├── RequestError            the caller asked for something that does not exist or makes no sense
│   ├── ConflictError       ... or that another actor holds at the moment
│   ├── BadStateError       the callback belongs to no connection that this browser has begun
│   └── AnotherAccountError it is not the account that the integration was connected to
├── FenceLostError          the job was ended or taken over: stop writing
├── HeldError               a full read would delete so much that a person must agree
├── RejectedRecordsError    too many records could not be loaded
├── StagedLostError         what a full read had staged is gone: read again
└── ServiceError            the service's answer; carries the HTTP status where there is one
    ├── ConnectAgainError   only a person with the account can help: connect again
    │   └── NotConnectedError   ... as it never was, or was disconnected on purpose
    ├── ForbiddenError      this resource is not allowed; the connection itself is well
    ├── NotFoundError       the object does not exist
    ├── WrongAddressError   the account's own address leads nowhere
    ├── RejectedError       the service refuses this request; the same request fails again
    ├── AnswerError         the answer is not what the service documents
    ├── StaleCursorError    the service no longer knows the place where we stopped
    └── TransientError      the same request may work later
        ├── RateLimitedError
        └── OutcomeUnknownError  a write may have been done, or not: look before it is repeated
"""

from collections.abc import Mapping
from typing import Any


class IntegrationsError(Exception):
    """Base of all errors: `str()` says what failed, `action` what to do about it."""

    action = ""

    def __init__(self, message: str, *, action: str = "") -> None:
        super().__init__(message)
        if action:
            self.action = action

    @property
    def message(self) -> str:
        """What failed, without what to do."""
        return super().__str__()

    def __str__(self) -> str:
        """The message, followed by what to do."""
        return f"{self.message} {self.action}".strip()


class ConfigurationError(IntegrationsError):
    """A setting is missing or wrong."""


class MasterKeyError(ConfigurationError):
    """The master key is missing, short or wrong."""

    action = (
        "Set INTEGRATIONS_MASTER_KEY or INTEGRATIONS_MASTER_KEY_FILE; "
        "for a new data folder, `integrations keys create` makes one (docs/operating.md)."
    )


class RequestError(IntegrationsError):
    """The caller asked for something that does not exist or makes no sense."""


class ConflictError(RequestError):
    """Another actor holds what was asked for."""


class BadStateError(RequestError):
    """The callback belongs to no connection that this browser has begun."""

    action = "Begin again from the connect link."


class AnotherAccountError(RequestError):
    """The account is not the one whose records the integration holds."""


class FenceLostError(IntegrationsError):
    """The job belongs to another run now; nothing more may be written."""


class HeldError(IntegrationsError):
    """A full read would delete more than the integration's rules allow; nothing was changed."""


class RejectedRecordsError(IntegrationsError):
    """So many records could not be loaded that something must be wrong with all of them."""


class StagedLostError(IntegrationsError):
    """The database lost what a full read had staged, as it does when it crashes."""

    action = "Sync again: it reads everything from the beginning."


class ServiceError(IntegrationsError):
    """A service did not do what was asked."""

    def __init__(self, message: str, *, action: str = "", status: int | None = None) -> None:
        super().__init__(message, action=action)
        self.status = status


class ConnectAgainError(ServiceError):
    """The credentials are dead; only a person can renew them."""

    action = "Connect the account again."


class NotConnectedError(ConnectAgainError):
    """The account was never connected, or was disconnected: nothing is broken."""


class ForbiddenError(ServiceError):
    """The account's rights, scopes or plan do not cover this resource."""

    action = "Grant the missing permission in the service, then sync again."


class NotFoundError(ServiceError):
    """The object does not exist."""


class WrongAddressError(ServiceError):
    """The account's own address (its subdomain, shop ...) leads nowhere, or no longer."""


class RejectedError(ServiceError):
    """The service refuses this request; repeating it is useless."""


class AnswerError(ServiceError):
    """The answer is not what the service documents."""

    action = "Nothing of this page was stored; sync again, and report it if it stays."


class StaleCursorError(ServiceError):
    """The service no longer knows the place where we stopped; a full read is needed."""


class TransientError(ServiceError):
    """The same request may work later; `retry_after` is in seconds, where the service says it."""

    action = "Sync again later."
    retry_after: float | None = None


class RateLimitedError(TransientError):
    """The service asks us to slow down."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, status=429)
        self.retry_after = retry_after


class OutcomeUnknownError(TransientError):
    """A write may have been done, or not; only the service's own records tell."""


def fault_in_words(fault: Mapping[str, Any]) -> str:
    """What pydantic found (an entry of `ValidationError.errors()`), in words for people."""
    given = fault.get("ctx", {})
    words = {
        "union_tag_invalid": f"there is no transform {given.get('tag')}",
        "union_tag_not_found": "no step is named",
        "extra_forbidden": "there is no such option",
        "missing": "it is missing",
    }
    message = str(fault["msg"]).removeprefix("Value error, ")
    return words.get(fault["type"], message.replace("Input should be", "it must be"))


def kind_of(error: BaseException) -> str:
    """An error's kind and HTTP status, for logs: its text may quote what a service was sent."""
    status = getattr(error, "status", None)
    return type(error).__name__ + (f" ({status})" if status else "")
