"""Salesforce: OAuth and whose org it is."""
