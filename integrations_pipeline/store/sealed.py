"""Which columns hold sealed values, and the statements that seal them anew."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)

from integrations_pipeline.store.models import (
    Integration,
    IntegrationWebhook,
    MappingSecret,
    OAuthState,
    OAuthToken,
)
from integrations_pipeline.store.tables import Base

BATCH = 200


@dataclass(frozen=True, slots=True)
class Sealed:
    """A table with sealed columns."""

    model: type[Base]
    columns: tuple[str, ...]
    row_id: str = "id"
    """The column that is the `Place.row_id` of its values, and with the tenant the primary key."""
    integration_id: str = "integration_id"

    @property
    def table(self) -> Table:
        """The table itself."""
        return cast("Table", self.model.__table__)

    @property
    def name(self) -> str:
        """The table's name, as places have it."""
        return self.table.name

    def not_under(self, key_id: UUID) -> ColumnElement[bool]:
        """Rows with a value that is sealed under another key, or is no sealed value at all."""
        found = (func.substring(self.table.c[name], 2, 16) for name in self.columns)
        return or_(*(one != bindparam(None, key_id.bytes, LargeBinary) for one in found))


SEALED = (
    Sealed(OAuthToken, ("access_token", "refresh_token"), row_id="integration_id"),
    Sealed(Integration, ("client_secret",), integration_id="id"),
    Sealed(OAuthState, ("code_verifier",)),
    Sealed(IntegrationWebhook, ("secret",)),
    Sealed(MappingSecret, ("secret",), integration_id="id"),  # the whole tenant's
)
"""Every sealed column there is; the place of a value is named `table.column`."""


def next_rows(one: Sealed, key_id: UUID, after: Row[Any] | None) -> Select[Any]:
    """The next rows by primary key that nobody else works on; they stay ours until the commit.

    The lock lets references to the rows be made meanwhile.
    """
    columns = one.table.c
    place = (columns.tenant_id, columns[one.row_id])
    query = select(
        columns.tenant_id,
        columns[one.row_id].label("row_id"),
        columns[one.integration_id].label("integration_id"),
        *(columns[name] for name in one.columns),
    ).where(one.not_under(key_id))
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(after.tenant_id, after.row_id))
    return query.order_by(*place).limit(BATCH).with_for_update(key_share=True, skip_locked=True)


def change(one: Sealed) -> Update:
    """Put new values in the place of those that were read, and only of those."""
    columns = one.table.c
    same = (
        columns[name].is_not_distinct_from(bindparam(f"old_{name}", type_=LargeBinary))
        for name in one.columns
    )
    return (
        update(one.table)
        .where(
            columns.tenant_id == bindparam("the_tenant"),
            columns[one.row_id] == bindparam("the_row"),
            *same,
        )
        .values({name: bindparam(f"new_{name}", type_=LargeBinary) for name in one.columns})
    )
