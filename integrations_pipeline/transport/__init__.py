"""One HTTP session to a service: auth, retry, shared limits, SSRF guard."""
