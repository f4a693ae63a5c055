"""The transforms of a mapping, as data: one after the other, each checked when it is saved."""

import string
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from integrations_pipeline.sync.mapping.locales import convention
from integrations_pipeline.sync.mapping.paths import check_path

Scalar = str | bool | int | float | None
LARGEST_TABLE = 10_000
LARGEST_JSON = 512 * 1024
"""Bytes of one mapping's transforms: they are read at the start of every sync."""
MOST_STEPS = 20
VALUE = "value"
"""The placeholder of a template that stands for the value so far."""


def _known_locale(name: str) -> str:
    convention(name)
    return name


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone such as Europe/Berlin") from error
    return name


Locale = Annotated[str, AfterValidator(_known_locale)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Path = Annotated[str, AfterValidator(check_path)]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """Other paths of the record that the step reads."""
        return ()


class Trim(_Step):
    """White space off both ends of a text."""

    step: Literal["trim"] = "trim"


class Case(_Step):
    """A text in lower case, upper case or Title Case."""

    step: Literal["case"] = "case"
    to: Literal["lower", "upper", "title"]


class ParseNumber(_Step):
    """A text as a number, exact, as the locale writes it: 1.234,56 (de), 1 234,56 (fr)."""

    step: Literal["parse_number"] = "parse_number"
    locale: Locale = "en"


class ParseDate(_Step):
    """A text as a date or a point in time, by formats, else ISO 8601 or the locale's order."""

    step: Literal["parse_date"] = "parse_date"
    formats: tuple[str, ...] = ()
    """As of Python's `strptime`, tried in this order."""
    locale: Locale = "en"
    zone: Zone = "UTC"
    """Where a time that names no offset was written."""
    unit: Literal["seconds", "milliseconds"] | None = None
    """What numbers count, since 1970."""
    to: Literal["timestamp", "date"] = "timestamp"

    @model_validator(mode="after")
    def _formats_are_formats(self) -> "ParseDate":
        known = [
            "%Y",
            "%y",
            "%m",
            "%d",
            "%H",
            "%I",
            "%M",
            "%S",
            "%f",
            "%p",
            "%z",
            "%b",
            "%B",
            "%a",
            "%A",
            "%j",
        ]
        for one in self.formats:
            told = [f"%{rest[:1]}" for rest in one.replace("%%", "").split("%")[1:]]
            if not told or len(set(told)) < len(told) or not set(told) <= set(known):
                raise _wrong(f"{one!r} is no format of a date such as %d.%m.%Y")
        return self


class ParseBoolean(_Step):
    """A text as true or false: yes, no, ja, nein, oui, non, 1, 0 … and words of your own."""

    step: Literal["parse_boolean"] = "parse_boolean"
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()


class Split(_Step):
    """A text cut at a separator: the list of its parts, or one, counted from 0 (-1: last)."""

    step: Literal["split"] = "split"
    separator: str = Field(min_length=1)
    part: int | None = Field(default=None, ge=-1000, le=1000)


class Concat(_Step):
    """The value and those of other fields in one text; what is missing is left out."""

    step: Literal["concat"] = "concat"
    fields: tuple[Path, ...] = Field(min_length=1, max_length=50)
    separator: str = " "

    @property
    def sources(self) -> tuple[str, ...]:
        """The other fields."""
        return self.fields


class Lookup(_Step):
    """The value's counterpart in a table."""

    step: Literal["lookup"] = "lookup"
    table: dict[str, Scalar] = Field(min_length=1)
    otherwise: Literal["fail", "keep", "null"] = "fail"
    """Where the table does not have it."""
    ignore_case: bool = False

    @model_validator(mode="after")
    def _not_too_large(self) -> "Lookup":
        if len(self.table) > LARGEST_TABLE:
            raise _wrong(
                f"the table has {len(self.table)} entries, more than {LARGEST_TABLE}: "
                "load it as a table of its own and join it"
            )
        return self


class Default(_Step):
    """A value for fields that are missing, null or an empty text."""

    step: Literal["default"] = "default"
    value: Scalar


class Mask(_Step):
    """`***` instead of a text, but for some characters at its ends; short ones are hidden whole."""

    step: Literal["mask"] = "mask"
    keep_first: int = Field(default=0, ge=0, le=8)
    keep_last: int = Field(default=0, ge=0, le=8)


class Hash(_Step):
    """A pseudonym: HMAC-SHA256 under a key of the tenant, the same for the same text."""

    step: Literal["hash"] = "hash"


class Constant(_Step):
    """The same value for every record."""

    step: Literal["constant"] = "constant"
    value: Scalar


class Template(_Step):
    """A text with {path} for fields of the record and {value} for the value so far."""

    step: Literal["template"] = "template"
    text: str = Field(min_length=1, max_length=2000)

    @model_validator(mode="after")
    def _placeholders_are_paths(self) -> "Template":
        try:
            pieces = pieces_of(self.text)
        except ValueError as error:
            raise _wrong(f"the template can't be read: {error}") from error
        for _, path in pieces:
            if path is not None:
                check_path(path)
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The fields that the text names."""
        return tuple(path for _, path in pieces_of(self.text) if path and path != VALUE)


Step = Annotated[
    Trim
    | Case
    | ParseNumber
    | ParseDate
    | ParseBoolean
    | Split
    | Concat
    | Lookup
    | Default
    | Mask
    | Hash
    | Constant
    | Template,
    Field(discriminator="step"),
]
MAKES_A_VALUE = (Concat, Constant, Template)
"""Steps that need no source before them."""


@lru_cache(maxsize=256)
def pieces_of(text: str) -> tuple[tuple[str, str | None], ...]:
    """The literal texts of a template, each with the path behind it.

    Raises:
        ValueError: its braces do not match, or a placeholder says more than a path.
    """
    found = []
    for literal, path, form, conversion in string.Formatter().parse(text):
        if form or conversion or path == "":
            raise ValueError("a placeholder is a path in braces, nothing more")
        found.append((literal, path))
    return tuple(found)


def described() -> dict[str, str]:
    """Every transform with what it does."""
    return {name: kind.__doc__ or "" for name, kind in _kinds().items()}


def options_of(step: str) -> dict[str, dict[str, Any]]:
    """The options of a transform: whether each is needed, else its default; its few values."""
    kind = _kinds()[step]
    schema = kind.model_json_schema()["properties"]
    return {
        name: {
            "needed": field.is_required(),
            "default": None if field.is_required() else field.default,
            "values": _values(schema[name]),
        }
        for name, field in kind.model_fields.items()
        if name != "step"
    }


def _values(schema: dict[str, Any]) -> list[str]:
    """The values of an option that can have only a few."""
    found = [one for part in schema.get("anyOf", [schema]) for one in part.get("enum", ())]
    return [str(one) for one in found]


def _kinds() -> dict[str, type[_Step]]:
    kinds: tuple[type[_Step], ...] = get_args(get_args(Step)[0])
    return {kind.model_fields["step"].default: kind for kind in kinds}


def json_size(value: object) -> int:
    """Bytes of the value as JSON."""
    return len(orjson.dumps(value))


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("mapping", "{told}", {"told": message})


STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(
    Annotated[tuple[Step, ...], Field(max_length=MOST_STEPS)]
)
