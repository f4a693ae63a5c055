"""One process that calls an account as fast as it may: `python limits_worker.py` with JSON."""

import json
import sys
import threading
import time
from typing import Any

from sqlalchemy import make_url

from integrations_pipeline.connectors.access import Quota
from integrations_pipeline.connectors.base import Connector, IntegrationType
from integrations_pipeline.errors import ServiceError
from integrations_pipeline.oauth.identity import FixedToken
from integrations_pipeline.store.database import application_engine
from integrations_pipeline.transport.account import Priority
from integrations_pipeline.transport.client import ServiceClient
from integrations_pipeline.transport.ledger import PostgresLedger
from integrations_pipeline.transport.limits import Limits, Scope

SERVICE = Connector(
    type=IntegrationType.CUSTOM, name="service", label="Service", api_base_url="http://unused"
)


def client_of(
    engine: Any, url: str, account: str, quotas: tuple[Quota, ...] = (), **more: Any
) -> ServiceClient:
    """A client of an account, as a process on its own would have it."""
    scope = Scope(account, more.get("app", ""), more.get("user", "u"), more.get("reserve", 0.0))
    limits = Limits("Service", quotas, scope=scope, ledger=PostgresLedger(engine), lease=60.0)
    seconds = more.get("retry_seconds", 300.0)
    client = ServiceClient(
        SERVICE,
        url,
        FixedToken("t"),
        limits=limits,
        allow_private=True,
        timeout=10.0,
        retry_seconds=seconds,
    )
    client.priority = Priority(more.get("priority", Priority.INCREMENTAL))
    return client


def main() -> None:
    """Call with so many threads until the time is over; then tell what happened."""
    task = json.loads(sys.argv[1])
    engine = application_engine(make_url(task["database"]))
    quotas = tuple(Quota(**one) for one in task["quotas"])
    client = client_of(engine, task["url"], task["account"], quotas, **task.get("more", {}))
    ends = time.time() + task["seconds"]
    errors: list[str] = []

    def call() -> None:
        while time.time() < ends:
            try:
                client.get("/x")
            except ServiceError as error:
                errors.append(str(error))
                time.sleep(0.1)

    print("ready", flush=True)
    sys.stdin.readline()
    threads = [threading.Thread(target=call) for _ in range(task["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"calls": client.usage.calls, "errors": errors}), flush=True)


if __name__ == "__main__":
    main()
