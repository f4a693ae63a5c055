"""A mapping tried on stored records, before it is saved: nothing is written."""

import re
from typing import Any

import orjson
from sqlalchemy import text

from integrations_pipeline.connectors.base import Resource
from integrations_pipeline.errors import RequestError
from integrations_pipeline.oauth.accounts import IntegrationRef
from integrations_pipeline.store import Store
from integrations_pipeline.store.warehouse import table_name
from integrations_pipeline.sync.mapping.catalogs import resource_of
from integrations_pipeline.sync.mapping.mapper import mapper_for
from integrations_pipeline.sync.mapping.paths import getter
from integrations_pipeline.sync.mapping.specs import MappingSpec
from integrations_pipeline.sync.mapping.steps import Hash, Mask
from integrations_pipeline.sync.reporting import MASK

PERSONAL = re.compile(
    r"mail|phone|mobile|fax|name|birth|address|street|zip|postal|iban|tax|ssn|passport"
    r"|message|comment|note|content|body|subject|description",
    re.IGNORECASE,
)
"""Names under which services keep what tells something about a person."""
LONGEST = 60


def preview_mapping(
    store: Store, ref: IntegrationRef, spec: MappingSpec, limit: int = 5
) -> list[dict[str, str]]:
    """What a mapping makes of the records read last: before, after, fault. Personal values are
    masked, unless the mapping itself hides them.

    Raises:
        RequestError: unknown resource, or a mapping that pushes.
    """
    resource = resource_of(ref, spec.resource)
    if spec.direction != "pull":
        raise RequestError("Only mappings that pull can be tried: there are records to try.")
    records = _records(store, ref, resource, limit)
    before = [getter(spec.source)(raw) if spec.source else None for _, raw in records]
    rows = mapper_for(store, ref, [spec]).rows([raw for _, raw in records])
    personal = any(_is_personal(resource, path) for path in spec.sources)
    hidden = isinstance(next(reversed(spec.transforms), None), Hash | Mask)
    return [
        {
            "id": record_id,
            "before": _shown(value, masked=personal),
            "after": _shown(row.values[spec.target], masked=personal and not hidden),
            "fault": row.fault or "",
        }
        for (record_id, _), value, row in zip(records, before, rows, strict=True)
    ]


def _records(
    store: Store, ref: IntegrationRef, resource: Resource, limit: int
) -> list[tuple[str, dict[str, Any]]]:
    sql = f"""
        SELECT id, raw FROM {table_name(ref.connector, resource)}
        WHERE tenant_id = :tenant AND integration_id = :integration AND deleted_at IS NULL
        ORDER BY synced_at DESC, id LIMIT :limit
    """
    values = {"tenant": ref.tenant_id, "integration": ref.id, "limit": limit}
    with store.tenant(ref.tenant_id) as session:
        return [(row.id, row.raw) for row in session.execute(text(sql), values)]


def _is_personal(resource: Resource, source: str) -> bool:
    """Whether a column says so, or the name of a field that is no column."""
    for path in source.split("|"):
        columns = [column for column in resource.columns if path in column.paths]
        if any(c.personal for c in columns) or (not columns and PERSONAL.search(path)):
            return True
    return False


def _shown(value: Any, *, masked: bool) -> str:
    if value is None:
        return ""
    if masked:
        return MASK
    told = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return told if len(told) <= LONGEST else told[: LONGEST - 1] + "…"
