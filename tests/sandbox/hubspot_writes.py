"""Writing to HubSpot as a client with a token, and what it came to."""

CONTACTS = "/crm/v3/objects/contacts"
TYPES = ("contacts", "companies", "deals", "tickets")
WRITES = " ".join(f"crm.objects.{name}.{kind}" for name in TYPES for kind in ("read", "write"))


def writer(sandbox, account="acme", scope=WRITES):
    token = sandbox.connect("hubspot", account, scope=f"oauth {scope}")["access_token"]
    return sandbox.api("hubspot", account, token)


def effects(sandbox, service="hubspot", account="acme"):
    return sandbox.http.get(f"/sandbox/{service}/{account}/effects").json()


def traced(*rows):
    return {"inputs": [{"objectWriteTraceId": f"row-{n}", **row} for n, row in enumerate(rows)]}
