"""Stripe, through the OAuth of Stripe Apps.

Odd here: there is no "updated since". Lists know only `created`, so changes come from the event
log (kept 30 days), and each object named there is read again: an event shows the object as the
account's default API version saw it, not ours. Amounts are integers in minor units.
"""

from collections.abc import Mapping
from datetime import timedelta

from integrations_pipeline.connectors.access import ErrorRule, Quota, Reaction
from integrations_pipeline.connectors.auth import (
    ClientAuth,
    Fact,
    FollowUp,
    KeyAccess,
    OAuth,
    Proof,
    Revoke,
)
from integrations_pipeline.connectors.base import (
    Connector,
    Deleted,
    EventChanges,
    IntegrationType,
    Listing,
    Lookup,
    Resource,
)
from integrations_pipeline.connectors.columns import (
    Column,
    TimeFormat,
    boolean,
    integer,
    json,
    text,
    timestamp,
)
from integrations_pipeline.connectors.narrowing import By, FilterParam, Span, bounds, equals
from integrations_pipeline.connectors.paging import LastIdPages
from integrations_pipeline.connectors.pushing import Push
from integrations_pipeline.connectors.stripe_push import push


def moment(name: str, source: str = "") -> Column:
    """A point in time, which Stripe writes in unix seconds."""
    return timestamp(name, source, TimeFormat.SECONDS)


def pages_of(name: str, params: Mapping[str, str] | None = None) -> Listing:
    """The list of an object."""
    return Listing(
        path=f"/v1/{name}",
        records_at="data",
        paginator=LastIdPages("starting_after", "has_more"),
        params={"limit": "100", **(params or {})},
    )


def listed(
    name: str,
    description: str,
    *columns: Column,
    events: tuple[str, ...],
    params: dict[str, str] | None = None,
    filters: Mapping[str, FilterParam] | None = None,
    nested: tuple[str, ...] = (),
    version: str = "",
    push: Push | None = None,
) -> Resource:
    """A Stripe object with the common list, event and retrieve calls."""
    return Resource(
        name=name,
        description=description,
        docs_url=f"https://docs.stripe.com/api/{name}",
        listing=pages_of(name, params),
        changes=EventChanges(
            path="/v1/events",
            types=events,
            types_param="types[]",
            since_param="created[gte]",
            page_size=100,
            retention=timedelta(days=30),
            overlap=timedelta(minutes=5),
        ),
        deleted=Deleted("deleted", value=True),
        lookup=Lookup(path=f"/v1/{name}/{{id}}"),
        version=version,
        version_format=TimeFormat.SECONDS,
        nested=nested,
        filter_params={"created_at": bounds("created"), **(filters or {})},
        span=Span(
            by=By.CREATION,
            column="created_at",
            page_size=100,
            stamp="created",
            stamp_format=TimeFormat.SECONDS,
            since_param="created[gte]",
            until_param="created[lt]",
            newest_first=True,
        ),
        columns=(*columns, boolean("livemode"), json("metadata"), moment("created_at", "created")),
        push=push,
    )


def kinds(prefix: str, names: str) -> tuple[str, ...]:
    """Event types of one object: `kinds("customer", "created updated")`."""
    return tuple(f"{prefix}.{name}" for name in names.split())


CUSTOMERS = listed(
    "customers",
    "Buyers.",
    text("email", personal=True),
    text("name", personal=True),
    text("phone", personal=True),
    text("description", personal=True),
    text("currency"),
    integer("balance"),
    boolean("delinquent"),
    text("invoice_prefix"),
    events=kinds("customer", "created updated deleted"),
    filters={"email": equals("email")},  # exact and case-sensitive, as here
    push=push("customers", made=pages_of("customers")),
)

INVOICES = listed(
    "invoices",
    "Invoices with all their lines; amounts in minor units.",
    text("number"),
    text("customer_id", "customer"),
    # moved in 2025-03-31.basil
    text("subscription_id", "parent.subscription_details.subscription|subscription"),
    text("status"),
    text("currency"),
    integer("total"),
    integer("amount_due"),
    integer("amount_paid"),
    integer("amount_remaining"),
    moment("due_date"),
    # a type left out is a silent gap; only `invoice.upcoming` is, since it has no id
    events=kinds(
        "invoice",
        "created updated finalized finalization_failed paid payment_failed "
        "payment_action_required payment_attempt_required payment_succeeded sent voided "
        "marked_uncollectible overdue will_be_due overpaid deleted",
    ),
    filters={
        "status": equals("status"),
        "customer_id": equals("customer"),
        "subscription_id": equals("subscription"),
        "due_date": bounds("due_date"),
    },
    nested=("lines",),
)

SUBSCRIPTIONS = listed(
    "subscriptions",
    "Subscriptions, canceled ones included.",
    text("customer_id", "customer"),
    text("status"),
    text("currency"),
    boolean("cancel_at_period_end"),
    text("latest_invoice_id", "latest_invoice"),
    # moved to the items in 2025-03-31.basil
    moment("current_period_start", "items.data.0.current_period_start|current_period_start"),
    moment("current_period_end", "items.data.0.current_period_end|current_period_end"),
    moment("canceled_at"),
    moment("ended_at"),
    # `deleted` means canceled here: the object stays and can be read
    events=kinds(
        "customer.subscription",
        "created updated deleted paused resumed pending_update_applied pending_update_expired "
        "trial_will_end",
    ),
    params={"status": "all"},  # without it, canceled ones are hidden
    filters={"status": equals("status"), "customer_id": equals("customer")},
    nested=("items",),
)

PAYMENT_INTENTS = listed(
    "payment_intents",
    "Attempts to collect a payment; amounts in minor units.",
    integer("amount"),
    integer("amount_received"),
    text("currency"),
    text("status"),
    text("customer_id", "customer"),
    text("latest_charge_id", "latest_charge"),
    text("description", personal=True),
    events=kinds(
        "payment_intent",
        "created processing succeeded payment_failed canceled requires_action "
        "amount_capturable_updated partially_funded",
    ),
    filters={"customer_id": equals("customer")},
)

PRODUCTS = listed(
    "products",
    "What is sold.",
    text("name"),
    text("description"),
    boolean("active"),
    text("default_price_id", "default_price"),
    moment("updated_at", "updated"),
    events=kinds("product", "created updated deleted"),
    filters={"active": equals("active")},
    version="updated",
    push=push("products", made=pages_of("products"), own_ids=True),
)

STRIPE = Connector(
    type=IntegrationType.STRIPE,
    name="stripe",
    label="Stripe",
    api_base_url="https://api.stripe.com",
    headers={"Stripe-Version": "2026-10-28.endive"},
    oauth=OAuth(
        authorize_url="https://marketplace.stripe.com/oauth/v2/authorize",
        token_url="https://api.stripe.com/v1/oauth/token",  # noqa: S106 - an address
        client_auth=ClientAuth.BASIC_SECRET,
        pkce=False,
        lifetime=timedelta(hours=1),  # the answer does not say it reliably
        idle=timedelta(days=365),
        token_facts=(Fact("account_id", "stripe_user_id"),),
    ),
    others={
        # For platforms that connect Standard accounts; the scope is one value, never a list.
        "connect": OAuth(
            label="Stripe Connect",
            authorize_url="https://connect.stripe.com/oauth/authorize",
            token_url="https://connect.stripe.com/oauth/token",  # noqa: S106 - an address
            revoke=Revoke(
                url="https://connect.stripe.com/oauth/deauthorize",
                body={"client_id": "{client_id}", "stripe_user_id": "{account_id}"},
                proof=Proof.SECRET,
            ),
            pkce=False,
            scopes=("read_write",),
            token_facts=(Fact("account_id", "stripe_user_id"),),
        ),
        "api_key": KeyAccess(
            label="Secret or restricted API key", pattern=r"(sk|rk)_(live|test)_[0-9A-Za-z_]+"
        ),
    },
    identity=(
        FollowUp(
            url="/v1/account",
            facts=(
                Fact("account_id", "id"),
                Fact("account_name", "settings.dashboard.display_name"),
            ),
            optional=True,  # a restricted key may not read it
        ),
    ),
    resources=(CUSTOMERS, INVOICES, SUBSCRIPTIONS, PAYMENT_INTENTS, PRODUCTS),
    quotas=(
        Quota(25, 1.0),  # one endpoint's default, and all that test mode allows
        Quota(20, 1.0, "/search"),
        Quota(20, 1.0, "/files"),
        Quota(concurrent=8),  # the limit is not told: more than these are refused now and then
    ),
    errors=(
        ErrorRule(400, Reaction.STALE_CURSOR, "error.param", "starting_after"),
        ErrorRule(404, Reaction.STALE_CURSOR, "error.param", "starting_after"),
        ErrorRule(403, Reaction.CONNECT_AGAIN, "error.code", "account_invalid"),
        ErrorRule(401, Reaction.REFRESH),
        ErrorRule(409, Reaction.RETRY),
        ErrorRule(424, Reaction.RETRY),
    ),
    message_at=("error.message", "error_description", "error"),
    request_id_header="Request-Id",
    retry_header="Stripe-Should-Retry",
)
