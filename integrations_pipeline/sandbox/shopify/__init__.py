"""Shopify: OAuth with a signed callback and whose shop it is."""
