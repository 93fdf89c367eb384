"""The data sets of a training: the names of the classes, targets, and how many texts are read."""

from collections import Counter
from dataclasses import replace

import pytest

from sentcli.config import DataSet
from sentcli.datasets.load import NO_OPTIONS, Rejects, load_split, read_data_sets, read_validation
from sentcli.errors import DataError, UsageError


def rows(count, start=0, labels=("0", "1")):
    return [(f"text number {number}", labels[number % 2]) for number in range(start, start + count)]


def write(path, some):
    path.write_text("".join(f"{','.join(row)}\n" for row in [("text", "label"), *some]))
    return str(path)


def names_of(*sets):
    return read_data_sets(sets)[1]


def test_targets_give_labels_and_probabilities(tmp_path):
    path = write(tmp_path / "r.csv", [(f"text {stars}", str(stars)) for stars in range(1, 6)])
    targets = {"1": 0, "2": 0.25, "3": 0.5, "4.0": 0.875, "5": 1}
    (part,), _ = read_data_sets([DataSet(path, targets=targets, weight=3)])
    assert part.labels == ["negative", "neutral", "neutral", "positive", "positive"]
    assert part.targets.tolist() == [[1, 0], [0.75, 0.25], [0.5, 0.5], [0.125, 0.875], [0, 1]]


def test_classes_are_those_of_all_data_sets_and_numbers_stand_for_names(tmp_path):
    sets = [
        DataSet(write(tmp_path / f"{number}.csv", rows(40, 40 * number, labels)))
        for number, labels in enumerate([("0", "1"), ("bad", "good"), ("awful", "good")])
    ]
    assert names_of(*sets[:2]) == ("bad", "good")
    assert names_of(*sets) == ("awful", "bad", "good")
    with pytest.raises(
        UsageError, match=r"0\.csv: targets need two classes, but there are 3: awful, bad, good"
    ):
        names_of(replace(sets[0], targets={"0": 0, "1": 1}), *sets[1:])
    with pytest.raises(DataError, match=r"0\.csv: the label '1' has no target; add it to targets"):
        names_of(replace(sets[0], targets={"0": 0}), sets[1])


def test_most_limits_the_texts_of_each_label(tmp_path):
    path = write(tmp_path / "r.csv", rows(40) + [(f"more {number}", "1") for number in range(20)])
    (part,), _ = read_data_sets([DataSet(path, most=15)])
    assert Counter(part.labels) == {"0": 15, "1": 15}
    order = [load_split(DataSet(path), "train").texts.index(text) for text in part.texts]
    assert order == sorted(order)
    assert order[0] < 20 < 40 < order[-1]  # from everywhere
    assert read_data_sets([DataSet(path, most=15)])[0][0] == part
    assert len(read_data_sets([DataSet(path, most=25)])[0][0]) == 20 + 25


def test_texts_with_several_labels_are_counted(tmp_path, caplog):
    path = write(
        tmp_path / "r.csv", [("Fine", "a"), (" fine", "b"), ("fine", "b"), ("so so", "a"), ("", "b")]
    )
    other = write(tmp_path / "s.csv", [("So So", "b"), ("", "a"), ("new", "b")])
    read_data_sets([DataSet(path), DataSet(other), DataSet(other, targets={"a": 0, "b": 1})])
    assert "3 data sets: 2 texts with more than one label, such as 'fine'" in caplog.text
    caplog.clear()
    read_data_sets([DataSet(other)])
    assert "more than one label" not in caplog.text


def test_labels_can_be_probabilities_themselves(tmp_path):
    path = write(tmp_path / "r.csv", [("bad", "0"), ("fair", "0.5"), ("good", "0.875")])
    (part,), names = read_data_sets([DataSet(path, targets="probability")])
    assert names == ("negative", "positive")
    assert part.labels == ["negative", "neutral", "positive"]
    assert part.targets.tolist() == [[1, 0], [0.5, 0.5], [0.125, 0.875]]


@pytest.mark.parametrize("label", ["good", "1.5", "-0.1"])
def test_a_label_that_is_no_probability_is_refused(tmp_path, label):
    path = write(tmp_path / "r.csv", [("bad", "0"), ("odd", label)])
    with pytest.raises(DataError, match="is not a probability from 0 to 1"):
        read_data_sets([DataSet(path, targets="probability")])


@pytest.mark.parametrize("given", ["fraud", "Fraud"])
def test_the_positive_class_is_the_last_of_two(tmp_path, given):
    path = write(tmp_path / "r.csv", [("bad", "fraud"), ("good", "ok")])
    assert read_data_sets([DataSet(path)])[1] == ("fraud", "ok")
    (part,), names = read_data_sets([DataSet(path)], positive=given)
    assert names == ("ok", "fraud")
    assert part.labels == ["fraud", "ok"]


@pytest.mark.parametrize(
    ("labels", "positive", "message"),
    [
        (("fraud", "ok"), "frod", "^positive='frod': no such label; the labels are fraud, ok"),
        (("a", "b", "c"), "a", "only of two labels is one positive; omit it; the labels are a, b, c"),
    ],
)
def test_a_class_that_cannot_be_the_positive_one_is_refused(tmp_path, labels, positive, message):
    path = write(tmp_path / "r.csv", [(label, label) for label in labels])
    with pytest.raises(UsageError, match=message):
        read_data_sets([DataSet(path)], positive=positive)


@pytest.mark.usefixtures("cache")
def test_validation_texts_are_a_file_or_a_split(tmp_path):
    def read(spec, dataset):
        return read_validation(spec, DataSet(dataset), NO_OPTIONS, ("a", "b"), Rejects()).texts

    folder, file = str(tmp_path), write(tmp_path / "dev.csv", [("dev", "a")])
    write(tmp_path / "train.csv", [("train", "a")])
    assert read(file, "owner/name") == ["dev"]
    assert read("validation", folder) == ["dev"]  # another name of that split
    with pytest.raises(DataError, match=r"no split 'typo\.csv'; the splits are train, validation"):
        read("typo.csv", folder)
    with pytest.raises(DataError, match=r"no such file, and .*dev\.csv has no splits"):
        read("validation", file)


def weighted(path, weights, **options):
    some = [(text, label, weight) for (text, label), weight in zip(rows(len(weights)), weights, strict=True)]
    path.write_text("".join(f"{','.join(row)}\n" for row in [("text", "label", "w"), *some]))
    return DataSet(str(path), weight_column="w", **options)


def test_a_column_has_the_weight_of_each_text(tmp_path):
    """Over the mean weight, times the target, if there is one; a text of weight 0 is left out."""
    (part,), _ = read_data_sets([weighted(tmp_path / "r.csv", ["1", "0.5", "0", "1.5e0"])])
    assert part.targets.tolist() == [[1, 0], [0, 0.5], [0, 1.5]]
    with pytest.raises(DataError, match="no text has a weight above 0; is weight_column right"):
        read_data_sets([weighted(tmp_path / "none.csv", ["0", "0", "0", "0"])])
    assert (part.rows, part.columns) == ([1, 2, 4], ())
    data = weighted(tmp_path / "r.csv", ["2", "1"], targets={"0": 0.25, "1": 1})
    (part,), _ = read_data_sets([data, DataSet(write(tmp_path / "o.csv", rows(4)))])[0][:1], None
    assert part.targets.tolist() == [[1.0, pytest.approx(1 / 3)], [0, pytest.approx(2 / 3)]]


def test_a_text_with_another_weight_is_rejected(tmp_path):
    wrong, rejects = ["-1", "x", "nan", "1e999", ""], Rejects(None)
    data = weighted(tmp_path / "r.csv", [*wrong, "1", "1", "1"])
    (part,), _ = read_data_sets([data], rejects=rejects)
    assert part.rows == [6, 7, 8]
    assert [(entry["row"], entry["reason"]) for entry in rejects.entries] == [
        (row, f"the weight {weight!r} is not a number of at least 0") for row, weight in enumerate(wrong, 1)
    ]
    with pytest.raises(DataError, match=r"5 of 8 rows cannot be used; most often: the weight '-1'"):
        read_data_sets([data])
    with pytest.raises(DataError, match=r"no column 'v'.*; try another weight_column"):
        read_data_sets([replace(data, weight_column="v")])
