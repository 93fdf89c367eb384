import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import invented
import pandas as pd
import pytest
import torch
from commands import fail, invoke
from safetensors.numpy import load_file

import sentcli
import sentcli.evaluation.datasets
import sentcli.training.train
from sentcli.errors import InterruptedRunError
from sentcli.files.lock import Lock
from sentcli.model.bilstm import gates_of, load_model
from sentcli.model.bundle import load_bundle
from sentcli.training import step

FILES = {
    "README.md",
    "config.json",
    "curves.png",
    "history.csv",
    "manifest.json",
    "metrics.json",
    "model.onnx",
    "model.safetensors",
    "recipe.toml",
    "reliability.png",
    "vocab.txt",
}
NO_SHARE = (
    *("--glove", "none", "--hidden", 4, "--embedding-dim", 5, "--max-tokens", 20, "--min-freq", 1),
    *("--batch-size", 8, "--device", "cpu", "--threads", 1),
)
SMALL = (*NO_SHARE, "--validation-share", 0.1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return invented.write_csv(tmp_path_factory.mktemp("data") / "r.csv", invented.reviews(80, seed=3))


@pytest.fixture
def train(data, tmp_path):
    def train(*arguments, output="model", epochs=1):
        line = ("--dataset", data, *SMALL, "--epochs", epochs, "-o", tmp_path / output, *arguments)
        result = invoke("train", *line)
        assert result.exit_code == 0, result.output
        return result

    return train


def refuse(*arguments, data):
    """Fail without a word but the error: of the data, something may be told before."""
    return fail("train", "--quiet", "--dataset", data, *SMALL, *arguments)


def test_phrases_are_part_of_the_model_and_of_its_recipe(train, tmp_path):
    train("--phrases", 3)
    bundle = load_bundle(tmp_path / "model")
    assert len(bundle.vocab.bigrams) == 3
    assert bundle.config.model.vocab_size == len(bundle.vocab)
    assert "3 bigrams" in (bundle.path / "README.md").read_text()
    assert "phrases = 3\n" in (bundle.path / "recipe.toml").read_text()
    with torch.inference_mode(), sentcli.load(bundle.path) as scorer:
        logits = load_model(bundle)(torch.tensor([[len(bundle.vocab) - 1]]), torch.tensor([1]))
        found = scorer.probabilities([bundle.vocab.words[-1]])
    assert found == pytest.approx(logits.softmax(1).numpy(), abs=1e-5)


def test_the_bundle_has_all_that_is_needed(train, tmp_path, data):
    result = train("--license", "mit", epochs=2)
    assert result.stdout == ""
    bundle = load_bundle(tmp_path / "model")
    assert {path.name for path in bundle.path.iterdir()} == FILES
    assert bundle.digests.keys() == FILES - {"manifest.json"}
    assert bundle.config.labels == ("negative", "positive")
    assert bundle.config.text.max_tokens == 20
    shape = bundle.config.model
    assert (shape.hidden_size, shape.embedding_dim, shape.vocab_size) == (4, 5, len(bundle.vocab))
    metrics = json.loads((bundle.path / "metrics.json").read_text())
    assert metrics["dataset"] == str(data)
    assert metrics["training"]["epochs"] == 2
    with (bundle.path / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["1", "2"]
    best = min(history, key=lambda row: float(row["validation_loss"]))
    assert metrics["best_epoch"] == int(best["epoch"])
    assert (bundle.path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert 'license: "mit"' in (bundle.path / "README.md").read_text()


def test_nothing_but_the_bundle_is_left(train, tmp_path):
    train()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_run_is_told_on_stderr_with_a_line_an_epoch(train, data):
    lines = [line for line in train(epochs=3).stderr.splitlines() if "no better than saying" not in line]
    assert f"{data}: " in lines[0]
    assert "2 classes: negative, positive" in lines[0]
    assert lines[1].endswith("words of a frequency of 1 or more")
    assert [line.partition(":")[0] for line in lines[2:5]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert "validation accuracy" in lines[5]
    assert lines[6].endswith("model")
    assert "done; a score is the probability of 'positive'; try: " in lines[6]
    assert "sentcli score --model" in lines[6]
    assert len(lines) == 7


def test_a_script_may_always_resume(train, tmp_path):
    anew = train("--resume").stderr
    assert f"{tmp_path / '.model.training'}: no interrupted run; starting over\n" in anew
    assert "no interrupted run" not in train(output="other").stderr
    ours, others = (load_file(tmp_path / name / "model.safetensors") for name in ("model", "other"))
    assert all((ours[name] == others[name]).all() for name in others)


def test_a_script_may_run_again(data, train, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sentcli.training.train.round_embedding", interrupted)
        refuse("--epochs", 1, "-o", tmp_path / "model", "--skip-existing", data=data)
    assert "epoch 1/1" not in train("--skip-existing").stderr
    made = load_bundle(tmp_path / "model").digest
    assert "--skip-existing" not in (tmp_path / "model" / "README.md").read_text()
    assert train("--skip-existing", "--seed", 2).stderr.endswith("model: exists, and is left alone\n")
    assert train("--skip-existing", "--quiet").stderr == ""
    assert load_bundle(tmp_path / "model").digest == made
    assert "no interrupted run" not in train("--skip-existing", output="other").stderr


def test_what_is_no_model_is_not_taken_for_one_that_was_made(data, tmp_path):
    (tmp_path / "model").mkdir()
    assert "the file is missing" in refuse("-o", tmp_path / "model", "--skip-existing", data=data).message
    both = refuse("-o", tmp_path / "model", "--skip-existing", "--overwrite", data=data)
    assert both.code == 2
    assert "--overwrite" in both.message


def test_quietly_nothing_is_told(train):
    assert train("--quiet").output == ""


def test_the_same_seed_gives_the_same_weights(train, tmp_path):
    for output, seed in (("one", 5), ("two", 5), ("other", 6)):
        train("--seed", seed, output=output)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "other")]
    assert weights[0] == weights[1] != weights[2]
    models = [(tmp_path / name / "model.onnx").read_bytes() for name in ("one", "two")]
    assert models[0] == models[1]


def test_the_test_split_has_no_part_in_training(train, tmp_path):
    for name, seed in (("one", 8), ("other", 9)):
        (tmp_path / f"{name}-data").mkdir()
        invented.write_csv(tmp_path / f"{name}-data" / "train.csv", invented.reviews(60, seed=3))
        invented.write_csv(tmp_path / f"{name}-data" / "test.csv", invented.reviews(30, seed=seed))
        train("--dataset", tmp_path / f"{name}-data", output=name)
    for name in ("vocab.txt", "model.safetensors", "history.csv"):
        one, other = ((tmp_path / output / name).read_text("latin-1") for output in ("one", "other"))
        if name == "history.csv":  # its last columns are times
            one, other = ([line.split(",")[:5] for line in text.splitlines()] for text in (one, other))
        assert one == other


def test_sentences_are_learnt_as_often_as_told(train, tmp_path):
    """Of words that no review has the model knows what they say of them, and nothing else."""
    rows = [("a splendiferous zork", "positive"), ("a cromulent zork", "negative")]
    sentences = invented.write_csv(tmp_path / "sentences.csv", rows)
    train(output="plain", epochs=2)
    result = train("--sentences", sentences, "--sentence-repeats", 100, "--lr", 0.02, epochs=3)
    assert f"{sentences}: 2 sentences to learn besides" in result.stderr
    bundle = load_bundle(tmp_path / "model")
    with sentcli.load(bundle.path) as scorer:
        assert scorer.score([text for text, _ in rows]).labels == ["positive", "negative"]
    assert "zork" not in load_bundle(tmp_path / "plain").vocab
    failure = fail("train", "--sentence-repeats", 2, "-o", tmp_path / "m")
    assert (failure.code, "try --sentences" in failure.message) == (2, True)
    metrics = json.loads(bundle.read("metrics.json"))
    assert (metrics["sentences"], metrics["examples"]["sentences"]) == (str(sentences), 2)
    assert f"| extra labelled texts | 2 of `{sentences}` |" in bundle.read("README.md").decode()
    assert "sentence-repeats = 100\n" in bundle.read("recipe.toml").decode()


def test_what_the_data_decides_counts_sentences_as_often_as_they_are_learnt(data, tmp_path):
    sentences = invented.write_csv(tmp_path / "s.csv", [("a zork", "positive"), ("a bore", "negative")])
    line = ("--dataset", data, *SMALL, "--sentences", sentences, "--sentence-repeats", 960)
    result = invoke("train", *line, "-o", tmp_path / "m")
    assert result.exit_code == 0, result.output
    assert "chosen for 2,000 texts " in result.stderr
    assert json.loads(load_bundle(tmp_path / "m").read("metrics.json"))["training"]["epochs"] == 11


def test_texts_to_validate_on_may_be_given(data, tmp_path):
    """All that is known of a model by validation is known of these: its epoch, its figures, what tells it."""
    rows = invented.reviews(30, seed=5)
    own = invented.write_csv(tmp_path / "own.csv", rows)
    model = tmp_path / "model"
    line = ("--dataset", data, *NO_SHARE, "--validation", own, "--epochs", 3, "-o", model)
    made = invoke("train", *line)
    assert made.exit_code == 0, made.output
    assert "80 texts to train on, 30 to validate" in made.stderr
    assert f"80 for training, 30 of `{own}` for validation" in (model / "README.md").read_text()
    assert "`validation_share`" not in (model / "README.md").read_text()
    reached = json.loads((model / "metrics.json").read_text())["validation"]
    with sentcli.load(model) as scorer:
        labels = scorer.score([text for text, _ in rows]).labels
    right = sum(found == label for found, (_, label) in zip(labels, rows, strict=True))
    assert reached["accuracy"] == right / 30
    for options in (("--held-out",), ("--dataset", own)):
        measured = json.loads(invoke("evaluate", model, "--json", *options).stdout)
        assert (measured["confusion"], measured["examples"]) == (reached["confusion"], 30)
    again = invoke("train", "--config", model / "recipe.toml", "-o", tmp_path / "again")
    assert again.exit_code == 0, again.output
    one, two = (load_bundle(tmp_path / name) for name in ("model", "again"))
    assert one.read("model.safetensors") == two.read("model.safetensors")
    assert (
        f"The training read no test split. Its epoch was selected on `{own}`."
        in (model / "README.md").read_text()
    )
    moved = invented.write_csv(tmp_path / "moved.csv", rows)
    invented.write_csv(own, rows[:20])
    assert "has other texts; if those are elsewhere" in fail("evaluate", model, "--held-out").message
    for _ in range(2):
        measured = json.loads(invoke("evaluate", model, "--held-out", "--json", "--dataset", moved).stdout)
        assert measured["confusion"] == reached["confusion"]
        own.unlink(missing_ok=True)
    assert "own.csv: no such file" in fail("evaluate", model, "--held-out").message
    by_line = invoke("evaluate", model, "--held-out", "--dataset", data)  # as the card has it
    assert "own.csv: no such file" in by_line.stderr
    both = refuse("--validation", own, "-o", tmp_path / "m", data=data)
    assert (both.code, "leave out one of them" in both.message) == (2, True)


def test_a_share_that_is_not_held_out_is_not_chosen(data, tmp_path):
    line = ("train", "--dataset", data, *NO_SHARE, "-o", tmp_path / "m", "--validation")
    assert "no text of the class" in fail(*line, data, "--quiet").message
    own = invented.write_csv(tmp_path / "own.csv", invented.reviews(8, seed=5))
    result = invoke(*line, own)
    assert result.exit_code == 0, result.output
    assert "chosen for 80 texts " in result.stderr
    assert "validation-share" not in result.stderr


def test_the_vocabulary_is_that_of_the_training_part(train, tmp_path):
    """Each text has a word of its own, so that those of the validation part are known by their absence."""
    rows = [(f"{text} word{number}", label) for number, (text, label) in enumerate(invented.reviews(60, 3))]
    train("--dataset", invented.write_csv(tmp_path / "r.csv", rows), "--validation-share", 0.2)
    bundle = load_bundle(tmp_path / "model")
    examples = json.loads((bundle.path / "metrics.json").read_text())["examples"]
    assert examples["validation"] == 12
    assert sum(f"word{number}" in bundle.vocab for number in range(60)) == examples["train"] == 48


def test_csv_may_be_written_otherwise(data, train, tmp_path):
    other = tmp_path / "r.csv"
    rows = pd.read_csv(data).to_csv(index=False, sep=";", quotechar="|")
    other.write_text(f"exported by hand;\n\n{rows}", "utf-16", newline="")
    how = ("--delimiter", ";", "--quotechar", "|", "--encoding", "utf-16", "--skip-lines", 2)
    train("--dataset", other, *how, output="other")
    train()
    one, two = tmp_path / "model", tmp_path / "other"
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    of_one, of_two = ({*(model / "recipe.toml").read_text().splitlines()} for model in (one, two))
    assert of_two - of_one == {
        f'dataset = "{other}"',
        'delimiter = ";"',
        'quotechar = "|"',
        'encoding = "utf-16"',
        "skip-lines = 2",
    }
    assert "--encoding utf-16 --skip-lines 2 --quotechar '|' --held-out" in (two / "README.md").read_text()
    measured = [
        json.loads(invoke("evaluate", model, "--held-out", "--json", *options).stdout)["confusion"]
        for model, options in ((one, ()), (two, ()), (two, ("--dataset", other, *how)))
    ]
    assert measured[1:] == measured[:1] * 2


def test_texts_without_a_word_are_left_out_and_told_of(tmp_path):
    rows = [
        *invented.reviews(40, seed=3),
        ("", "positive"),
        ("<br />", "negative"),
        ("<br /><br />", "positive"),
    ]
    data = invented.write_csv(tmp_path / "blank.csv", rows)
    result = invoke("train", "--dataset", data, *SMALL, "--epochs", 1, "-o", tmp_path / "m")
    assert result.exit_code == 0, result.output
    told = [int(line.split()[0]) for line in result.stderr.splitlines() if "without a word" in line]
    assert sum(told) == 3


def test_word_vectors_are_where_the_embedding_begins(train, tmp_path):
    glove = tmp_path / "glove.txt"
    glove.write_text("".join(f"{word} 1 2 3 4 5\n" for word in ("the", "was", "film", "zebra")))
    train("--glove", glove, "--lr", 1e-9)
    found = json.loads((tmp_path / "model" / "metrics.json").read_text())["glove"]
    assert (found["source"], found["types_covered"]) == ("glove.txt", 3)
    embedding = load_file(tmp_path / "model" / "model.safetensors")["embedding.weight"]
    row = load_bundle(tmp_path / "model").vocab.words.index("film")
    assert embedding[row].tolist() == pytest.approx([1, 2, 3, 4, 5], abs=1e-2)


@pytest.mark.parametrize("gates", ["forget"])
@pytest.mark.parametrize("more", [(), ("--pretrain", 1, "--layers", 2, "--hidden", 5)])
def test_gates_stay_tied(train, tmp_path, gates, more):
    train("--gates", gates, *more)
    assert gates_of(load_model(load_bundle(tmp_path / "model"))) == gates


def test_settings_reach_the_model(train, tmp_path):
    train("--layers", 2, "--pooling", "last", "--optimizer", "adam", "--precision", "fp32")
    bundle = load_bundle(tmp_path / "model")
    assert (bundle.config.model.num_layers, bundle.config.model.pooling) == (2, "last")
    training = json.loads((bundle.path / "metrics.json").read_text())["training"]
    assert (training["optimizer"], training["bf16"]) == ("adam", False)


@pytest.mark.parametrize(
    ("batch", "number"),
    [(1, signal.SIGINT), (9, signal.SIGINT), (13, signal.SIGTERM), (18, signal.SIGHUP)],
)
def test_a_signal_after_any_batch_changes_no_number(train, data, tmp_path, monkeypatch, batch, number):
    """An epoch has 9 batches."""
    batches, drop_words = 0, step.drop_words

    def interrupted(*arguments):
        nonlocal batches
        batches += 1
        if batches == batch:
            signal.raise_signal(number)
        return drop_words(*arguments)

    line = ("--dataset", data, *SMALL, "--epochs", 2, "-o", tmp_path / "model", "--quiet")
    with monkeypatch.context() as patch:
        patch.setattr("sentcli.training.step.drop_words", interrupted)
        failure = fail("train", *line)
    assert failure.code == 128 + number
    assert f"after batch {(batch - 1) % 9 + 1} of 9" in failure.message
    train("--resume", epochs=2)
    train(output="uninterrupted", epochs=2)
    for name in ("model.safetensors", "model.onnx"):
        assert (tmp_path / "model" / name).read_bytes() == (tmp_path / "uninterrupted" / name).read_bytes()


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_model(train, data, tmp_path):
    """A real signal in a real process; --resume and the run to compare with are here."""
    line = ["--dataset", data, *SMALL, "--epochs", 15, "-o", tmp_path / "model"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sentcli", "train", *map(str, line)], stderr=subprocess.PIPE, text=True
    )
    for told in process.stderr:
        if told.startswith("epoch 2/15"):
            process.send_signal(signal.SIGINT)
            break
    _, said = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "--resume goes on from there" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "model").exists()
    assert (tmp_path / ".model.training").exists()

    refused = refuse("--epochs", 15, "-o", tmp_path / "model", data=data)
    assert "--resume" in refused.message
    refused = refuse("--epochs", 15, "-o", tmp_path / "model", "--resume", "--lr", 0.1, data=data)
    assert "lr was 0.002, is 0.1" in refused.message

    train("--resume", epochs=15)
    assert not (tmp_path / ".model.training").exists()
    train(output="uninterrupted", epochs=15)
    for name in ("model.safetensors", "model.onnx", "vocab.txt", "config.json"):
        assert (tmp_path / "model" / name).read_bytes() == (tmp_path / "uninterrupted" / name).read_bytes()


@pytest.mark.slow
def test_teachers_side_by_side_save_when_their_run_is_ended(data, tmp_path):
    """SIGTERM comes to the process that commands; the others learn of it from there."""
    line = ["train", "--dataset", data, "--unlabeled", data, "--teacher", "auto", "--rounds", 2, *SMALL]
    line += ["--document-vectors", 0, "--epochs", 10, "-o", tmp_path / "model"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sentcli", *map(str, line), "--threads", "2"],
        env=os.environ | {"OMP_WAIT_POLICY": "passive"},  # or threads spin while they wait for a busy core
        stderr=subprocess.PIPE,
        text=True,
    )
    for told in process.stderr:
        if told.startswith("student-1-1 epoch 1/11"):
            process.terminate()
            break
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "--resume goes on from there" in said.splitlines()[-1]
    assert "Traceback" not in said
    result = invoke(*line, "--resume", "--threads", 1)
    assert result.exit_code == 0, result.output
    assert "going on after epoch" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_other_data_is_not_taken_for_that_of_the_interrupted_run(train, data, tmp_path, monkeypatch):
    changed = tmp_path / "changed.csv"
    changed.write_bytes(data.read_bytes())

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sentcli.training.train.round_embedding", interrupted)
        line = ("--dataset", changed, *SMALL, "--epochs", 1, "-o", tmp_path / "model")
        assert invoke("train", *line).exit_code == 130
    changed.write_text(changed.read_text().replace("wonderful", "splendid"))
    failure = fail("train", *line, "--resume", "--quiet")
    assert failure.code == 1
    assert "the interrupted run was another one: " in failure.message
    assert "words was" in failure.message


@pytest.mark.parametrize(
    ("step", "said"),
    [("round_embedding", "the same command with --resume goes on"), ("fit", "there was nothing to save yet")],
)
def test_ctrl_c_between_two_steps_that_save_says_what_now(data, tmp_path, monkeypatch, step, said):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sentcli.training.train, step, interrupted)
    failure = refuse("-o", tmp_path / "m", "--epochs", 1, data=data)
    assert (failure.code, failure.message) == (130, f"Error: stopped; {said}\n")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("round_embedding", "free some, then the same command with --resume goes on"),
        ("fit", "try fewer texts"),
    ],
)
def test_short_memory_is_told_with_what_to_do(data, tmp_path, monkeypatch, step, said):
    def need_too_much(*_, **__):
        torch.empty(1 << 60)  # of which PyTorch says so in words of its own

    monkeypatch.setattr(sentcli.training.train, step, need_too_much)
    failure = refuse("-o", tmp_path / "m", "--epochs", 1, data=data)
    assert (failure.code, failure.message) == (1, f"Error: memory is short; {said}\n")


@pytest.mark.parametrize("package", ["torch", "datasets", "pandas"])
def test_without_the_extra_the_message_names_the_pip_command(package, data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    for name in (
        "train",
        "trained",
        "corpus",
        "dataset",
    ):  # to be imported anew, then as before
        monkeypatch.setattr(sentcli.training, name, getattr(sentcli.training, name))
        monkeypatch.delitem(sys.modules, f"sentcli.training.{name}")
    failure = refuse("-o", tmp_path / "m", data=data)
    assert failure.code == 1
    assert repr(package) in failure.message
    assert "pip install 'sentcli[train]'" in failure.message


def test_two_runs_do_not_train_into_one_model(data, tmp_path):
    lock = Lock(tmp_path / "m")
    failure = refuse("-o", tmp_path / "m", data=data)
    assert failure.code == 1
    assert f"{tmp_path / 'm'}: another run of sentcli is writing it" in failure.message
    lock.release()
    assert [*tmp_path.iterdir()] == []


def test_texts_without_labels_with_a_column_of_their_own(train, data, tmp_path):
    heap = tmp_path / "heap.csv"
    heap.write_text("id,remark,title\n" + "".join(f"{row},a warm film {row},t\n" for row in range(50)))
    of_heap = ("--unlabeled", heap, "--document-vectors", 0)
    refused = refuse(*of_heap, "-o", tmp_path / "model", data=data)
    assert "heap.csv: which column is the text? Say --unlabeled-text-column" in refused.message
    train(*of_heap, "--unlabeled-text-column", "remark", output="other")
    assert 'unlabeled-text-column = "remark"\n' in (tmp_path / "other" / "recipe.toml").read_text()
    assert json.loads((tmp_path / "other" / "metrics.json").read_text())["examples"]["unlabeled"] == 50


def test_passages_of_a_second_round_need_no_teacher(train, data, tmp_path):
    of_heap = ("--unlabeled", data, "--document-vectors", 0, "--rounds", 2)
    train(*of_heap, "--passages", 0, output="without")
    train(*of_heap, "--passages", 2, output="with")
    passages = [
        json.loads((tmp_path / output / "metrics.json").read_text())["examples"]["passages"]
        for output in ("without", "with")
    ]
    assert passages[0] == 0 < passages[1]


def test_settings_of_self_training_in_a_file_are_not_passed_over(data, tmp_path):
    (tmp_path / "c.toml").write_text("rounds = 1\nlexicon = 4.0\n")
    refused = refuse("--config", tmp_path / "c.toml", "-o", tmp_path / "m", data=data)
    assert (refused.code, "--lexicon is for learning from texts without" in refused.message) == (2, True)


def test_where_pytorch_was_never_installed_nothing_else_fails_first():
    code = "import sys; sys.modules['torch'] = None; from sentcli.cli import main; main(['train', '-o', 'm'])"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "pip install 'sentcli[train]'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("--glove", "wide.txt"), 1, ["wide.txt", "3", "--embedding-dim"]),
        (("--glove", "6B.100d"), 1, ["6B.100d", "100", "5"]),
        (("--glove", "nothing.txt"), 1, ["nothing.txt", "6B.100d", "none"]),
        (("--label-column", "stars"), 1, ["'stars'", "review, label", "--label-column"]),
        (("--text-column", "body"), 1, ["'body'", "'review', 'label'"]),
        (("--label-column", "review", "--text-column", "review"), 1, ["'review'", "holds the labels"]),
        (("--dataset", "nothing.csv"), 1, ["nothing.csv", "no such file"]),
        (("--dataset", "wide.txt"), 1, ["wide.txt", "unknown format"]),
        (("-o", "there"), 1, ["there", "exists", "--overwrite"]),
        (("-o", "there", "--overwrite"), 1, ["there", "no model folder"]),
        (("-o", "wide.txt/model"), 1, ["wide.txt", "cannot be made"]),
        (("--epochs", "0"), 2, ["--epochs", "0"]),
        (("--lr", "nan"), 2, ["--lr", "nan"]),
        (("--hidden", "-1"), 2, ["--hidden", "-1"]),
        (("--dropout", "1"), 2, ["--dropout", "1"]),
        (("--pooling", "min"), 2, ["--pooling", "'min'", "'max+mean'"]),
        (("--precision", "fp8"), 2, ["--precision", "'fp8'", "'bf16'"]),
        (("--threads", "0"), 2, ["--threads"]),
        (("--rounds", "2"), 2, ["--rounds", "--unlabeled"]),
        (("--unlabeled", "heap.csv", "--passages", "3"), 2, ["--passages", "--teacher"]),
        (("--unlabeled", "heap.csv", "--passage-context", "0"), 2, ["--passage-context", "--teacher"]),
        (("--glove", "there/mine.txt"), 1, ["mine.txt", "file of word vectors"]),
        (("--unlabeled", ""), 2, ["--unlabeled is empty"]),
        (("--unlabeled", "x", "--teacher", ""), 2, ["--teacher is empty"]),
        (("--unlabeled-text-column", "body"), 2, ["--unlabeled-text-column", "try --unlabeled"]),
        (("--dataset", ""), 2, ["--dataset is empty"]),
        (("--delimiter", ";;"), 2, ["--delimiter", "';;'"]),
        (("--encoding", "cp12520"), 2, ["--encoding", "cp12520"]),
    ],
)
def test_what_will_not_do_is_refused_by_name(data, tmp_path, monkeypatch, arguments, code, named):
    monkeypatch.chdir(tmp_path)
    Path("wide.txt").write_text("the 1 2 3\nwas 1 2 3\n")
    Path("there").mkdir()
    Path("there", "mine.txt").write_text("review,label\n")
    failure = refuse("-o", "model", *arguments, data=data)
    assert failure.code == code
    for part in named:
        assert part in failure.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "wide.txt"]


def test_what_can_be_refused_at_once_is_refused_before_the_data_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("model", ".stopped.training"):
        Path(folder).mkdir()
    for arguments in (("--glove", "nothing.txt"), ("--glove", "6B.100d"), ("-o", "model"), ("-o", "stopped")):
        failure = fail("train", *SMALL, "--dataset", "nothing.csv", *arguments)
        assert "nothing.csv" not in failure.message


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused(data, tmp_path):
    failure = refuse("-o", tmp_path / "m", "--device", "cuda", data=data)
    assert (failure.code, "--device cpu" in failure.message) == (2, True)


def test_the_card_takes_any_path(train, tmp_path):
    train(output="caf\udce9 `x`")
    assert (tmp_path / "caf\udce9 `x`" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("moment", ["the folder is filled", "the model is there"])
def test_a_run_that_was_killed_as_it_ended(train, data, tmp_path, monkeypatch, moment):
    """What it leaves is in the folder of the run, which says that it is there."""

    def killed(*_, **__):
        raise KilledError

    line = ("--dataset", data, *SMALL, "--epochs", 1, "-o", tmp_path / "model")
    with monkeypatch.context() as patch:
        patch.setattr("sentcli.model.bundle.shutil", SimpleNamespace(rmtree=lambda *_, **__: None))
        if moment == "the folder is filled":
            patch.setattr("sentcli.model.bundle.write_manifest", killed)
        else:
            patch.setattr("sentcli.training.train.shutil", SimpleNamespace(rmtree=killed))
        with pytest.raises(KilledError):
            invoke("train", *line)
    if moment == "the model is there":
        assert sorted(path.name for path in tmp_path.iterdir()) == [".model.training", "model"]
        message = fail("train", *line, "--resume", "--quiet").message
        assert "model exists: --overwrite goes on and replaces it; if it is what the interrupted" in message
        assert message.endswith(".model.training instead\n")
    else:
        assert [path.name for path in tmp_path.iterdir()] == [".model.training"]
        assert invoke("train", *line, "--resume").exit_code == 0
        assert [path.name for path in tmp_path.iterdir()] == ["model"]


class KilledError(BaseException):
    pass


def test_an_old_model_stays_until_the_new_one_is_there(train, data, tmp_path, monkeypatch):
    train()
    before = (tmp_path / "model" / "manifest.json").read_bytes()

    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    line = ("--dataset", data, *SMALL, "--epochs", 1, "--seed", 2, "-o", tmp_path / "model", "--overwrite")
    with monkeypatch.context() as patch:
        patch.setattr("sentcli.training.save_model.save_weights", broken)
        failed = invoke("train", *line)
    assert failed.exit_code == 1
    assert "No space left on device" in failed.stderr.splitlines()[-1]
    assert (tmp_path / "model" / "manifest.json").read_bytes() == before
    assert invoke("train", *line, "--resume").exit_code == 0
    assert (tmp_path / "model" / "manifest.json").read_bytes() != before


def test_a_checkpoint_that_cannot_be_written_is_an_error_that_names_it(data, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    failure = refuse("--epochs", 1, "-o", tmp_path / "model", data=data)
    assert failure.code == 1
    assert "checkpoint.safetensors: the checkpoint cannot be written: No space left" in failure.message
    assert list(tmp_path.iterdir()) == []


def test_a_language_model_of_another_shape_or_other_phrases_is_refused(data, tmp_path, monkeypatch):
    line = (*("--epochs", 1, "--pretrain", 1, "--phrases", 5), "-o", tmp_path / "model")

    def interrupted(*_, **__):
        raise InterruptedRunError("stopped", signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(sentcli.training.train, "fit", interrupted)  # that of the classes, which comes after
        assert refuse(*line, data=data).code == 130
    of_layers = refuse(*line, "--layers", 2, "--resume", data=data)
    assert "layers was 1, is 2" in of_layers.message
    of_phrases = refuse(*line, "--phrase-dropout", 0.5, "--resume", data=data)
    assert "phrase_dropout was 0.2, is 0.5" in of_phrases.message
    of_pooling = refuse(*line, "--pooling", "max", "--resume", data=data)
    assert "pooling was 'max+mean', is 'max'" in of_pooling.message
