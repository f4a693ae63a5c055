"""The SQL that brings records into a resource's table: one statement, each record written once."""

from functools import cached_property

from integrations_pipeline.connectors.base import Connector, Resource
from integrations_pipeline.store.warehouse import extraction, table_name

OF_INTEGRATION = "tenant_id = %(tenant)s AND integration_id = %(integration)s"
OF_STAGE = f"{OF_INTEGRATION} AND resource = %(resource)s AND scope = %(scope)s"

_ARRAYS = {
    "id": "ids",
    "raw": "raws",
    "content_hash": "hashes",
    "source_updated_at": "versions",
    "custom": "customs",
}
"""What a record brings, and the arrays that hold it for many records."""


def _rows(array: str, source: str = "") -> str:
    """Records out of arrays. Unnested in the select list, they are not stored in between."""
    columns = ", ".join(f"unnest({array.format(n)}) AS {c}" for c, n in _ARRAYS.items())
    return f"FROM (SELECT {columns} {source}) AS stage"


GIVEN = _rows("%({})s")
STAGED = _rows(
    "batch.{}", f"FROM integrations.staged_batch AS batch WHERE {OF_STAGE} AND seq = %(seq)s"
)


class TableSql:
    """Statements for the table of one resource; `%(name)s` marks what they take."""

    def __init__(
        self, connector: Connector, resource: Resource, fields: tuple[str, ...] = ()
    ) -> None:
        """`fields`: the only ones that the records have; what a row has beside them stays."""
        self._fields = fields
        self.table = table_name(connector, resource)
        self._resource = resource

    @property
    def has_rows(self) -> str:
        """Whether the integration has any row, deleted ones included."""
        return f"SELECT 1 FROM {self.table} WHERE {OF_INTEGRATION} LIMIT 1"

    @property
    def unchanged(self) -> str:
        """Which of the given ids stand there with the given hash: nothing needs to be sent.

        Not a join: a planner that knows nothing yet of a table just filled chooses one without end.
        """
        return f"""
            SELECT given.id FROM unnest(%(ids)s, %(hashes)s) AS given(id, hash)
            WHERE given.hash = (
                SELECT row.content_hash FROM {self.table} AS row WHERE row.tenant_id = %(tenant)s
                AND row.integration_id = %(integration)s AND row.id = given.id
                AND row.deleted_at IS NULL)
        """

    @cached_property
    def fresh(self) -> dict[bool, str]:
        """Merge statements (False: of given records, True: of a staged batch) for records that
        are not there yet. They fail where one is, or where a value does not fit its column.
        """
        return {staged: self._insert(strict=True, staged=staged) for staged in (False, True)}

    @cached_property
    def strict(self) -> dict[bool, str]:
        """The same for all records."""
        return {staged: self._merge(strict=True, staged=staged) for staged in (False, True)}

    @cached_property
    def forgiving(self) -> dict[bool, str]:
        """The same with NULL for values that don't fit their column."""
        return {staged: self._merge(strict=False, staged=staged) for staged in (False, True)}

    @property
    def bury(self) -> str:
        """Mark the given ids as deleted; the last good copy stays."""
        return f"{self._tombstone} AND id = ANY(%(gone)s)"

    @property
    def bury_unseen(self) -> str:
        """Mark what a full read did not meet, unless it was written since the read began.

        A record that showed no id could be any of them: then nothing is marked.
        """
        return f"""
            WITH seen AS (
                SELECT unnest(seen) AS id FROM integrations.staged_batch WHERE {OF_STAGE}
            )
            {self._tombstone} AND synced_at < %(began)s
                AND NOT EXISTS (SELECT 1 FROM seen WHERE seen.id = row.id)
                AND NOT EXISTS (SELECT 1 FROM integrations.staged_batch
                    WHERE {OF_STAGE} AND '' = ANY(seen))
        """

    @property
    def count_old(self) -> str:
        """Of the rows that were there before a read began: those that are there still, and those
        that this transaction has marked as deleted."""
        return f"""
            SELECT count(*) FILTER (WHERE deleted_at IS NULL),
                count(*) FILTER (WHERE deleted_at = now())
            FROM {self.table} WHERE {OF_INTEGRATION} AND first_synced_at < %(began)s
        """

    @property
    def _tombstone(self) -> str:
        return (
            f"UPDATE {self.table} AS row SET deleted_at = now(), synced_at = now(), "
            f"job_id = %(job)s WHERE {OF_INTEGRATION} AND deleted_at IS NULL"
        )

    def _merge(self, *, strict: bool, staged: bool) -> str:
        """Unchanged and older rows are left alone."""
        names = [f'"{column.name}"' for column in self._resource.columns]
        written = [f'"{name}"' for name in self._fields] or names
        refreshed = "".join(f", {n} = EXCLUDED.{n}" for n in names if n in written)
        raw = "EXCLUDED.raw"
        if self._fields:
            inside = self._resource.fields_under
            raw = f"integrations.overlaid(row.raw, EXCLUDED.raw, '{inside}')"
        return self._insert(
            strict=strict,
            staged=staged,
            is_new="xmax = 0",
            on_conflict=f"""
                ON CONFLICT (tenant_id, integration_id, id) DO UPDATE SET
                    raw = {raw},
                    content_hash = EXCLUDED.content_hash,
                    source_updated_at =
                        COALESCE(EXCLUDED.source_updated_at, row.source_updated_at),
                    job_id = EXCLUDED.job_id,
                    custom = EXCLUDED.custom,
                    synced_at = now(),
                    deleted_at = NULL
                    {refreshed}
                WHERE (row.content_hash <> EXCLUDED.content_hash OR row.deleted_at IS NOT NULL)
                    AND (EXCLUDED.source_updated_at >= row.source_updated_at) IS NOT FALSE
                    AND (row.synced_at < %(began)s OR row.job_id = EXCLUDED.job_id
                        OR EXCLUDED.source_updated_at > row.source_updated_at)
            """,
        )

    def _insert(
        self, *, strict: bool, staged: bool, is_new: str = "true", on_conflict: str = ""
    ) -> str:
        """Typed columns from the raw record."""
        columns = {
            f'"{c.name}"': extraction(c, "stage.raw", strict=strict) for c in self._resource.columns
        }
        return f"""
            WITH merged AS (
                INSERT INTO {self.table} AS row (
                    tenant_id, integration_id, id, raw, content_hash, source_updated_at, job_id,
                    custom, {", ".join(columns)})
                SELECT %(tenant)s, %(integration)s, stage.id, stage.raw, stage.content_hash,
                    stage.source_updated_at, %(job)s, COALESCE(stage.custom, '{{}}'),
                    {", ".join(columns.values())}
                {STAGED if staged else GIVEN}
                {on_conflict}
                RETURNING ({is_new}) AS is_new
            )
            SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM merged
        """
