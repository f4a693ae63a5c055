"""Zendesk Support.

Odd here: the host is the customer's subdomain; tickets, users and organizations come from
incremental exports that hold back the last minute, repeat rows and allow 10 requests a minute;
deleted tickets stay in the export with their content scrubbed.
"""

from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction, Told
from integrations_pipeline.connectors.auth import (
    BasicAuth,
    Fact,
    FollowUp,
    KeyAccess,
    OAuth,
    Proof,
    Revoke,
    Scopes,
    Setting,
)
from integrations_pipeline.connectors.base import (
    Connector,
    Deleted,
    IntegrationType,
    Listing,
    Lookup,
    Resource,
)
from integrations_pipeline.connectors.columns import (
    TimeFormat,
    boolean,
    integer,
    json,
    text,
    timestamp,
)
from integrations_pipeline.connectors.narrowing import By, FilterParam, Span
from integrations_pipeline.connectors.zendesk_export import (
    CURSOR,
    NEVER_BEFORE,
    by_ids,
    export,
    export_by_time,
    span_of,
)
from integrations_pipeline.connectors.zendesk_push import API, NEWEST_TICKETS, push

METRICS = {"include": "metric_sets"}
DOCS = "https://developer.zendesk.com/api-reference/ticketing"

TICKETS = Resource(
    name="tickets",
    description="Support requests, archived ones included.",
    docs_url=f"{DOCS}/tickets/tickets/",
    # system changes move this stamp and leave updated_at alone
    version="generated_timestamp",
    version_format=TimeFormat.SECONDS,
    listing=export("tickets"),
    deleted=Deleted("status", "deleted"),
    absent_is_deleted=False,
    since_columns=NEVER_BEFORE,
    span=span_of("tickets", "generated_timestamp", TimeFormat.SECONDS),
    lookup=by_ids("tickets"),
    push=push(
        "tickets",
        found_at=f"{API}/tickets",
        events="comment requester additional_tags remove_tags",
        made=NEWEST_TICKETS,
    ),
    columns=(
        text("subject", personal=True),
        text("description", personal=True),
        text("status"),
        text("priority"),
        text("type"),
        text("external_id"),
        text("requester_id"),
        text("assignee_id"),
        text("organization_id"),
        text("group_id"),
        text("channel", "via.channel"),
        json("tags"),
        json("custom_fields", personal=True),
        timestamp("created_at"),
        timestamp("updated_at"),
    ),
)

# The plain ticket_metrics list lacks archived tickets and cannot be filtered by time, so metrics
# are read from the ticket export. There is one set per ticket, and a deleted ticket's metrics go
# with it: the ticket's id is the key.
TICKET_METRICS = Resource(
    name="ticket_metrics",
    description="Times and counts of each ticket's handling, keyed by ticket.",
    docs_url=f"{DOCS}/tickets/ticket_metrics/",
    key="ticket_id",
    version="updated_at",
    listing=export("tickets", within="metric_set", params=METRICS),
    deleted=Deleted("status", "deleted"),
    absent_is_deleted=False,
    span=span_of("tickets", "generated_timestamp", TimeFormat.SECONDS),
    lookup=by_ids("tickets", within="metric_set", params=METRICS),
    columns=(
        text("metric_id", "id"),
        text("ticket_id"),
        integer("reopens"),
        integer("replies"),
        integer("reply_time_minutes", "reply_time_in_minutes.calendar"),
        integer("reply_time_business_minutes", "reply_time_in_minutes.business"),
        integer("first_resolution_minutes", "first_resolution_time_in_minutes.calendar"),
        integer("full_resolution_minutes", "full_resolution_time_in_minutes.calendar"),
        integer("agent_wait_minutes", "agent_wait_time_in_minutes.calendar"),
        integer("requester_wait_minutes", "requester_wait_time_in_minutes.calendar"),
        timestamp("assigned_at"),
        timestamp("solved_at"),
        timestamp("created_at"),
        timestamp("updated_at"),
    ),
)

USERS = Resource(
    name="users",
    description="End users, agents and admins.",
    docs_url=f"{DOCS}/users/users/",
    version="updated_at",
    listing=export("users"),
    deleted=Deleted("active", value=False),
    absent_is_deleted=False,
    since_columns=NEVER_BEFORE,
    span=span_of("users", "updated_at"),
    lookup=by_ids("users"),
    push=push("users", found_at=f"{API}/users", upserts=True),
    columns=(
        text("name", personal=True),
        text("email", personal=True),
        text("phone", personal=True),
        text("role"),
        boolean("suspended"),
        text("organization_id"),
        text("external_id"),
        text("time_zone"),
        json("tags"),
        json("user_fields", personal=True),
        timestamp("created_at"),
        timestamp("updated_at"),
    ),
)

ORGANIZATIONS = Resource(
    name="organizations",
    description="Companies that users belong to.",
    docs_url=f"{DOCS}/organizations/organizations/",
    version="updated_at",
    # organizations have no cursor export: asking for one loops without end
    listing=export_by_time("organizations"),
    deleted=Deleted("deleted_at"),
    absent_is_deleted=False,
    since_columns=NEVER_BEFORE,
    span=span_of("organizations", "updated_at"),
    lookup=by_ids("organizations"),
    push=push("organizations", found_at=f"{API}/organizations/search"),
    columns=(
        text("name"),
        json("domain_names"),
        text("external_id"),
        text("group_id"),
        json("tags"),
        json("organization_fields"),
        timestamp("created_at"),
        timestamp("updated_at"),
    ),
)

SATISFACTION_RATINGS = Resource(
    name="satisfaction_ratings",
    description="Ratings that customers gave.",
    docs_url=f"{DOCS}/ticket-management/satisfaction_ratings/",
    version="updated_at",
    listing=Listing(
        path=f"{API}/satisfaction_ratings",
        records_at="satisfaction_ratings",
        paginator=CURSOR,
        params={"page[size]": "100", "score": "received"},
        since_param="start_time",
        reread=timedelta(days=28),  # a customer can change a rating later
    ),
    # whether the bounds look at creation or at change is not told: both of these hold for either
    filter_params={
        "created_at": FilterParam({"gt": "start_time", "gte": "start_time"}, TimeFormat.SECONDS),
        "updated_at": FilterParam({"lt": "end_time"}, TimeFormat.SECONDS),
    },
    span=Span(
        by=By.CHANGE,
        column="source_updated_at",
        page_size=100,
        since_param="start_time",
        until_param="end_time",
    ),
    lookup=Lookup(path=f"{API}/satisfaction_ratings/{{id}}", records_at="satisfaction_rating"),
    columns=(
        text("ticket_id"),
        text("score"),
        text("comment", personal=True),
        text("reason"),
        text("assignee_id"),
        text("group_id"),
        text("requester_id"),
        timestamp("created_at"),
        timestamp("updated_at"),
    ),
)


def endpoint(requests: int, seconds: float, path: str, name: str, *, each: str = "") -> Quota:
    """A limit of some paths, which their answers tell in a header of its name."""
    told = Told(
        header=f"zendesk-ratelimit-{name}",
        pattern=r"total=(?P<limit>\d+); remaining=(?P<remaining>\d+); resets=(?P<reset>\d+)",
    )
    return Quota(requests, seconds, path, name=name, each=each, alone=True, told=told)


ZENDESK = Connector(
    type=IntegrationType.ZENDESK,
    name="zendesk",
    label="Zendesk",
    api_base_url="https://{subdomain}.zendesk.com",
    oauth=OAuth(
        authorize_url="https://{subdomain}.zendesk.com/oauth/authorizations/new",
        token_url="https://{subdomain}.zendesk.com/oauth/tokens",  # noqa: S106 - an address
        revoke=Revoke(
            url="https://{subdomain}.zendesk.com/api/v2/oauth/tokens/current",
            method="DELETE",
            body={},
            proof=Proof.TOKEN,
        ),
        token_params={"expires_in": "1800", "refresh_token_expires_in": "2592000"},
        # `identity` asks for it, and so does every export: the narrow scopes do not cover them
        scopes=("read",),
        resource_scopes={
            "tickets": Scopes(("read",), ("tickets:write",)),
            "users": Scopes(("read",), ("users:write",)),
            "organizations": Scopes(("read",), ("organizations:write",)),
            "ticket_metrics": Scopes(("read",)),
            "satisfaction_ratings": Scopes(("read",)),
            "comments": Scopes(("read",)),
        },
        idle=timedelta(days=30),
        refresh_life_at="refresh_token_expires_in",
    ),
    others={
        "api_token": KeyAccess(
            label="API token (Zendesk ends these on 30 April 2027)",
            template="{email}/token:{secret}",
            carriage=BasicAuth(),
            settings=(
                Setting("email", "E-mail address of the token's agent", r"[^\s:/@]+@[^\s:/@]+"),
            ),
        )
    },
    identity=(FollowUp(url=f"{API}/users/me", facts=(Fact("agent_role", "user.role"),)),),
    settings=(Setting("subdomain", "Subdomain (acme in acme.zendesk.com)", r"[a-z0-9][a-z0-9-]*"),),
    resources=(TICKETS, USERS, ORGANIZATIONS, TICKET_METRICS, SATISFACTION_RATINGS),
    quotas=(
        Quota(
            200,  # the smallest plan's; larger ones tell theirs
            60.0,
            name="requests a minute",
            told=Told(
                limit="X-Rate-Limit", remaining="X-Rate-Limit-Remaining", reset="ratelimit-reset"
            ),
        ),
        endpoint(10, 60.0, "/incremental/", "incremental-exports"),
        endpoint(100, 60.0, "/tickets", "tickets-index", each=r"/tickets(\.json)?(\?|$)"),
        endpoint(100, 60.0, "/search/export", "search-export"),
        endpoint(10, 60.0, "/deleted_tickets", "deleted-tickets"),
        Quota(100, 60.0, "/tickets/", name="ticket updates", methods=("PUT",), alone=True),
        Quota(
            30,
            600.0,
            name="updates of a ticket",
            each=r"/tickets/\d+",
            methods=("PUT",),
            alone=True,
        ),
    ),
    errors=(
        ErrorRule(404, Reaction.NOT_FOUND, "error", "RecordNotFound"),
        ErrorRule(404, Reaction.WRONG_HOST),
        ErrorRule(400, Reaction.RETRY, "error", "StartTimeTooRecent", 60),
        ErrorRule(422, Reaction.RETRY, "error", "StartTimeTooRecent", 60),
        ErrorRule(400, Reaction.STALE_CURSOR, "errors.0.code", "InvalidCursor"),
        ErrorRule(409, Reaction.RETRY),
    ),
    message_at=("description", "error_description", "error.message", "errors.0.detail", "error"),
)
