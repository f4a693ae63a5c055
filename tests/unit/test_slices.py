"""Slices of time: nothing is read twice or left out, whatever is in them."""

from hypothesis import given
from hypothesis import strategies as st

from integrations_pipeline.sync.slices import DAY, GROWTH, Slices

RECORDS = 5000
SPANS = st.lists(st.integers(0, 3000), min_size=2, max_size=6, unique=True).map(
    lambda edges: list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)
COUNTS = st.lists(st.integers(0, 3 * RECORDS), max_size=40)


@given(spans=SPANS, width=st.integers(1, 400), counts=COUNTS, abreast=st.integers(1, 4))
def test_slices_cover_the_spans_once(spans, width, counts, abreast) -> None:
    slices, left, running, read = Slices(spans, records=RECORDS, width=width), iter(counts), [], []
    while True:
        while len(running) < abreast and (one := slices.take()) is not None:
            running.append(one)
        if not running:
            break
        one = running.pop(0)
        read.append(one)
        slices.done(one, next(left, 100))

    met = sorted(second for one in read for second in range(one.since, one.until))
    assert met == [second for since, until in spans for second in range(since, until)]
    assert slices.left == []


@given(spans=SPANS, width=st.integers(1, 400), taken=st.integers(0, 4), ended=st.integers(0, 4))
def test_what_is_left_can_be_gone_on_with(spans, width, taken, ended) -> None:
    slices = Slices(spans, records=RECORDS, width=width)
    some = [one for _ in range(taken) if (one := slices.take()) is not None]
    for one in some[:ended]:
        slices.done(one, 10)

    again, read = Slices(slices.left, records=RECORDS, width=width), some[:ended]
    while (one := again.take()) is not None:
        read.append(one)

    met = sorted(second for one in read for second in range(one.since, one.until))
    assert met == [second for since, until in spans for second in range(since, until)]


def test_the_next_slices_are_cut_by_what_was_in_the_last_one() -> None:
    slices = Slices([(0, 1000 * DAY)], records=RECORDS, width=7 * DAY, unit=DAY, longest=366 * DAY)
    widths = []
    for records in (0, RECORDS // 2, RECORDS * 10, 10**9, 0, 0, 0, 0, 0, 0):
        one = slices.take()
        slices.done(one, records)
        widths.append(slices.width // DAY)

    assert widths[:4] == [7 * GROWTH, 56, 5, 1]
    assert widths[4:] == [4, 16, 64, 256, 366, 366]
