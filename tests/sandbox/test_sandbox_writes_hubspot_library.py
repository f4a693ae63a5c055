"""HubSpot's own library writes."""

import hubspot as hubspot_sdk
import pytest
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInputForCreate,
    BatchInputSimplePublicObjectBatchInputUpsert,
    SimplePublicObjectBatchInputForCreate,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.contacts.exceptions import ApiException

from tests.sandbox.hubspot_writes import effects


@pytest.fixture
def sdk(sandbox):
    def configured(package, name, config):
        configuration = package.Configuration()
        configuration.access_token = config["access_token"]
        configuration.host = sandbox.address("hubspot", "api_base_url")
        return getattr(package, name)(package.ApiClient(configuration))

    token = sandbox.clients["hubspot", "acme"]["keys"]["private_app"]
    return hubspot_sdk.Client.create(access_token=token, api_factory=configured).crm.contacts


def test_the_official_library_writes_one(sandbox, sdk):
    new = SimplePublicObjectInputForCreate(properties={"email": "a@b.example"}, associations=[])
    made = sdk.basic_api.create(simple_public_object_input_for_create=new)
    change = SimplePublicObjectInput(properties={"city": "Oslo"})
    changed = sdk.basic_api.update(made.id, simple_public_object_input=change)
    with pytest.raises(ApiException) as caught:
        sdk.basic_api.create(simple_public_object_input_for_create=new)
    sdk.basic_api.archive(made.id)

    assert changed.updated_at > made.updated_at
    assert caught.value.status == 409
    assert effects(sandbox)["contacts"]["deleted"] == 1


def test_the_official_library_writes_batches(sdk):
    rows = [
        SimplePublicObjectBatchInputForCreate(
            properties=properties, associations=[], object_write_trace_id=trace
        )
        for trace, properties in (("a", {"email": "a@b.example"}), ("b", {"shoe_size": "43"}))
    ]
    some = BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows)
    create = sdk.batch_api.create
    partly = create(batch_input_simple_public_object_batch_input_for_create=some)
    row = SimplePublicObjectBatchInputUpsert(
        id="a@b.example", id_property="email", properties={"city": "Oslo"}
    )
    batch = BatchInputSimplePublicObjectBatchInputUpsert(inputs=[row])
    upserted = sdk.batch_api.upsert(batch_input_simple_public_object_batch_input_upsert=batch)

    assert partly.num_errors == 1
    assert partly.errors[0].context == {"objectWriteTraceId": ["b"]}
    assert upserted.results[0].new is False
    assert upserted.results[0].id == partly.results[0].id
