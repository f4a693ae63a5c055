"""The three-way merge, field by field and as a whole."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations_pipeline.store.policy import ConflictRule, FieldOwner
from integrations_pipeline.sync.reconciling import Merged, Rules, merge, same

NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from([None, "", "x", "y", "1", 1, 1.0, True, "true", ["x"], {"k": "x"}])
RECORDS = st.dictionaries(NAMES, VALUES)
BASES = st.none() | RECORDS
OWNERS = st.dictionaries(NAMES, st.sampled_from(FieldOwner))
CONFLICTS = st.sampled_from(ConflictRule)


def rules(
    conflicts: ConflictRule, owners: dict[str, FieldOwner] | None = None, *, newer: bool = False
) -> Rules:
    known = owners or {}
    return Rules(
        conflicts=conflicts,
        owner=lambda name: known.get(name, FieldOwner.SHARED),
        ours_is_newer=newer,
    )


SOME_RULES = st.builds(lambda c, o, n: rules(c, o, newer=n), CONFLICTS, OWNERS, st.booleans())


def places(merged: Merged) -> list[str]:
    return [*merged.send, *merged.kept, *merged.foreign, *merged.lost, *merged.held]


def applied(theirs: dict[str, Any], merged: Merged) -> dict[str, Any]:
    """The service's record after what is sent has reached it."""
    return {**theirs, **merged.send}


TABLE = [
    # ours, base, theirs: equal; only ours changed; only theirs changed; both, alike; both
    ("x", "o", "x", "kept"),
    ("x", "o", "o", "send"),
    ("o", "o", "y", "kept"),
    ("x", "o", "X", "conflict"),
    ("", "o", "o", "send"),
    ("", None, None, "kept"),
    ("x", None, None, "send"),
    (1200, "1000", "1200.00", "kept"),
]


@pytest.mark.parametrize(("ours", "base", "theirs", "place"), TABLE)
@pytest.mark.parametrize("rule", list(ConflictRule))
def test_a_shared_field_goes_where_the_table_says(rule, ours, base, theirs, place) -> None:
    merged = merge({"f": ours}, {"f": base}, {"f": theirs}, rules(rule, newer=True))

    winner = {ConflictRule.SOURCE_WINS: "lost", ConflictRule.HOLD: "held"}.get(rule, "send")
    assert "f" in getattr(merged, winner if place == "conflict" else place)


@pytest.mark.parametrize(("newer", "place"), [(True, "send"), (False, "lost")])
def test_the_newest_wins(newer, place) -> None:
    merged = merge({"f": 1}, {"f": 0}, {"f": 2}, rules(ConflictRule.NEWEST_WINS, newer=newer))

    assert "f" in getattr(merged, place)


def test_a_held_field_shows_all_three_values() -> None:
    merged = merge({"f": 1}, {"f": 0}, {"f": 2}, rules(ConflictRule.HOLD))

    assert merged.held["f"].told() == {"base": 0, "ours": 1, "theirs": 2}


def test_without_a_base_a_difference_is_a_conflict() -> None:
    assert merge({"f": 1}, None, {"f": 2}, rules(ConflictRule.SOURCE_WINS)).lost == ["f"]
    assert merge({"f": 1}, None, {"f": 2}, rules(ConflictRule.OURS_WINS)).send == {"f": 1}
    assert merge({"f": 1}, None, {"f": 1}, rules(ConflictRule.HOLD)).kept == ["f"]


@given(RECORDS, BASES, RECORDS, SOME_RULES)
def test_every_field_is_in_exactly_one_place(ours, base, theirs, some) -> None:
    merged = merge(ours, base, theirs, some)

    assert sorted(places(merged)) == sorted(ours)
    assert all(merged.send[name] == ours[name] for name in merged.send)


@given(RECORDS, BASES, RECORDS, SOME_RULES)
def test_what_was_sent_is_not_sent_again(ours, base, theirs, some) -> None:
    """The echo of our own write: neither the same base nor the new one makes it a change."""
    merged = merge(ours, base, theirs, some)
    after = applied(theirs, merged)

    for known in (base, after):
        again = merge(ours, known, after, some)
        assert not again.send.keys() & merged.send.keys()


@given(RECORDS, BASES, RECORDS, SOME_RULES)
def test_the_owner_decides(ours, base, theirs, some) -> None:
    merged = merge(ours, base, theirs, some)

    for name, value in ours.items():
        if some.owner(name) is FieldOwner.SOURCE:
            assert name in merged.foreign
        elif some.owner(name) is FieldOwner.OURS:
            assert (name in merged.send) is not same(name, value, theirs.get(name))


@given(RECORDS, RECORDS, SOME_RULES)
def test_a_field_that_only_we_changed_is_sent(ours, theirs, some) -> None:
    shared = replace(some, owner=lambda _: FieldOwner.SHARED)
    merged = merge(ours, theirs, theirs, shared)

    assert not merged.lost
    assert not merged.held
    assert {n for n in ours if not same(n, ours[n], theirs.get(n))} == set(merged.send)


@given(RECORDS, RECORDS, SOME_RULES)
def test_a_field_that_only_the_service_changed_stays(ours, theirs, some) -> None:
    shared = replace(some, owner=lambda _: FieldOwner.SHARED)
    merged = merge(ours, ours, theirs, shared)

    assert sorted(places(merged)) == sorted(merged.kept + list(merged.send))
    # an object is merged into what is there: a key of ours that they lack is ours alone
    assert all(isinstance(ours[name], dict) for name in merged.send)


@given(RECORDS, BASES, RECORDS, OWNERS)
def test_both_sides_settle_on_one_value(ours, base, theirs, owners) -> None:
    """Whoever wins: after one write at most, the next merge has nothing to do."""
    for rule in (ConflictRule.SOURCE_WINS, ConflictRule.OURS_WINS):
        some = rules(rule, owners)
        after = applied(theirs, merge(ours, base, theirs, some))
        again = merge(ours, after, after, rules(rule, owners))
        settled = merge(after, after, after, rules(rule, owners))
        assert not settled.send
        assert again.send.keys() <= set(merge(ours, base, theirs, some).lost) | set(
            merge(ours, base, theirs, some).kept
        )


SAME = [
    (None, "", True),
    ("", 0, False),
    (True, "true", True),
    (1, "1.0", True),
    ("1", "1.0", False),
    ("007", "7", False),
    (1200, "1200.00", True),
    (1, "x", False),
    ({"k": 1}, {"k": "1", "more": 2}, True),
    ({"k": 1, "more": 2}, {"k": 1}, False),
    (["a", 1], ["a", "1"], True),
    (["a"], ["a", "b"], False),
]


@pytest.mark.parametrize(("one", "other", "expected"), SAME)
def test_what_means_the_same(one, other, expected) -> None:
    assert same("f", one, other) is expected
