"""The classes of labeled texts: what makes them classes, and their numbers."""

import pytest

from sentcli.datasets.labels import (
    LabeledTexts,
    class_names,
    known_labels,
    label_ids,
    label_name,
    round_labels,
)
from sentcli.errors import DataError


def test_class_names_needs_two_classes() -> None:
    with pytest.raises(DataError, match=r"1 different label \('good'\)"):
        class_names(LabeledTexts(["a", "b"], ["good", "good"]))
    with pytest.raises(DataError, match="1,001 different labels"):
        class_names(LabeledTexts([""] * 1001, [str(n) for n in range(1001)]))


def test_class_names_leaves_out_classes_that_do_not_occur() -> None:
    data = LabeledTexts(["a", "b"], ["c", "a"], order=("c", "b", "a"))
    assert class_names(data) == ("c", "a")


@pytest.mark.parametrize(
    "names", [("-1", "+1"), ("1e-07", "0.5", "2E3"), ("-.5", "2.", "10"), ("+1", "-1", "good")]
)
def test_numbers_are_ordered_by_value_and_names_by_the_alphabet(names: tuple[str, ...]) -> None:
    assert class_names(LabeledTexts(["a"] * len(names), sorted(names))) == names


def test_labels_that_differ_by_case_or_blanks_are_one_class(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "sentcli")
    labels = ["good", "Good", "Good", " Good", "neg ", "negative", "negative"]
    names = class_names(LabeledTexts(["a"] * 7, labels, where="r.csv"))
    assert names == ("Good", "negative")
    (record,) = caplog.records
    assert record.message == (
        "r.csv: labels that differ by case or blanks are one: 'good' as 'Good', ' Good' as 'Good', "
        "'neg ' as 'negative'"
    )
    assert label_ids(labels, names, "r.csv").tolist() == [0, 0, 0, 0, 1, 1, 1]
    caplog.clear()
    assert class_names(LabeledTexts(["a"] * 6, 2 * ["good", "bad", "no good"])) == ("bad", "good", "no good")
    assert class_names(LabeledTexts(["a"] * 4, ["1 ", "1", "2", "2"], where="r.csv")) == ("1", "2")
    assert class_names(LabeledTexts(["a"] * 2, ["ok", "OK"], order=("ok", "OK"))) == ("ok", "OK")


def test_many_numbers_with_decimals_are_no_classes() -> None:
    shares = [f"{number / 100:.2f}" for number in range(30)]
    with pytest.raises(DataError, match=r"r.csv: 30 different labels .* targets = .probability"):
        class_names(LabeledTexts(shares, shares, where="r.csv"))
    prices = [f"{number}.5" for number in range(30)]
    with pytest.raises(DataError, match=r"a model has 2 to 20; is label_column right\? Round them"):
        class_names(LabeledTexts(prices, prices))
    whole = [*map(str, range(30))]
    assert class_names(LabeledTexts(whole * 2, whole * 2)) == tuple(whole)
    assert len(class_names(LabeledTexts(prices[:20] * 2, prices[:20] * 2))) == 20
    with pytest.raises(DataError, match=r"r.csv: 30 different labels in 40 texts.* is label_column right\?"):
        class_names(LabeledTexts([""] * 40, whole + ["0"] * 10, where="r.csv"))


def test_several_labels_of_a_text_are_named(caplog: pytest.LogCaptureFixture) -> None:
    for value in (["good", "price"], '["good", "price"]', "['good', 'price']"):
        with pytest.raises(DataError, match=r"neither a name nor a number; a text has one label"):
            label_name(value, (), "r.csv")
    labels = ["good,price", "good; staff", "price", "on, off"] * 2
    class_names(LabeledTexts(["a"] * 8, labels, where="r.csv"))
    (record,) = caplog.records
    assert record.message.startswith("r.csv: 'good' is in several labels; a text has one label, so each")


def test_classes_with_a_single_text_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    class_names(LabeledTexts(["a"] * 5, ["good", "bad", "good", "bad", "?"], where="r.csv"))
    assert "r.csv: classes that have a single text: '?'; are they mistyped?" in caplog.text
    class_names(LabeledTexts([""] * 9, ["positive", "negative"] * 4 + ["positiv"]))
    assert "'positiv' (did you mean 'positive'?)" in caplog.text
    class_names(LabeledTexts([""] * 9, ["anger", "joy"] * 4 + ["angre"]))
    assert "'angre' (did you mean 'anger'?)" in caplog.text


def test_labels_are_rounded_and_a_half_goes_up():
    labels = ["4.5", "2.5", "2.4", "-0.6", "3", "good"]
    rounded = round_labels(LabeledTexts([""] * 6, labels)).labels
    assert rounded == ["5", "3", "2", "-1", "3", "good"]


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), "nan", "NaN", "N/A", "NULL", "#N/A"])
def test_null_values_are_no_labels(value: object) -> None:
    assert label_name(value, (), "r.csv") is None


@pytest.mark.parametrize(("value", "name"), [("__label__spam", "spam"), ("none", "none"), (3.0, "3")])
def test_a_label_is_spelled_as_models_spell_it(value: object, name: str) -> None:
    assert label_name(value, (), "r.csv") == name


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
def test_an_unknown_label_has_no_class(label: str, names: tuple[str, ...]) -> None:
    assert {*known_labels([names[0], label], names)} >= {names[0]}
    assert label not in known_labels([names[0], label], names)
