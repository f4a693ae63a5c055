"""Writing to Zendesk as a client with a token, and what it came to."""

API = "/api/v2"
TICKET = {"ticket": {"subject": "Late", "comment": {"body": "Where is it?"}}}
PLURALS = {"ticket": "tickets", "user": "users", "organization": "organizations"}


def writer(sandbox, account="acme", scope="read write"):
    token = sandbox.connect("zendesk", account, scope=scope)["access_token"]
    return sandbox.api("zendesk", account, token)


def effects(sandbox, account="acme"):
    return sandbox.http.get(f"/sandbox/zendesk/{account}/effects").json()


def counted(created=0, updated=0, unchanged=0, deleted=0):
    return {"created": created, "updated": updated, "unchanged": unchanged, "deleted": deleted}


def finished(client, clock, answer):
    """The results of a job once its time is up."""
    assert answer.status_code == 200, answer.text
    status = answer.json()["job_status"]
    clock.advance(1)
    job = client.get(status["url"]).json()["job_status"]
    assert (job["id"], job["status"], job["progress"]) == (
        status["id"],
        "completed",
        job["total"],
    )
    return job["results"]
