"""Each transform of a mapping: what it gives, and what it can't handle."""

import hashlib
import hmac

import pytest

from integrations_pipeline.sync.mapping import FieldMapper
from integrations_pipeline.sync.mapping.locales import CONVENTIONS
from tests.unit.mapped import bad, good, mapping, step

ROMAN = {"1": "I", "2": None, "Ja": True}

GOOD = [
    (" a b\t\n", ["trim"], "a b"),
    ("\u00a0a\u3000", ["trim"], "a"),
    (5, ["trim"], 5),
    (["a "], ["trim"], ["a "]),
    (None, ["trim"], None),
    ("ÄÖ", [step("case", to="lower")], "äö"),
    ("straße", [step("case", to="upper")], "STRASSE"),
    ("ada LOVELACE", [step("case", to="title")], "Ada Lovelace"),
    (True, [step("case", to="upper")], True),
    ("yes", ["parse_boolean"], True),
    (" NEIN ", ["parse_boolean"], False),
    ("oui", ["parse_boolean"], True),
    ("1", ["parse_boolean"], True),
    (0, ["parse_boolean"], False),
    (1.0, ["parse_boolean"], True),
    (False, ["parse_boolean"], False),
    ("", ["parse_boolean"], None),
    ("Aktiv", [step("parse_boolean", true=["aktiv"], false=["passiv"])], True),
    ("passiv", [step("parse_boolean", true=["aktiv"], false=["passiv"])], False),
    ("a;b;;c", [step("split", separator=";")], ["a", "b", "", "c"]),
    ("a;b;c", [step("split", separator=";", part=0)], "a"),
    ("a;b;c", [step("split", separator=";", part=-1)], "c"),
    ("a;b;c", [step("split", separator=";", part=3)], None),
    ("a.b", [step("split", separator=".", part=1)], "b"),
    ("Ada", [step("concat", fields=["last"])], "Ada Lovelace"),
    ("Ada", [step("concat", fields=["none", "year"], separator="/")], "Ada/1815"),
    (None, [step("concat", fields=["none"])], None),
    ("1", [step("lookup", table=ROMAN)], "I"),
    (1, [step("lookup", table=ROMAN)], "I"),
    ("2", [step("lookup", table=ROMAN)], None),
    ("jA", [step("lookup", table=ROMAN, ignore_case=True)], True),
    ("9", [step("lookup", table=ROMAN, otherwise="keep")], "9"),
    ("9", [step("lookup", table=ROMAN, otherwise="null")], None),
    (None, [step("lookup", table=ROMAN)], None),
    (True, [step("lookup", table={"true": 1})], 1),
    (None, [step("default", value="x")], "x"),
    ("", [step("default", value=0)], 0),
    (False, [step("default", value=True)], False),
    ("a", [step("default", value="x")], "a"),
    ("secret-text", ["mask"], "***"),
    ("4111111111111111", [step("mask", keep_last=4)], "***1111"),
    ("ada@example.com", [step("mask", keep_first=2)], "ad***"),
    ("ada@example.com", [step("mask", keep_first=1, keep_last=4)], "a***.com"),
    ("12345678", [step("mask", keep_last=4)], "***"),
    ("", ["mask"], "***"),
    (12345678901, [step("mask", keep_last=2)], "***01"),
    ({"a": 1}, [step("constant", value=7)], 7),
    (None, [step("constant", value="x")], "x"),
    (
        "Ada",
        [step("template", text="Dear {value} {last}, {{{year}}}")],
        "Dear Ada Lovelace, {1815}",
    ),
    ("Ada", [step("template", text="{none}{address.city}")], "London"),
    (None, [step("template", text="{none}")], None),
    (" X ; y ", [step("split", separator=";", part=0), "trim", step("case", to="lower")], "x"),
    ("", ["parse_number", step("default", value=0)], 0),
]


@pytest.mark.parametrize(("value", "steps", "wanted"), GOOD)
def test_a_transform_gives(value, steps, wanted) -> None:
    found = good(value, *steps, last="Lovelace", year=1815, address={"city": "London"})

    assert (found, type(found)) == (wanted, type(wanted))


BAD = [
    ("maybe", ["parse_boolean"], "out: is neither of the words"),
    (2, ["parse_boolean"], "is neither"),
    ([], ["parse_boolean"], "is neither"),
    (5, [step("split", separator=";")], "is no text"),
    ({"a": 1}, ["mask"], "is no text"),
    ([1], ["hash"], "is no text"),
    ("9", [step("lookup", table=ROMAN)], "is not in the table"),
    ({}, [step("lookup", table=ROMAN)], "is not in the table"),
    ("Ada", [step("concat", fields=["list"])], "one of the fields is no text"),
    ("Ada", [step("template", text="{list}")], "one of the fields is no text"),
    ("x", ["trim", "parse_number"], r"\(step 2, parse_number\)"),
    ("x", ["parse_number", step("default", value=5)], r"\(step 1, parse_number\)"),
]


@pytest.mark.parametrize(("value", "steps", "reason"), BAD)
def test_a_transform_tells_what_it_cant_handle(value, steps, reason) -> None:
    import re

    assert re.search(reason, bad(value, *steps, list=[1]))


NUMBERS = [
    ("en", "1,234.56", 1234.56),
    ("en", "-1234", -1234),
    ("en", "+.5", 0.5),
    ("en", " 7 ", 7),
    ("en", "12,34,567.8", 1234567.8),
    ("de", "1.234,56", 1234.56),
    ("de", "1.234", 1234),
    ("de", "0,5", 0.5),
    ("de-CH", "1\u2019234.5", 1234.5),
    ("fr", "1 234,56", 1234.56),
    ("fr", "1\u202f234\u00a0567,5", 1234567.5),
    ("sv", "\u2212 5".replace(" ", ""), -5),
    ("es", "12,", 12),
    ("en", "9223372036854775807", 9223372036854775807),
]


@pytest.mark.parametrize(("locale", "text", "wanted"), NUMBERS)
def test_numbers_are_read_as_their_locale_writes_them(locale, text, wanted) -> None:
    found = good(text, step("parse_number", locale=locale))

    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        *(("en", t) for t in ("x", "1.234,56", "1,2", "1,23", "1 234", "1e5", "0x1", "--1", "-")),
        *(("en", t) for t in ("NaN", "Infinity", "1.2.3", ",", ".", "1_000", "9" * 101)),
        *(("de", t) for t in ("1.5", "1,234.56", "12.34", "1.2345", "1,5,5")),
        *(("fr", t) for t in ("1.5", "1  234")),
    ],
)
def test_what_a_locale_writes_otherwise_is_no_number(locale, text) -> None:
    assert "is no number" in bad(text, step("parse_number", locale=locale))


@pytest.mark.parametrize("value", [True, [1], {"a": 1}])
def test_other_things_are_no_numbers(value) -> None:
    assert "is no number" in bad(value, "parse_number")


def test_a_number_keeps_every_digit() -> None:
    digits = "12345678901234567890.123456789"
    (found,) = FieldMapper([mapping("n", "n", "parse_number")])([{"n": digits}])

    assert found.custom == f'{{"n":{digits}}}'.encode()


@pytest.mark.parametrize("locale", CONVENTIONS)
def test_every_locale_reads_what_it_writes(locale) -> None:
    how = CONVENTIONS[locale]
    for group in how.groups:
        text = f"-12{group}345{group}678{how.decimal}25"
        assert good(text, step("parse_number", locale=locale)) == -12345678.25


def test_a_hash_is_the_same_for_the_same_text_and_key_only() -> None:
    one = good("ada@example.com", "hash")

    assert one == hmac.new(b"key", b"ada@example.com", hashlib.sha256).hexdigest()
    assert good(" Ada@Example.com", "trim", step("case", to="lower"), "hash") == one
    assert good("bob@example.com", "hash") != one
    (other,) = FieldMapper([mapping("out", "it", "hash")], b"other")([{"it": "ada@example.com"}])
    assert one.encode() not in other.custom


def test_a_value_is_never_told_in_the_reason() -> None:
    for steps in (["parse_number"], ["parse_date"], ["parse_boolean"]):
        assert "ada@example" not in bad("ada@example.com", *steps)
