"""Stripe's API for the objects a sync reads, with events for every change."""
