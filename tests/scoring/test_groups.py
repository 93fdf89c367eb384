import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.scoring import groups
from sentcli.scoring.groups import OTHERS, Groups, LabelCounter, wilson_interval

ROWS = st.lists(
    st.tuples(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x"])), st.sampled_from(["odd", "even", None])
    )
)


def counted(rows, columns=("p", "q")):
    counter = LabelCounter(("odd", "even"))
    values = zip(*(sides for sides, _ in rows), strict=True)
    counter.add(dict(zip(columns, values, strict=False)), [label for _, label in rows])
    return counter.groups


@given(ROWS, ROWS)
def test_groups_add_up_however_the_rows_are_cut(first, second):
    assert counted(first) + counted(second) == counted([*first, *second])
    assert Groups() + json.loads(json.dumps(counted(first))) == counted(first)


@given(ROWS)
def test_groups_are_those_of_plain_counting(rows):
    found = counted(rows)
    for place, column in enumerate(("p", "q") if rows else ()):
        total = Counter(sides[place] for sides, _ in rows)
        assert {group.value: group.rows for group in found.of(column, "odd")} == total
        for group in found.of(column, "odd"):
            labels = [label for sides, label in rows if sides[place] == group.value and label]
            assert group.labels == Counter(labels)
            assert group.share == (labels.count("odd") / len(labels) if labels else None)
            assert group.interval == (wilson_interval(labels.count("odd"), len(labels)) if labels else None)


def test_the_largest_group_is_the_first_and_equal_ones_are_sorted():
    found = counted([((value,), "odd") for value in "bacaa"], ["p"])
    assert [group.value for group in found.of("p", "odd")] == ["a", "b", "c"]


def test_further_values_are_one_group(monkeypatch):
    monkeypatch.setattr(groups, "_MOST_VALUES", 2)
    found = counted([((value,), "odd") for value in "abcad"], ["p"])
    assert {group.value: group.rows for group in found.of("p", "odd")} == {"a": 2, "b": 1, OTHERS: 2}
    both = counted([(("d",), "odd")], ["p"]) + found
    assert {group.value: group.rows for group in both.of("p", "odd")} == {"d": 1, "a": 2, OTHERS: 3}


def test_a_long_value_is_cut():
    (group,) = counted([(("y" * 300,), "odd"), (("y" * 201,), None)], ["p"]).of("p", "odd")
    assert (group.value, group.rows, group.share) == ("y" * 200, 2, 1.0)


def test_wilson_interval():
    assert wilson_interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson_interval(0, 3)[0] == 0.0
