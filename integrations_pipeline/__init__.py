"""Integrations pipeline: SaaS accounts connected by OAuth, synced into Postgres."""
