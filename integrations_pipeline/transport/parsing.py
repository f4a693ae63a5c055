"""JSON as services send it."""

import json
import math
import re
from typing import Any

import orjson

_SURROGATES = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def parse(raw: bytes) -> Any:
    """The JSON value of an answer; one odd value in it does not spoil the rest.

    Half a surrogate pair, which some services cut texts into, is replaced. A number that is too
    large to be one stays as its text. NaN and Infinity, which JSON does not have, are null.

    Raises:
        orjson.JSONDecodeError: it is no JSON.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        mended = _SURROGATES.sub(lambda found: found[1] or b"\\ufffd", raw)
    try:
        return orjson.loads(mended)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(
                mended, parse_float=_decimal, parse_int=_whole, parse_constant=lambda _: None
            )
        except (ValueError, RecursionError):
            raise error from None


def _decimal(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _whole(text: str) -> int | float | str:
    """A number of up to 64 bits, as the usual parser has it; what is longer is a decimal one."""
    if len(text) < 19:
        return int(text)
    number = _decimal(text)
    return int(text) if isinstance(number, float) and -(2**63) <= number < 2**64 else number
