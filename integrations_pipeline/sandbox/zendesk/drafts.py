"""New tickets, users and organizations as a client makes them: with nothing that was not given."""

from collections.abc import Callable

from integrations_pipeline.sandbox.seed import iso_seconds
from integrations_pipeline.sandbox.tables import Record
from integrations_pipeline.sandbox.zendesk.records import BRAND, GROUP, Desk, url_of


def _ticket() -> Record:
    return {
        **dict.fromkeys(("external_id", "subject", "description", "priority", "type")),
        **dict.fromkeys(("requester_id", "submitter_id", "assignee_id", "organization_id")),
        "status": "new",
        "group_id": GROUP,
        "brand_id": BRAND,
        "tags": [],
        "custom_fields": [{"id": 27_642, "value": None}],
        "satisfaction_rating": {"score": "unoffered"},
        "via": {"channel": "api"},
    }


def _user() -> Record:
    return {
        **dict.fromkeys(("name", "email", "organization_id", "external_id", "phone", "notes")),
        "role": "end-user",
        "active": True,
        "suspended": False,
        "verified": False,
        "locale": "en-US",
        "time_zone": "Copenhagen",
        "tags": [],
        "user_fields": {"tier": None},
    }


def _organization() -> Record:
    return {
        **dict.fromkeys(("name", "external_id", "details", "notes", "group_id", "deleted_at")),
        "domain_names": [],
        "shared_tickets": False,
        "shared_comments": False,
        "tags": [],
        "organization_fields": {"region": None},
    }


_DRAFTS: dict[str, Callable[[], Record]] = {
    "tickets": _ticket,
    "users": _user,
    "organizations": _organization,
}


def draft(desk: Desk, resource: str, place: int, now: float) -> Record:
    """The empty record at a place."""
    identifier = desk.id(resource, place)
    about = {"id": identifier, "url": url_of(desk, resource, identifier)}
    return {**about, **_DRAFTS[resource](), "created_at": iso_seconds(now)}
