"""`sentcli train`: its inputs, its outputs, its refusals, and how an interrupted run continues."""

import csv
import json
import signal
from pathlib import Path

import invented
import pytest

pytest.importorskip("torch")

import torch
from commands import fail, invoke

import sentcli
from sentcli.backends.torch import load_model
from sentcli.errors import StopRequested, TrainingError
from sentcli.export import export
from sentcli.files.atomic import Lock
from sentcli.model.bilstm import gates_of
from sentcli.model.bundle import load_bundle
from sentcli.training import classifier, loop, train_model

FILES = {
    *("README.md", "config.json", "history.csv", "learned-texts.bin", "manifest.json", "metrics.json"),
    *("model.onnx", "normalize.json", "normalize.py", "recipe.toml", "training.html", "validation.csv"),
    "vocab.txt",
}
NO_SHARE = (
    *("--glove", "none", "--hidden-size", 4, "--embedding-dim", 5, "--max-tokens", 20, "--min-freq", 1),
    *("--batch-size", 8, "--device", "cpu", "--threads", 1),
)
SMALL = (*NO_SHARE, "--validation-share", 0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return invented.write_csv(tmp_path_factory.mktemp("data") / "r.csv", invented.reviews(80, seed=3))


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    """A model of two epochs; do not write to it."""
    model = tmp_path_factory.mktemp("uninterrupted") / "model"
    assert invoke("train", "--dataset", data, *SMALL, "--epochs", 2, "-o", model).exit_code == 0
    return model


@pytest.fixture
def train(data, tmp_path):
    def train(*arguments, output="model", epochs=1, config=""):
        (tmp_path.parent / "settings.toml").write_text(config)
        line = ("--config", tmp_path.parent / "settings.toml", "--dataset", data, *SMALL, "--epochs", epochs)
        result = invoke("train", *line, "-o", tmp_path / output, *arguments)
        assert result.exit_code == 0, result.output
        return result

    return train


def refuse(*arguments, data):
    """Fail with one line: without --quiet, a line about the data may come before."""
    return fail("train", "--quiet", "--dataset", data, *SMALL, *arguments)


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_the_class_whose_probability_is_the_score_can_be_chosen(train, tmp_path):
    result = train("--positive", "negative")
    assert "a score is the probability of 'negative'" in result.stderr
    assert load_bundle(tmp_path / "model").config.labels == ("positive", "negative")
    assert 'positive = "negative"' in (tmp_path / "model" / "recipe.toml").read_text()


def test_the_model_folder_has_all_files_and_the_settings(train, tmp_path, data):
    result = train(epochs=2, config='license = "mit"')
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    bundle = load_bundle(tmp_path / "model")
    assert {path.name for path in bundle.path.iterdir()} == FILES
    assert bundle.digests.keys() == FILES - {"manifest.json"}
    assert (bundle.config.labels, bundle.config.neutral) == (("negative", "positive"), None)
    assert bundle.config.text.max_tokens == 20
    shape = bundle.config.model
    assert (shape.hidden_size, shape.embedding_dim, shape.vocab_size) == (4, 5, len(bundle.vocab))
    metrics = metrics_of(bundle.path)
    assert (metrics["dataset"], metrics["training"]["epochs"]) == (str(data), 2)
    with (bundle.path / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["1", "2"]
    best = min(history, key=lambda row: float(row["validation_loss"]))
    assert metrics["best_epoch"] == int(best["epoch"])
    assert f"Training of <bdi>{bundle.name}</bdi>" in (bundle.path / "training.html").read_text("utf-8")
    assert 'license: "mit"' in (bundle.path / "README.md").read_text()


def test_progress_goes_to_stderr_and_quiet_writes_nothing(train, data):
    told = train(epochs=3).stderr
    for part in (f"{data}: ", "--max-tokens", "epoch 3/3: ", "validation accuracy", "training.html"):
        assert part in told
    assert train("--quiet", output="other").output == ""


def test_rows_that_cannot_be_used_are_set_aside(train, tmp_path):
    rows = invented.reviews(80, seed=3)
    broken = invented.write_csv(tmp_path / "broken.csv", [*rows[:40], ("who knows", ""), *rows[40:]])
    told = train("--dataset", broken, config='max-rejects = "2%"').stderr
    assert "1 of 81 rows" in told
    (entry,) = map(json.loads, (tmp_path / "model.rejects.jsonl").read_text().splitlines())
    assert (entry["row"], entry["reason"], entry["text"]) == (41, "no label", "who knows")


def test_the_test_split_has_no_part_in_training(train, tmp_path):
    for name, seed in (("one", 8), ("other", 9)):
        (tmp_path / f"{name}-data").mkdir()
        invented.write_csv(tmp_path / f"{name}-data" / "train.csv", invented.reviews(60, seed=3))
        invented.write_csv(tmp_path / f"{name}-data" / "test.csv", invented.reviews(30, seed=seed))
        train("--dataset", tmp_path / f"{name}-data", output=name)
    for name in ("vocab.txt", "model.onnx"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.fixture
def several(data, tmp_path):
    """A recipe with three data sets: reviews, sentences of great weight, and stars."""
    rows = [("a splendiferous zork", "positive"), ("a cromulent zork", "negative")]
    sentences = invented.write_csv(tmp_path / "sentences.csv", rows)
    stars = [
        (f"{text} {'zap' * (label == 'neutral')}", str(invented.THREE.index(label)))
        for text, label in invented.reviews(90, seed=4, labels=invented.THREE)
    ]
    stars = invented.write_csv(tmp_path / "stars.csv", stars)
    recipe = tmp_path / "several.toml"
    recipe.write_text(f"""
lr = 0.02
[[data]]
path = "{data}"
terms = "of nobody"
[[data]]
path = "{sentences}"
weight = 100
validate = false
[[data]]
path = "{stars}"
text-column = "review"
targets = {{ 0 = 0.1, 1 = 0.5, 2 = 0.9 }}
most = 20
""")

    def train(*arguments, output="model", config=recipe):
        line = ("train", "--config", config, *SMALL, "--epochs", 3, "-o", tmp_path / output)
        return invoke(*line, *arguments)

    return train


def test_a_model_learns_from_several_data_sets(several, data, tmp_path):
    made = several()
    assert made.exit_code == 0, made.output
    bundle = load_bundle(tmp_path / "model")
    with sentcli.load(bundle.path) as scorer:
        labels = scorer.score(["a splendiferous zork", "a cromulent zork"]).labels
    assert labels == ["positive", "negative"]  # words of no other data set
    metrics = metrics_of(bundle.path)
    assert [each["texts"] for each in metrics["data"]] == [72, 2, 54]
    assert (metrics["examples"]["train"], metrics["examples"]["validation"]) == (128, 14)
    assert metrics["validation"]["examples"] == 12  # without the neutral ones
    low, high = bundle.config.neutral
    assert low <= 0.5 <= high
    assert "`of nobody`" in (bundle.path / "README.md").read_text()


def test_the_recipe_has_the_tables_and_a_changed_one_does_not_continue(
    several, tmp_path, stop_at, monkeypatch
):
    assert several().exit_code == 0
    recipe = tmp_path / "model" / "recipe.toml"
    again = several(config=recipe, output="again")
    assert again.exit_code == 0, again.output
    one, two = (load_bundle(tmp_path / name) for name in ("model", "again"))
    for name in ("model.onnx", "vocab.txt", "config.json", "recipe.toml"):
        assert one.read(name) == two.read(name)
    stop_at()
    assert several(output="third").exit_code == 130
    monkeypatch.undo()
    changed = tmp_path / "changed.toml"
    changed.write_text(recipe.read_text().replace("weight = 100", "weight = 99"))
    assert "weight of data set 2 was 100, is 99" in several(config=changed, output="third").stderr
    assert several(output="third").exit_code == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "path = 'r.csv'\nwieght = 2",
            "data: table 1: unknown key 'wieght'; the keys are path, text_column,",
        ),
        ("weight = 3", "data: table 1: the path is missing"),
        ("path = 'r.csv'\ntargets = { 1 = 2 }", "the target of 1 is 2; it has to be from 0 to 1"),
    ],
)
def test_a_wrong_table_is_refused(several, tmp_path, table, message):
    (tmp_path / "wrong.toml").write_text(f"[[data]]\n{table}\n")
    refused = several(config=tmp_path / "wrong.toml")
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_tables_replace_the_data_set(several, tmp_path, data):
    for line in ("data = 'r.csv'", "data = []", "data = [1]"):
        (tmp_path / "wrong.toml").write_text(line)
        assert several(config=tmp_path / "wrong.toml").exit_code == 2
    assert "--dataset cannot be combined with [[data]] tables" in several("--dataset", data).stderr


def test_validation_data_may_be_given(data, tmp_path):
    """They decide the best epoch and the validation metrics."""
    rows = invented.reviews(30, seed=5)
    own = invented.write_csv(tmp_path / "own.csv", rows)
    model = tmp_path / "model"
    made = invoke("train", "--dataset", data, *NO_SHARE, "--validation", own, "--epochs", 3, "-o", model)
    assert made.exit_code == 0, made.output
    assert "80 texts to train on, 30 to validate" in made.stderr
    reached = metrics_of(model)["validation"]
    with sentcli.load(model) as scorer:
        labels = scorer.score([text for text, _ in rows]).labels
    right = sum(found == label for found, (_, label) in zip(labels, rows, strict=True))
    assert reached["accuracy"] == right / 30
    measured = json.loads(invoke("evaluate", model, "--json", "--dataset", own).stdout)
    assert (measured["confusion"], measured["examples"]) == (reached["confusion"], 30)


def test_word_vectors_are_the_first_embedding(train, tmp_path):
    glove = tmp_path / "glove.txt"
    glove.write_text("".join(f"{word} 1 2 3 4 5\n" for word in ("the", "was", "film", "zebra")))
    train("--glove", glove, "--lr", 1e-9)
    found = metrics_of(tmp_path / "model")["glove"]
    assert (found["source"], found["types_covered"]) == ("glove.txt", 3)
    bundle = load_bundle(tmp_path / "model")
    row = bundle.vocab.words.index("film")
    assert load_model(bundle).embedding.weight[row].tolist() == pytest.approx([1, 2, 3, 4, 5], abs=1e-2)


def test_settings_reach_the_model(train, tmp_path):
    settings = 'num-layers = 2\npooling = "last"\nweight-decay = 0\nprecision = "fp32"\n'
    train("--bigrams", 3, config=settings + 'gates = "forget"')
    bundle = load_bundle(tmp_path / "model")
    assert (bundle.config.model.num_layers, bundle.config.model.pooling) == (2, "last")
    assert len(bundle.vocab) == bundle.config.model.vocab_size == bundle.vocab.first_bigram + 3
    assert gates_of(load_model(bundle)) == "forget"
    training = metrics_of(bundle.path)["training"]
    assert (training["weight_decay"], training["bf16"]) == (0, False)


@pytest.mark.parametrize(("batch", "number"), [(1, signal.SIGINT), (9, signal.SIGTERM), (14, signal.SIGHUP)])
def test_a_signal_after_any_batch_changes_no_number(
    train, data, uninterrupted, tmp_path, monkeypatch, batch, number
):
    """An epoch has 9 batches."""
    batches, drop_words = 0, classifier.drop_words

    def interrupted(*arguments):
        nonlocal batches
        batches += 1
        if batches == batch:
            signal.raise_signal(number)
        return drop_words(*arguments)

    line = ("--epochs", 2, "-o", tmp_path / "model")
    with monkeypatch.context() as patch:
        patch.setattr(classifier, "drop_words", interrupted)
        failure = refuse(*line, data=data)
    assert (failure.code, failure.message) == (128 + number, "Error: stopped; the same command continues\n")
    train(epochs=2)
    stopped, whole = (load_bundle(folder) for folder in (tmp_path / "model", uninterrupted))
    assert stopped.digests["model.onnx"] == whole.digests["model.onnx"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.fixture
def stop_at(monkeypatch):
    """Stop a run after its last epoch, or when it calls another function."""

    def stop_at(module=train_model, name="round_embedding", error=None):
        def stop(*_, **__):
            raise error or StopRequested(signal.SIGINT)

        monkeypatch.setattr(module, name, stop)

    return stop_at


def test_an_interrupted_run_continues_unless_something_changed(data, train, tmp_path, stop_at, monkeypatch):
    rows = tmp_path / "rows.csv"
    rows.write_bytes(data.read_bytes())
    line = ("--dataset", rows, "--epochs", 1, "-o", tmp_path / "model")
    stop_at()
    assert refuse(*line, data=data).code == 130
    monkeypatch.undo()
    for changed, named in (
        (("--lr", 0.1), "lr was 0.002, is 0.1"),
        (("--seed", 2), "seed was 1, is 2"),
        (("--validation-share", 0.2), "validation_share was 0.1"),
    ):
        refused = refuse(*line, *changed, data=data)
        assert refused.code == 1
        assert named in refused.message
        assert "--overwrite" in refused.message
    rows.write_text(data.read_text().replace("wonderful", "splendid"))
    assert "texts was" in refuse(*line, data=data).message
    rows.write_bytes(data.read_bytes())
    told = train("--dataset", rows).stderr
    assert "epoch 1/1" not in told  # no epoch was trained again
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "rows.csv"]


def test_a_run_that_fails_before_it_saved_anything_leaves_no_folder(data, tmp_path, monkeypatch):
    """Its history alone must not forbid other settings."""

    def diverge(loss, epoch):
        if epoch:
            raise TrainingError("the loss became nan")

    monkeypatch.setattr(loop, "_check_finite", diverge)
    assert "nan" in refuse("--epochs", 2, "-o", tmp_path / "model", data=data).message
    assert [*tmp_path.iterdir()] == []


def test_overwrite_starts_over_and_a_finished_model_needs_it(data, train, tmp_path, stop_at, monkeypatch):
    train()
    made = load_bundle(tmp_path / "model").digest
    finished = refuse("-o", tmp_path / "model", data=data)
    assert (finished.code, "--overwrite" in finished.message) == (1, True)
    stop_at()
    stopped = refuse("--epochs", 1, "--seed", 2, "-o", tmp_path / "model", "--overwrite", data=data)
    assert stopped.message == "Error: stopped; the same command without --overwrite continues\n"
    assert load_bundle(tmp_path / "model").digest == made
    monkeypatch.undo()
    assert "epoch 1/1" not in train("--seed", 2).stderr
    assert load_bundle(tmp_path / "model").digest != made
    stop_at()
    refuse("--epochs", 1, "-o", tmp_path / "model", "--overwrite", data=data)
    monkeypatch.undo()
    assert "epoch 1/1" in train("--seed", 3, "--overwrite").stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_full_disk_leaves_the_old_model_and_the_checkpoint(data, train, tmp_path, stop_at, monkeypatch):
    train()
    made = load_bundle(tmp_path / "model").digest
    stop_at(export, "write_onnx", OSError(28, "No space left on device"))
    line = ("--epochs", 1, "--seed", 2, "-o", tmp_path / "model")
    assert "No space left on device" in refuse(*line, "--overwrite", data=data).message
    assert load_bundle(tmp_path / "model").digest == made
    monkeypatch.undo()
    assert "epoch 1/1" not in train("--seed", 2).stderr
    assert load_bundle(tmp_path / "model").digest != made

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    failure = refuse("-o", tmp_path / "other", data=data)
    assert (failure.code, "No space left on device" in failure.message) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("step", "said"),
    [("round_embedding", "free memory, then the same command continues"), ("fit", "try fewer texts")],
)
def test_a_lack_of_memory_is_an_error_with_advice(data, tmp_path, monkeypatch, step, said):
    def need_too_much(*_, **__):
        torch.empty(1 << 60)  # PyTorch raises a RuntimeError for it

    monkeypatch.setattr(train_model, step, need_too_much)
    failure = refuse("-o", tmp_path / "m", "--epochs", 1, data=data)
    assert (failure.code, failure.message) == (1, f"Error: out of memory; {said}\n")


def test_two_runs_do_not_train_into_one_model(data, tmp_path, monkeypatch):
    monkeypatch.setattr("sentcli.files.atomic.WAIT_SECONDS", 0.2, raising=False)
    lock = Lock(tmp_path / "m")
    failure = refuse("-o", tmp_path / "m", data=data)
    assert failure.code == 1
    assert f"{tmp_path / 'm'}: another run of sentcli is writing it" in failure.message
    lock.release()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--glove", "wide.txt"), 1, ["wide.txt", "3", "--embedding-dim"]),
        (("--glove", "6B.100d"), 1, ["6B.100d", "100", "5"]),
        (("--glove", "nothing.txt"), 1, ["nothing.txt", "6B.100d", "none"]),
        (("-o", "there"), 1, ["there", "exists", "--overwrite"]),
        (("-o", "there", "--overwrite"), 1, ["there", "not a model folder"]),
        (("--epochs", "0"), 2, ["epochs is 0"]),
        (("--interpolate", "0.5"), 2, ["--interpolate needs a model", "--finetune"]),
        (("--validation", "there/mine.txt"), 2, ["--validation-share", "--validation"]),
    ],
)
def test_invalid_arguments_of_training_are_refused_by_name(
    data, tmp_path, monkeypatch, arguments, code, named
):
    monkeypatch.chdir(tmp_path)
    Path("wide.txt").write_text("the 1 2 3\nwas 1 2 3\n")
    Path("there").mkdir()
    Path("there", "mine.txt").write_text("review,label\n")
    failure = refuse("-o", "model", *arguments, data=data)
    assert failure.code == code
    for part in named:
        assert part in failure.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "wide.txt"]


def test_vectors_and_output_are_checked_before_the_data_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    for arguments in (("--glove", "nothing.txt"), ("--glove", "6B.100d"), ("-o", "model")):
        assert "nothing.csv" not in fail("train", *SMALL, "--dataset", "nothing.csv", *arguments).message


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_missing_is_refused(data, tmp_path):
    failure = refuse("-o", tmp_path / "m", "--device", "cuda", data=data)
    assert (failure.code, "--device cpu" in failure.message) == (2, True)


def test_a_time_limit_has_a_unit_and_is_in_the_recipe(data, train, tmp_path):
    train("--time-limit", "2h")
    assert "time-limit = 7200.0" in (tmp_path / "model" / "recipe.toml").read_text()
    assert "'2x' is not a time such as 90s, 10m or 2h" in refuse("--time-limit", "2x", data=data).message
