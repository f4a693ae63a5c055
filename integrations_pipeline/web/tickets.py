"""Connect links: sealed, ten minutes, good for connecting one integration in any browser."""

import base64
import binascii
import time
from dataclasses import dataclass
from uuid import UUID

import orjson

from integrations_pipeline.errors import BadStateError
from integrations_pipeline.store import Place, SealError, Store

LIFE_SECONDS = 600
PLACE = Place(UUID(int=0), UUID(int=0), "connect link")


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may connect what."""

    integration_key: str
    user_id: UUID
    another_account: bool = False
    """It was confirmed that this may be another account than before."""


def connect_link(store: Store, ticket: Ticket) -> str:
    """The address that a person opens to connect an integration."""
    content = {
        "key": ticket.integration_key,
        "user": str(ticket.user_id),
        "another": ticket.another_account,
        "until": time.time() + LIFE_SECONDS,
    }
    sealed = store.keyring.seal(orjson.dumps(content).decode(), PLACE)
    code = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
    return f"{store.settings.public_url.rstrip('/')}/connect/{code}"


def read_ticket(store: Store, code: str) -> Ticket:
    """What a connect link says.

    Raises:
        BadStateError: it is too old, or not one of ours.
    """
    try:
        sealed = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        if not store.keyring.knows(sealed[1:17]):  # to look for a key takes a second: not for junk
            raise SealError("The link is sealed under an unknown key.")
        content = orjson.loads(store.keyring.open(sealed, PLACE))
    except (SealError, binascii.Error, ValueError) as error:
        raise BadStateError("This link is not valid.") from error
    if content["until"] < time.time():
        raise BadStateError("This link is too old.")
    return Ticket(content["key"], UUID(content["user"]), content["another"])
