"""The classes of labeled texts: what makes them classes, and their numbers."""

import re

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


@pytest.mark.parametrize(
    ("labels", "names", "ids"),
    [
        (("positive", "negative", "1", "0"), ("negative", "positive"), [1, 0, 1, 0]),
        (("4", "1"), ("1", "2", "4"), [2, 0]),
        (("1", "0"), ("0.0", "1.0"), [1, 0]),
        (("1", "1.0"), ("1.0", "1"), [1, 0]),
        (("Negative", "POSITIVE", "NEG", "Pos"), ("negative", "positive"), [0, 1, 0, 1]),
        (("positive",), ("NEGATIVE", "POSITIVE"), [1]),
        (("Neg", "pos", "POS", "positive"), ("NEG", "POS"), [0, 1, 1, 1]),
        (("negative", "neg"), ("neg", "negative"), [1, 0]),
        (("negative", "positive", "1"), ("0", "1"), [0, 1, 1]),
        (("positive", "-1"), ("-1", "1"), [1, 0]),
    ],
)
def test_label_ids(labels: tuple[str, ...], names: tuple[str, ...], ids: list[int]) -> None:
    assert label_ids(labels, names, "r.csv").tolist() == ids


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("OK", ("ok", "Ok")),
        ("negative", ("1", "2")),
        ("fine", ("negative", "positive")),
        ("0", ("1", "2")),
        ("0", ("+1", "+2")),
        ("2", ("negative", "positive")),
    ],
)
def test_an_unknown_label_is_named(label: str, names: tuple[str, ...]) -> None:
    message = f"r.csv: unknown label '{label}' in row 2; the model knows {', '.join(names)}"
    with pytest.raises(DataError, match=re.escape(message)):
        label_ids([names[0], label], names, "r.csv")
