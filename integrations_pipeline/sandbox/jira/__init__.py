"""Jira Cloud: OAuth, API tokens and whose sites they reach."""
