"""The records of one HubSpot account and the changes that the control endpoints make."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from integrations_pipeline.sandbox.dataset import Dataset
from integrations_pipeline.sandbox.hubspot.links import Links
from integrations_pipeline.sandbox.hubspot.properties import DEFINITIONS, TYPES, Property
from integrations_pipeline.sandbox.hubspot.records import (
    ARCHIVED_OWNERS,
    BUILDERS,
    LIVE_OWNERS,
    Properties,
    after,
    archived,
    company_place,
    identifier,
    owner,
    stamped,
)
from integrations_pipeline.sandbox.seed import (
    ANCHOR,
    chance,
    is_sparse,
    iso_milliseconds,
    moments,
    spread,
)
from integrations_pipeline.sandbox.tables import Record, Table

_ARCHIVED = {"contacts": 15, "owners": ARCHIVED_OWNERS}
_PAST_KEPT_SECONDS = 3600
ADDED_PROPERTIES = "added_properties"
ADDED_LINKS = "added_links"


class HubSpotData(Dataset):
    """Contacts, companies, deals, tickets and owners."""

    synced = (*TYPES, "owners")

    def __init__(self, account: str, records: int, changed: Mapping[str, Sequence[Record]]) -> None:
        self._account = account
        self._sizes = {
            "contacts": records,
            "companies": max(1, records // 4),
            "deals": max(1, records // 2),
            "tickets": max(1, records // 2),
            "owners": LIVE_OWNERS,
        }
        self._definitions = {
            name: {definition.name: definition for definition in definitions}
            for name, definitions in DEFINITIONS.items()
        }
        self._added: list[Record] = []
        for row in changed.get(ADDED_PROPERTIES, ()):
            options = tuple(row["definition"]["options"])
            self.define(row["resource"], Property(**{**row["definition"], "options": options}))
        for name in TYPES:
            for record in changed.get(name, ()):
                self._define(name, record)
        self.links = Links(self._sizes, self._partner, changed.get(ADDED_LINKS, ()))
        # Old versions of changed records, with the moment each was replaced.
        self._replaced: dict[tuple[str, str], list[tuple[float, Record | None]]] = {}
        self.tables = {
            name: Table(self._generated(name), changed.get(name, ())) for name in self.synced
        }

    def ordered(self, resource: str) -> list[Record]:
        return self.tables[resource].ordered("id", lambda record: int(record["id"]))

    def live(self, resource: str) -> list[Record]:
        return [record for record in self.ordered(resource) if not record["archived"]]

    def find(self, resource: str, identifier: str) -> Record | None:
        record = self.tables[resource].get(identifier)
        return None if record is None or record["archived"] else record

    def as_of(self, resource: str, moment: float) -> Iterator[Record]:
        """The live records as they stood then: the search index is behind the changes."""
        for record in self.ordered(resource):
            past = self._replaced.get((resource, record["id"]), ())
            version = next((old for since, old in past if since > moment), record)
            if version is not None and not version["archived"]:
                yield version

    def definitions(self, resource: str) -> Mapping[str, Property]:
        """The properties of an object type, those added by changes included."""
        return self._definitions[resource]

    def create(self, resource: str, fields: Mapping[str, Any], now: float) -> Record:
        record = self._built(resource, len(self.tables[resource]), now, now)
        return self._put(resource, _with_fields(resource, record, fields, now), now)

    def change(
        self, resource: str, identifier: str, fields: Mapping[str, Any], now: float
    ) -> Record:
        record = self.tables[resource][identifier]
        return self._put(resource, _with_fields(resource, record, fields, now), now)

    def delete(self, resource: str, identifier: str, now: float) -> None:
        record = self.tables[resource][identifier]
        self._put(resource, archived(resource, record, now), now)

    def associated(self, resource: str, record_id: str, other: str) -> list[Record]:
        """The associations of a record with records of another type."""
        return self.links.of(resource, record_id, other)

    def define(self, resource: str, definition: Property) -> None:
        """Adds a property to an object type."""
        self._added.append({"resource": resource, "definition": asdict(definition)})
        self._definitions[resource][definition.name] = definition

    def holder(self, resource: str, name: str, value: str) -> Record | None:
        """The live record with this value of a unique property; case makes no difference."""

        def folded(record: Record) -> str | None:
            held = record["properties"].get(name)
            return held.casefold() if held and not record["archived"] else None

        found = self.tables[resource].with_value(f"unique {name}", folded, value.casefold())
        return found[0] if found else None

    def insert(self, resource: str, properties: Properties, now: float) -> Record:
        """A record as a client of the API makes it: with nothing in it that was not given."""
        record_id = identifier(resource, len(self.tables[resource]))
        stamp = iso_milliseconds(now)
        record: Record = {
            "id": record_id,
            "properties": {"createdate": stamp, **properties, "hs_object_id": record_id},
            "createdAt": stamp,
            "archived": False,
        }
        self.effects.add(resource, "created")
        return self._put(resource, stamped(resource, record, now), now)

    def update(self, resource: str, record: Record, properties: Properties, now: float) -> Record:
        """The record with other values; if none of them differs, nothing happens to it."""
        held = record["properties"]
        if all((held.get(name) or "") == (value or "") for name, value in properties.items()):
            self.effects.add(resource, "unchanged")
            return record
        self.effects.add(resource, "updated")
        changed = {**record, "properties": {**held, **properties}}
        return self._put(resource, stamped(resource, changed, after(record, now)), now)

    def archive(self, resource: str, record: Record, now: float) -> None:
        """Puts the record into the recycle bin."""
        self.effects.add(resource, "deleted")
        self._put(resource, archived(resource, record, after(record, now)), now)

    def changed(self) -> dict[str, list[Record]]:
        added = {ADDED_PROPERTIES: self._added, ADDED_LINKS: self.links.added}
        return {**super().changed(), **added}

    def _put(self, resource: str, record: Record, now: float) -> Record:
        table = self.tables[resource]
        past = self._replaced.setdefault((resource, record["id"]), [])
        past.append((now, table.get(record["id"])))
        past[:] = [entry for entry in past if entry[0] > now - _PAST_KEPT_SECONDS]
        table.put(record)
        if resource in TYPES:
            self._define(resource, record)
        return record

    def _define(self, resource: str, record: Record) -> None:
        """Adds the properties that a change was the first to use."""
        for name in record["properties"]:
            self._definitions[resource].setdefault(name, Property(name))

    def _generated(self, resource: str) -> Iterator[Record]:
        total = self._sizes[resource] + _ARCHIVED.get(resource, 0)
        bin_places = spread(_ARCHIVED.get(resource, 0), total)
        for place in range(total):
            dice = chance(self._account, f"moments/{resource}", place)
            created, updated = moments(dice, place, total)
            record = self._built(resource, place, created, updated)
            yield (
                archived(resource, record, (updated + ANCHOR) / 2)
                if place in bin_places
                else record
            )

    def _built(self, resource: str, place: int, created: float, updated: float) -> Record:
        if resource == "owners":
            return owner(self._account, place, created, updated)
        build = BUILDERS[resource]
        properties = build(self._account, place, self._sizes["companies"], created)
        if is_sparse(place):
            properties = dict.fromkeys(properties)
        record_id = identifier(resource, place)
        properties |= {"hs_object_id": record_id, "createdate": iso_milliseconds(created)}
        record: Record = {
            "id": record_id,
            "properties": properties,
            "createdAt": iso_milliseconds(created),
            "archived": False,
        }
        return stamped(resource, record, updated)

    def _partner(self, target: str, place: int) -> int:
        if target == "companies":
            return company_place(place, self._sizes["companies"])
        return place % self._sizes["contacts"]


def _with_fields(resource: str, record: Record, fields: Mapping[str, Any], now: float) -> Record:
    """Every property value is a string or null, whatever was given."""
    if resource == "owners":
        return stamped(resource, {**record, **fields, "id": record["id"]}, now)
    given = {name: _text(value) for name, value in fields.items()}
    properties = {**record["properties"], **given, "hs_object_id": record["id"]}
    return stamped(resource, {**record, "properties": properties}, now)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
