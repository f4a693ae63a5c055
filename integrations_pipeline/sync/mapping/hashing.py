"""The key under which a tenant's values are hashed.

A plain hash of an address or a phone number is found by trying all of them. One key for the whole
tenant, made at random and kept sealed: the same person has the same pseudonym in all of the
tenant's services, so that tables can be joined, and another one at every other tenant.
"""

import secrets
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from integrations_pipeline.store import Place, Store
from integrations_pipeline.store.models import MappingSecret

COLUMN = "mapping_secret.secret"
KEY_BYTES = 32


def hash_key(store: Store, tenant_id: UUID) -> bytes:
    """The tenant's key, made when it is first wanted. It stays when data keys are rotated.

    Raises:
        SealError: it does not open.
    """
    place = Place(tenant_id, tenant_id, COLUMN)
    with store.tenant(tenant_id) as session:
        sealed = session.scalar(select(MappingSecret.secret))
        if sealed is None:
            made = store.keyring.seal(secrets.token_hex(KEY_BYTES), place)
            values = {"tenant_id": tenant_id, "id": tenant_id, "secret": made}
            session.execute(insert(MappingSecret).values(values).on_conflict_do_nothing())
            sealed = session.scalars(select(MappingSecret.secret)).one()
    return bytes.fromhex(store.keyring.open(sealed, place))
