"""Dagster resources: the database, each service's OAuth client, and records as DataFrames."""

from resources.clients import (
    Custom,
    GoogleAnalytics,
    HubSpot,
    Jira,
    Mailchimp,
    MicrosoftTeams,
    OAuthClientResource,
    QuickBooks,
    Salesforce,
    Shopify,
    Slack,
    Stripe,
    Zendesk,
    client_resources,
)
from resources.database import DatabaseResource
from resources.records import RecordsResource

__all__ = [
    "Custom",
    "DatabaseResource",
    "GoogleAnalytics",
    "HubSpot",
    "Jira",
    "Mailchimp",
    "MicrosoftTeams",
    "OAuthClientResource",
    "QuickBooks",
    "RecordsResource",
    "Salesforce",
    "Shopify",
    "Slack",
    "Stripe",
    "Zendesk",
    "client_resources",
]
