"""What holds of mappings whatever the records hold."""

from decimal import Decimal

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations_pipeline.sync.mapping import FieldMapper
from integrations_pipeline.sync.mapping.locales import CONVENTIONS, NO, YES
from tests.unit.mapped import good, mapping, step

SLOWLY = settings(deadline=None)  # pandas is loaded by the first example
STEPS = [
    step("trim"),
    step("case", to="upper"),
    step("case", to="title"),
    *(step("parse_number", locale=one) for one in ("en", "de", "fr", "de-CH")),
    step("parse_date"),
    step("parse_date", locale="de", zone="Europe/Berlin", unit="seconds"),
    step("parse_date", locale="hu", to="date", zone="Asia/Tokyo", unit="milliseconds"),
    step("parse_date", zone="America/New_York"),
    step("parse_date", to="date", zone="America/New_York", unit="seconds"),
    step("parse_date", formats=["%d.%m.%Y %H:%M:%S.%f", "%Y %z", "%b %d %y"]),
    step("parse_boolean"),
    step("split", separator=","),
    step("split", separator=".", part=-1),
    step("concat", fields=["other", "it"], separator="-"),
    step("lookup", table={"a": 1, "1": None, "true": "x"}, otherwise="null", ignore_case=True),
    step("lookup", table={"a": "b"}),
    step("default", value=1),
    step("mask", keep_first=1, keep_last=2),
    step("hash"),
    step("constant", value=None),
    step("template", text="<{value} {other} {it.a}>"),
]
LIKELY = [
    *("", " ", "1", "1,5", "1.234,56", "-1.5", "31.12.2024", "2024-12-31", "12/31/2024 1:30 PM"),
    *("2024-12-31T10:00:00Z", "2024-12-31T10:00:00.123456789+02:00", "9999-12-31", "0001-01-01"),
    *("31.12.2024 10:00:00.123456789", "2024 +0200", "Dec 31 24", "yes", "nein", "a", "A,b.c"),
    *(-62135596800, 253402300799, 253402300800, 253402300799999),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1.1.1000", "\u0661\u0662"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(LIKELY)
    | st.text(max_size=30)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
RECORDS = st.lists(st.fixed_dictionaries({"it": VALUES}, optional={"other": VALUES}), max_size=8)
CHAINS = st.lists(st.sampled_from(STEPS), max_size=4)


@SLOWLY
@given(RECORDS, st.lists(CHAINS, min_size=1, max_size=3))
def test_any_record_is_mapped_or_told_apart_and_alone_as_in_a_batch(records, chains) -> None:
    paths = ("it", "other|it", "it.a")
    specs = [mapping(f"t{n}", paths[n], *chain) for n, chain in enumerate(chains)]
    mapper = FieldMapper(specs, b"key")

    batch = mapper(records)

    assert len(batch) == len(records)
    assert batch == [one for record in records for one in mapper([record])]
    for one in batch:
        assert set(orjson.loads(one.custom)) == {spec.target for spec in specs}


@SLOWLY
@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4), st.sampled_from(list(CONVENTIONS))
)
def test_a_number_comes_back_from_how_a_locale_writes_it(number, locale) -> None:
    how = CONVENTIONS[locale]
    text = f"{number:,.4f}".translate({ord(","): how.groups[0], ord("."): how.decimal})
    if len(text) > 100:
        return
    (found,) = FieldMapper([mapping("n", "n", step("parse_number", locale=locale))])([{"n": text}])

    assert found.fault is None
    told = found.custom.decode().removeprefix('{"n":').removesuffix("}")
    assert Decimal(told) == number


@SLOWLY
@given(st.datetimes(), st.sampled_from(["%d.%m.%Y %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f"]))
def test_a_time_comes_back_from_how_a_format_writes_it(moment, form) -> None:
    if not 2 < moment.year < 9999:
        return
    text = moment.strftime(form).replace(str(moment.year), f"{moment.year:04}", 1)
    if moment.year < 1000:
        return  # the C library pads years as it likes
    found = good(text, step("parse_date", formats=[form]))

    assert found.startswith(moment.isoformat(timespec="seconds"))


@SLOWLY
@given(st.dates(), st.sampled_from(["-", "/", "."]), st.sampled_from(sorted(CONVENTIONS)))
def test_a_day_comes_back_from_how_a_locale_writes_it(day, separator, locale) -> None:
    if not 1000 <= day.year < 9999:
        return
    parts = {"D": str(day.day), "M": f"{day.month:02}", "Y": str(day.year)}
    text = separator.join(parts[one] for one in CONVENTIONS[locale].order)

    assert good(text, step("parse_date", locale=locale, to="date")) == day.isoformat()


@SLOWLY
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="|\0")), min_size=1))
def test_what_was_joined_is_split_again(parts) -> None:
    assert good("|".join(parts), step("split", separator="|")) == parts


@SLOWLY
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_a_mask_keeps_its_ends_and_less_than_half(text, first, last) -> None:
    found = good(text, step("mask", keep_first=first, keep_last=last))

    start, _, end = found.partition("***") if len(text) > 2 * (first + last) else ("", "", "")
    if start or end:
        assert text.startswith(start)
        assert len(start) + len(end) < len(text) / 2 or "***" in text
    else:
        assert "***" in found


def test_no_word_means_both_yes_and_no() -> None:
    assert not YES & NO
    for word in YES | NO:
        assert good(word.upper(), "parse_boolean") is (word in YES)
