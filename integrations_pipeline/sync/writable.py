"""The fields of an intent: by which name the service knows them, who owns them, what is equal."""

from collections.abc import Iterable, Mapping
from typing import Any

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.connectors.columns import Column
from integrations_pipeline.connectors.paging import dig
from integrations_pipeline.connectors.pushing import Push
from integrations_pipeline.errors import RequestError
from integrations_pipeline.store.policy import FieldOwner, SyncPolicy
from integrations_pipeline.sync.filters import typed
from integrations_pipeline.sync.reconciling import same


class Fields:
    """The fields of one resource, under the rules of one integration."""

    def __init__(self, resource: Resource, push: Push, policy: SyncPolicy) -> None:
        self._resource = resource
        self._push = push
        self._policy = policy
        self._under = resource.fields_under + "." if resource.fields_under else ""
        self._columns = {name: c for c in resource.columns if (name := self._name(c))}
        self.external = policy.external_ids.get(resource.name, push.external_field)
        """The field that holds an external id, by the service's name; empty: there is none."""

    def named(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """An intent's data by the service's names: a column's name works as well as its field's.

        Raises:
            RequestError: a field can't be written.
        """
        columns = {column.name: name for name, column in self._columns.items()}
        fields = {columns.get(name, name): value for name, value in data.items()}
        known = {c.name for c in self._resource.columns} - columns.keys()
        fixed = known | self._push.read_only
        if not self._push.external_is_id:
            fixed |= {self._resource.key}
        if wrong := sorted(name for name in fields if name in fixed):
            raise RequestError(f"{', '.join(wrong)} can't be written: the service sets it.")
        return fields

    def owner(self, name: str) -> FieldOwner:
        """Who may change a field."""
        column = self._columns.get(name)
        owners = self._policy.owners.get(self._resource.name, {})
        told = column.name if column and column.name in owners else name
        return self._policy.owner(self._resource.name, told)

    def values(self, raw: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """What a record holds in these fields."""
        return {name: dig(raw, self._under + name) for name in names}

    def path(self, name: str) -> str:
        """Where a field stands in a record."""
        return self._under + name

    def equal(self, name: str, one: Any, other: Any) -> bool:
        """Whether two values of a field mean the same to the service."""
        if same(name, one, other):
            return True
        column = self._columns.get(name)
        if column is None or isinstance(one, dict | list):
            return False
        value = typed(column, one)
        return value is not None and value == typed(column, other)

    def agree(self, sent: Mapping[str, Any], raw: Mapping[str, Any]) -> bool:
        """Whether a record holds all that was sent, as far as reads show it."""
        there = self.values(raw, sent)
        return all(
            self.equal(name, value, there[name])
            for name, value in sent.items()
            if name not in self._push.write_only
        )

    def _name(self, column: Column) -> str:
        """A column's field by the service's name; empty where it is none that can be written."""
        path = column.paths[0]
        if not path.startswith(self._under):
            return ""
        name = path.removeprefix(self._under)
        return "" if "." in name else name
