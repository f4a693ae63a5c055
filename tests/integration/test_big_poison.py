"""Records that can't be loaded: set aside with the reason, and the others go on."""

from random import Random

import orjson
import pytest

from integrations_pipeline.store.states import JobStatus
from integrations_pipeline.sync import batches, records
from integrations_pipeline.sync.letters import count_letters, discard, open_letters
from integrations_pipeline.sync.mapping import remove_mapping, save_mapping
from tests.integration.big_source import FIRST
from tests.integration.big_syncs import Big
from tests.integration.support import one_row
from tests.unit.mapped import mapping, step

POISON = [
    b"[1,2]",
    b'"text"',
    b"null",
    b'{"name":"no id"}',
    b'{"id":"%s"}' % (b"k" * 2000),
    b'{"id":"a\\u0000b"}',
    b'{"id":null}',
    b'{"id":true}',
    b'{"id":{}}',
    b'{"id":""}',
]


def lay(big: Big, count: int) -> list[int]:
    """Put what is no record in the place of some; never of a page's last, which shows the way."""
    ids = sorted(big.source.records)[5 :: len(big.source.records) // count][:count]
    big.source.odd = {key: POISON[place % len(POISON)] for place, key in enumerate(ids)}
    return ids


def choose(big: Big, kinds: dict[str, str]) -> None:
    """Map a field that knows only these values."""
    save_mapping(
        big.store,
        big.ref,
        mapping("kind", "kind", step("lookup", table=kinds), resource="records"),
    )


def letters(big: Big) -> list:
    return open_letters(big.store, big.ref, limit=1000)


@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_ten_of_ten_thousand_that_are_no_records(make_big, first) -> None:
    big = make_big(10_000)
    if not first:
        assert big.sync().status is JobStatus.COMPLETED
    lay(big, 10)

    result = big.sync(sync_type="FULL_SYNC")

    assert result.status is JobStatus.COMPLETED, result.error
    assert result.resources[0].counts.rejected == 10
    assert sorted(letter.payload for letter in letters(big)) == sorted(
        orjson.dumps(orjson.loads(raw)) for raw in POISON
    )
    assert all(letter.reason and letter.record_id is None for letter in letters(big))
    assert big.state()[0] == 9_990 if first else 10_000


@pytest.mark.parametrize("kind", ["MANUAL", "FULL_SYNC"])
def test_ten_of_ten_thousand_that_no_transform_can_handle(make_big, kind) -> None:
    big = make_big(10_000)
    choose(big, {"a": "A"})
    assert big.sync().status is JobStatus.COMPLETED
    big.source.change(1, Random(1))
    ids = sorted(big.source.records)[999::1000]  # the last of each page
    big.source.spoil(ids, kind="b")

    result = big.sync(sync_type=kind)

    assert result.status is JobStatus.COMPLETED, result.error
    counts = result.resources[0].counts
    assert (counts.processed, counts.updated, counts.rejected) == (10_000, 9_990, 10)
    assert {int(letter.record_id) for letter in letters(big)} == set(ids)
    assert all("not in the table" in letter.reason for letter in letters(big))
    sent = [orjson.loads(big.source.odd[key]) for key in ids]
    assert all(orjson.loads(letter.payload) in sent for letter in letters(big))
    sql = "SELECT count(*) FROM big.records WHERE integration_id = :id AND deleted_at IS NULL"
    assert one_row(big.store, sql, id=big.ref.id)[0] == 10_000  # as they were before

    assert big.sync(sync_type="FULL_SYNC").status is JobStatus.COMPLETED
    assert [letter.times for letter in letters(big)] == [2] * 10

    big.source.odd.clear()
    assert big.sync(sync_type="FULL_SYNC").status is JobStatus.COMPLETED
    assert (big.state(), letters(big)) == (big.source.digest(), [])


@pytest.mark.parametrize("kind", ["MANUAL", "FULL_SYNC"])
def test_more_than_one_in_a_hundred_end_the_sync(make_big, kind, monkeypatch) -> None:
    monkeypatch.setattr(batches, "GROUP_ROWS", 5_000)  # all of them are one batch
    big = make_big(3_000)
    choose(big, {"a": "A"})
    assert big.sync().status is JobStatus.COMPLETED
    before = (big.state(), big.checkpoint()[0])
    big.source.change(1, Random(1))
    ids = sorted(big.source.records)[::90]
    big.source.spoil(ids, kind="b")

    for _ in range(2):  # the second try does not go on behind those that the first one met
        result = big.sync(sync_type=kind)

        assert result.status is JobStatus.FAILED
        assert "can't be loaded" in result.error
        assert big.checkpoint() == (before[1], None)
        assert big.staged() == 0
        assert big.state() == before[0]
        assert {int(letter.record_id) for letter in letters(big)} == set(ids)
    big.source.odd.clear()
    assert big.sync(sync_type=kind).status is JobStatus.COMPLETED
    assert (big.state(), letters(big)) == (big.source.digest(), [])


def test_a_replay_loads_what_was_set_aside(make_big) -> None:
    big = make_big(2_000)
    choose(big, {"a": "A"})
    ids = sorted(big.source.records)[:10]
    big.source.spoil(sorted(big.source.records)[10:11], kind="a")
    big.source.spoil(ids[:5], kind="b")
    big.source.spoil(ids[5:], kind="c")
    assert big.sync().status is JobStatus.COMPLETED
    assert (big.state()[0], count_letters(big.store, big.ref)) == (1_990, 10)
    choose(big, {"a": "A", "b": "B"})
    asked = big.source.count()

    result = big.sync(sync_type="SELECTIVE", replay=True)

    assert result.status is JobStatus.COMPLETED, result.error
    assert (big.state()[0], big.source.count()) == (1_995, asked)
    assert {int(letter.record_id) for letter in letters(big)} == set(ids[5:])
    remove_mapping(big.store, big.ref, "records", "kind")
    assert big.sync(sync_type="SELECTIVE", replay=True).status is JobStatus.COMPLETED
    assert (big.state(), letters(big)) == (big.source.digest(), [])


def test_a_replay_closes_letters_whose_id_could_not_be_read(make_big, monkeypatch) -> None:
    big = make_big(100)
    lay(big, 10)
    assert big.sync().status is JobStatus.COMPLETED
    monkeypatch.setattr(records, "LONGEST_KEY", 2000)

    assert big.sync(sync_type="SELECTIVE", replay=True).status is JobStatus.COMPLETED

    assert (big.state()[0], len(letters(big))) == (91, 9)
    assert discard(big.store, big.ref) == 9
    assert letters(big) == []


def test_a_record_without_an_id_lets_nothing_be_deleted(make_big) -> None:
    big = make_big(1_000)
    assert big.sync().status is JobStatus.COMPLETED
    lay(big, 1)
    big.source.delete([FIRST + 7], told=False)

    assert big.sync(sync_type="FULL_SYNC").status is JobStatus.COMPLETED
    assert big.state()[0] == 1_000

    big.source.odd.clear()
    assert big.sync(sync_type="FULL_SYNC").status is JobStatus.COMPLETED
    assert big.state() == big.source.digest()


def test_the_only_record_that_changed_is_broken(make_big) -> None:
    big = make_big(1_001)  # the last page holds one record
    big.source.odd = {FIRST + 1000: b'{"id":null}'}

    result = big.sync()

    assert result.status is JobStatus.COMPLETED, result.error
    assert (big.state()[0], len(letters(big))) == (1_000, 1)
