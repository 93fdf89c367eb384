"""`sentcli evaluate --card`: what was measured, in the model's own folder."""

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import invented
import pandas as pd
import pytest
from commands import fail, invoke
from safetensors.numpy import load_file, save_file

from sentcli.evaluation import card_update as recording
from sentcli.evaluation import leakage as learnt
from sentcli.files.lock import Lock
from sentcli.model.bundle import load_bundle, write_manifest

PICTURES = {"accuracy_by_length.png", "confusion_matrix.png", "evaluated_reliability.png"}


@pytest.fixture
def model(trained, tmp_path, monkeypatch):
    """A copy of the trained model, beside data to measure it on."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.path, "model")
    for name, seed in (("test.csv", 11), ("other.csv", 12)):
        invented.write_csv(tmp_path / name, invented.reviews(40, seed=seed))
    return tmp_path / "model"


@pytest.fixture
def evaluate():
    """Run a line as a shell would, and give what it prints as JSON."""

    def evaluate(*arguments):
        result = invoke("evaluate", "--json", *arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return evaluate


def recorded(model):
    return json.loads((model / "metrics.json").read_text())["evaluations"]


def card(model):
    return (model / "README.md").read_text("utf-8")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_gets_figures_pictures_and_a_card_that_states_them(model, evaluate):
    before = contents(model)
    found = evaluate("model", "--dataset", "test.csv", "--card", "-q")
    assert recorded(model) == [found | {"command": "sentcli evaluate model --dataset test.csv"}]
    assert f"| accuracy | {found['accuracy']:.4f} |" in card(model)
    assert "```sh\nsentcli evaluate model --dataset test.csv\n```" in card(model)
    after = contents(model)
    assert after.keys() == before.keys() | PICTURES
    assert all(after[name].startswith(b"\x89PNG") for name in PICTURES)
    same = {name for name in before if after[name] == before[name]}
    assert same == before.keys() - {"README.md", "metrics.json", "manifest.json"}
    assert load_bundle(model).digests.keys() == after.keys() - {"manifest.json"}
    assert [path.name for path in model.parent.iterdir() if path.name.startswith(".")] == []


def test_a_tab_is_written_so_that_it_can_be_read(model, evaluate):
    frame = pd.read_csv("test.csv")
    frame.to_csv("tabs.csv", sep="\t", index=False)
    evaluate("model", "--dataset", "tabs.csv", "--delimiter", "\t", "--card", "-q")
    assert "\nsentcli evaluate model --dataset tabs.csv --delimiter '\\t'\n" in card(model)
    evaluate("model", "--dataset", "tabs.csv", "--delimiter", r"\t", "-q")


def test_what_training_wrote_stays_in_the_card(model, evaluate):
    before = card(model)
    evaluate("model", "--dataset", "test.csv", "--card")
    for title in ("Intended use", "Data", "Recipe", "Validation", "Licences and sources"):
        section = before.split(f"\n## {title}\n")[1].split("\n## ")[0]
        assert f"\n## {title}\n{section}" in card(model)


def test_the_command_of_the_card_gives_the_figures_again(model, evaluate):
    first = evaluate("model", "--dataset", "test.csv", "--card")
    words = recorded(model)[0]["command"].split()
    assert words[:2] == ["sentcli", "evaluate"]
    assert evaluate(*words[2:]) == first


def test_the_same_evaluation_takes_the_place_of_the_one_before(model, evaluate):
    evaluate("model", "--dataset", "test.csv", "--card")
    evaluate("model", "--dataset", "other.csv", "--card")
    evaluate("model", "--dataset", "test.csv", "--passages", "--card")
    evaluate("model", "--dataset", "test.csv", "--passages", 1, "--card")
    evaluate("model", "--dataset", "test.csv", "--backend", "torch", "--device", "cpu", "--card")
    rows = invented.reviews(20, seed=30)
    invented.write_csv(model.parent / "test.csv", rows)
    evaluate("model", "--dataset", "test.csv", "--workers", 1, "--card")
    kept = [(of["dataset"], of["passages"], of["backend"], of["examples"]) for of in recorded(model)]
    assert kept == [
        ("test.csv", None, "onnx", 20),
        ("other.csv", None, "onnx", 40),
        ("test.csv", 3, "onnx", 40),
        ("test.csv", 1, "onnx", 40),
        ("test.csv", None, "torch", 40),
    ]


def test_another_spelling_of_the_data_set_is_no_other_evaluation(model, evaluate):
    Path("fold").mkdir()
    shutil.copy("other.csv", "fold/test.csv")
    for spelled in ("test.csv", "fold", "./test.csv", "fold/"):
        evaluate("model", "--dataset", spelled, "--card")
    assert [of["dataset"] for of in recorded(model)] == ["./test.csv", "fold/"]
    assert "**Other subjects and kinds of text**: accuracy" in card(model)
    evaluate("model", "--dataset", "test.csv", "--split", "validation", "--card")
    evaluate("model", "--dataset", ".//test.csv", "--label-column", "label", "--card")
    assert [of["dataset"] for of in recorded(model)] == ["test.csv", "fold/", ".//test.csv"]
    (subjects,) = (line for line in card(model).splitlines() if "**Other subjects" in line)
    assert "on `fold/, split test`" in subjects
    assert "test.csv" not in subjects


def test_a_weak_spot_stands_where_it_was_said_to_belong(model, evaluate):
    evaluate("model", "--dataset", "test.csv", "--card")
    evaluate("model", "--dataset", "other.csv", "--card", "--weak-spot", "irony")
    assert "**Other subjects and kinds of text**: not measured" in card(model)
    assert "on `other.csv`. Expect it to be taken at its word." in card(model)
    assert "--weak-spot" not in recorded(model)[1]["command"]
    result = invoke("evaluate", "model", "--dataset", "other.csv", "--weak-spot", "irony")
    assert result.exit_code == 2
    assert "add --card" in result.stderr


def test_pictures_are_those_of_the_evaluation_that_is_shown_in_full(model, evaluate):
    evaluate("model", "--dataset", "test.csv", "--card")
    first = contents(model)
    evaluate("model", "--dataset", "test.csv", "--passages", "--card")
    assert all(contents(model)[name] == first[name] for name in PICTURES)
    rows = [*invented.reviews(38, seed=31), ("wonderful", "negative"), ("dull", "positive")]
    invented.write_csv(model.parent / "other.csv", rows)
    evaluate("model", "--dataset", "other.csv", "--card")  # what was measured first is the model's own test
    assert all(contents(model)[name] == first[name] for name in PICTURES)
    assert "**Other subjects and kinds of text**: accuracy" in card(model)
    assert "on `other.csv`." in card(model)
    invented.write_csv(model.parent / "test.csv", rows)
    evaluate("model", "--dataset", "test.csv", "--card")
    assert all(contents(model)[name] != first[name] for name in PICTURES)


def test_pictures_go_with_the_evaluation_that_they_are_of(model, evaluate):
    evaluate("model", "--dataset", "test.csv", "--card")
    evaluate("model", "--dataset", "other.csv", "--card")
    evaluate("model", "--dataset", "test.csv", "--card", "--weak-spot", "short")
    assert "```sh\nsentcli evaluate model --dataset other.csv\n```" in card(model)
    assert "### Confusion matrix" in card(model)
    assert not contents(model).keys() & PICTURES
    assert not any(name in card(model) for name in PICTURES)


def test_an_export_is_measured_in_the_card_of_the_model_that_it_was_made_from(model, evaluate):
    assert invoke("export", "model", "-o", "small").exit_code == 0
    line = ("small/model.onnx", "--dataset", "test.csv", "--against", "model")
    before = contents(model.parent / "small")
    found = evaluate(*line, "--card")
    assert (found["kind"], found["file"]) == ("comparison", "model.onnx")
    command = "sentcli evaluate " + " ".join(line)
    assert recorded(model) == [found | {"command": command}]
    assert f"```sh\n{command}\n```" in card(model)
    assert "onnx (`small/model.onnx`) against `model/model.onnx`, on `test.csv`" in card(model)
    assert contents(model.parent / "small") == before
    refused = fail("evaluate", "small", "--dataset", "test.csv", "--card")
    assert refused.code == 2
    assert "--against" in refused.message


def test_a_model_that_the_export_was_not_made_from_is_refused(trained_three, model):
    other = model.parent / "other"
    rows = invented.reviews(30, seed=9)
    data = invented.write_csv(model.parent / "few.csv", rows)
    settings = ("--glove", "none", "--hidden", 2, "--embedding-dim", 2, "--epochs", 1, "--threads", 1)
    assert invoke("train", "--dataset", data, *settings, "-o", other).exit_code == 0
    assert invoke("export", other, "-o", "small").exit_code == 0
    refused = fail("evaluate", "small", "--against", "model", "--dataset", "test.csv", "--card")
    assert "small was not exported from model as it is now; try `sentcli export` again" in refused.message


def test_another_model_is_no_form_of_the_one_that_has_the_card(trained, model, evaluate):
    shutil.copytree(trained.path, "same")
    assert evaluate("model", "--against", "same", "--dataset", "test.csv", "--card")["kind"] == "comparison"
    weights = load_file(Path("same", "model.safetensors"))
    save_file({name: values + 1 for name, values in weights.items()}, Path("same", "model.safetensors"))
    write_manifest(Path("same"))
    refused = fail("evaluate", "model", "--against", "same", "--dataset", "test.csv", "--card")
    assert "same is no other form of model" in refused.message


def test_an_export_from_before_the_model_was_trained_anew_is_refused(model):
    assert invoke("export", "model", "-o", "small").exit_code == 0
    weights = load_file(model / "model.safetensors")
    save_file({name: values + 1 for name, values in weights.items()}, model / "model.safetensors")
    write_manifest(model)
    refused = fail("evaluate", "small", "--against", "model", "--dataset", "test.csv", "--card")
    assert "small was not exported from model as it is now" in refused.message


def test_the_terminal_is_told_where_the_figures_went(model):
    result = invoke("evaluate", "model", "--dataset", "test.csv", "--card")
    assert result.stderr == "model/README.md: written anew, with these figures\n"
    assert invoke("evaluate", "model", "--dataset", "test.csv", "--card", "-q").stderr == ""


def test_what_could_not_be_written_is_found_before_the_data_is_read(model):
    def refuse():
        failure = fail("evaluate", "model", "--dataset", "nothing.csv", "--card")
        assert "nothing.csv" not in failure.message
        return failure.message

    (model / "mine.txt").write_text("")
    assert "model also holds 'mine.txt', which would be lost" in refuse()
    (model / "mine.txt").unlink()
    metrics = json.loads((model / "metrics.json").read_text())
    for content, named in (
        (json.dumps({key: value for key, value in metrics.items() if key != "command"}), "'command'"),
        (json.dumps([]), "not as `sentcli train` writes it"),
        ("{", "metrics.json"),
    ):
        (model / "metrics.json").write_text(content)
        write_manifest(model)
        message = refuse()
        assert named in message
        assert "metrics.json" in message


def test_a_failure_on_the_way_leaves_the_folder_as_it_was_and_the_figures_are_told(model, monkeypatch):
    before = contents(model)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sentcli.evaluation.card_update.write_card", full)
    result = invoke("evaluate", "model", "--dataset", "test.csv", "--card")
    assert result.exit_code == 1
    assert result.stderr == "Error: model: the model folder cannot be written: No space left on device\n"
    assert result.stdout == invoke("evaluate", "model", "--dataset", "test.csv").stdout
    assert contents(model) == before
    assert sorted(path.name for path in model.parent.iterdir()) == ["model", "other.csv", "test.csv"]


def test_a_folder_that_was_changed_meanwhile_is_not_replaced(model, monkeypatch):

    write = recording.record_evaluation

    def late(bundle, *arguments):
        (model / "metrics.json").write_text("{}")
        write(bundle, *arguments)

    monkeypatch.setattr(recording, "record_evaluation", late)
    result = invoke("evaluate", "model", "--dataset", "test.csv", "--card")
    assert result.exit_code == 1
    assert "metrics.json: damaged or changed" in result.stderr
    assert (model / "metrics.json").read_text() == "{}"


def test_figures_of_another_run_that_came_meanwhile_stay(model, monkeypatch):
    write = recording.record_evaluation

    def late(bundle, *arguments):
        monkeypatch.setattr(recording, "record_evaluation", write)
        result = invoke("evaluate", "model", "--dataset", "other.csv", "--card")
        assert result.exit_code == 0
        write(bundle, *arguments)

    monkeypatch.setattr(recording, "record_evaluation", late)
    assert invoke("evaluate", "model", "--dataset", "test.csv", "--card").exit_code == 0
    measured = json.loads((model / "metrics.json").read_text())["evaluations"]
    assert sorted(each["dataset"] for each in measured) == ["other.csv", "test.csv"]
    assert "other.csv" in card(model)


def test_runs_that_record_at_the_same_time_wait_for_each_other(model):
    lock = Lock(model, "card-lock")
    line = [sys.executable, "-m", "sentcli", "evaluate", "model", "--dataset", "test.csv", "--card"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline()  # it has measured
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    lock.release()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert "test.csv" in card(model)
    assert not [*model.parent.glob(".model*")]


def test_figures_of_another_model_do_not_get_onto_the_card(model, monkeypatch):
    write = recording.record_evaluation

    def late(bundle, *arguments):
        (model / "vocab.txt").write_text((model / "vocab.txt").read_text() + "another\n")
        write_manifest(model)
        write(bundle, *arguments)

    monkeypatch.setattr(recording, "record_evaluation", late)
    result = invoke("evaluate", "model", "--dataset", "test.csv", "--card")
    assert result.exit_code == 1
    assert "model: the model was changed while it was measured; measure it anew" in result.stderr


def test_models_of_other_sizes_and_seeds_go_into_the_card_too(model):
    sizes = [
        {
            "hidden": 8,
            "layers": 1,
            "validation_accuracy": 0.9,
            "validation_loss": 0.3,
            "validation_calibration_error": 0.02,
            "reviews_per_second": 5000.0,
        },
        {
            "hidden": 16,
            "layers": 1,
            "validation_accuracy": 0.91,
            "validation_loss": 0.25,
            "validation_calibration_error": 0.01,
            "reviews_per_second": 3000.0,
        },
    ]
    of = {"validation_loss": 0.3, "validation_calibration_error": 0.02}
    seeds = [
        {"seed": seed, "validation_accuracy": accuracy, **of} for seed, accuracy in ((1, 0.9), (2, 0.91))
    ]
    before = contents(model)
    recording.record_variants(load_bundle(model), sizes, seeds, command="python sizes.py", machine="Zen")
    assert contents(model).keys() == before.keys() | {"sizes.png"}
    load_bundle(model).read("sizes.png")
    assert "| 16 | 1 | 0.9100 | 0.2500 | 0.0100 | 3,000 |" in card(model)
    assert "The mean accuracy is 0.9050" in card(model)
    assert "](sizes.png)" in card(model)
    assert "those of one core of Zen" in card(model)


def test_what_the_model_learnt_from_is_kept_off_the_card(model, trained):
    before = contents(model)
    dataset = Path(json.loads(trained.read("metrics.json"))["dataset"])
    rows = pd.read_csv(dataset)
    rows.iloc[::-1].to_csv("copy.csv", index=False)
    rows.to_json("copy.jsonl", orient="records", lines=True)
    for name in (dataset, "copy.csv", "copy.jsonl"):
        failure = fail("evaluate", "model", "--dataset", name, "--card")
        assert f"--card: model learnt from about 100% of the texts of {name}" in failure.message
    whole = fail("evaluate", "model", "--dataset", dataset.parent, "--split", "train", "--card")
    assert f"of the texts of {dataset.parent}" in whole.message
    assert contents(model) == before


def test_what_may_be_chance_is_said_and_stays_on_the_card(model, trained, monkeypatch):
    said = json.loads(trained.read("metrics.json"))
    monkeypatch.setattr(learnt, "_KEPT", len(base64.b64decode(said["learnt_sample"])) // 8)  # as if of more
    few = [pd.read_csv("test.csv").head(12), pd.read_csv(said["dataset"]).tail(3)]
    pd.concat(few).to_csv("few.csv", index=False)
    result = invoke("evaluate", "model", "--dataset", "few.csv", "--card")
    assert result.exit_code == 0, result.output
    assert re.search(r"learnt from about \d\d% of the texts of few\.csv", result.stderr)
    assert "--dataset few.csv" in card(model)


def test_a_part_of_what_the_model_learnt_from_is_kept_off_the_card(model, trained, evaluate):
    known = pd.read_csv(json.loads(trained.read("metrics.json"))["dataset"])
    others = pd.DataFrame(invented.reviews(190, seed=6), columns=["review", "label"])
    for count, is_refused in ((60, True), (2, False)):
        pd.concat([others, known.tail(count)]).to_csv("mixed.csv", index=False)
        if is_refused:
            failure = fail("evaluate", "model", "--dataset", "mixed.csv", "--card")
            assert re.search(r"learnt from about 2\d% of the texts of mixed\.csv", failure.message)
            assert "promise too much; try texts that it has not seen" in failure.message
        else:
            evaluate("model", "--dataset", "mixed.csv", "--card")


def test_pictures_do_not_go_into_the_folder_of_the_card(model):
    before = contents(model)
    for folder in ("model", "model/plots"):
        for line in (("--card",), ()):
            failure = fail("evaluate", "model", "--dataset", "test.csv", "--plots", folder, *line)
            assert "a model folder is replaced as a whole" in failure.message
    assert contents(model) == before
    assert not (model / "plots").exists()


def test_a_command_on_the_card_says_how_long_passages_are(model, evaluate):
    first = evaluate("--passages", "--card", "model", "--dataset", "test.csv")
    evaluate("model", "--dataset", "other.csv", "--card", "--passages")
    commands = [record["command"] for record in recorded(model)]
    assert commands[0] == "sentcli evaluate model --dataset test.csv --passages 3"
    assert commands[1] == "sentcli evaluate model --dataset other.csv --passages 3"
    assert evaluate(*commands[0].split()[2:]) == first


def test_a_command_on_the_card_can_be_run_whatever_its_words_begin_with(model, evaluate):
    model.rename("-model")
    rows = Path("test.csv").read_text().replace("review,label", "review,-label")
    Path("dashes.csv").write_text(rows)
    found = evaluate("--dataset", "dashes.csv", "--label-column", "-label", "--card", "--", "-model")
    command = recorded(Path("-model"))[0]["command"]
    assert command == "sentcli evaluate ./-model --dataset dashes.csv --label-column=-label"
    assert evaluate(*command.split()[2:]) == found


def test_a_command_on_the_card_leaves_out_where_pictures_go(model, evaluate):
    evaluate("model", "--dataset", "test.csv", "--plots", "one", "--card", "-q")
    evaluate("model", "--plots=two", "--dataset", "other.csv", "--card", "-q")
    commands = [record["command"] for record in recorded(model)]
    assert commands == [f"sentcli evaluate model --dataset {name}.csv" for name in ("test", "other")]
