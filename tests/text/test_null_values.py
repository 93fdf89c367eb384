"""Cells that hold no text, as programs and people write them."""

import pytest

from sentcli.errors import UsageError
from sentcli.text.null_values import NULL_VALUES, NullValues


@pytest.mark.parametrize(
    "text",
    [
        *("NULL", "NaN", "N/A", "None", "#N/A", "-", "nil", "?", "n.a.", "<NA>", "NaT", "(none)", "#NA"),
        *("null", "NAN", " n/a ", "\tnone\n", "not applicable", "undefined", "Missing"),
        *("nan", "[deleted]", "[Removed]", "[ Removed by Reddit ]", "None.", "N/A.", "[NULL]", "(blank)"),
        *("nothing to add", "Nothing to add.", "IDK", "idk.", "I don\u2019t know", "See above.", "x", "X."),
        *("N/A!", "IDK!", "-none-", "'None'", '"none"', "No Negative", "No Positive", "No suggestions."),
        *("I have nothing to add", "No comment at this time", "[Comment removed by moderator]"),
    ],
)
def test_null_values(text: str) -> None:
    assert text in NullValues(NULL_VALUES)


@pytest.mark.parametrize(
    "text",
    ["null and void", "none of it works", "Nan is here", "-5", "na " * 1000, "Nothing!", "deleted", "(none]"],
)
def test_texts_that_are_none(text: str) -> None:
    assert text not in NullValues(NULL_VALUES)


def test_a_list_of_ones_own_takes_the_place_of_the_usual_one() -> None:
    own = NullValues(["Keine Angabe ", ""])
    assert own.values == ["keine angabe"]
    assert "keine angabe" in own
    assert "Keine Angabe." in own
    assert "NULL" not in own
    assert "NULL" not in NullValues([])


def test_one_string_is_refused() -> None:
    with pytest.raises(UsageError, match="null_values is one string, 'NULL'"):
        NullValues("NULL")
