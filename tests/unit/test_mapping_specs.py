"""Mappings as people write them: refused in clear words where they make no sense."""

import orjson
import pytest

from integrations_pipeline.errors import RequestError
from integrations_pipeline.sync.mapping import FieldMapper, MappingSpec
from integrations_pipeline.sync.mapping.paths import check_path, getter
from integrations_pipeline.sync.mapping.steps import described
from tests.unit.mapped import mapping, step

WRONG = [
    ("out", "it", [step("shout")], "shout"),
    ("out", "it", [{"kind": "trim"}], "step"),
    ("out", "it", [step("trim", side="left")], "side"),
    ("out", "it", [step("case", to="camel")], "lower"),
    ("out", "it", [step("parse_number", locale="tlh")], "'tlh' is not known"),
    ("out", "it", [step("parse_date", zone="Mars/Base")], "'Mars/Base' is no time zone"),
    ("out", "it", [step("parse_date", formats=["DD.MM.YYYY"])], "'DD.MM.YYYY' is no format"),
    ("out", "it", [step("parse_date", formats=["%d.%m.%Q"])], "is no format"),
    ("out", "it", [step("parse_date", formats=["%d.%d"])], "is no format"),
    ("out", "it", [step("split", separator="")], "separator"),
    ("out", "it", [step("concat", fields=[])], "fields"),
    ("out", "it", [step("concat", fields=["a..b"])], "'a..b' is no path"),
    ("out", "it", [step("lookup", table={})], "table"),
    ("out", "it", [step("lookup", table={"a": [1]})], "table"),
    ("out", "it", [step("lookup", table={str(n): n for n in range(10_001)})], "10001 entries"),
    ("out", "it", [step("lookup", table={str(n): "x" * 999 for n in range(600)})], "512 KB"),
    ("out", "it", [step("mask", keep_last=9)], "keep_last"),
    ("out", "it", [step("mask", keep_last=-1)], "keep_last"),
    ("out", "it", [step("hash", algorithm="md5")], "algorithm"),
    ("out", "it", [step("template", text="{a")], "can't be read"),
    ("out", "it", [step("template", text="{a!r}")], "nothing more"),
    ("out", "it", [step("template", text="{}")], "nothing more"),
    ("out", "it", [step("template", text="{a..b}")], "'a..b' is no path"),
    ("out", "it", ["trim"] * 21, "20"),
    ("Out", "it", [], "lower-case"),
    ("out-put", "it", [], "lower-case"),
    ("o" * 64, "it", [], "lower-case"),
    ("out", "", [], "a source is needed"),
    ("out", "", ["trim"], "a source is needed"),
    ("out", "a[b]", [], "is no path"),
    ("out", "[a=b]", [], "is no path"),
    ("out", "a" * 301, [], "is no path"),
]


@pytest.mark.parametrize(
    ("target", "source", "steps", "told"),
    WRONG,
    ids=[f"{n}-{one[3][:20]}" for n, one in enumerate(WRONG)],
)
def test_a_mapping_that_makes_no_sense_is_refused(target, source, steps, told) -> None:
    with pytest.raises(RequestError) as error:
        mapping(target, source, *steps)

    assert told in str(error.value)
    assert "Transforms: trim, case," in str(error.value)


def test_wrong_steps_are_named_by_their_place() -> None:
    with pytest.raises(RequestError, match="transform 2 mask keep_last"):
        mapping("out", "it", "trim", step("mask", keep_last=100))


def test_a_mapping_is_the_same_after_being_stored() -> None:
    spec = mapping(
        "out",
        "a|b.c",
        step("parse_date", formats=["%d.%m.%Y"], zone="Europe/Berlin"),
        step("lookup", table={"a": 1, "b": None}),
        step("template", text="{value} {x.y}"),
    )
    stored = orjson.loads(orjson.dumps(spec.model_dump(mode="json")))

    assert MappingSpec.model_validate_json(orjson.dumps(stored)) == spec
    assert spec.sources == ("a|b.c", "x.y")


def test_every_transform_is_described() -> None:
    assert len(described()) == 13
    assert all(text and "\n" not in text for text in described().values())


RECORD = {
    "a": {"b": {"c": 1}, "list": [{"x": 5}, {"x": 6}]},
    "null": None,
    "fields": [{"id": 42, "value": "yes"}, {"id": "43", "value": None}, "junk"],
}
PATHS = [
    ("a.b.c", 1),
    ("a.b", {"c": 1}),
    ("a.b.c.d", None),
    ("a.list.1.x", 6),
    ("a.list.2.x", None),
    ("a.list.x", None),
    ("fields[id=42].value", "yes"),
    ("fields[id=43].value", None),
    ("fields[id=44].value", None),
    ("a[id=42].value", None),
    ("nothing|null|a.b.c", 1),
    ("nothing", None),
]


@pytest.mark.parametrize(("path", "wanted"), PATHS)
def test_a_path_finds(path, wanted) -> None:
    assert getter(check_path(path))(RECORD) == wanted


def test_several_mappings_share_a_record() -> None:
    mapper = FieldMapper(
        [mapping("b", "x", "parse_number"), mapping("a", "x"), mapping("c", "y", "parse_number")]
    )

    good, bad = mapper([{"x": "1", "y": "2"}, {"x": "one", "y": "two"}])

    assert (good.custom, good.fault) == (b'{"a":"1","b":1,"c":2}', None)
    assert bad.custom == b'{"a":"one","b":null,"c":null}'
    assert bad.fault.count("is no number") == 2
    assert mapper([]) == []


def test_what_goes_out_is_plain_json() -> None:
    steps = ("parse_number",)
    mapper = FieldMapper([mapping("Amount", "n", *steps, direction="push")])

    (long,), (short,) = mapper.rows([{"n": "1234567890123456789.5"}]), mapper.rows([{"n": "1.5"}])

    assert long.values == {"Amount": "1234567890123456789.5"}
    assert short.values == {"Amount": 1.5}


def test_what_postgres_cant_hold_is_replaced() -> None:
    (found,) = FieldMapper([mapping("a", "x")])([{"x": "a\0b\\u0000"}])

    assert orjson.loads(found.custom) == {"a": "a\ufffdb\\u0000"}


def test_the_digest_tells_mappings_apart_and_not_their_order() -> None:
    one, two = mapping("a", "x"), mapping("b", "x", "trim")

    assert FieldMapper([one, two]).digest == FieldMapper([two, one]).digest
    others = ([one], [one, mapping("b", "x")], [one, mapping("b", "y", "trim")])
    assert len({FieldMapper(specs).digest for specs in ([one, two], *others)}) == 4
