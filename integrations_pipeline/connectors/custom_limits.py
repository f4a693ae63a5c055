"""The limits of a customer's own API, as its declaration tells them."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic import model_validator as whole

from integrations_pipeline.connectors.access import Quota, ResetForm, Told
from integrations_pipeline.connectors.custom_checks import PLAIN, HeaderName, ensure


class Limit(BaseModel):
    """A limit of the API, and the headers in which its answers tell how far it is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests: int = Field(default=0, strict=True, ge=0, le=10**9)
    seconds: float = Field(default=0.0, ge=0, le=31 * 86_400)
    concurrent: int = Field(default=0, strict=True, ge=0, le=1000)
    path_contains: Annotated[str, PLAIN] = ""
    limit: HeaderName | None = None
    remaining: HeaderName | None = None
    reset: HeaderName | None = None
    reset_as: ResetForm = ResetForm.SECONDS

    @whole(mode="after")
    def _of_something(self) -> Self:
        counted = bool(self.requests or self.limit) == bool(self.seconds)
        fine = counted and (self.seconds or self.concurrent)
        ensure(fine, "needs `requests` (or `limit`) in `seconds`, or `concurrent`")
        return self

    def quota(self) -> Quota:
        """The limit, as the engine keeps it."""
        names = (self.limit or "", self.remaining or "", self.reset or "")
        told = Told(limit=names[0], remaining=names[1], reset=names[2], reset_as=self.reset_as)
        return Quota(
            self.requests,
            self.seconds,
            self.path_contains,
            concurrent=self.concurrent,
            told=told if any(names) else None,
        )
