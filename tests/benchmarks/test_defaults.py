"""The figures and tables of benchmarks/train/defaults.py."""

import pytest

pytest.importorskip("sklearn")

from train import defaults

TEXTS = ["good film", "bad film", "good food", "bad food", "good staff", "bad staff", "so so", "so so"] * 3
LABELS = ["1", "2", "1", "2", "1", "2", "3", "3"] * 3


@pytest.mark.parametrize("name", ["words", "words+characters", "NB-SVM"])
def test_linear_models_learn_words_of_several_classes(name):
    found = defaults.PEERS[name](TEXTS, LABELS, ["good", "bad hotel", "so so"])
    assert [*map(str, found)] == ["1", "2", "3"]


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


def test_a_folder_is_measured_once(tmp_path, monkeypatch, capsys):
    for part in ("train", "test"):
        defaults.write(tmp_path / f"tiny.{part}.csv", [*zip(TEXTS, LABELS, strict=True)])
    results = tmp_path / "results.jsonl"
    command = ["defaults.py", str(tmp_path), "--systems", "words", "--results", str(results)]
    for _ in range(2):
        monkeypatch.setattr("sys.argv", command)
        defaults.main()
    (record,) = defaults.read_results(results)
    assert (record["set"], record["system"], record["accuracy"]) == ("tiny", "words", 1)
    assert "| tiny | 24 | 1.000 |" in capsys.readouterr().out
