import json
import shutil
import subprocess
import sys
from collections import Counter

import invented
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from commands import fail, invoke

from sentcli.cli import main
from sentcli.evaluation.passages import cut_passages
from sentcli.export import FORMATS
from sentcli.export.export import export_bundle
from sentcli.model.bilstm import has_lstm
from sentcli.model.bundle import METRICS, write_manifest
from sentcli.scoring.scorer import Scorer
from sentcli.text.tokenizer import tokenize

PICTURES = {"accuracy_by_length.png", "confusion_matrix.png", "reliability.png", "roc.png"}


@pytest.fixture(scope="module")
def rows():
    """Other reviews than the model was trained on, two of them under the wrong label."""
    made = invented.reviews(60, seed=11)
    return [*made[2:], (made[0][0], "positive"), (made[1][0], "negative")]


@pytest.fixture(scope="module")
def held_out(rows, tmp_path_factory):
    return invented.write_csv(tmp_path_factory.mktemp("data") / "held-out.csv", rows)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The same model for other runtimes."""
    folder = tmp_path_factory.mktemp("exports") / "model"
    export_bundle(trained, folder, formats=FORMATS)
    return folder


def figures(model, data, *arguments):
    result = invoke("evaluate", model, "--dataset", data, "--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.parametrize("names", [("neg", "pos"), ("1.0", "2.0")])
def test_labels_of_older_models_are_as_they_were(exported, names, tmp_path):
    shutil.copytree(exported, tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "labels": names}))
    write_manifest(tmp_path / "model")
    usual = invented.reviews(20, seed=5)
    rows = [(text, names[label == "positive"]) for text, label in usual]
    found = figures(tmp_path / "model", invented.write_csv(tmp_path / "data.csv", rows))
    wanted = figures(exported, invented.write_csv(tmp_path / "usual.csv", usual))
    assert found["accuracy"] == wanted["accuracy"] > 0.9


def test_the_accuracy_is_what_counting_gives(trained, held_out, rows):
    with Scorer(trained, workers=1) as scorer:
        predicted = scorer.score([text for text, _ in rows]).labels
    right = sum(label == given for (_, label), given in zip(rows, predicted, strict=True))
    found = figures(trained.path, held_out)
    assert found["examples"] == 60
    assert found["accuracy"] == right / 60
    assert 0.9 < found["accuracy"] < 1
    low, high = found["accuracy_interval"]
    assert low < found["accuracy"] < high
    pairs = Counter(zip((label for _, label in rows), predicted, strict=True))
    labels = trained.config.labels
    assert found["confusion"] == [[pairs[true, given] for given in labels] for true in labels]


def test_a_model_measured_on_what_it_learnt_from_says_so(trained, exported, held_out):
    learnt = json.loads(trained.read("metrics.json"))["dataset"]
    warned = invoke("evaluate", trained.path, "--dataset", learnt)
    assert warned.exit_code == 0
    assert f"{trained.path} learnt from about 100% of the texts of {learnt}, and" in warned.stderr
    for line in (
        [trained.path, "--held-out"],
        [exported, "--dataset", learnt],
        [trained.path, "--dataset", held_out],
    ):
        assert "promise too much" not in invoke("evaluate", *line).stderr


def test_csv_may_be_written_otherwise(trained, held_out, tmp_path):
    other = tmp_path / "held-out.csv"
    table = pd.read_csv(held_out)
    other.write_text(f"sep=;\n{table.to_csv(index=False, sep=';')}", "utf-16", newline="")
    how = ("--delimiter", ";", "--encoding", "utf-16", "--skip-lines", 1)
    ours = figures(trained.path, other, *how)
    assert ours["confusion"] == figures(trained.path, held_out)["confusion"]
    failure = fail("evaluate", trained.path, "--dataset", other, "--delimiter", ";;")
    assert (failure.code, "--delimiter is ';;'" in failure.message) == (2, True)


def test_the_figures_say_where_they_come_from(trained, held_out):
    found = figures(trained.path, held_out)
    expected = {"model": "trained", "dataset": str(held_out), "split": "test", "backend": "onnx", "blank": 0}
    assert {name: found[name] for name in expected} == expected


def test_all_backends_agree(trained, exported, held_out):
    reference = figures(trained.path, held_out)
    for model, backend in (
        (trained.path, "torch"),
        (trained.path / "model.safetensors", None),
        (exported, "onnx"),
        (exported / "model.onnx", None),
        (exported, "torchscript"),
    ):
        found = figures(model, held_out, *(("--backend", backend, "--device", "cpu") if backend else ()))
        assert found["backend"] == (backend or ("torch" if "safetensors" in str(model) else "onnx"))
        assert found["confusion"] == reference["confusion"]
        assert found["log_loss"] == pytest.approx(reference["log_loss"], abs=1e-6)


@pytest.mark.skipif(not has_lstm(torch.bfloat16), reason="no bf16 on this processor")
def test_another_precision_is_told(trained, held_out):
    reference = figures(trained.path, held_out)
    how = ("--backend", "torch", "--device", "cpu", "--precision", "bf16")
    found = figures(trained.path, held_out, *how)
    assert found["backend"] == "torch bf16"
    assert reference["log_loss"] != found["log_loss"] == pytest.approx(reference["log_loss"], abs=0.01)


def test_the_report_has_the_same_figures(trained, held_out):
    found = figures(trained.path, held_out)
    result = invoke("evaluate", trained.path, "--dataset", held_out)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"trained on {held_out} (onnx)"
    words = [line.split() for line in lines]
    assert ["accuracy", f"{found['accuracy']:.4f}"] in [row[:2] for row in words]
    assert ["log", "loss", f"{found['log_loss']:.4f}"] in [row[:3] for row in words]
    assert ["negative", *map(str, found["confusion"][0])] in words
    assert ["positive", *map(str, found["confusion"][1])] in words
    for part in found["by_length"]:
        name = f"{part['shortest']}{'-' + str(part['longest']) if part['longest'] else '+'}"
        accuracy = f"{part['accuracy']:.4f}" if part["examples"] else "-"
        assert [name, str(part["examples"]), accuracy] in [row[:3] for row in words]
    for band in found["bands"]:
        accuracy = f"{band['accuracy']:.4f}" if band["labeled"] else "-"
        shown = [f"{band['low']:g}", "to", f"{band['high']:g}", f"{band['share']:.2%}", accuracy]
        assert shown in [row[:5] for row in words]


def test_short_and_long_texts_are_measured_apart(trained, held_out, rows):
    with Scorer(trained, workers=1) as scorer:
        predicted = scorer.score([text for text, _ in rows]).labels
    parts = figures(trained.path, held_out)["by_length"]
    assert sum(part["examples"] for part in parts) == 60
    short = [
        label == given
        for (text, label), given in zip(rows, predicted, strict=True)
        if len(tokenize(text)) <= 31
    ]
    assert 0 < len(short) < 60
    assert (parts[0]["examples"], parts[0]["accuracy"]) == (len(short), sum(short) / len(short))


def test_bands_leave_what_score_would_label(trained, held_out, rows):
    found = figures(trained.path, held_out)["bands"]
    assert [(band["low"], band["high"]) for band in found] == [(0.4, 0.6), (0.3, 0.7), (0.2, 0.8), (0.1, 0.9)]
    for band in found:
        with Scorer(trained, workers=1, uncertain=(band["low"], band["high"])) as scorer:
            predicted = scorer.score([text for text, _ in rows]).labels
        right = [
            label == given for (_, label), given in zip(rows, predicted, strict=True) if given != "uncertain"
        ]
        assert (band["labeled"], band["share"]) == (len(right), len(right) / 60)
        assert band["accuracy"] == (sum(right) / len(right) if right else None)
    assert found[0]["labeled"] > 0


def test_a_model_is_compared_with_another_form_of_it(trained, exported, held_out):
    found = figures(exported / "model.onnx", held_out, "--against", trained.path / "model.safetensors")
    assert found["against"] == {"model": "trained", "file": "model.safetensors", "backend": "torch"}
    comparison = found["comparison"]
    assert (comparison["examples"], comparison["changed"]) == (60, 0)
    assert comparison["accuracy"] == comparison["against_accuracy"] == found["accuracy"]
    assert 0 < comparison["mean_difference"] <= comparison["max_difference"] < 1e-5
    line = ("evaluate", exported, "--dataset", held_out, "--against", trained.path)
    lines = invoke(*line).stdout.splitlines()
    assert "against trained (onnx, model.onnx)" in lines
    assert "labels changed" in lines[lines.index("against trained (onnx, model.onnx)") + 1]


def test_a_model_that_is_compared_with_a_worse_one_shows_it(trained, held_out, tmp_path):
    short = invented.write_csv(tmp_path / "few.csv", invented.reviews(20, seed=8))
    settings = ("--glove", "none", "--hidden", 2, "--embedding-dim", 2, "--epochs", 1, "--threads", 1)
    assert invoke("train", "--dataset", short, *settings, "-o", tmp_path / "worse").exit_code == 0
    found = figures(trained.path, held_out, "--against", tmp_path / "worse")
    comparison = found["comparison"]
    assert comparison["accuracy"] == found["accuracy"]
    assert comparison["against_accuracy"] == figures(tmp_path / "worse", held_out)["accuracy"] < 0.9
    assert comparison["changed"] / 60 == comparison["changed_share"] > 0.1
    assert comparison["p99_difference"] > 0.3


def test_passages_are_cut_from_the_texts_and_have_their_labels(trained, held_out, rows):
    found = figures(trained.path, held_out, "--passages", 2)
    cut = cut_passages([text for text, _ in rows], 2)
    with Scorer(trained, workers=1) as scorer:
        predicted = scorer.score(cut).labels
    right = [label == given for (_, label), given in zip(rows, predicted, strict=True)]
    assert (found["kind"], found["passages"]) == ("passages", 2)
    assert found["accuracy"] == sum(right) / 60
    lines = invoke("evaluate", trained.path, "--dataset", held_out, "--passages").stdout.splitlines()
    assert lines[0] == f"trained on passages of 1 to 3 sentences of {held_out} (onnx)"
    assert "not always its own" in lines[1]


def test_the_part_that_training_held_out_has_the_figures_of_training(trained, labeled):
    found = figures(trained.path, labeled, "--held-out")
    expected = json.loads((trained.path / "metrics.json").read_text())["validation"]
    assert (found["split"], found["held_out"], found["examples"]) == ("train", True, 24)
    assert found["confusion"] == expected["confusion"]
    assert found["log_loss"] == pytest.approx(expected["log_loss"], abs=1e-6)
    result = invoke("evaluate", trained.path, "--held-out", "--json")  # of the data that it learnt from
    assert json.loads(result.stdout)["confusion"] == found["confusion"]


def test_of_three_classes_there_is_no_positive_one(trained_three, tmp_path):
    rows = invented.reviews(30, seed=12, labels=invented.THREE)
    data = invented.write_csv(tmp_path / "three.csv", rows)
    found = figures(trained_three.path, data)
    assert found["f1"] is None
    assert [entry["name"] for entry in found["classes"]] == list(invented.THREE)
    report = invoke("evaluate", trained_three.path, "--dataset", data).stdout
    assert "F1 of" not in report
    assert "macro F1" in report


def test_texts_without_a_word_are_counted_and_left_out(trained, held_out, rows, tmp_path):
    data = invented.write_csv(tmp_path / "blank.csv", [*rows, ("", "positive"), ("  ", "negative")])
    found, reference = figures(trained.path, data), figures(trained.path, held_out)
    assert (found["examples"], found["blank"]) == (60, 2)
    assert found["accuracy"] == reference["accuracy"]
    assert "2 more without a word" in invoke("evaluate", trained.path, "--dataset", data).stdout


def test_a_data_set_of_blank_texts_has_no_figures(trained, tmp_path):
    data = invented.write_csv(tmp_path / "blank.csv", [("", "positive"), (" ", "negative")])
    assert "none has a word" in fail("evaluate", trained.path, "--dataset", data).message


def test_columns_may_have_any_name_and_labels_may_be_numbers(trained, tmp_path, rows):
    data = tmp_path / "other.jsonl"
    lines = [json.dumps({"was": text, "y": trained.config.labels.index(label)}) for text, label in rows]
    data.write_text("\n".join(lines))
    line = ("--text-column", "was", "--label-column", "y")
    found = figures(trained.path, data, *line, "-q")
    assert found["examples"] == 60
    assert found["accuracy"] > 0.9
    said = invoke("evaluate", trained.path, "--dataset", data, *line).stderr
    assert "labels are numbers; 0 is taken for 'negative', 1 is taken for 'positive'; if they mean" in said


def test_data_of_a_model_that_are_elsewhere_are_asked_for(trained, tmp_path):
    folder = shutil.copytree(trained.path, tmp_path / "model")
    metrics = json.loads((folder / METRICS).read_text("utf-8"))
    (folder / METRICS).write_text(json.dumps(metrics | {"dataset": "../gone.csv"}), "utf-8")
    write_manifest(folder)
    failure = fail("evaluate", folder, "--held-out")
    assert "../gone.csv: no such file" in failure.message
    assert f"{folder} learnt from it: if it is elsewhere now, say --dataset\n" in failure.message


def test_labels_in_another_case_are_the_same_classes(trained, held_out, tmp_path, rows):
    data = invented.write_csv(tmp_path / "case.csv", [(text, label.capitalize()) for text, label in rows])
    assert figures(trained.path, data)["confusion"] == figures(trained.path, held_out)["confusion"]
    assert "labels are numbers" not in invoke("evaluate", trained.path, "--dataset", data).stderr


def test_pictures_are_drawn_and_not_drawn_over(trained, held_out, tmp_path):
    line = ("evaluate", trained.path, "--dataset", held_out, "--plots", tmp_path / "new" / "pictures")
    assert invoke(*line).exit_code == 0
    pictures = list((tmp_path / "new" / "pictures").iterdir())
    assert {path.name for path in pictures} == PICTURES
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    refused = fail(*line)
    assert refused.code == 1
    assert "--overwrite" in refused.message
    assert invoke(*line, "--overwrite").exit_code == 0


def test_more_workers_find_the_same(trained, held_out):
    assert figures(trained.path, held_out, "--workers", 2) == figures(trained.path, held_out, "--workers", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--label-column", "stars"), 1, ["'stars'", "review, label", "--label-column"]),
        (("--text-column", "body"), 1, ["'body'", "'review', 'label'"]),
        (("--dataset", "nothing.csv"), 1, ["nothing.csv"]),
        (("--dataset", "strange.csv"), 1, ["strange.csv", "'so-so'", "row 2", "negative, positive"]),
        (("--backend", "torchscript"), 1, ["model.torchscript.pt", "sentcli export"]),
        (("--backend", "onnx", "--device", "cuda"), 2, ["--backend torch"]),
        (("--backend", "keras"), 2, ["'keras'"]),
        (("--plots", "strange.csv"), 1, ["strange.csv"]),
        (("--passages", "0"), 2, ["--passages"]),
        (("--held-out", "--card"), 2, ["--card"]),
        (("--against", "nothing", "--card", "--weak-spot", "irony"), 2, ["--weak-spot", "--against"]),
        (("--against", "nothing"), 1, ["nothing", "no such model"]),
    ],
)
def test_what_will_not_do_is_refused_by_name(
    trained, held_out, tmp_path, monkeypatch, arguments, code, named
):
    monkeypatch.chdir(tmp_path)
    invented.write_csv(tmp_path / "strange.csv", [("warm", "positive"), ("fine", "so-so")])
    failure = fail("evaluate", trained.path, "--dataset", held_out, *arguments)
    assert failure.code == code
    for part in named:
        assert part in failure.message


def test_a_model_of_other_labels_is_not_compared(trained, trained_three, held_out):
    failure = fail("evaluate", trained.path, "--dataset", held_out, "--against", trained_three.path)
    assert failure.code == 2
    assert f"--against {trained_three.path}: its labels are not those of" in failure.message


def test_a_split_that_is_not_there_is_refused(trained, tmp_path, rows):
    invented.write_csv(tmp_path / "train.csv", rows)
    failure = fail("evaluate", trained.path, "--dataset", tmp_path, "--split", "test")
    assert "no split 'test'; there is train" in failure.message


def test_a_damaged_model_is_refused_by_the_name_of_its_file(trained, held_out, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in trained.path.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "vocab.txt").unlink()
    assert f"{copy}/vocab.txt: the file is missing" in fail("evaluate", copy, "--dataset", held_out).message
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes()[:-1])
    assert f"{copy}/model.onnx: damaged" in fail("evaluate", copy, "--dataset", held_out).message


def test_without_the_extra_the_message_names_the_pip_command(trained):
    code = (
        "import sys; sys.modules['datasets'] = None; from sentcli.cli import main; "
        "main(['evaluate', sys.argv[1], '--dataset', 'x.csv'])"
    )
    command = [sys.executable, "-c", code, str(trained.path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "pip install 'sentcli[train]'" in result.stderr


def test_what_the_encoding_of_stdout_lacks_is_escaped(trained, held_out, tmp_path):
    """Not found out when all the work is done."""
    data = tmp_path / "kritik-é-評.csv"
    data.write_bytes(held_out.read_bytes())
    line = ["evaluate", str(trained.path), "--dataset", str(data)]
    result = CliRunner(charset="latin-1").invoke(main, line)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes.splitlines()[0].endswith(b"kritik-\xe9-\\u8a55.csv (onnx)")
    as_usual = invoke(*line).stdout
    assert result.stdout.replace("\\u8a55", "評") == as_usual


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_figures_that_cannot_be_written_are_a_failure(trained, held_out, redirection):
    command = f'"$0" -m sentcli evaluate "$1" --dataset "$2" {redirection}'
    line = ["sh", "-c", command, sys.executable, trained.path, held_out]
    result = subprocess.run(line, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
