"""A plain REST API with plain OAuth, for connectors that admins declare themselves."""
