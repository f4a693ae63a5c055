"""The web process: OAuth callback and connect links."""
