"""JSON as services send it."""

import re
from typing import Any

import orjson

_SURROGATES = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def parse(raw: bytes) -> Any:
    """The JSON value; half a surrogate pair, which some services cut texts into, is replaced."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return orjson.loads(_SURROGATES.sub(lambda found: found[1] or b"\\ufffd", raw))
