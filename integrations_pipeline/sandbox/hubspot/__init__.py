"""HubSpot's CRM API: objects, owners, properties and search."""
