"""The figures and tables of benchmarks/train/defaults.py."""

import pytest

pytest.importorskip("sklearn")

from train import defaults


def test_only_ordered_labels_have_a_mean_error():
    assert defaults.figures(["1", "2", "5"], ["1", "3", "3"])["mae"] == 1
    assert defaults.figures(["0", "1", "1"], ["0", "1", "0"])["mae"] is None


def result(system, accuracy, draw="", of="trec"):
    figures = {"accuracy": accuracy, "interval": [accuracy - 0.02, accuracy + 0.02], "macro_f1": 0.5}
    return {"set": of, "draw": draw, "system": system, "texts": 900, "mae": None, "seconds": 1.0, **figures}


def test_the_table_has_means_of_draws_and_marks_what_is_below_the_linear_models():
    results = [result("sentcli", 0.80, "1"), result("sentcli", 0.90, "2"), result("words", 0.86)]
    results += [result("sentcli", 0.70, of="sms"), result("words", 0.73, of="sms")]
    lines = defaults.table(results, "accuracy", "sentcli").splitlines()
    assert lines[2:] == [
        "| trec | 900 | 0.850 (0.830 to 0.870) | 0.860 |",
        "| sms | 900 | 0.700 (0.680 to 0.720) ! | 0.730 |",
        "| mean | | 0.775 | 0.795 |",
    ]
    assert defaults.table(results, "mae", "sentcli").count("\n") == 1
    assert " ! " not in defaults.table([result("sentcli", 0.7)], "accuracy", "sentcli")
