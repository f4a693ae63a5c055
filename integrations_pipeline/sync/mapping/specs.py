"""A mapping as people write it, in its typed form."""

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from integrations_pipeline.errors import RequestError, fault_in_words
from integrations_pipeline.sync.mapping.paths import check_path
from integrations_pipeline.sync.mapping.steps import (
    LARGEST_JSON,
    MAKES_A_VALUE,
    MOST_STEPS,
    Step,
    described,
    json_size,
)

TARGET = re.compile(r"[a-z][a-z0-9_]{0,62}")


class MappingSpec(BaseModel):
    """How one field reaches one target.

    Pull: from a path of the raw record to a key of the column `custom`. Push: from a key of the
    row that goes out to a field of the service.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    resource: str
    target: str = Field(min_length=1, max_length=200)
    source: str = ""
    """Empty only where the first transform makes a value by itself."""
    direction: Literal["pull", "push"] = "pull"
    transforms: tuple[Step, ...] = Field(default=(), max_length=MOST_STEPS)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.direction == "pull" and not TARGET.fullmatch(self.target):
            raise _wrong("the target must be a name of lower-case letters, digits and _")
        if self.source:
            try:
                check_path(self.source)
            except ValueError as error:
                raise _wrong(str(error)) from error
        elif not isinstance(next(iter(self.transforms), None), MAKES_A_VALUE):
            raise _wrong("a source is needed, or constant, template or concat as first transform")
        if json_size(self.told_transforms) > LARGEST_JSON:
            raise _wrong(f"the transforms are larger than {LARGEST_JSON // 1024} KB")
        return self

    @property
    def told_transforms(self) -> list[dict[str, Any]]:
        """The transforms as they are stored."""
        return [step.model_dump(mode="json") for step in self.transforms]

    @property
    def sources(self) -> tuple[str, ...]:
        """All paths that are read."""
        more = [path for step in self.transforms for path in step.sources]
        return tuple(path for path in (self.source, *more) if path)


def checked_mapping(values: Mapping[str, Any]) -> MappingSpec:
    """The mapping in its typed form; what the service says of the fields is not looked at.

    Raises:
        RequestError: an unknown transform, or an option that it can't have.
    """
    try:
        return MappingSpec.model_validate_json(orjson.dumps(dict(values)))
    except ValidationError as error:
        wrong = "; ".join(_told(one) for one in error.errors(include_input=False))
        raise RequestError(
            f"The mapping to {values.get('target')!r} is not valid: {wrong}.",
            action=f"Transforms: {', '.join(described())}.",
        ) from error
    except TypeError as error:
        raise RequestError(f"The mapping is no JSON: {error}.") from error


def _told(error: Any) -> str:
    """One fault of many: where, and why."""
    place = [one + 1 if isinstance(one, int) else one for one in error["loc"]]
    name = " ".join(map(str, place)).replace("transforms", "transform")
    message = fault_in_words(error)
    return f"{name}: {message}" if name else message


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("mapping", "{told}", {"told": message})
