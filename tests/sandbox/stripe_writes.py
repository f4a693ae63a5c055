"""What writing to Stripe came to."""

CUSTOMERS = "/v1/customers"


def effects(sandbox, account="acme"):
    return sandbox.http.get(f"/sandbox/stripe/{account}/effects").json()


def events(client, **params):
    return client.get("/v1/events", params=params).json()["data"]
