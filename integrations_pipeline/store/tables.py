"""What all models share: column types, the tenant in every key, references within a tenant."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, ForeignKeyConstraint, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "integrations"


class Base(DeclarativeBase):
    """Common types: times carry their zone, dictionaries are jsonb."""

    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        bytes: LargeBinary,
        str: Text,
        int: BigInteger,
    }


def now_column() -> Any:
    """A time that is filled by the database."""
    return mapped_column(server_default=text("now()"))


def object_column() -> Any:
    """A JSON object, empty at first."""
    return mapped_column(server_default=text("'{}'::jsonb"))


def list_column() -> Any:
    """A list of texts, empty at first."""
    return mapped_column(server_default=text("'{}'::text[]"))


def zero_column() -> Any:
    """A counter."""
    return mapped_column(server_default=text("0"))


class TenantRow:
    """The key of every row that belongs to a tenant."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)


def of_tenant(*more: Any) -> tuple[Any, ...]:
    """Table arguments of a tenant's table: it is gone with the tenant."""
    tenant = ForeignKeyConstraint(["tenant_id"], [f"{SCHEMA}.tenant.id"], ondelete="CASCADE")
    return (tenant, *more, {"schema": SCHEMA})


def of_row(table: str, column: str) -> ForeignKeyConstraint:
    """A reference to a row of the same tenant, gone with it."""
    return ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{SCHEMA}.{table}.tenant_id", f"{SCHEMA}.{table}.id"],
        ondelete="CASCADE",
    )
