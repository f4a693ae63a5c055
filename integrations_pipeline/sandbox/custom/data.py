"""The things of an account: plain records with an id and a stamp."""

from collections.abc import Mapping, Sequence
from typing import Any

from integrations_pipeline.sandbox.dataset import Dataset
from integrations_pipeline.sandbox.seed import chance, company, iso_seconds, moments
from integrations_pipeline.sandbox.tables import Record, Table

_COLOURS = ("red", "green", "blue", "grey")


class Things(Dataset):
    """One resource, whose deletes leave no trace."""

    synced = ("things",)

    def __init__(self, account: str, records: int, changed: Mapping[str, Sequence[Record]]) -> None:
        generated = (_thing(account, place, records) for place in range(1, records + 1))
        self.tables = {"things": Table(generated, changed.get("things", ()))}

    def live(self, resource: str) -> list[Record]:
        """In the order of their stamps, so that changed ones come last."""
        rows = self.tables[resource].ordered("updated", lambda r: (r["updated_at"], r["id"]))
        return [_shown(row) for row in rows if not row.get("deleted")]

    def find(self, resource: str, identifier: str) -> Record | None:
        key = int(identifier) if identifier.isdecimal() else 0
        row = self.tables[resource].get(key)
        return None if row is None or row.get("deleted") else _shown(row)

    def create(self, resource: str, fields: Mapping[str, Any], now: float) -> Record:
        table = self.tables[resource]
        number = max((int(row["id"]) for row in table), default=0) + 1
        stamp = {"created_at": iso_seconds(now), "updated_at": iso_seconds(now)}
        record = {"id": number, "name": f"Thing {number}", "colour": "red", **stamp}
        table.put({**record, **fields, "id": number})
        return _shown(table[number])

    def change(
        self, resource: str, identifier: str, fields: Mapping[str, Any], now: float
    ) -> Record:
        row = self.tables[resource][int(identifier)]
        self.tables[resource].put(
            {**row, "updated_at": iso_seconds(now), **fields, "id": row["id"]}
        )
        return _shown(self.tables[resource][int(identifier)])

    def delete(self, resource: str, identifier: str, now: float) -> None:
        row = self.tables[resource][int(identifier)]
        self.tables[resource].put({**row, "deleted": True})


def _shown(row: Record) -> Record:
    return {name: value for name, value in row.items() if name != "deleted"}


def _thing(account: str, place: int, total: int) -> Record:
    dice = chance(account, "thing", place)
    created, updated = moments(dice, place, total)
    return {
        "id": place,
        "name": f"{company(account, place).name} {place}",
        "colour": dice.choice(_COLOURS),
        "created_at": iso_seconds(created),
        "updated_at": iso_seconds(updated),
    }
