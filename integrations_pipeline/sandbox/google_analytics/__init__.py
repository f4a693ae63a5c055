"""Google Analytics: OAuth, service accounts and whose properties they reach."""
