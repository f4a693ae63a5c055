"""What to try syncs on."""

RESOURCES = {"hubspot": "contacts", "stripe": "customers", "zendesk": "tickets"}
"""One resource of each service."""
