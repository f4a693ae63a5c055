"""Mailchimp: OAuth, API keys and whose account it is."""
