"""The records of one HubSpot account and the changes that the control endpoints make."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from integrations_pipeline.sandbox.dataset import Dataset
from integrations_pipeline.sandbox.hubspot.properties import DEFINITIONS, TYPES, Property
from integrations_pipeline.sandbox.hubspot.records import (
    ARCHIVED_OWNERS,
    BUILDERS,
    LIVE_OWNERS,
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
_LINKS = (
    ("contacts", "companies", "contact_to_company", "company_to_contact"),
    ("deals", "companies", "deal_to_company", "company_to_deal"),
    ("deals", "contacts", "deal_to_contact", "contact_to_deal"),
    ("tickets", "companies", "ticket_to_company", "company_to_ticket"),
    ("tickets", "contacts", "ticket_to_contact", "contact_to_ticket"),
)

ASSOCIATION_IDS = {
    "contact_to_company": 279,
    "company_to_contact": 280,
    "deal_to_company": 341,
    "company_to_deal": 342,
    "deal_to_contact": 3,
    "contact_to_deal": 4,
    "ticket_to_company": 339,
    "company_to_ticket": 340,
    "ticket_to_contact": 16,
    "contact_to_ticket": 15,
}


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
        for name in TYPES:
            for record in changed.get(name, ()):
                self._define(name, record)
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
        return self._associations.get((resource, other), {}).get(record_id, [])

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

    @cached_property
    def _associations(self) -> dict[tuple[str, str], dict[str, list[Record]]]:
        found: dict[tuple[str, str], dict[str, list[Record]]] = {}
        for source, target, forward, back in _LINKS:
            there = found.setdefault((source, target), {})
            here = found.setdefault((target, source), {})
            for place in range(self._sizes[source]):
                from_id = identifier(source, place)
                to_id = identifier(target, self._partner(target, place))
                there.setdefault(from_id, []).append({"id": to_id, "type": forward})
                here.setdefault(to_id, []).append({"id": from_id, "type": back})
        return found

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
