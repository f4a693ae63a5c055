"""The made-up records of a Zendesk account, each built from its place in the data set."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from integrations_pipeline.sandbox.accounts import digest
from integrations_pipeline.sandbox.seed import (
    ANCHOR,
    DAY,
    chance,
    company,
    is_sparse,
    iso_seconds,
    odd_text,
    person,
)
from integrations_pipeline.sandbox.tables import Record

AGENTS = 8
INACTIVE_USERS = 5
DELETED_TICKETS = 10
_FIRST_ID = {
    "tickets": 1,
    "users": 20_978_392_011,
    "organizations": 509_974_001,
    "ticket_metrics": 9_901_001,
    "satisfaction_ratings": 35_121,
}
GROUP = 98_738_001
BRAND = 360_000_001
_SUBJECTS = ("Order did not arrive", "Cannot log in", "Wrong amount on the invoice", "Flat tyre")
_SCRUBBED = "SCRUBBED"


@dataclass(frozen=True)
class Desk:
    """An account with the number of its records, from which their relations follow."""

    account: str
    sizes: Mapping[str, int]

    def id(self, resource: str, place: int) -> int:
        return _FIRST_ID[resource] + place

    def requester(self, ticket: int) -> int:
        """The place of an end user; the first places are agents."""
        return AGENTS + ticket * 13 % max(1, self.sizes["users"] - AGENTS)

    def organization_of(self, user: int) -> int:
        return user % self.sizes["organizations"]

    def rated_ticket(self, rating: int) -> int:
        return rating * self.sizes["tickets"] // self.sizes["satisfaction_ratings"]

    def score(self, rating: int) -> str:
        """One in six was offered and never given; those made later are good."""
        if rating >= self.sizes["satisfaction_ratings"]:
            return "good"
        return ("good", "good", "bad", "good", "good", "offered")[rating % 6]

    def score_of_ticket(self, ticket: int) -> str:
        ratings, tickets = self.sizes["satisfaction_ratings"], self.sizes["tickets"]
        rating = -(-ticket * ratings // tickets)
        rated = rating < ratings and self.rated_ticket(rating) == ticket
        return self.score(rating) if rated else "unoffered"


def user(desk: Desk, place: int, created: float) -> Record:
    """An agent for the first places, the very first an admin; else a customer."""
    agent = place < AGENTS
    organization = desk.organization_of(place)
    domain = f"{desk.account}.example" if agent else company(desk.account, organization).domain
    someone = person(desk.account, "users", place, domain)
    sparse = is_sparse(place) and not agent
    return {
        "id": desk.id("users", place),
        "url": url_of(desk, "users", desk.id("users", place)),
        "name": someone.name,
        "email": None if sparse else someone.email,
        "role": ("admin" if place == 0 else "agent") if agent else "end-user",
        "active": True,
        "suspended": place % 97 == 60,
        "verified": not sparse,
        "organization_id": None if sparse or agent else desk.id("organizations", organization),
        "external_id": f"crm-{place}" if place % 3 == 0 and not sparse else None,
        "phone": None if sparse else someone.phone,
        "locale": "en-US",
        "time_zone": "Copenhagen",
        "notes": None if sparse else odd_text(place, ""),
        "tags": [] if sparse else ["vip"] * (place % 11 == 0),
        "user_fields": {"tier": None if sparse else ("gold", "silver")[place % 2]},
        "created_at": iso_seconds(created),
    }


def organization(desk: Desk, place: int, created: float) -> Record:
    """A company whose people write in."""
    firm = company(desk.account, place)
    sparse = is_sparse(place)
    return {
        "id": desk.id("organizations", place),
        "url": url_of(desk, "organizations", desk.id("organizations", place)),
        "name": firm.name,
        "domain_names": [] if sparse else [firm.domain],
        "external_id": None if sparse else f"acc-{place}",
        "details": None if sparse else odd_text(place, ""),
        "notes": None,
        "group_id": None,
        "shared_tickets": False,
        "shared_comments": False,
        "tags": [],
        "organization_fields": {"region": None if sparse else ("north", "south")[place % 2]},
        "deleted_at": None,
        "created_at": iso_seconds(created),
    }


def ticket(desk: Desk, place: int, created: float) -> Record:
    """A request by an end user; old ones are mostly closed."""
    dice = chance(desk.account, "tickets", place)
    requester = desk.requester(place)
    sparse = is_sparse(place)
    old = created < ANCHOR - 200 * DAY and dice.random() < 0.9
    return {
        "id": desk.id("tickets", place),
        "url": url_of(desk, "tickets", desk.id("tickets", place)),
        "external_id": f"crm-{place}" if place % 4 == 0 and not sparse else None,
        "subject": None if sparse else dice.choice(_SUBJECTS),
        "description": odd_text(place, f"It is about order {dice.randrange(1_000, 9_999)}."),
        "status": "closed" if old else dice.choice(("new", "open", "pending", "hold", "solved")),
        "priority": None if sparse else dice.choice(("low", "normal", "high", "urgent")),
        "type": None if sparse else dice.choice(("question", "incident", "problem", "task")),
        "requester_id": desk.id("users", requester),
        "submitter_id": desk.id("users", requester),
        "assignee_id": None if sparse else desk.id("users", dice.randrange(AGENTS)),
        "organization_id": None
        if sparse
        else desk.id("organizations", desk.organization_of(requester)),
        "group_id": None if sparse else GROUP,
        "brand_id": BRAND,
        "tags": [] if sparse else [dice.choice(("shipping", "billing", "login"))],
        "custom_fields": [{"id": 27_642, "value": None if sparse else str(dice.randrange(1_000))}],
        "satisfaction_rating": {"score": desk.score_of_ticket(place)},
        "via": {"channel": dice.choice(("email", "web", "api"))},
        "created_at": iso_seconds(created),
    }


def metric(desk: Desk, place: int, about: Record) -> Record:
    """The metric set of a ticket."""
    dice = chance(desk.account, "metrics", place)
    solved = about["updated_at"] if about["status"] in {"solved", "closed"} else None
    resolved = _minutes(dice, 9_000) if solved else {"calendar": None, "business": None}
    return {
        "id": desk.id("ticket_metrics", place),
        "ticket_id": about["id"],
        "reopens": dice.randrange(3),
        "replies": dice.randrange(9),
        "assigned_at": about["created_at"] if about["assignee_id"] else None,
        "initially_assigned_at": about["created_at"] if about["assignee_id"] else None,
        "solved_at": solved,
        "latest_comment_added_at": about["updated_at"],
        "reply_time_in_minutes": _minutes(dice, 600),
        "first_resolution_time_in_minutes": resolved,
        "full_resolution_time_in_minutes": resolved,
        "agent_wait_time_in_minutes": _minutes(dice, 900),
        "requester_wait_time_in_minutes": _minutes(dice, 3_000),
        "created_at": about["created_at"],
        "updated_at": about["updated_at"],
    }


def rating(desk: Desk, place: int, created: float) -> Record:
    """What a requester thought of a ticket."""
    dice = chance(desk.account, "ratings", place)
    about = desk.rated_ticket(place) % desk.sizes["tickets"]
    score = desk.score(place)
    said = score != "offered" and place % 2 == 0
    return {
        "id": desk.id("satisfaction_ratings", place),
        "url": url_of(desk, "satisfaction_ratings", desk.id("satisfaction_ratings", place)),
        "ticket_id": desk.id("tickets", about),
        "score": score,
        "comment": odd_text(place, "Quick help") or None if said else None,
        "reason": None,
        "assignee_id": desk.id("users", dice.randrange(AGENTS)),
        "group_id": GROUP,
        "requester_id": desk.id("users", desk.requester(about)),
        "created_at": iso_seconds(created),
    }


def deleted_ticket(record: Record) -> Record:
    """A deleted ticket keeps its id and loses its content."""
    return {
        **record,
        "status": "deleted",
        "subject": _SCRUBBED,
        "description": _SCRUBBED,
        "tags": [],
        "custom_fields": [],
    }


def ticket_fields() -> list[Record]:
    """The fields of tickets; the only custom one is a text."""
    system = ("subject", "description", "status", "tickettype", "priority", "group", "assignee")
    kinds = (*((name, name.capitalize()) for name in system), ("text", "Order reference"))
    return [
        {
            "id": 27_642 - len(system) + place,
            "type": kind,
            "title": title,
            "active": True,
            "required": False,
            "removable": kind == "text",
            "created_at": iso_seconds(ANCHOR - 730 * DAY),
            "updated_at": iso_seconds(ANCHOR - 730 * DAY),
        }
        for place, (kind, title) in enumerate(kinds)
    ]


def account_number(account: str) -> int:
    """The numeric account_id that webhooks carry."""
    return 10_000_000 + int(digest(account, "zendesk account")[:5], 16)


def _minutes(dice: Random, most: int) -> Record:
    calendar = dice.randrange(1, most)
    return {"calendar": calendar, "business": calendar // 3}


def url_of(desk: Desk, resource: str, identifier: int) -> str:
    """Where the API has the record."""
    return f"https://{desk.account}.zendesk.com/api/v2/{resource}/{identifier}.json"
