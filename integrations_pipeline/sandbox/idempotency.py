"""Answers kept under the keys of their requests, so that a repeated request does nothing."""

from dataclasses import dataclass

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.replies import Reply
from integrations_pipeline.sandbox.service import ApiRequest
from integrations_pipeline.sandbox.tables import Table

LONGEST_KEY = 255


class OtherRequestError(Exception):
    """The key was used before, for something else."""


@dataclass(frozen=True)
class StoredAnswers:
    """The answers of one account, in a table, for so many seconds after they were first given."""

    table: Table
    seconds: float

    def recall(self, key: str, request: ApiRequest, parameters: object) -> Reply | None:
        """The answer that the same request got before."""
        row = self.table.get(key)
        if row is None or request.now - row["created"] > self.seconds:
            return None
        if row["fingerprint"] != _fingerprint(request, parameters):
            raise OtherRequestError
        return Reply(row["body"], row["status"], row["headers"])

    def keep(self, key: str, request: ApiRequest, parameters: object, reply: Reply) -> None:
        """Stores an answer under its key."""
        self.table.put(
            {
                "id": key,
                "created": request.now,
                "fingerprint": _fingerprint(request, parameters),
                "status": reply.status,
                "body": reply.body,
                "headers": dict(reply.headers),
            }
        )


def _fingerprint(request: ApiRequest, parameters: object) -> str:
    return digest(request.method, request.path, repr(parameters))
