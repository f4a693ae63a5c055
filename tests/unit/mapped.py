"""What the tests of mappings share: a mapping in one line, applied to values or records."""

from typing import Any

import orjson

from integrations_pipeline.sync.mapping import FieldMapper, MappingSpec, checked_mapping


def mapping(target: str, source: str, *steps: str | dict, **more: Any) -> MappingSpec:
    """A mapping; a step without options may be its name alone."""
    transforms = [{"step": one} if isinstance(one, str) else one for one in steps]
    given = {"resource": "things", "target": target, "source": source, "transforms": transforms}
    return checked_mapping({**given, **more})


def step(name: str, **options: Any) -> dict:
    return {"step": name, **options}


def made_of(value: Any, *steps: str | dict, **others: Any) -> tuple[Any, str | None]:
    """What steps make of a value, and why they can't."""
    mapper = FieldMapper([mapping("out", "it", *steps)], b"key")
    (found,) = mapper([{"it": value, **others}])
    return orjson.loads(found.custom or b"null")["out"], found.fault


def good(value: Any, *steps: str | dict, **others: Any) -> Any:
    found, fault = made_of(value, *steps, **others)
    assert fault is None
    return found


def bad(value: Any, *steps: str | dict, **others: Any) -> str:
    found, fault = made_of(value, *steps, **others)
    assert found is None
    assert fault
    return fault
