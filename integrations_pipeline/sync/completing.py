"""Completing records with what the service keeps apart: rest of inner lists, associations."""

from collections.abc import Iterator
from typing import Any

from integrations_pipeline.connectors.base import Association, Listing, Resource
from integrations_pipeline.connectors.paging import LastIdPages, dig
from integrations_pipeline.errors import AnswerError
from integrations_pipeline.sync.walking import rows_of, walk
from integrations_pipeline.transport.client import ServiceClient


class Completer:
    """Completes the rows of one resource in place."""

    def __init__(
        self, client: ServiceClient, resource: Resource, *, linked: bool, max_pages: int
    ) -> None:
        self._client = client
        self._nested = resource.nested
        self._associations = resource.associations if linked else ()
        self._param = resource.associations_param
        self._max_pages = max_pages

    @property
    def params(self) -> dict[str, str]:
        """What to ask the listing for, so that it shows the associations itself."""
        names = ",".join(link.to for link in self._associations)
        return {self._param: names} if names and self._param else {}

    def complete(self, rows: list[Any], *, shown: bool = False) -> None:
        """Fetch what is missing from these rows; rows that are no records stay as they are.

        `shown`: they come from a listing that shows associations, at least their first page.
        """
        records = [row for row in rows if isinstance(row, dict)]
        for record in records if self._nested else ():
            complete_nested(self._client, record, self._nested, self._max_pages)
        if self._associations:
            self._link(records, shown=shown)

    def _link(self, records: list[dict[str, Any]], *, shown: bool) -> None:
        found = {}
        for link in self._associations:
            apart = [r for r in records if not shown or _continues(r, link)]
            found[link.to] = {
                **{str(record.get("id")): _shown(record, link) for record in records},
                **(self._linked(link, apart) if apart else {}),
            }
        for record in records:
            key = str(record.get("id"))
            record["associations"] = {to: sorted(ids.get(key, ())) for to, ids in found.items()}

    def _linked(self, link: Association, records: list[dict[str, Any]]) -> dict[str, set[str]]:
        """The ids that each record is linked with; long lists come in pages."""
        found: dict[str, set[str]] = {}
        inputs = [{"id": str(record.get("id"))} for record in records]
        for _ in range(self._max_pages):
            page = self._client.post(link.path, {"inputs": inputs})
            inputs = []
            for row in rows_of(page, "results", link.path):
                key = str(dig(row, "from.id"))
                found.setdefault(key, set()).update(_targets(row, link.path))
                if after := dig(row, "paging.next.after"):
                    inputs.append({"id": key, "after": str(after)})
            if not inputs:
                return found
        raise AnswerError(f"{link.path}: the pages do not end.")


def _continues(record: dict[str, Any], link: Association) -> bool:
    """Whether a listing shows only the beginning of a record's associations."""
    return dig(record, f"associations.{link.to}.paging.next") is not None


def _shown(record: dict[str, Any], link: Association) -> set[str]:
    results = dig(record, f"associations.{link.to}.results")
    return {str(dig(one, "id")) for one in results} if isinstance(results, list) else set()


def _targets(row: Any, path: str) -> list[str]:
    targets = dig(row, "to")
    if not isinstance(targets, list):
        raise AnswerError(f"{path}: an association names no targets.")
    return [str(dig(target, "toObjectId")) for target in targets]


def complete_nested(
    client: ServiceClient, record: dict[str, Any], names: tuple[str, ...], max_pages: int
) -> None:
    """Fetch the rest of lists inside a record that show only their beginning (Stripe)."""
    for name in names:
        inner = record.get(name)
        if isinstance(inner, dict) and inner.get("has_more") and inner.get("data"):
            inner["data"] += list(_rest_of(client, inner, max_pages))
            inner["has_more"] = False


def _rest_of(client: ServiceClient, inner: dict[str, Any], max_pages: int) -> Iterator[Any]:
    path, _, query = str(inner.get("url")).partition("?")
    if not path.startswith("/") or path.startswith("//"):
        raise AnswerError("A nested list names an address of another host.")
    params = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
    listing = Listing(
        path=path,
        records_at="data",
        paginator=LastIdPages("starting_after", "has_more"),
        params={"limit": "100", **params},
    )
    last = dig(inner["data"][-1], "id")
    if not last:
        raise AnswerError(f"{path}: a nested record has no id.")
    start = {"last_id": str(last)}
    for page in walk(client, listing, start=start, max_pages=max_pages):
        yield from page.rows
