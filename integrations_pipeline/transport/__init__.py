"""One HTTP session to a service: auth, retry, pacing, limits, SSRF guard."""
