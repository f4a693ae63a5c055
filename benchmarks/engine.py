"""Our engine on the same pages: Stripe's connector without its quota, pointed at the fast API."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import orjson
import psycopg

from integrations_pipeline.connectors import CONNECTORS
from integrations_pipeline.connectors.stripe import STRIPE
from integrations_pipeline.oauth import (
    IntegrationRef,
    create_integration,
    create_tenant,
    store_oauth_token,
)
from integrations_pipeline.oauth.provider import TokenSet
from integrations_pipeline.settings import Settings
from integrations_pipeline.store import Store, open_store
from integrations_pipeline.store.crypto import create_master_key
from integrations_pipeline.sync import SyncRequest, create_sync_job, execute_sync_job

CUSTOMERS = STRIPE.resource("customers")


def opened(folder: Path, url: str) -> Store:
    """The store, with the service pointed at the fast API."""
    overrides = folder / "overrides.json"
    overrides.write_bytes(
        orjson.dumps({"stripe": {"api_base_url": url, "allow_private_network": True}})
    )
    create_master_key(folder / "master.key")
    return open_store(Settings(home=folder, connector_overrides=overrides), CONNECTORS.values())


def integration(store: Store) -> IntegrationRef:
    """A new integration with a token, as if it had been connected."""
    slug = f"bench{uuid4().hex[:10]}"
    made = create_integration(
        store, create_tenant(store, slug, slug), "stripe", "b", client_id="c", client_secret="s"
    )
    store_oauth_token(store, made, TokenSet("token", None, None, ()))
    assert CUSTOMERS is not None
    listing = replace(CUSTOMERS.listing, params={"limit": "1000"})
    fast = replace(STRIPE, quotas=(), resources=(replace(CUSTOMERS, listing=listing),))
    with psycopg.connect(database(store), autocommit=True) as connection:
        connection.execute("TRUNCATE stripe.customers")  # both subjects begin with an empty table
    return replace(made, connector=fast)


def database(store: Store) -> str:
    """The address for psycopg, as the owner."""
    return store.url.set(drivername="postgresql").render_as_string(hide_password=False)


def run(store: Store, ref: IntegrationRef) -> int:
    """A full sync; returns the number of records."""
    job_id = create_sync_job(store, ref, SyncRequest(sync_type="FULL_SYNC"))
    result = execute_sync_job(store, ref, job_id)
    if result.error:
        raise RuntimeError(result.error)
    return result.resources[0].counts.processed
