"""The story of the canary test: everyday work, runs in Dagster, and endings, all with troubles."""

import base64
import warnings
from uuid import uuid4

import dagster as dg
import pytest
import requests
from pydantic import SecretStr

from integrations_pipeline.oauth import IntegrationRef, find_integration
from integrations_pipeline.oauth.care import care_for_tokens
from integrations_pipeline.orchestration.home import DATABASE_VARIABLE, dagster_url
from integrations_pipeline.orchestration.launch import DagsterClient
from integrations_pipeline.settings import load_settings
from integrations_pipeline.sync import SyncRequest, create_sync_job
from integrations_pipeline.sync import rows as loaded
from resources import Custom, DatabaseResource
from tests.e2e.canary_world import TENANT, World
from tests.e2e.test_kill import wait_for
from tests.integration.test_all_services import CUSTOM_KEYS

SYNCED = ("hubspot", "stripe", "zendesk")
ODD = ("400", "401", "403", "429", "500", "html", "drop", "truncated", "broken header", "redirect")
GRAPHQL = """{
  runsOrError { ... on Runs { results {
    runId status runConfigYaml runConfig tags { key value }
    eventConnection { events {
      ... on MessageEvent { message }
      ... on ErrorEvent { error { message stack causes { message stack } } }
    } }
  } } }
  instance { info }
}"""


def echoes(world: World) -> list[IntegrationRef]:
    """Services that repeat what they were sent, in every answer that can be thought of."""
    key = world.sandbox.client("custom")["keys"]
    refs = [
        world.connect_to_echo(f"echo-{place}", auth, key[name])
        for place, (auth, name) in enumerate(CUSTOM_KEYS.values())
    ]
    granted = {"type": "client_credentials", "token_url": f"{world.echo.url}/token"}
    for how in ("body", "basic"):
        auth, secret = {**granted, "client_auth": how}, f"echo-{uuid4().hex}"
        world.canaries.add("client secret of the repeating service", secret)
        refs.append(world.connect_to_echo(f"echo-{how}", auth, secret))
    for mode in ODD:
        world.echo.mode = mode
        for ref in refs:
            world.probe(ref, mode)
        for ref in refs[-2:]:
            world.refresh(ref, "well")
    for ref in refs:
        world.move(ref, "http://127.0.0.1:9")
        moved = find_integration(world.store, ref.key)
        world.probe(moved, "nobody there")
        if ref in refs[-2:]:
            world.refresh(moved, "well")
        world.move(ref, world.echo.url)
    gone = world.connect_to_echo("echo-gone", *in_query(key["api_key"]))
    world.move(gone, "http://127.0.0.1:9")
    return [*refs, gone]


def in_query(key: str) -> tuple[dict[str, str], str]:
    """A key that goes into addresses, where so many things tell it."""
    return {"type": "api_key", "in": "query", "name": "api_key"}, key


def mistakes(world: World) -> None:
    """Settings that are wrong, with secrets in them."""
    password, short = f"pw-{uuid4()}", base64.b64encode(uuid4().bytes).decode()
    world.canaries.add("password in a wrong setting", password)
    world.canaries.add("master key of a wrong length", short)
    url = f"postgresql://us:{password}@127.0.0.1"
    for name, value in (
        ("DATABASE_URL", f"{url}:9/db"),
        ("DATABASE_URL", f"{url}:port/db"),
        ("DATABASE_URL", f"postgresql://us:a@{password}@127.0.0.1:9/db"),
        ("DATABASE_URL", f"mysql://us:{password}@127.0.0.1/db"),
        ("DATABASE_URL", password),
        ("INTEGRATIONS_MASTER_KEY", short),
        ("INTEGRATIONS_MASTER_KEY", f"{short}!"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, value)
            world.cli("list")
    wrong = {"INTEGRATIONS_DAGSTER_DATABASE_URL": f"{url}:port/db"}
    world.spawn("serve", "--port", "8900", environment=wrong)
    with pytest.MonkeyPatch.context() as patch:
        address = SecretStr(f"http://127.0.0.1:9/{password}")
        patch.setattr(world.store.settings, "alert_url", address)
        world.attempt("no alerts", lambda: care_for_tokens(world.store))


def everyday(world: World, refs: dict[str, IntegrationRef], patch: pytest.MonkeyPatch) -> None:
    """Syncs, refreshes, a rotation of the keys; and the troubles of each."""
    world.cli("api-key", "--tenant", TENANT, "--name", "canary")
    key = next(iter(world.canaries.values("API key")))
    for path in ("/api/alerts", f"/api/integrations/{refs['slack'].id}/doctor"):
        for sent in (key, f"{key}x"):
            browser = requests.Session()
            browser.headers["Authorization"] = f"Bearer {sent}"
            world.get(browser, path)
    for name in SYNCED:
        world.cli("sync", refs[name].key, "--verbose")
        for kind in ("html", "drop", "wrong_types", "error", "truncated"):
            world.sandbox.fault(name, kind, count=2)
            world.cli("sync", refs[name].key, "--sync-type", "FULL_SYNC", "--verbose")
            world.sandbox.send("DELETE", f"/sandbox/{name}/faults")
    for ref in refs.values():
        world.trouble(ref, "error", "rate_limit", "html", "truncated", "drop", "expired_token")
        if ref.connector.name != "mailchimp":
            world.refresh(ref, "error", "rate_limit", "html", "slow", "well")
    world.spawn("keys", "rotate")
    person = world.sandbox.records("hubspot", "contacts")[0]["properties"]["email"]
    world.refused_rows(refs["hubspot"], person)
    sound = loaded.jsons
    broken = lambda values: sound(v and v.replace(b'"', b"'") for v in values)  # noqa: E731
    with patch.context() as inner:
        inner.setattr(loaded, "jsons", broken)
        world.cli("sync", refs["hubspot"].key, "--sync-type", "FULL_SYNC", "--verbose")
    world.cli("doctor", "--json")


def dagster_runs(
    world: World, refs: dict[str, IntegrationRef], echoes: list[IntegrationRef]
) -> None:
    """Runs in Dagster's own processes, and assets of a customer's own that fail."""
    port = int(world.web.rpartition(":")[2]) + 10
    url = f"http://127.0.0.1:{port}"
    client = DagsterClient(url)
    world.sandbox.fault("hubspot", "html", count=100, path="/deals")
    runs = []
    for name, resource in (("hubspot", "deals"), ("stripe", "customers")):
        client.add_partition(refs[name].connector, refs[name].key)
        job_id = create_sync_job(world.store, refs[name], SyncRequest(resources=[resource]))
        runs.append(client.launch(world.store, job_id))
    settings = load_settings()
    database = dagster_url(settings, world.store.url).render_as_string(hide_password=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATABASE_VARIABLE, database)
        _own_assets(world, echoes)
    ended = {"SUCCESS", "FAILURE", "CANCELED"}
    wait_for(lambda: all(client.run_status(run) in ended for run in runs if run), 120)
    answer = requests.post(f"{url}/graphql", json={"query": GRAPHQL}, timeout=60)
    assert "errors" not in answer.json(), answer.text[:500]
    world.evidence.add("answers of Dagster", "runs", answer.text)


def _own_assets(world: World, echoes: list[IntegrationRef]) -> None:
    """Each asset's call fails in another way; its traceback goes to Dagster's event log."""

    def failing(mode: str, ref: IntegrationRef) -> dg.AssetsDefinition:
        @dg.asset(name=f"own_{mode}_{ref.key}".replace(" ", "_").replace("-", "_"))
        def own(custom: Custom) -> None:
            world.echo.mode = mode
            try:
                custom.session(ref.key).get("/things").raise_for_status()
                custom.client(ref.key).get("/things")
            except requests.RequestException as error:
                raise RuntimeError(f"No things: {error}") from error

        return own

    tried = [(mode, ref) for mode in ODD for ref in echoes[:2]]
    assets = [failing(*one) for one in (*tried, ("400", echoes[-1]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # else Dagster's own end the assets before they begin
        with dg.DagsterInstance.from_config(str(world.home / "dagster")) as instance:
            custom = Custom(database=DatabaseResource())
            dg.materialize(
                assets, instance=instance, resources={"custom": custom}, raise_on_error=False
            )


def endings(world: World, refs: dict[str, IntegrationRef], by_key: list[IntegrationRef]) -> None:
    """Grants that were ended at the service, alerts, and the end of every connection."""
    for name, ref in refs.items():
        if name != "mailchimp":
            world.refresh(ref, "truncated", "drop")
        world.sandbox.send("DELETE", f"/sandbox/{name}/acme/grants")
        world.refresh(ref, "well")
        world.probe(ref, "ended")
    mistakes(world)
    world.attempt("care", lambda: care_for_tokens(world.store))
    wait_for(lambda: world.echo.alerts)
    for words in (["alerts", "--json"], ["list", "--json"], ["doctor", "--json"], ["services"]):
        world.cli(*words)
    for ref in (*refs.values(), *by_key):
        world.sandbox.fault(ref.connector.name, "error", path="rev")
        world.cli("disconnect", ref.key)
        world.sandbox.send("DELETE", f"/sandbox/{ref.connector.name}/faults")
