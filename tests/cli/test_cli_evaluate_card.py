"""`sentcli evaluate --card`: the metrics in the folder of the model."""

import json
import shlex
import shutil
from pathlib import Path

import invented
import pytest

pytest.importorskip("torch")

from commands import fail, invoke

from sentcli.evaluation import model_card
from sentcli.model.bundle import load_bundle, write_manifest


@pytest.fixture
def model(trained, tmp_path, monkeypatch):
    """A copy of the trained model, next to data to measure it on."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.path, "model")
    for name, seed in (("test.csv", 11), ("other.csv", 12)):
        invented.write_csv(tmp_path / name, invented.reviews(40, seed=seed))
    return tmp_path / "model"


def evaluate(*arguments):
    result = invoke("evaluate", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def recorded(model):
    return json.loads((model / "metrics.json").read_text())["evaluations"]


def card(model):
    return (model / "README.md").read_text("utf-8")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_gets_metrics_and_a_card_with_them(model):
    before = contents(model)
    of_training = card(model).partition("## Training")[2].partition("## Files")[0]
    found = evaluate("model", "--dataset", "test.csv", "--card", "--by", "review", "-q")
    del found["errors"], found["by"]  # no texts in a model folder
    assert recorded(model) == [found | {"command": "sentcli evaluate model --dataset test.csv"}]
    assert f"| accuracy | {found['accuracy']:.4f} |" in card(model)
    assert "```sh\nsentcli evaluate model --dataset test.csv\n```" in card(model)
    assert card(model).partition("## Training")[2].startswith(of_training)
    after = contents(model)
    assert after.keys() == before.keys()
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"README.md", "metrics.json", "manifest.json"}
    assert load_bundle(model).digests.keys() == after.keys() - {"manifest.json"}
    assert [path.name for path in model.parent.iterdir() if path.name.startswith(".")] == []


def test_the_same_command_replaces_the_earlier_figures(model):
    evaluate("model", "--dataset", "test.csv", "--card")
    evaluate("model", "--dataset", "other.csv", "--card")
    evaluate("model", "--dataset", "test.csv", "--backend", "torch", "--device", "cpu", "--card")
    invented.write_csv(model.parent / "test.csv", invented.reviews(20, seed=30))
    evaluate("model", "--dataset", "test.csv", "--workers", 1, "--card", "-q")
    kept = [(of["dataset"], of["backend"], of["examples"]) for of in recorded(model)]
    assert kept == [("test.csv", "onnx", 20), ("other.csv", "onnx", 40), ("test.csv", "torch", 40)]


def test_an_export_has_no_card(model):
    assert invoke("export", "model", "-o", "exported").exit_code == 0
    refused = fail("evaluate", "exported", "--dataset", "test.csv", "--card")
    assert (refused.code, "has no card" in refused.message) == (2, True)


def test_a_folder_that_cannot_get_a_card_is_refused_before_the_data_is_read(model):
    def refuse():
        message = fail("evaluate", "model", "--dataset", "nothing.csv", "--card").message
        assert "nothing.csv" not in message
        return message

    (model / "mine.txt").write_text("")
    assert "model also holds 'mine.txt', which would be lost" in refuse()
    (model / "mine.txt").unlink()
    metrics = json.loads((model / "metrics.json").read_text())
    without_command = {key: value for key, value in metrics.items() if key != "command"}
    for content in (without_command, metrics | {"calibration": {}}, metrics | {"data": 1}, [], None):
        (model / "metrics.json").write_text("{" if content is None else json.dumps(content))
        write_manifest(model)
        assert "metrics.json" in refuse()


def test_a_full_disk_leaves_the_folder_as_it_was_after_printing_the_metrics(model, monkeypatch):
    before = contents(model)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    result = invoke("evaluate", "model", "--dataset", "test.csv", "--card")
    assert result.exit_code == 1
    assert result.stderr == "Error: model: the model folder cannot be written: No space left on device\n"
    assert result.stdout == invoke("evaluate", "model", "--dataset", "test.csv").stdout
    assert contents(model) == before
    assert sorted(path.name for path in model.parent.iterdir()) == ["model", "other.csv", "test.csv"]


def test_a_concurrent_evaluation_is_kept_and_a_changed_model_refused(model, monkeypatch):
    write = model_card.record_evaluation

    def after(change):
        def late(bundle, *arguments):
            monkeypatch.setattr(model_card, "record_evaluation", write)
            change()
            write(bundle, *arguments)

        monkeypatch.setattr(model_card, "record_evaluation", late)
        return invoke("evaluate", "model", "--dataset", "test.csv", "--card")

    assert after(lambda: evaluate("model", "--dataset", "other.csv", "--card")).exit_code == 0
    assert sorted(each["dataset"] for each in recorded(model)) == ["other.csv", "test.csv"]

    def train_again():
        (model / "vocab.txt").write_text((model / "vocab.txt").read_text() + "another\n")
        write_manifest(model)

    result = after(train_again)
    assert result.exit_code == 1
    assert "model: the model changed while it was measured" in result.stderr


def test_each_command_on_the_card_gives_its_metrics_again(model):
    lines = Path("test.csv").read_text().replace(",positive", "\tpositive")
    Path("tabs.csv").write_text(lines.replace(",negative", "\tnegative").replace("review,", "review\t"))
    lines = [
        ("--dataset", "test.csv", "--report", "page.html", "-q", "model"),
        ("--dataset", "tabs.csv", "--delimiter", "\t", "--label-column", "label", "model"),
    ]
    found = [evaluate("--card", *line) for line in lines]
    commands = [record["command"] for record in recorded(model)]
    assert commands == [
        "sentcli evaluate model --dataset test.csv",
        "sentcli evaluate model --dataset tabs.csv --label-column label --delimiter '\t'",
    ]
    assert [evaluate(*shlex.split(command)[2:]) for command in commands] == found
