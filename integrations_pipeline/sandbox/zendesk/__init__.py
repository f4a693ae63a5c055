"""Zendesk's Ticketing API: incremental exports and lists."""
