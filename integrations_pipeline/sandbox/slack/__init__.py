"""Slack: OAuth with rotation and whose workspace it is."""
