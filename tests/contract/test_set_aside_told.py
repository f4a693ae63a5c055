"""Records that can't be loaded are told in the job's story, each by its id, without its values."""

from integrations_pipeline.sync import get_sync_job_history, get_sync_logs
from tests.contract import samples
from tests.contract.pages import listed
from tests.contract.service import Answer


def test_each_record_that_was_set_aside_is_named(service, connected) -> None:
    good = [{**samples.CUSTOMER, "id": f"cus_{n}"} for n in range(20)]
    nameless = {**samples.CUSTOMER, "id": None, "email": "ada@secret.example"}
    service.get("/v1/customers", Answer(listed(*good, nameless)))
    account = connected("stripe")

    result = account.sync("customers")

    lines = get_sync_logs(account.store, account.ref, result.job_id, level="WARNING")
    told = [(line.message, line.details["record"]) for line in lines]
    assert told == [("A record was set aside: A record has no usable 'id'.", None)]
    assert "secret" not in str([(line.message, line.details) for line in lines])
    job = get_sync_job_history(account.store, account.ref)[0]
    assert (job["rejected"], job["warnings"], job["status"]) == (1, 1, "COMPLETED")
