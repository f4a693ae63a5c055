"""The associations of a HubSpot account: those that follow from places, and those made later."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from integrations_pipeline.sandbox.hubspot.records import identifier
from integrations_pipeline.sandbox.tables import Record

Node = tuple[str, str]

_PAIRS = (
    ("contacts", "companies", "contact_to_company", "company_to_contact"),
    ("deals", "companies", "deal_to_company", "company_to_deal"),
    ("deals", "contacts", "deal_to_contact", "contact_to_deal"),
    ("tickets", "companies", "ticket_to_company", "company_to_ticket"),
    ("tickets", "contacts", "ticket_to_contact", "contact_to_ticket"),
)
_NAMES = {
    **{(source, target): forward for source, target, forward, _ in _PAIRS},
    **{(target, source): back for source, target, _, back in _PAIRS},
}

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
_TARGETS = {ASSOCIATION_IDS[name]: target for (_, target), name in _NAMES.items()}


def target_of(source: str, type_id: object) -> str | None:
    """The type of object that an association of this number leads to from another type."""
    target = _TARGETS.get(type_id) if isinstance(type_id, int) else None
    known = target is not None and ASSOCIATION_IDS.get(_NAMES.get((source, target), "")) == type_id
    return target if known else None


class Links:
    """All associations of an account, in both directions."""

    def __init__(
        self,
        sizes: Mapping[str, int],
        partner: Callable[[str, int], int],
        added: Sequence[Record] = (),
    ) -> None:
        self._sizes = sizes
        self._partner = partner
        self.added = [dict(row) for row in added]

    def of(self, resource: str, record_id: str, other: str) -> list[Record]:
        """The associations of a record with records of another type."""
        return self._found.get((resource, other), {}).get(record_id, [])

    def add(self, source: Node, target: Node) -> None:
        """Associates two records, each given by type and id."""
        _join(self._found, source, target)
        self.added.append({"from": source, "to": target})

    @cached_property
    def _found(self) -> dict[tuple[str, str], dict[str, list[Record]]]:
        found: dict[tuple[str, str], dict[str, list[Record]]] = {}
        for source, target in self._all():
            _join(found, source, target)
        return found

    def _all(self) -> Iterator[tuple[Node, Node]]:
        for source, target, _, _ in _PAIRS:
            for place in range(self._sizes[source]):
                to_id = identifier(target, self._partner(target, place))
                yield (source, identifier(source, place)), (target, to_id)
        for row in self.added:
            yield tuple(row["from"]), tuple(row["to"])


def _join(
    found: dict[tuple[str, str], dict[str, list[Record]]], source: Node, target: Node
) -> None:
    for (kind, key), (other, other_key) in ((source, target), (target, source)):
        link = {"id": other_key, "type": _NAMES[kind, other]}
        links = found.setdefault((kind, other), {}).setdefault(key, [])
        if link not in links:
            links.append(link)
