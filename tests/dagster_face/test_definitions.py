"""The code location loads, and holds what the documentation promises."""

import dagster as dg
import pytest

from integrations_pipeline.connectors import CONNECTORS, SYNCED
from integrations_pipeline.definitions import defs
from resources import OAuthClientResource


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_resource_is_an_asset_of_its_service() -> None:
    graph = defs.resolve_asset_graph()

    expected = {dg.AssetKey([c.name, r.name]) for c in CONNECTORS.values() for r in c.resources}
    assert graph.get_all_asset_keys() == expected


@pytest.mark.parametrize("service", SYNCED)
def test_an_asset_tells_what_it_is(service: str) -> None:
    graph = defs.resolve_asset_graph()
    for resource in SYNCED[service].resources:
        node = graph.get(dg.AssetKey([service, resource.name]))

        assert node.group_name == service
        assert node.kinds == {service, "postgres"}
        assert node.owners == ["team:data"]
        assert node.description
        assert node.metadata["dagster/column_schema"]


def test_everything_that_fires_is_on_from_the_start() -> None:
    repository = defs.get_repository_def()

    assert {s.name for s in repository.sensor_defs} == {"pending_jobs", "token_care"}
    assert {s.name for s in repository.schedule_defs} == {f"dispatch_{n}" for n in SYNCED}
    for sensor in repository.sensor_defs:
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    for schedule in repository.schedule_defs:
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_every_service_has_an_oauth_client() -> None:
    assert defs.resources is not None
    clients = {n: r for n, r in defs.resources.items() if isinstance(r, OAuthClientResource)}

    assert set(clients) == set(CONNECTORS)
    assert all(client.service == name for name, client in clients.items())
