"""The web process: connect links, OAuth callbacks, and the API of doctor and alerts."""
