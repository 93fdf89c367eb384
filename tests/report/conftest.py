"""A scored file of invented reviews, and its report."""

import csv
import random

import invented
import pytest
from commands import invoke

SUBJECTS = ("films", "plays", "<b>radio</b>")


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """A file of 900 reviews with a subject, stars and a date, scored by `sentcli score`."""
    folder, draw = tmp_path_factory.mktemp("report"), random.Random(1)
    rows = [
        (text, draw.choice(SUBJECTS), 5 if label == "positive" else 1, f"2024-{draw.randint(1, 6):02}-03")
        for text, label in invented.reviews(900, 3)
    ]
    rows[5:5] = [
        ("", "films", "", ""),
        ("<script>alert('x')</script> dreadful, <img src=x onerror=alert(1)>", "plays", 5, "never"),
    ]
    with (folder / "in.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("review", "subject", "stars", "when"), *rows])
    done = invoke("score", folder / "in.csv", "-o", folder / "scored.csv", "--neutral")
    assert done.exit_code == 0, done.output
    return folder / "scored.csv"


@pytest.fixture(scope="session")
def page(scored):
    """The report of the scored file."""
    done = invoke("report", scored, "-o", scored.with_name("report.html"), "--by-time", "when")
    assert done.exit_code == 0, done.output
    return scored.with_name("report.html")


@pytest.fixture(scope="session")
def training(tmp_path_factory):
    """The page of the training of the included model."""
    pytest.importorskip("sklearn")
    from sentcli.evaluation.model_card import read_history, read_metrics
    from sentcli.model.bundle import default_bundle_path, load_bundle
    from sentcli.report.measured import render_training

    box, path = load_bundle(default_bundle_path()), tmp_path_factory.mktemp("training") / "page.html"
    path.write_bytes(render_training(read_metrics(box), read_history(box), box.name))
    return path


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory):
    """The page of an evaluation."""
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("evaluated")
    rows = [
        *invented.reviews(300, 4),
        ("<script>alert(1)</script> a wonderful film", "negative"),
        ("", "positive"),
    ]
    data = invented.write_csv(folder / "test.csv", rows)
    done = invoke("evaluate", "-q", "--dataset", data, "--report", folder / "page.html")
    assert done.exit_code == 0, done.output
    return folder / "page.html"
