"""How people write numbers, dates and yes or no, by language or by language and country.

The separators and orders are those of the Unicode CLDR; a table of them is enough, since only
reading is wanted: https://www.unicode.org/cldr/charts/latest/
"""

import re
from dataclasses import dataclass

SPACES = " \u00a0\u202f"
"""CLDR groups digits by narrow or plain no-break spaces; people type the common one."""
APOSTROPHES = "'\u2019"


@dataclass(frozen=True, slots=True)
class Convention:
    """How one locale writes."""

    decimal: str
    groups: str
    """Characters of which one may stand between groups of digits."""
    order: str
    """Of day (D), month (M) and year (Y) in a date of digits only."""

    @property
    def number(self) -> str:
        """What a number looks like, as a regular expression."""
        group, point = f"[{re.escape(self.groups)}]", re.escape(self.decimal)
        # groups of two before the last three: India
        whole = rf"(?:\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}}|\d+)"
        return rf"[+\-\u2212]?(?:{whole}(?:{point}\d*)?|{point}\d+)"

    @property
    def plain(self) -> dict[int, str | None]:
        """A table for `str.translate` from a number that looks right to a plain one."""
        dropped: dict[str, str | None] = dict.fromkeys(self.groups)
        return str.maketrans({**dropped, self.decimal: ".", "\u2212": "-"})


def _of(decimal: str, groups: str, order: str, names: str) -> dict[str, Convention]:
    return {name: Convention(decimal, groups, order) for name in names.split()}


CONVENTIONS = {
    **_of(".", ",", "MDY", "en en-US"),
    **_of(".", ",", "DMY", "en-GB en-AU en-IE en-IN en-NZ es-MX hi he th"),
    **_of(".", ",", "YMD", "en-CA ja ko zh"),
    **_of(",", ".", "DMY", "da de de-DE el es es-ES hr id it nl pt pt-BR ro sl sr tr vi"),
    **_of(",", "." + SPACES, "DMY", "de-AT nb no pt-PT"),
    **_of(",", SPACES, "DMY", "bg cs fi fr fr-FR pl ru sk uk"),
    **_of(",", SPACES, "YMD", "hu lt sv fr-CA"),
    **_of(".", APOSTROPHES, "DMY", "de-CH fr-CH it-CH"),
}

_YES = "yes y true t on 1 ja j oui o si sí sì s sim igen tak tá ano da evet はい 是"
_NO = "no n false f off 0 nein non não nao nem nie ne nej nei nee hay\u0131r hayir いいえ 否"
YES, NO = frozenset(_YES.split()), frozenset(_NO.split())
"""Words for yes and no in the languages above, in lower case; a person can add others."""

_CLOCK = (
    r"(?:,?[ T\u202f](?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?"
    r"(?:[ \u202f]?(?P<half>[AaPp])\.?[Mm]\.?)?)?"
)
_PART = {
    "D": r"(?P<day>\d{1,2})",
    "M": r"(?P<month>\d{1,2})",
    "Y": r"(?P<year>[1-9]\d{3})",
}
ISO = (
    r"^(?P<wall>[1-9]\d{3}-\d{2}-\d{2}(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?)?)"
    r" ?(?P<offset>Z|z|[+-](?:0\d|1[0-4]):?[0-5]\d)?$"
)
"""A date or a time of ISO 8601, as RFC 3339 narrows it, in parts."""


def convention(locale: str) -> Convention:
    """The convention of a locale such as `de` or `en-GB`.

    Raises:
        ValueError: it is not known.
    """
    found = CONVENTIONS.get(locale) or CONVENTIONS.get(locale.split("-", maxsplit=1)[0])
    if found is None:
        raise ValueError(f"the locale {locale!r} is not known; known: {', '.join(CONVENTIONS)}")
    return found


def date_pattern(order: str) -> str:
    """What a date of digits looks like in this order, with an optional time of day."""
    return r"^" + r"\s?[./-]\s?".join(_PART[part] for part in order) + r"\.?" + _CLOCK + "$"
