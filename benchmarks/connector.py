"""The service of the benchmark: Stripe's customers in larger pages, which tell what changed."""

from dataclasses import replace

from integrations_pipeline.connectors.base import Connector, Listing, Resource
from integrations_pipeline.connectors.paging import LastIdPages
from integrations_pipeline.connectors.stripe import CUSTOMERS, STRIPE

RECORDS: Resource = replace(
    CUSTOMERS,
    listing=Listing(
        path="/v1/customers",
        records_at="data",
        paginator=LastIdPages("starting_after", "has_more"),
        params={"limit": "1000"},
        since_param="updated_since",
    ),
    version="updated",
    changes=None,
    lookup=None,
    filter_params={},
    span=None,
)
BENCH: Connector = replace(STRIPE, name="bench", label="Bench", quotas=(), resources=(RECORDS,))
