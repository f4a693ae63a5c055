"""Commands about field mappings: integrations mapping list, set, remove, preview, fields, steps."""

from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from integrations_pipeline.commands import AsJson, Key, Limit, json_object
from integrations_pipeline.errors import RequestError
from integrations_pipeline.terminal import console, opened, show

if TYPE_CHECKING:
    from integrations_pipeline.sync.mapping import MappingSpec

mapping = typer.Typer(
    no_args_is_help=True, help="Fields of a service that get columns of your own, and back."
)
Resource = Annotated[str, typer.Argument(help="Such as contacts.")]
Target = Annotated[
    str, typer.Argument(help="Key in the column `custom`; for a push, the service's field.")
]
Source = Annotated[
    str, typer.Option("--from", help="Path in the record, such as properties.my_field.")
]
Steps = Annotated[
    list[str],
    typer.Option("--step", help="trim, parse_number:locale=de, or JSON; repeat it, in order."),
]
Direction = Annotated[str, typer.Option(help="pull or push.")]


@mapping.command("list")
def list_all(key: Key, resource: str = "", as_json: AsJson = False) -> None:
    """The integration's mappings."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.mapping import list_mappings
    from integrations_pipeline.sync.mapping.catalogs import resource_of

    with opened() as store:
        ref = find_integration(store, key)
        if resource:
            resource_of(ref, resource)
        specs = list_mappings(store, ref, resource or None)
    rows = [spec.model_dump(mode="json") for spec in specs]
    if not as_json:
        rows = [row | {"transforms": _in_short(row["transforms"])} for row in rows]
    show(rows, as_json, empty="Nothing is mapped. Next: integrations mapping set --help")


@mapping.command("set")
def save(
    key: Key,
    resource: Resource,
    target: Target,
    source: Source = "",
    step: Steps = [],  # noqa: B006
    direction: Direction = "pull",
) -> None:
    """Map a field, or change how it is mapped; the next sync applies it to all records."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.mapping import save_mapping

    spec = _spec(resource, target, source, step, direction)
    with opened() as store:
        save_mapping(store, find_integration(store, key), spec)
    _tell("Saved.", key, resource, direction)


@mapping.command()
def remove(key: Key, resource: Resource, target: Target, direction: Direction = "pull") -> None:
    """Forget a mapping; the next sync takes its values out of all records."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.mapping import remove_mapping

    with opened() as store:
        remove_mapping(store, find_integration(store, key), resource, target, direction)
    _tell("Removed.", key, resource, direction)


@mapping.command()
def preview(
    key: Key,
    resource: Resource,
    target: Target,
    source: Source = "",
    step: Steps = [],  # noqa: B006
    limit: Limit = 5,
    as_json: AsJson = False,
) -> None:
    """Try a mapping on stored records; nothing is written, personal values are masked."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.mapping.previewing import preview_mapping

    spec = _spec(resource, target, source, step, "pull")
    with opened() as store:
        rows = preview_mapping(store, find_integration(store, key), spec, limit)
    show(rows, as_json, empty="No records yet: sync first.")


@mapping.command()
def fields(key: Key, resource: Resource, as_json: AsJson = False) -> None:
    """The fields that can be mapped, as the service lists them; else those of the columns."""
    from integrations_pipeline.oauth import find_integration
    from integrations_pipeline.sync.mapping.catalogs import known_fields

    with opened() as store:
        rows = known_fields(store, find_integration(store, key), resource)
    show(rows, as_json, empty="The service lists none.")


@mapping.command()
def steps(as_json: AsJson = False) -> None:
    """The transforms that a mapping can be made of."""
    from integrations_pipeline.sync.mapping.steps import described, options_of

    found = {name: options_of(name) for name in described()}
    rows = [
        {"step": name, "gives": told, "options": found[name] if as_json else _options(found[name])}
        for name, told in described().items()
    ]
    show(rows, as_json, empty="")


def _options(told: dict[str, Any]) -> str:
    """Each option with its default, or with what it can be where it must be given."""
    shown = []
    for name, one in told.items():
        kinds = "|".join(one["values"]) or "needed"
        default = orjson.dumps(one["default"]).decode()
        if default.strip('" '):
            default = default.strip('"')
        shown.append(f"{name} ({kinds})" if one["needed"] else f"{name}={default}")
    return ", ".join(shown)


def _tell(done: str, key: str, resource: str, direction: str) -> None:
    more = " --direction push" if direction == "push" else ""
    console.print(
        f"{done} Next: integrations sync {key} --resource {resource}{more}",
        highlight=False,
        soft_wrap=True,
    )


def _spec(
    resource: str, target: str, source: str, given: list[str], direction: str
) -> "MappingSpec":
    from integrations_pipeline.sync.mapping import checked_mapping

    return checked_mapping(
        {
            "resource": resource,
            "target": target,
            "source": source,
            "direction": direction,
            "transforms": [_step(one) for one in given],
        }
    )


def _step(given: str) -> dict[str, Any]:
    """`name:option=value,option=value` or JSON."""
    if given.startswith("{"):
        return json_object(given, "--step")
    name, _, options = given.partition(":")
    pairs = [one.partition("=") for one in options.split(",") if one]
    if any(not equals for _, equals, _ in pairs):
        raise RequestError(
            f"--step {given!r} can't be read.",
            action="Write name:option=value,option=value, or JSON.",
        )
    return {"step": name.strip()} | {key.strip(): _value(text) for key, _, text in pairs}


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _in_short(transforms: list[dict[str, Any]]) -> str:
    """One line for a table: long options are left to `--json`."""
    told = []
    for one in transforms:
        options = {name: value for name, value in one.items() if name != "step" and value}
        shown = orjson.dumps(options).decode() if options else ""
        told.append(one["step"] + (shown if len(shown) <= 60 else " …"))
    return ", ".join(told)
