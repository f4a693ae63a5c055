"""The made-up records of a HubSpot account, each built from its place in the data set."""

from datetime import datetime
from random import Random

from integrations_pipeline.sandbox.hubspot.properties import (
    DEAL_STAGES,
    INDUSTRIES,
    LIFECYCLE,
    PRIORITIES,
    TICKET_STAGES,
)
from integrations_pipeline.sandbox.seed import (
    CITIES,
    DAY,
    chance,
    company,
    iso_milliseconds,
    iso_seconds,
    odd_text,
    person,
)
from integrations_pipeline.sandbox.tables import Record

Properties = dict[str, str | None]

LIVE_OWNERS = 12
ARCHIVED_OWNERS = 3
_FIRST_ID = {
    "contacts": 51_001,
    "companies": 8_001,
    "deals": 77_001,
    "tickets": 930_001,
    "owners": 41_200_901,
}


def identifier(resource: str, place: int) -> str:
    """The id of the record at a place."""
    return str(_FIRST_ID[resource] + place)


def company_place(place: int, companies: int) -> int:
    """The company that a contact, deal or ticket belongs to."""
    return place * 7 % companies


def contact(account: str, place: int, companies: int, created: float) -> Properties:
    """A person at one of the companies."""
    dice = chance(account, "contacts", place)
    employer = company(account, company_place(place, companies))
    someone = person(account, "contacts", place, employer.domain)
    born = iso_seconds(created - dice.randrange(7_000, 25_000) * DAY)[:10]
    return {
        "email": someone.email,
        "firstname": someone.first,
        "lastname": someone.last,
        "phone": someone.phone,
        "jobtitle": dice.choice(("Buyer", "Head of Sales", "Mechanic", "Accountant")),
        "company": employer.name,
        "city": dice.choice(CITIES),
        "lifecyclestage": dice.choice(LIFECYCLE),
        "hs_email_optout": dice.choice(("true", "false", "")),
        "date_of_birth": born,
        "message": odd_text(place, "Please call me back."),
        "hubspot_owner_id": _owner(dice),
    }


def business(account: str, place: int, companies: int, created: float) -> Properties:
    """One of the companies."""
    del companies, created
    dice = chance(account, "companies", place)
    firm = company(account, place)
    return {
        "name": firm.name,
        "domain": firm.domain,
        "city": dice.choice(CITIES),
        "industry": dice.choice(INDUSTRIES),
        "annualrevenue": str(dice.randrange(50, 9_000) * 1_000),
        "numberofemployees": str(dice.randrange(1, 900)),
        "description": odd_text(place, f"{firm.name} since {dice.randrange(1950, 2024)}."),
        "hubspot_owner_id": _owner(dice),
    }


def deal(account: str, place: int, companies: int, created: float) -> Properties:
    """A sale to one of the companies."""
    dice = chance(account, "deals", place)
    buyer = company(account, company_place(place, companies))
    closes = created + dice.randrange(5, 120) * DAY
    return {
        "dealname": odd_text(place, f"{buyer.name} {dice.choice(('renewal', 'rollout', 'pilot'))}"),
        "amount": f"{dice.randrange(500, 90_000)}.{dice.randrange(100):02d}",
        "dealstage": dice.choice(DEAL_STAGES),
        "pipeline": "default",
        "closedate": iso_seconds(closes // DAY * DAY),
        "deal_currency_code": dice.choice(("USD", "EUR", "GBP")),
        "description": None,
        "hubspot_owner_id": _owner(dice),
    }


def ticket(account: str, place: int, companies: int, created: float) -> Properties:
    """A request for support from one of the companies."""
    del created
    dice = chance(account, "tickets", place)
    firm = company(account, company_place(place, companies))
    return {
        "subject": dice.choice(("Wheel wobbles", "Invoice is wrong", "Cannot log in")),
        "content": odd_text(place, f"{firm.name}, order {dice.randrange(1_000, 9_999)}"),
        "hs_pipeline": "0",
        "hs_pipeline_stage": dice.choice(TICKET_STAGES),
        "hs_ticket_priority": dice.choice(PRIORITIES),
        "hs_ticket_category": dice.choice(("PRODUCT_ISSUE", "BILLING_ISSUE", "GENERAL_INQUIRY")),
        "hubspot_owner_id": _owner(dice),
    }


BUILDERS = {"contacts": contact, "companies": business, "deals": deal, "tickets": ticket}


def owner(account: str, place: int, created: float, updated: float) -> Record:
    """A user of the account; records refer to the owner's id, not to the user's."""
    someone = person(account, "owners", place, f"{account}.example")
    user = 7_301_000 + place
    return {
        "id": identifier("owners", place),
        "email": someone.email,
        "type": "PERSON",
        "firstName": someone.first,
        "lastName": someone.last,
        "userId": user,
        "userIdIncludingInactive": user,
        "createdAt": iso_milliseconds(created),
        "updatedAt": iso_milliseconds(updated),
        "archived": False,
        "teams": [{"id": "178", "name": "East", "primary": True}] if place % 2 else [],
    }


def stamped(resource: str, record: Record, moment: float) -> Record:
    """The record with all its update stamps set."""
    stamp = iso_milliseconds(moment)
    if resource == "owners":
        return {**record, "updatedAt": stamp}
    names = ["hs_lastmodifieddate"]
    if resource == "contacts":
        names.append("lastmodifieddate")
    properties = {**record["properties"], **dict.fromkeys(names, stamp)}
    return {**record, "properties": properties, "updatedAt": stamp}


def after(record: Record, now: float) -> float:
    """The moment of a change: later than the last one, were it only by a millisecond."""
    last = datetime.fromisoformat(record["updatedAt"]).timestamp()
    return max(now, last + 0.001)


def archived(resource: str, record: Record, moment: float) -> Record:
    """The record in the recycle bin."""
    gone = {**stamped(resource, record, moment), "archived": True}
    if resource == "owners":
        return {**gone, "userId": None}
    return {**gone, "archivedAt": gone["updatedAt"]}


def _owner(dice: Random) -> str | None:
    place = dice.randrange(LIVE_OWNERS + ARCHIVED_OWNERS + 2)
    return identifier("owners", place) if place < LIVE_OWNERS + ARCHIVED_OWNERS else None
