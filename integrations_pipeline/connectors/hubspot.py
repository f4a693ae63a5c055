"""HubSpot CRM.

Odd here: property values are all strings; changes come from a search that is capped at 10,000
results and lags; archived records show only in a listing of their own; merged ones vanish.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction, Told
from integrations_pipeline.connectors.auth import (
    Fact,
    FollowUp,
    KeyAccess,
    OAuth,
    Revoke,
    Scopes,
)
from integrations_pipeline.connectors.base import (
    Association,
    Connector,
    FieldCatalog,
    IntegrationType,
    Listing,
    Lookup,
    Resource,
)
from integrations_pipeline.connectors.columns import (
    Column,
    boolean,
    integer,
    json,
    number,
    text,
    timestamp,
)
from integrations_pipeline.connectors.hubspot_push import push
from integrations_pipeline.connectors.hubspot_search import search
from integrations_pipeline.connectors.narrowing import By, Span
from integrations_pipeline.connectors.paging import CursorPages

OBJECTS = "/crm/v3/objects"  # one place to switch to a date-based version
PAGES = CursorPages("after", "paging.next.after")
CREATED = Span(
    by=By.CREATION, column="created_at", page_size=200, stamp="createdAt", field="createdate"
)
LINKED_IDS = {"companies": "company_ids", "contacts": "contact_ids"}


def prop(column: Column) -> Column:
    """The same column, filled from the record's `properties`."""
    source = f"properties.{column.source or column.name}"
    return Column(column.name, column.type, source, column.personal, column.time_format)


def batch_read_body(ids: tuple[str, ...], fields: tuple[str, ...]) -> Mapping[str, Any]:
    """A batch read of ids; its properties go in the body, so no URL grows too long."""
    return {"properties": list(fields), "inputs": [{"id": record_id} for record_id in ids]}


def properties_of(name: str) -> FieldCatalog:
    """The list of an object type's properties, custom ones included."""
    return FieldCatalog(
        f"/crm/v3/properties/{name}",
        "results",
        "name",
        type_at="type",
        label_at="label",
        read_only_at="modificationMetadata.readOnlyValue",
    )


def crm(
    name: str,
    description: str,
    *columns: Column,
    stamp: str = "hs_lastmodifieddate",
    linked: tuple[str, ...] = (),
    unique: str = "",
) -> Resource:
    """A CRM object type: contacts, companies, deals and tickets differ only in their columns."""
    path = f"{OBJECTS}/{name}"
    return Resource(
        name=name,
        description=description,
        docs_url=f"https://developers.hubspot.com/docs/api-reference/crm-{name}-v3/guide",
        version="updatedAt",
        listing=Listing(path=path, records_at="results", paginator=PAGES, params={"limit": "100"}),
        changes=search(path, stamp),
        archived=Listing(
            path=path,
            records_at="results",
            paginator=PAGES,
            params={"limit": "100", "archived": "true"},
        ),
        merged_at="properties.hs_merged_object_ids",
        lookup=Lookup(
            path=f"{path}/batch/read", records_at="results", batch=100, body=batch_read_body
        ),
        fields_param="properties",
        fields_under="properties",
        push=push(path, unique, made=search(path, "createdate")),
        span=CREATED,
        catalog=properties_of(name),
        # the listing shows associations; after a search they are read apart
        associations_param="associations",
        associations=tuple(
            Association(to, f"/crm/v4/associations/{name}/{to}/batch/read") for to in linked
        ),
        columns=(
            *(prop(column) for column in columns),
            *(json(LINKED_IDS[to], f"associations.{to}") for to in linked),
            prop(text("owner_id", "hubspot_owner_id")),
            prop(text("merged_object_ids", "hs_merged_object_ids")),
            timestamp("created_at", "createdAt"),
            timestamp("updated_at", "updatedAt"),
        ),
    )


OWNERS = Resource(
    name="owners",
    description="People who own records; `owner_id` of the other tables points here.",
    docs_url="https://developers.hubspot.com/docs/api-reference/crm-owners-v3/guide",
    version="updatedAt",
    listing=Listing(
        path="/crm/v3/owners/", records_at="results", paginator=PAGES, params={"limit": "500"}
    ),
    archived=Listing(
        path="/crm/v3/owners/",
        records_at="results",
        paginator=PAGES,
        params={"limit": "500", "archived": "true"},
    ),
    lookup=Lookup(path="/crm/v3/owners/{id}"),
    columns=(
        text("email", personal=True),
        text("first_name", "firstName", personal=True),
        text("last_name", "lastName", personal=True),
        text("type"),
        # userId is null on archived owners
        integer("user_id", "userId|userIdIncludingInactive"),
        json("teams"),
        timestamp("created_at", "createdAt"),
        timestamp("updated_at", "updatedAt"),
    ),
)

HUBSPOT = Connector(
    type=IntegrationType.HUBSPOT,
    name="hubspot",
    label="HubSpot",
    api_base_url="https://api.hubapi.com",
    oauth=OAuth(
        authorize_url="https://app.hubspot.com/oauth/authorize",
        token_url="https://api.hubapi.com/oauth/2026-03/token",  # noqa: S106 - an address
        revoke=Revoke(url="https://api.hubapi.com/oauth/2026-03/token/revoke"),
        scopes=("oauth",),
        resource_scopes={
            **{
                name: Scopes((f"crm.objects.{name}.read",), (f"crm.objects.{name}.write",))
                for name in ("contacts", "companies", "deals", "tickets")
            },
            "owners": Scopes(("crm.objects.owners.read",)),
        },
        lifetime=timedelta(minutes=30),
        token_facts=(Fact("account_id", "hub_id"),),
    ),
    others={
        "private_app": KeyAccess(
            label="Private app token or service key", pattern=r"[0-9A-Za-z_-]{16,}"
        )
    },
    identity=(
        FollowUp(
            url="/account-info/v3/details",
            facts=(Fact("account_id", "portalId"),),
        ),
    ),
    resources=(
        crm(
            "contacts",
            "People.",
            text("email", personal=True),
            text("first_name", "firstname", personal=True),
            text("last_name", "lastname", personal=True),
            text("phone", personal=True),
            text("lifecycle_stage", "lifecyclestage"),
            stamp="lastmodifieddate",
            linked=("companies",),
            unique="email",
        ),
        crm(
            "companies",
            "Organisations.",
            text("name"),
            text("domain"),
            text("industry"),
            text("city"),
        ),
        crm(
            "deals",
            "Sales opportunities, with amounts in the account's currency.",
            text("name", "dealname"),
            number("amount"),
            text("currency", "deal_currency_code"),
            text("stage", "dealstage"),
            text("pipeline"),
            timestamp("close_date", "closedate"),
            boolean("is_closed_won", "hs_is_closed_won"),
            linked=("companies", "contacts"),
        ),
        crm(
            "tickets",
            "Service requests.",
            text("subject", personal=True),
            text("content", personal=True),
            text("pipeline", "hs_pipeline"),
            text("stage", "hs_pipeline_stage"),
            text("priority", "hs_ticket_priority"),
            linked=("companies", "contacts"),
        ),
        OWNERS,
    ),
    # The search budget is apart from the general one; 110 a 10 s holds for OAuth apps.
    quotas=(
        Quota(5, 1.0, "/search"),  # apart from the others, and its answers tell nothing
        Quota(
            110,
            10.0,
            path_lacks="/search",
            told=Told(limit="X-HubSpot-RateLimit-Max", remaining="X-HubSpot-RateLimit-Remaining"),
        ),
        # an OAuth app has no limit for a day, and no such headers
        Quota(
            0,
            86_400.0,
            name="daily requests",
            told=Told(
                limit="X-HubSpot-RateLimit-Daily", remaining="X-HubSpot-RateLimit-Daily-Remaining"
            ),
        ),
    ),
    errors=(
        ErrorRule(429, Reaction.RATE_LIMITED, "policyName", "DAILY", wait_seconds=86_400),
        ErrorRule(429, Reaction.RATE_LIMITED, "policyName", "TEN_SECONDLY_ROLLING", 10),
        ErrorRule(429, Reaction.RATE_LIMITED, wait_seconds=1),
        ErrorRule(423, Reaction.RETRY, wait_seconds=2),
        ErrorRule(477, Reaction.RETRY, wait_seconds=60),  # the account moves between data centres
    ),
    details_at=("errors.0.context.requiredGranularScopes",),
    request_id_at="correlationId",
)
