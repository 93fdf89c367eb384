"""The page of an evaluation."""

import csv
import json

import invented
import pytest
from commands import fail, invoke
from test_page import Elements

from sentcli.scoring.labels import wilson_interval

pytest.importorskip("sklearn")

from sentcli.evaluation.display import digits_of, four
from sentcli.report.measured import recall_extremes

REVIEWS = [*enumerate(invented.reviews(60, 6))]


def test_it_has_the_metrics_and_the_errors(evaluated):
    content = evaluated.read_text("utf-8")
    elements = Elements(content)
    text = " ".join(elements.text.split())
    for part in (
        "301 texts",
        "accuracy",
        "ROC AUC",
        "Confusion matrix",
        "Accuracy by length in words",
        "Reliability",
        "Accuracy by confidence",
        "Precision and recall of positive",
        "Coverage and accuracy",
        "predicted positive, labeled negative",
    ):
        assert part in text
    assert sum(tag == "script" for tag, _ in elements.found) == 1
    assert len(content) < 400_000


def test_the_figures_are_those_of_the_command(evaluated):
    done = invoke("evaluate", "-q", "--dataset", evaluated.with_name("test.csv"))
    accuracy = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("accuracy"))
    assert f"<b>{float(accuracy):.2f}</b>" in evaluated.read_text("utf-8")  # as many digits as 43 texts bear


def test_accuracy_by_a_column(tmp_path):
    """The groups are those of a recount of the predictions; others do not count."""
    rows = [(text, label, ("shop", "web")[number % 3 == 0]) for number, (text, label) in REVIEWS]
    others = [("", "positive", "empty"), ("it is a chair", "neutral", "shop")]
    data = tmp_path / "test.csv"
    with data.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("review", "label", "place"), *rows, *others])
    arguments = ("--dataset", data, "--by", "place", "--predictions", tmp_path / "p.csv", "--json", "-q")
    done = invoke("evaluate", *arguments, "--report", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        is_right = [row["label"] == row["predicted"] for row in csv.DictReader(file)]
    found = json.loads(done.stdout)["by"]["place"]
    for of, place in zip(found, ("shop", "web"), strict=True):
        own = [right for right, row in zip(is_right, rows, strict=False) if row[2] == place]
        assert (of["value"], of["examples"], of["accuracy"]) == (place, len(own), sum(own) / len(own))
        assert of["accuracy_interval"] == [*wilson_interval(sum(own), len(own))]
    text = Elements((tmp_path / "page.html").read_text("utf-8")).text
    assert "With neutral texts" in text
    assert "By place" in text
    assert "shop" in text
    table = invoke("evaluate", "--dataset", data, "--by", "place", "-q").stdout
    assert "place  texts  accuracy  95 % interval\nshop" in table
    assert "no column 'shop'" in fail("evaluate", "--dataset", data, "--by", "shop").message


def test_an_existing_page_is_kept(evaluated):
    failure = fail("evaluate", "-q", "--dataset", evaluated.with_name("test.csv"), "--report", evaluated)
    assert "exists; give another name, or replace it with --overwrite" in failure.message


def test_more_than_two_classes(tmp_path, trained_three):
    data = invented.write_csv(tmp_path / "test.csv", invented.reviews(90, 5, invented.THREE))
    done = invoke("evaluate", trained_three.path, "-q", "--dataset", data, "--report", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    text = Elements((tmp_path / "page.html").read_text("utf-8")).text
    assert "Reliability" in text
    assert "Precision and recall of" not in text  # of a second class


def test_two_classes_are_named_only_if_their_recall_differs():
    def classes(**counts):
        return [
            {"name": name, "recall": hits / size, "support": size} for name, (hits, size) in counts.items()
        ]

    few = classes(rare=(5, 9), low=(71, 113), high=(137, 138))
    assert [row["name"] for row in recall_extremes(few)] == ["low", "high"]  # not the 5 of 9
    assert recall_extremes(classes(a=(80, 100), b=(85, 100), c=(5, 9))) == []


@pytest.mark.parametrize(("texts", "shown"), [(43, "0.92"), (1_000, "0.924"), (25_000, "0.9242")])
def test_a_page_has_as_many_digits_as_the_texts_bear(texts, shown):
    assert four(0.92416, digits_of(texts)) == shown
