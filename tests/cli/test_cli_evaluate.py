"""`sentcli evaluate`: metrics on standard output."""

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace

import invented
import pytest

pytest.importorskip("torch")

from click.testing import CliRunner
from commands import fail, invoke

from sentcli.cli import main
from sentcli.export import FORMATS
from sentcli.export.export import export_bundle
from sentcli.model.bundle import load_bundle, write_config, write_manifest
from sentcli.scoring.scorer import Scorer
from sentcli.text.tokenizer import words_of


def new_reviews(count, seed, labels=invented.TWO):
    """Return reviews of which the model has learned none."""
    made = invented.reviews(count, seed, labels)
    return [(f"{text} Row {number}.", label) for number, (text, label) in enumerate(made)]


@pytest.fixture(scope="module")
def rows():
    """Other reviews than those of the training, two of them with the wrong label."""
    made = new_reviews(60, seed=11)
    return [*made[2:], (made[0][0], "positive"), (made[1][0], "negative")]


@pytest.fixture(scope="module")
def data(rows, tmp_path_factory):
    return invented.write_csv(tmp_path_factory.mktemp("data") / "test.csv", rows)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The same model for other runtimes."""
    folder = tmp_path_factory.mktemp("exports") / "model"
    export_bundle(trained, folder, formats=FORMATS)
    return folder


def predicted(model, texts, **options):
    with Scorer(model, workers=1, **options) as scorer:
        return scorer.score(texts).labels


def figures(model, data, *arguments):
    result = invoke("evaluate", model, "--dataset", data, "--json", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_texts_that_are_cut_are_counted(trained, data, rows):
    most, vocab = trained.config.text.max_tokens, trained.vocab
    long = sum(len(vocab.encode(words_of(text))) > most for text, _ in rows)
    assert figures(trained.path, data)["truncated"] == long > 0
    shown = invoke("evaluate", trained.path, "--dataset", data).stdout
    assert f"{long} have more than max-tokens of the model: their middle is not read" in shown


def test_accuracy_and_confusion_matrix_are_counted_from_the_labels(trained, data, rows):
    found, labels = figures(trained.path, data), predicted(trained, [text for text, _ in rows])
    right = sum(label == given for (_, label), given in zip(rows, labels, strict=True))
    expected = {"model": "trained", "dataset": str(data), "split": "test", "backend": "onnx", "blank": 0}
    expected |= {"examples": 60, "accuracy": right / 60}
    assert {name: found[name] for name in expected} == expected
    low, high = found["accuracy_interval"]
    assert low < found["accuracy"] < high
    pairs = Counter(zip((label for _, label in rows), labels, strict=True))
    names = trained.config.labels
    assert found["confusion"] == [[pairs[true, given] for given in names] for true in names]


def test_texts_that_the_model_has_learned_are_counted(trained, labeled, data, rows, tmp_path):
    """Under any name, in any order, and in another case."""
    result = invoke("evaluate", trained.path, "--dataset", labeled)
    assert result.stderr == "trained has learned 240 of 240 texts; use other texts\n"
    assert figures(trained.path, data)["learned"].keys() == {"other"}
    with labeled.open(newline="") as file:
        known = [(text.upper(), label) for text, label in csv.reader(file)][1:]
    mixed = invented.write_csv(tmp_path / "mixed.csv", [*rows, *known])
    result = invoke("evaluate", trained.path, "--dataset", mixed, "--json")
    other, alone = json.loads(result.stdout)["learned"]["other"], figures(trained.path, data)
    assert (other["examples"], other["accuracy"]) == (60, alone["accuracy"])
    said = "trained has learned 240 of 300 texts; without them, the accuracy is"
    assert result.stderr.startswith(f"{said} {other['accuracy']:.4f} of 60 texts (")


def test_a_model_of_an_older_version_has_no_hashes(trained, data, tmp_path):
    folder = shutil.copytree(trained.path, tmp_path / "older")
    (folder / "learned-texts.bin").unlink()
    write_manifest(folder)
    assert figures(folder, data)["learned"] is None


def test_as_many_suspects_as_one_asks_for(trained, data, rows):
    """Two rows have the wrong label."""
    for count in (1, 30):
        found = figures(trained.path, data, "--suspects", count)["errors"]
        assert 1 <= len(found) <= count
    shown = invoke("evaluate", trained.path, "--dataset", data, "--suspects", 2).stdout
    block = shown.split("the labels that are the least probable\n")[1].split("\n\n")[0]
    assert {line.split()[0] for line in block.splitlines()[1:]} == {"59", "60"}


def test_all_backends_agree(trained, exported, data):
    reference = figures(trained.path, data)
    for model, backend in (
        (trained.path, "torch"),
        (exported / "model.onnx", None),
        (exported, "torchscript"),
    ):
        found = figures(model, data, *(("--backend", backend, "--device", "cpu") if backend else ()))
        assert found["backend"] == (backend or "onnx")
        assert found["confusion"] == reference["confusion"]
        assert found["log_loss"] == pytest.approx(reference["log_loss"], abs=1e-6)


def test_the_report_has_the_figures_of_the_json(trained, data):
    found = figures(trained.path, data)
    result = invoke("evaluate", trained.path, "--dataset", data)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:2] == [f"trained on {data} (onnx)", "60 texts"]
    words = [line.split() for line in lines]
    length = found["by_length"][0]
    for figures_shown in (
        ["accuracy", f"{found['accuracy']:.4f}"],
        ["negative", *map(str, found["confusion"][0])],
        [f"1-{length['longest']}", str(length["examples"]), f"{length['accuracy']:.4f}"],
    ):
        assert figures_shown in [row[: len(figures_shown)] for row in words]


@pytest.fixture
def banded(trained, tmp_path):
    """The trained model with a band of neutral scores."""
    model = shutil.copytree(trained.path, tmp_path / "banded")
    write_config(model, replace(trained.config, neutral=(0.4, 0.55)))
    write_manifest(model)
    return model


def test_texts_labeled_neutral_measure_three_labels(trained, banded, data, rows, tmp_path):
    texts = ["evening", "a film", "warm dull"]
    more = invented.write_csv(tmp_path / "more.csv", [*rows, *((text, "Neutral") for text in texts)])
    found, alone = figures(banded, more), figures(banded, data)
    assert (found["neutral"], found["confusion"]) == (3, alone["confusion"])
    three, labels = found["three_way"], predicted(load_bundle(banded), [*dict(rows), *texts], neutral=True)
    pairs = Counter(zip([*(label for _, label in rows), *["neutral"] * 3], labels, strict=True))
    names = ["negative", "neutral", "positive"]
    assert three["confusion"] == [[pairs[true, given] for given in names] for true in names]
    assert alone["three_way"] is None
    shown = invoke("evaluate", banded, "--dataset", more).stdout
    assert "60 texts\n3 more are neutral, and count only in the figures of neutral bands" in shown
    assert ["macro", "F1", f"{three['macro_f1']:.4f}"] in [line.split()[:3] for line in shown.splitlines()]
    assert "0.4 to 0.55 (model)" in shown
    without = figures(trained.path, more)
    assert (without["neutral"], without["three_way"]) == (3, None)


def test_a_neutral_head_is_measured_by_its_labels(headed, tmp_path):
    rows = new_reviews(60, seed=8, labels=invented.THREE)
    data = invented.write_csv(tmp_path / "sides.csv", [*rows, (" ", "neutral")])
    three = figures(headed.path, data)["three_way"]
    labels = predicted(headed, [text for text, _ in rows], neutral=True)
    pairs = Counter(zip([label for _, label in rows], labels, strict=True))
    assert three["confusion"] == [[pairs[true, given] for given in invented.THREE] for true in invented.THREE]
    assert (three["low"], three["high"]) == (None, None)
    model = shutil.copytree(headed.path, tmp_path / "headed")
    result = invoke("evaluate", model, "--dataset", data, "--card")
    assert result.exit_code == 0, result.stderr
    assert "\nneutral head " in result.stdout
    assert "most probable of three labels" in (model / "README.md").read_text("utf-8")


def test_predictions_are_a_new_file_and_the_errors_are_listed(trained, trained_three, data, rows, tmp_path):
    path = tmp_path / "p.csv"
    found = figures(trained.path, data, "--predictions", path)
    with path.open(newline="") as file:
        table = [*csv.DictReader(file)]
    assert [row["label"] for row in table] == [label for _, label in rows]
    assert [row["predicted"] for row in table] == predicted(trained, [text for text, _ in rows])
    wrong = {int(row["row"]) for row in table if row["predicted"] != row["label"]}
    assert {error["row"] for error in found["errors"]} == wrong  # two
    assert "exists" in fail("evaluate", trained.path, "--dataset", data, "--predictions", path).message
    figures(trained.path, data, "--predictions", path, "--overwrite")
    three = invented.write_csv(tmp_path / "three.csv", [(text, "neutral") for text, _ in rows])
    shown = invoke("evaluate", trained_three.path, "--dataset", three).stdout
    assert "most confused  predicted as  texts\nneutral" in shown


def test_rows_that_cannot_be_used_are_left_out_and_counted(trained, data, rows, tmp_path):
    more = [("who knows", ""), ("a splendiferous zork", "mixed")]
    some = invented.write_csv(tmp_path / "some.csv", [*more[:1], *2 * rows, *more[1:]])
    result = invoke("evaluate", trained.path, "--dataset", some)
    assert "\n2 rows without text or known label, or unreadable, are left out\n" in result.stdout
    assert (
        f"{some}: left out: 1 of 121 rows cannot be used; most often: unknown label 'mixed'" in result.stderr
    )


def test_labels_with_decimals_are_rounded_on_request(trained, rows, tmp_path):
    data = tmp_path / "r.csv"
    numbers = {"negative": 0.4, "positive": 0.5}
    invented.write_csv(data, [(text, str(numbers[label])) for text, label in rows])
    done = invoke("evaluate", trained.path, "--dataset", data, "--round-labels", "--json")
    assert json.loads(done.stdout)["examples"] == len(rows)
    assert "0 is taken for 'negative', 1 is taken for 'positive'" in done.stderr
    assert "0.4" in fail("evaluate", trained.path, "--dataset", data).message


def test_targets_turn_other_labels_into_those_of_the_model(banded, rows, tmp_path):
    """Stars are negative, neutral and positive as the named labels are."""
    texts = [*rows, ("evening", "neutral"), ("a film", "neutral")]
    stars = {"negative": "1", "neutral": "3", "positive": "5"}
    named = invented.write_csv(tmp_path / "named.csv", texts)
    rated = invented.write_csv(tmp_path / "rated.csv", [(text, stars[label]) for text, label in texts])
    table = "{ 1 = 0, 3 = 0.5, 5 = 1.0 }"
    wanted, found = figures(banded, named), figures(banded, rated, "--targets", table)
    for record in (wanted, found):
        del record["dataset"], record["where"]
    assert found == wanted
    assert found["neutral"] == 2
    for wrong, said in (
        ("{ 1 = 0 }", "the label '3' has no target; add it to targets"),
        ("1 = 0", "not TOML"),
        ("{ 1 = 2 }", "the target of 1 is 2"),
    ):
        assert said in fail("evaluate", banded, "--dataset", rated, "--targets", wrong).message


def test_a_target_precision_has_thresholds(trained, data, rows, tmp_path):
    found = figures(trained.path, data, "--target-precision", 0.9)["thresholds"]
    assert [of["label"] for of in found] == ["negative", "positive"]
    assert found[0]["threshold"] <= 0.5 <= found[1]["threshold"]
    shown = invoke("evaluate", trained.path, "--dataset", data, "--target-precision", 0.9).stdout
    assert f"positive          above {found[1]['threshold']:g}" in shown


def test_a_model_is_compared_with_the_same_weights_in_another_file(trained, exported, data):
    found = figures(exported / "model.onnx", data, "--against", exported / "model.torchscript.pt")
    assert found["against"] == {"model": "model", "file": "model.torchscript.pt", "backend": "torchscript"}
    comparison = found["comparison"]
    assert (comparison["examples"], comparison["changed"]) == (60, 0)
    assert 0 < comparison["mean_difference"] <= comparison["max_difference"] < 1e-5
    report = invoke("evaluate", exported, "--dataset", data, "--against", trained.path).stdout
    assert "against trained (onnx, model.onnx)\nlabels changed" in report


def test_blank_texts_are_counted_and_left_out(trained, data, rows, tmp_path):
    other = invented.write_csv(tmp_path / "blank.csv", [*rows, ("", "positive"), ("  ", "negative")])
    found = figures(trained.path, other)
    assert (found["examples"], found["blank"]) == (60, 2)
    assert found["accuracy"] == figures(trained.path, data)["accuracy"]
    assert "60 texts, without 2 empty texts" in invoke("evaluate", trained.path, "--dataset", other).stdout
    invented.write_csv(other, [("", "positive"), (" ", "negative")])
    assert "all 2 texts are empty or neutral" in fail("evaluate", trained.path, "--dataset", other).message


def test_columns_can_have_any_name_and_labels_can_be_numbers(trained, tmp_path, rows):
    data = tmp_path / "other.jsonl"
    lines = [json.dumps({"was": text, "y": trained.config.labels.index(label)}) for text, label in rows]
    data.write_text("\n".join(lines))
    line = ("--text-column", "was", "--label-column", "y")
    assert figures(trained.path, data, *line, "-q")["accuracy"] > 0.9
    assert "labels are numbers" in invoke("evaluate", trained.path, "--dataset", data, *line).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--backend", "torchscript"), 1, ["model.torchscript.pt", "sentcli export"]),
        (("-c", "text", "-c", "title"), 2, ["for one text of both, give --text-column text,title"]),
        (("--against", "nothing", "--card"), 2, ["--card", "--against"]),
        (("--against", "three"), 2, ["--against three: its labels, or their order, differ"]),
        (("three", "--target-precision", 0.9), 2, ["has 3 labels, not two; omit it"]),
    ],
)
def test_an_evaluation_that_cannot_run_is_refused_by_name(
    trained, trained_three, data, tmp_path, monkeypatch, arguments, code, named
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "three").symlink_to(trained_three.path)
    model = () if arguments[0] == "three" else (trained.path,)
    failure = fail("evaluate", *model, "--dataset", data, *arguments)
    assert failure.code == code
    for part in named:
        assert part in failure.message


def test_characters_that_stdout_cannot_encode_are_escaped(trained, data, tmp_path):
    other = shutil.copy(data, tmp_path / "kritik-é-評.csv")
    line = ["evaluate", str(trained.path), "--dataset", str(other)]
    result = CliRunner(charset="latin-1").invoke(main, line)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes.splitlines()[0].endswith(b"kritik-\xe9-\\u8a55.csv (onnx)")
