"""Self-training: what the student learns from, and that nothing is done twice."""

import io
import json
from dataclasses import replace
from pathlib import Path

import invented
import pandas as pd
import pytest

from sentcli.config import DataSet, ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.errors import DataError, UsageError
from sentcli.model.bundle import Bundle, load_bundle
from sentcli.training import train
from sentcli.training.corpus import DataSource
from sentcli.training.self_training import steps
from sentcli.training.settings import NO_VECTORS, Settings
from sentcli.training.train import train_bundle

SETTINGS = Settings(
    text=TextConfig(max_tokens=40),
    model=ModelConfig(vocab_size=2, embedding_dim=12, hidden_size=8),
    config=TrainConfig(epochs=2, batch_size=16, lr=0.02, ema_decay=0.9, min_freq=1, precision="fp32"),
    device="cpu",
    threads=1,
    quiet=True,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> DataSource:
    """Few texts with labels, and many without."""
    folder = tmp_path_factory.mktemp("data")
    few = invented.write_csv(folder / "few.csv", invented.reviews(60, seed=11))
    heap = folder / "heap.csv"
    pd.DataFrame({"review": [text for text, _ in invented.reviews(200, seed=12)]}).to_csv(heap, index=False)
    return DataSource((DataSet(str(few)),), NO_VECTORS, str(heap))


def run(source: DataSource, output: Path, teachers=(), settings=SETTINGS, **plan) -> Bundle:
    train_bundle(source, output, settings, SelfTrainingConfig(**plan), teachers=list(map(str, teachers)))
    return load_bundle(output)


def metrics(bundle: Bundle) -> dict:
    return json.loads(bundle.read("metrics.json"))


def stages(bundle: Bundle) -> list[str]:
    return pd.read_csv(io.BytesIO(bundle.read("history.csv")))["stage"].unique().tolist()


@pytest.fixture
def more(source, tmp_path) -> DataSource:
    """The same with a data set that has a word which no other text has."""
    rows = [("a splendiferous zork", "positive"), ("a cromulent zork", "negative")]
    extra = DataSet(str(invented.write_csv(tmp_path / "extra.csv", rows)), validate=False)
    return replace(source, data=(*source.data, extra))


def test_the_student_learns_from_all_texts(more, trained, tmp_path):
    settings = replace(SETTINGS, config=replace(SETTINGS.config, epochs=6))
    bundle = run(more, tmp_path / "student", [trained.path], settings)
    assert "zork" in bundle.vocab
    assert metrics(bundle)["validation"]["accuracy"] > 0.8
    examples = metrics(bundle)["examples"]
    assert (examples["train"], examples["unlabeled"]) == (54 + 2, 200)
    assert examples["pseudo_labeled"] == 200 + examples["passages"]
    assert 0.9 * (56 + 200) < examples["passages"] <= 56 + 200  # one of each text, validation texts apart
    assert metrics(bundle)["self_training"] == SelfTrainingConfig().to_json()
    assert stages(bundle) == [
        *(f"labels of {name}" for name in ("trained", "n-grams", "all together")),
        "model",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["extra.csv", "student"]


class InterruptionError(Exception):
    pass


def test_finished_steps_are_not_done_again(source, tmp_path, monkeypatch):
    whole = run(source, tmp_path / "whole", ["auto"])
    labels = [f"labels of {name}" for name in ("teacher", "n-grams", "all together")]
    assert stages(whole) == ["teacher", *labels, "model"]
    done: list[str] = []
    train_model, label = steps.train_model, steps.label

    def training(*arguments, **options):
        done.append(Path(arguments[2]).name)
        train_model(*arguments, **options)
        raise InterruptionError  # after each model

    def labelling(*arguments):
        done.append("label")
        return label(*arguments)

    for module in (steps, train):
        monkeypatch.setattr(module, "train_model", training)
    monkeypatch.setattr(steps, "label", labelling)
    for _ in range(2):
        with pytest.raises(InterruptionError):
            run(source, tmp_path / "parts", ["auto"])
    assert done == ["teacher", "label", "parts"]
    parts = load_bundle(tmp_path / "parts")
    assert whole.read("model.safetensors") == parts.read("model.safetensors")
    assert stages(whole) == stages(parts)


def test_another_plan_or_teacher_does_not_continue_an_interrupted_run(more, trained, tmp_path, monkeypatch):
    def fail(*_):
        raise InterruptionError

    with monkeypatch.context() as patch:
        patch.setattr(steps, "label", fail)
        with pytest.raises(InterruptionError):
            run(more, tmp_path / "student", ["auto"])
    for changes, said in (
        ({"teachers": ["auto"], "passages": 2.0}, "passages was 1.0, is 2.0"),
        ({"teachers": ["auto", trained.path]}, "teachers was .*, is"),
    ):
        with pytest.raises(DataError, match=said):
            run(more, tmp_path / "student", **changes)
    teacher = load_bundle(tmp_path / ".student.training" / "teacher")
    assert "zork" in teacher.vocab
    assert teacher.config.model.hidden_size == 128


def test_what_cannot_be_is_refused(source, trained_three, tmp_path):
    with pytest.raises(DataError, match="the teacher has the labels negative, neutral, positive"):
        run(source, tmp_path / "m", [trained_three.path])
    same = tmp_path / "same.csv"
    pd.DataFrame({"review": ["a text"] * 3}).to_csv(same, index=False)
    own = invented.write_csv(tmp_path / "own.csv", [("a text", "positive"), ("another", "negative")])
    with pytest.raises(UsageError, match="all of its texts are in the validation part"):
        run(replace(source, unlabeled=str(same), validation=str(own)), tmp_path / "m")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.csv", "same.csv"]


def test_what_depends_on_labels_is_chosen_from_them_alone(source, trained, tmp_path, caplog):
    caplog.set_level("INFO", "sentcli")
    settings = replace(SETTINGS, auto=("batch_size", "validation_share"))
    run(source, tmp_path / "student", [trained.path], settings)
    of_labels, of_all = (message for message in caplog.messages if message.startswith("chosen for "))
    assert of_labels.startswith("chosen for 60 texts ")
    assert of_labels.endswith("classes: validation-share 0.2")
    assert of_all.startswith("chosen for 260 texts ")
    assert of_all.endswith("classes: batch-size 8")
