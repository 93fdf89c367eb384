import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.scoring import labels
from sentcli.scoring.labels import OTHERS, Groups, groups_by_column, wilson_interval

ROWS = st.lists(
    st.tuples(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x"])), st.sampled_from(["odd", "even", None])
    )
)


def counted(rows, columns=("p", "q")):
    counts = Groups()
    values = zip(*(sides for sides, _ in rows), strict=True)
    counts.add(dict(zip(columns, values, strict=False)), [label for _, label in rows])
    return counts


@given(ROWS, ROWS)
def test_groups_add_up_however_the_rows_are_cut(first, second):
    assert counted(first) + counted(second) == counted([*first, *second])
    assert Groups() + json.loads(json.dumps(counted(first))) == counted(first)


@given(ROWS)
def test_groups_are_those_of_plain_counting(rows):
    found = counted(rows)
    for place, column in enumerate(("p", "q") if rows else ()):
        total = Counter(sides[place] for sides, _ in rows)
        by_value = groups_by_column(found, "odd")[column]
        assert {group.value: group.rows for group in by_value} == total
        for group in by_value:
            given_labels = [label for sides, label in rows if sides[place] == group.value and label]
            assert group.labels == Counter(given_labels)
            assert group.share == (given_labels.count("odd") / len(given_labels) if given_labels else None)
            interval = given_labels and wilson_interval(given_labels.count("odd"), len(given_labels))
            assert group.interval == (interval or None)


def test_the_largest_group_is_the_first_and_equal_ones_are_sorted():
    found = counted([((value,), "odd") for value in "bacaa"], ["p"])
    assert [group.value for group in groups_by_column(found, "odd")["p"]] == ["a", "b", "c"]


def test_further_values_are_one_group(monkeypatch):
    monkeypatch.setattr(labels, "MOST_VALUES", 2)
    found = counted([((value,), "odd") for value in "abcad"], ["p"])
    assert {group.value: group.rows for group in groups_by_column(found, "odd")["p"]} == {
        "a": 2,
        "b": 1,
        OTHERS: 2,
    }
    both = counted([(("d",), "odd")], ["p"]) + found
    assert {group.value: group.rows for group in groups_by_column(both, "odd")["p"]} == {
        "d": 1,
        "a": 2,
        OTHERS: 3,
    }


def test_a_long_value_is_cut():
    found = counted([(("y" * 300,), "odd"), (("y" * 201,), None)], ["p"])
    (group,) = groups_by_column(found, "odd")["p"]
    assert (group.value, group.rows, group.share) == ("y" * 200, 2, 1.0)


def test_wilson_interval():
    assert wilson_interval(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson_interval(0, 3)[0] == 0.0
