"""The classes of labelled texts: what makes them classes, and their numbers."""

import numpy as np
import pytest

from sentcli.datasets.labels import LabeledTexts, class_names, label_ids
from sentcli.errors import DataError


def test_class_names_needs_two_classes() -> None:
    with pytest.raises(DataError, match=r"1 different labels \('good'\)"):
        class_names(LabeledTexts(["a", "b"], ["good", "good"]))
    with pytest.raises(DataError, match="1001 different labels"):
        class_names(LabeledTexts([""] * 1001, [str(n) for n in range(1001)]))


def test_class_names_leaves_out_classes_that_do_not_occur() -> None:
    data = LabeledTexts(["a", "b"], ["c", "a"], order=("c", "b", "a"))
    assert class_names(data) == ("c", "a")


@pytest.mark.parametrize(
    "names", [("-1", "+1"), ("1e-07", "0.5", "2E3"), ("-.5", "2.", "10"), ("+1", "-1", "good")]
)
def test_numbers_are_ordered_by_value_and_names_by_the_alphabet(names: tuple[str, ...]) -> None:
    assert class_names(LabeledTexts(["a"] * len(names), sorted(names))) == names


def test_classes_that_differ_by_case_alone_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    class_names(LabeledTexts(["a"] * 4, ["good", "Good", "neg ", "negative"], where="r.csv"))
    assert (
        "r.csv: classes that differ by case, blanks or a short form: 'Good', 'good', 'neg ', 'negative'; are"
        in caplog.text
    )
    caplog.clear()
    class_names(LabeledTexts(["a"] * 6, 2 * ["good", "bad", "not good"]))
    assert caplog.text == ""


def test_classes_with_a_single_text_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    class_names(LabeledTexts(["a"] * 5, ["good", "bad", "good", "bad", "?"], where="r.csv"))
    assert "r.csv: classes that have a single text: '?'; are they mistyped?" in caplog.text


def test_label_ids() -> None:
    names = ("negative", "positive")
    ids = label_ids(["positive", "negative", "1", "0"], names, "r.csv")
    assert ids.dtype == np.int64
    assert ids.tolist() == [1, 0, 1, 0]
    assert label_ids(["4", "1"], ("1", "2", "4"), "r.csv").tolist() == [2, 0]
    assert label_ids(["1", "0"], ("0.0", "1.0"), "r.csv").tolist() == [1, 0]
    assert label_ids(["1", "1.0"], ("1.0", "1"), "r.csv").tolist() == [1, 0]
    assert label_ids(["Negative", "POSITIVE", "NEG", "Pos"], names, "r.csv").tolist() == [0, 1, 0, 1]
    assert label_ids(["positive"], ("NEGATIVE", "POSITIVE"), "r.csv").tolist() == [1]
    assert label_ids(["Neg", "pos", "POS", "positive"], ("NEG", "POS"), "r.csv").tolist() == [0, 1, 1, 1]
    assert label_ids(["negative", "neg"], ("neg", "negative"), "r.csv").tolist() == [1, 0]
    assert label_ids(["negative", "positive", "1"], ("0", "1"), "r.csv").tolist() == [0, 1, 1]
    assert label_ids(["positive", "-1"], ("-1", "1"), "r.csv").tolist() == [1, 0]
    with pytest.raises(DataError, match="unknown label 'OK'"):
        label_ids(["OK"], ("ok", "Ok"), "r.csv")
    with pytest.raises(DataError, match="unknown label 'negative'"):
        label_ids(["negative"], ("1", "2"), "r.csv")
    with pytest.raises(DataError, match="unknown label 'fine' in row 2; the model knows negative, positive"):
        label_ids(["positive", "fine"], names, "r.csv")
    with pytest.raises(DataError, match="unknown label '0'"):
        label_ids(["0"], ("1", "2"), "r.csv")
    with pytest.raises(DataError, match="unknown label '0'"):
        label_ids(["0"], ("+1", "+2"), "r.csv")
    with pytest.raises(DataError, match="unknown label '2'"):
        label_ids(["2"], names, "r.csv")
