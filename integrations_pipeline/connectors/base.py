"""The vocabulary in which a service is declared: what it is, never how it is read.

A connector is frozen data. Whatever needs a loop, a clock or a socket belongs to the engine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from integrations_pipeline.connectors.access import ErrorRule, Quota
from integrations_pipeline.connectors.auth import FollowUp, OAuth, Setting, Way
from integrations_pipeline.connectors.columns import Column, Record, TimeFormat
from integrations_pipeline.connectors.narrowing import FilterParam, Span
from integrations_pipeline.connectors.paging import Paginator
from integrations_pipeline.connectors.pushing import Push


class IntegrationType(StrEnum):
    """The services, by the names that tables, API and UI use."""

    SALESFORCE = "SALESFORCE"
    HUBSPOT = "HUBSPOT"
    QUICKBOOKS = "QUICKBOOKS"
    STRIPE = "STRIPE"
    GOOGLE_ANALYTICS = "GOOGLE_ANALYTICS"
    ZENDESK = "ZENDESK"
    JIRA = "JIRA"
    MAILCHIMP = "MAILCHIMP"
    SLACK = "SLACK"
    MICROSOFT_TEAMS = "MICROSOFT_TEAMS"
    SHOPIFY = "SHOPIFY"
    CUSTOM = "CUSTOM"


MAX_BODY_BYTES = 8 * 1024 * 1024
"""Larger answers are refused, unless a listing says that its pages may be larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Pages of records, walked by a paginator."""

    path: str
    records_at: str
    """Key of the records in a page."""
    paginator: Paginator
    params: Mapping[str, str] = field(default_factory=dict)
    record_at: str = ""
    """Key of the record inside each row, where the row is only its carrier."""
    since_param: str = ""
    """Parameter that takes the lower bound, in unix seconds."""
    max_body_bytes: int = MAX_BODY_BYTES
    reread: timedelta = timedelta(0)
    """How far before the last read an incremental walk begins."""
    crowded: "Listing | None" = None
    """Another listing of the same, read where an export can't pass a second that holds more
    records than a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchChanges:
    """Changes found by a search over (update stamp, id): each page asks for ids above the last.

    Paging by id alone passes any cap on results and survives any number of equal stamps.
    """

    path: str
    records_at: str
    stamp: str
    """Name of the field that holds the update stamp."""
    id_field: str
    page_size: int
    overlap: timedelta
    """The index lags: this much is read again."""
    request: Callable[["SearchPage"], Mapping[str, Any]]
    """Writes the body of one page's request."""
    more_at: str
    """Path whose presence in the answer says that there is more."""
    operators: Mapping[str, str] = field(default_factory=dict)
    """Our filter operators that the search understands, with the service's names for them."""
    text_operators: frozenset[str] = frozenset()
    """Those of them that let in, on texts, at least what they let in here."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Columns beside the resource's fields that the search knows, with its names for them."""
    max_terms: int = 0
    """How many filters of ours fit into one search beside its own conditions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """What one page of a search asks for. Times are unix milliseconds."""

    search: SearchChanges
    since_ms: int | None
    until_ms: int
    after_id: str | None
    filters: tuple["FilterTerm", ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventChanges:
    """Changes told by an event log; every object named in it is read again by id."""

    path: str
    types: tuple[str, ...]
    types_param: str
    since_param: str
    page_size: int
    retention: timedelta
    """Older events are gone: a longer silence needs a full read."""
    overlap: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Reading given ids again. `{id}` in the path: one request each, else `batch` at a time."""

    path: str
    records_at: str = ""
    batch: int = 1
    ids_param: str = ""
    """Query parameter that takes the ids, joined by commas."""
    body: Callable[[tuple[str, ...], tuple[str, ...]], Mapping[str, Any]] | None = None
    """Writes the request's body from ids and fields, where the service wants a POST."""
    params: Mapping[str, str] = field(default_factory=dict)
    record_at: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The sign of a deleted record: a field's value, or any value but null when none is named."""

    field: str
    value: Any = None

    def matches(self, record: Record) -> bool:
        """Whether the record is one that the service calls deleted."""
        found = record.get(self.field)
        return found is not None if self.value is None else found == self.value

    def among(self, records: Sequence[Record]) -> bool:
        """Whether any of them is."""
        found = [record.get(self.field) for record in records]
        return found.count(None) < len(found) if self.value is None else self.value in found


@dataclass(frozen=True, slots=True)
class FilterTerm:
    """One condition: column, operator (eq ne gt gte lt lte in), value or list of values.

    Values are of the column's type: str, Decimal, bool or datetime.
    """

    column: Column
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Association:
    """Links to records of another kind. A record gets them as `associations.<to>`, a list of ids.

    The listing can show them (`associations_param`); elsewhere they are read apart.
    """

    to: str
    path: str
    """Takes `{"inputs": [{"id", "after"}]}`, answers `results[{from, to[{toObjectId}], paging}]`
    (HubSpot, associations v4)."""


@dataclass(frozen=True, slots=True)
class FieldCatalog:
    """The service's own list of a resource's fields."""

    path: str
    records_at: str
    name_at: str
    type_at: str = ""
    label_at: str = ""
    read_only_at: str = ""
    """Path of a flag that is true for fields which can't be written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of record of a service."""

    name: str
    description: str
    docs_url: str
    listing: Listing
    columns: tuple[Column, ...]
    key: str = "id"
    version: str = ""
    """Path of the stamp that orders two versions of a record; empty where there is none."""
    version_format: TimeFormat = TimeFormat.ISO
    changes: SearchChanges | EventChanges | None = None
    """How changes are found; without it the listing is read again, from its own position or
    lower bound where it has one, else whole and compared."""
    archived: Listing | None = None
    """A listing of deleted records only."""
    deleted: Deleted | None = None
    absent_is_deleted: bool = True
    """Whether a record that a full read did not meet is gone; exports hold recent ones back."""
    merged_at: str = ""
    """Path of the `;`-joined ids of records that were merged into this one and are gone."""
    lookup: Lookup | None = None
    fields_param: str = ""
    """Parameter (comma list) that narrows the fields which the service sends."""
    fields_under: str = ""
    """Where the narrowed fields live in the record."""
    catalog: FieldCatalog | None = None
    associations: tuple[Association, ...] = ()
    associations_param: str = ""
    """Parameter (comma list) by which the listing shows them, as `{to: {results, paging}}`."""
    nested: tuple[str, ...] = ()
    """Keys of lists inside a record that come in pages of their own."""
    filter_params: Mapping[str, FilterParam] = field(default_factory=dict)
    """Columns that the listing can filter by."""
    since_columns: tuple[str, ...] = ()
    """Columns whose lower bound a change export can begin at: a record is never changed before."""
    span: Span | None = None
    """How the records of a span of time are asked for; without it there are no backfills."""
    push: Push | None = None
    """How records are written; None: they can only be read."""

    @property
    def resumable(self) -> bool:
        """Whether a full read may go on after a crash: what changed before can be caught up."""
        return self.changes is not None or self.listing.paginator.keeps_position

    @property
    def incremental(self) -> bool:
        """Whether changes can be read without reading all."""
        return self.resumable or bool(self.listing.since_param)

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A service, whole."""

    type: IntegrationType
    name: str
    """Lower-case name: Postgres schema, asset group, key in the overrides file."""
    label: str
    api_base_url: str
    oauth: OAuth | None = None
    """The way in that is taken unless another is chosen."""
    others: Mapping[str, Way] = field(default_factory=dict)
    """Other ways in, by the name that an admin chooses."""
    identity: tuple[FollowUp, ...] = ()
    """Calls that tell whose account it is, in order; the last one also proves a connection."""
    resources: tuple[Resource, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    quotas: tuple[Quota, ...] = ()
    errors: tuple[ErrorRule, ...] = ()
    message_at: tuple[str, ...] = ("message",)
    """Paths under which the service explains an error, best first."""
    details_at: tuple[str, ...] = ()
    """Paths of what else belongs to the explanation, such as a missing scope's name."""
    request_id_header: str = ""
    """Header whose value the service's support asks for."""
    request_id_at: str = ""
    """Path of that value, where it is in the body."""
    retry_header: str = ""
    """Header by which the service says `true` or `false` to trying again."""

    @property
    def ways(self) -> dict[str, Way]:
        """Every way to connect an account, by name; the usual one first."""
        return {**({"oauth": self.oauth} if self.oauth else {}), **self.others}

    def resource(self, name: str) -> Resource | None:
        """The resource of that name."""
        return next((resource for resource in self.resources if resource.name == name), None)

    @property
    def scoped_names(self) -> tuple[str, ...]:
        """Names of all that an admin can choose to connect for, declared to be read or not."""
        granted = self.oauth.resource_scopes if self.oauth else {}
        return tuple(dict.fromkeys((*self.resource_names, *granted)))

    @property
    def resource_names(self) -> tuple[str, ...]:
        """Names of all resources, in the declared order."""
        return tuple(resource.name for resource in self.resources)
