"""The page of an evaluation."""

import invented
import pytest
from commands import fail, invoke
from test_page import Elements

pytest.importorskip("sklearn")


def test_it_has_the_metrics_and_the_errors(evaluated):
    content = evaluated.read_text("utf-8")
    elements = Elements(content)
    text = " ".join(elements.text.split())
    for part in (
        "301 texts",
        "accuracy",
        "ROC AUC",
        "Confusion matrix",
        "By length in tokens",
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
    assert accuracy in evaluated.read_text("utf-8")


def test_an_existing_page_is_kept(evaluated):
    failure = fail("evaluate", "-q", "--dataset", evaluated.with_name("test.csv"), "--report", evaluated)
    assert "exists; give another name, or replace it with --overwrite" in failure.message


def test_more_than_two_classes(tmp_path, trained_three):
    data = invented.write_csv(tmp_path / "test.csv", invented.reviews(90, 5, invented.THREE))
    done = invoke("evaluate", trained_three.path, "-q", "--dataset", data, "--report", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    text = Elements((tmp_path / "page.html").read_text("utf-8")).text
    assert "Reliability" in text
    assert text.count(", area 0.") + text.count(", area 1.") == 3  # a ROC curve of each class
    assert "Precision and recall of" not in text  # of a second class
