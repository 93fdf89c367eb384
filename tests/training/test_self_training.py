"""Self-training: the student, what it is taught, and that nothing is done twice."""

import errno
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import invented
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from sentcli.config import ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.errors import DataError, OutputError, TrainingError, UsageError
from sentcli.evaluation.leakage import share_learnt
from sentcli.model.bundle import Bundle, load_bundle, write_manifest
from sentcli.text.tokenizer import tokenize
from sentcli.training.corpus import DataSource, read_labeled, read_texts
from sentcli.training.parallel import run_side_by_side
from sentcli.training.self_training import choices as auto_teachers
from sentcli.training.self_training import labels as labeling
from sentcli.training.self_training import rounds
from sentcli.training.self_training import train as self_training
from sentcli.training.self_training.train import self_train
from sentcli.training.settings import NO_VECTORS, Settings
from sentcli.training.step import ClassifierTrainer
from sentcli.training.train import train_bundle

SETTINGS = Settings(
    text=TextConfig(max_tokens=40),
    model=ModelConfig(vocab_size=2, embedding_dim=12, hidden_size=8),
    config=TrainConfig(epochs=2, batch_size=16, lr=0.02, average=0.9, min_freq=1, precision="fp32"),
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
    pd.DataFrame({"review": [text for text, _ in invented.reviews(300, seed=12)]}).to_csv(heap, index=False)
    return DataSource(str(few), None, None, NO_VECTORS, str(heap))


def run(
    source: DataSource,
    output: Path,
    plan: SelfTrainingConfig | None = None,
    threads: int = 1,
    pretrain: int = 0,
    seed: int = SETTINGS.config.seed,
    **options,
) -> Bundle:
    options = {"resume": False, "overwrite": False} | options
    config = replace(SETTINGS.config, pretrain=pretrain, seed=seed)
    settings = replace(SETTINGS, threads=threads, config=config)
    self_train(source, output, settings, plan or SelfTrainingConfig(), **options)
    return load_bundle(output)


def metrics(bundle: Bundle) -> dict:
    return json.loads(bundle.read("metrics.json"))


@pytest.fixture
def small_teachers(monkeypatch) -> None:
    """Have the teachers of `auto` a sixteenth of their size, and one epoch each."""

    def small(teachers):
        return lambda *arguments: [
            {**changes, "hidden_size": changes["hidden_size"] // 16, "epochs": 1}
            for changes in teachers(*arguments)
        ]

    for teachers in (auto_teachers.first_teachers, auto_teachers.next_teachers):
        monkeypatch.setattr(rounds, teachers.__name__, small(teachers))


def test_the_student_learns_from_all_texts(source, trained, tmp_path):
    labels = tmp_path / "labels.parquet"
    bundle = run(source, tmp_path / "student", teachers=[str(trained.path)], pseudo_labels=labels)
    assert metrics(bundle)["validation"]["accuracy"] > 0.8
    assert metrics(bundle)["examples"]["unlabeled"] == 300
    table = pq.read_table(labels)
    assert table.num_rows == metrics(bundle)["examples"]["pseudo_labeled"]
    assert sum(table["passage"].to_pylist()) == 54 + 300  # one of each text, but for the validation part
    truth = np.array([invented.TWO.index(label) for _, label in invented.reviews(300, seed=12)])
    said = table["probability:positive"].to_numpy()[:300]
    assert ((said > 0.5) == truth).mean() > 0.9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.parquet", "student"]
    history = pd.read_csv(bundle.path / "history.csv")
    stages = history["stage"].unique().tolist()
    members = ("trained", "n-grams", "document vectors", "all together")
    assert stages == [*(f"round 1: {name}" for name in members), "model"]
    assert history["validation_accuracy"].notna().all()


def test_the_student_alone_learns_sentences(source, tmp_path, small_teachers, monkeypatch):
    sentences = tmp_path / "sentences.csv"
    sentences.write_text("text,label\na splendiferous zork,positive\na cromulent zork,negative\n")
    words = {}
    train = rounds.train_model

    def trained(*arguments, name, **options):
        train(*arguments, name=name, **options)
        words[name] = load_bundle(arguments[2]).vocab.words

    monkeypatch.setattr(rounds, "train_model", trained)
    plan = SelfTrainingConfig(document_vectors=0)
    told = replace(source, sentences=str(sentences))
    bundle = run(told, tmp_path / "student", plan, teachers=["auto"], pretrain=1, threads=2)
    assert metrics(bundle)["examples"]["sentences"] == 2
    assert "zork" in bundle.vocab
    assert [name for name, known in words.items() if "zork" in known] == []
    assert words


def test_texts_that_were_learnt_without_labels_are_known_wherever_they_lie(source, tmp_path):
    labels, heap = tmp_path / "labels.parquet", tmp_path / "heap.csv"
    plan = SelfTrainingConfig(document_vectors=0)
    texts = [text for seed in (11, 12) for text, _ in invented.reviews(60, seed=seed)]  # held out ones too
    pd.DataFrame({"review": texts}).to_csv(heap, index=False)
    bundle = run(replace(source, unlabeled=str(heap)), tmp_path / "one", plan, pseudo_labels=labels)
    again = run(replace(source, unlabeled=None), tmp_path / "two", plan, pseudo_labels=labels)
    labelled = pq.read_table(labels)["text"].to_pylist()
    assert share_learnt(bundle, texts[::-1]).about == 1
    assert share_learnt(again, labelled).about == 1
    others = [text for text, _ in invented.reviews(60, seed=13)]
    assert share_learnt(bundle, others).about < 0.1
    assert share_learnt(bundle, texts[1:] + others).about == pytest.approx(2 / 3, abs=0.05)


def test_passages_are_labelled_by_bundles_and_texts_by_n_grams_too(source, trained, tmp_path):
    labels = tmp_path / "labels.parquet"
    plan = SelfTrainingConfig(passages=0.5, passage_sentences=1)
    run(source, tmp_path / "student", plan, teachers=[str(trained.path)], pseudo_labels=labels)
    table = pq.read_table(labels).to_pandas()
    passages, whole = table[table["passage"]], table[~table["passage"]]
    assert len(passages) == round(0.5 * (54 + 300))
    assert passages["from n-grams:positive"].isna().all()
    assert passages["from trained:positive"].notna().all()
    assert whole["from n-grams:positive"].notna().all()
    assert max(len(tokenize(text)) for text in passages["text"]) < 20


def test_without_a_bundle_n_grams_teach_alone_and_no_passages(source, tmp_path):
    bundle = run(source, tmp_path / "student", pseudo_labels=tmp_path / "labels.parquet")
    assert metrics(bundle)["examples"]["pseudo_labeled"] == 300
    table = pq.read_table(tmp_path / "labels.parquet").to_pandas()
    assert not table["passage"].any()
    truth = np.array([invented.TWO.index(label) for _, label in invented.reviews(300, seed=12)])
    assert ((table["probability:positive"] > 0.5) == truth).mean() > 0.8


def test_labels_that_are_there_are_used(source, trained, tmp_path, monkeypatch):
    labels = tmp_path / "labels.parquet"
    first = run(source, tmp_path / "one", teachers=[str(trained.path)], pseudo_labels=labels)
    before = labels.read_bytes()
    monkeypatch.setattr(rounds, "label", None)
    second = run(source, tmp_path / "two", teachers=[str(trained.path)], pseudo_labels=labels)
    without = DataSource(source.dataset, None, None, NO_VECTORS)
    third = run(without, tmp_path / "three", pseudo_labels=labels)
    assert labels.read_bytes() == before
    assert first.read("model.safetensors") == second.read("model.safetensors")
    assert first.vocab.words == third.vocab.words


def test_rounds_and_teachers_that_are_trained_first(source, tmp_path, monkeypatch, small_teachers):
    first = [{"hidden_size": 10, "pretrain": 1, "epochs": 2}]
    monkeypatch.setattr(rounds, "first_teachers", lambda *_: first)
    bundle = run(source, tmp_path / "student", SelfTrainingConfig(rounds=2), teachers=["auto"])
    stages = pd.read_csv(bundle.path / "history.csv")["stage"].unique().tolist()
    alike = ("n-grams", "document vectors", "all together")
    assert stages == [
        "teacher",
        *(f"round 1: {name}" for name in ("teacher", *alike)),
        "student-1-1",
        "student-1-2",
        *(f"round 2: {name}" for name in ("teacher", "student-1-1", "student-1-2", *alike)),
        "model",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_a_large_teacher_learns_the_language_once(source, tmp_path, caplog, small_teachers):
    caplog.set_level("INFO", "sentcli")
    plan = SelfTrainingConfig(rounds=2, teacher_pretrain=1, document_vectors=0)
    bundle = run(source, tmp_path / "student", plan, teachers=["auto"])
    stages = pd.read_csv(bundle.path / "history.csv")["stage"].unique().tolist()
    teachers = ("teacher-1", "teacher-2", "student-1-1", "student-1-2", "student-1-3")
    assert [stage for stage in stages if stage in teachers] == [*teachers]
    assert sum("language model epoch 1/1" in message for message in caplog.messages) == 1


def test_teachers_are_the_same_side_by_side_and_one_after_the_other(source, tmp_path, monkeypatch):
    together: list[tuple[int, int]] = []
    found: list[dict[str, bytes]] = []
    label = rounds.label

    def beside(works, at_once):
        together.append((len(works), at_once))
        run_side_by_side(works, at_once)

    def keep(texts, bundles, *rest):
        found.append({name: bundle.read("model.safetensors") for name, bundle in bundles.items()})
        return label(texts, bundles, *rest)

    monkeypatch.setattr(rounds, "run_side_by_side", beside)
    monkeypatch.setattr(rounds, "label", keep)
    two = [{"hidden_size": 10, "epochs": 1}, {"epochs": 1, "seed": 7}]
    monkeypatch.setattr(rounds, "first_teachers", lambda *_: two)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)  # two on a busy core only wait
    for threads in (1, 2):
        run(source, tmp_path / f"student-{threads}", threads=threads, seed=2**32 - 1, teachers=["auto"])
    assert together == [(3, 2)]  # with the vectors of the texts
    assert found[0] == found[1]
    assert len(set(found[0].values())) == len(found[0]) == 2


def test_what_was_finished_before_an_interruption_is_not_done_again(
    source, tmp_path, monkeypatch, small_teachers
):
    monkeypatch.setattr(rounds, "first_teachers", lambda *_: [{"hidden_size": 10, "epochs": 1}])
    plan = SelfTrainingConfig(rounds=2)
    whole = run(source, tmp_path / "whole", plan, teachers=["auto"])
    done: list[str] = []
    train, label = self_training.train_model, rounds.label

    def counting(*arguments, **options):
        done.append(Path(arguments[2]).name)
        train(*arguments, **options)
        raise InterruptionError  # after each model

    def labelling(*arguments):
        done.append("label")
        return label(*arguments)

    for module in (rounds, self_training):
        monkeypatch.setattr(module, "train_model", counting)
    monkeypatch.setattr(rounds, "label", labelling)
    for number in range(4):
        with pytest.raises(InterruptionError):
            run(source, tmp_path / "parts", plan, teachers=["auto"], resume=number > 0)
    assert done == ["teacher", "label", "student-1-1", "student-1-2", "label", "parts"]
    assert whole.read("model.safetensors") == load_bundle(tmp_path / "parts").read("model.safetensors")


class InterruptionError(Exception):
    pass


@contextmanager
def interrupted_after(number: int) -> Iterator[None]:
    """Have a run end after so many models."""
    train = self_training.train_model
    left = iter(range(number, 0, -1))

    def training(*arguments, **options):
        train(*arguments, **options)
        if next(left) == 1:
            raise InterruptionError

    with pytest.MonkeyPatch.context() as patch:
        for module in (rounds, self_training):
            patch.setattr(module, "train_model", training)
        with pytest.raises(InterruptionError):
            yield


def test_labels_that_an_interrupted_run_wrote_were_not_given_to_it(
    source, tmp_path, monkeypatch, small_teachers
):
    monkeypatch.setattr(rounds, "first_teachers", lambda *_: [{"hidden_size": 10, "epochs": 1}])
    plan = SelfTrainingConfig(rounds=2, document_vectors=0)

    def parts(name: str, **options) -> Bundle:
        labels = tmp_path / f"{name}.parquet"
        return run(source, tmp_path / name, plan, teachers=["auto"], pseudo_labels=labels, **options)

    whole = parts("whole")
    with interrupted_after(2):
        parts("parts")
    resumed = parts("parts", resume=True)
    assert whole.read("model.safetensors") == resumed.read("model.safetensors")
    stages = [pd.read_csv(bundle.path / "history.csv")["stage"].tolist() for bundle in (whole, resumed)]
    assert stages[0] == stages[1]


def test_labels_that_appear_during_a_run_are_neither_learnt_from_nor_replaced(
    source, trained, tmp_path, monkeypatch
):
    """Another run may write them, while this one works or when it was stopped."""
    labels, plan = tmp_path / "labels.parquet", SelfTrainingConfig(rounds=2, document_vectors=0)
    given = {"teachers": [str(trained.path)], "pseudo_labels": labels}
    label = rounds.label

    def beside_another_run(*arguments):
        labels.write_bytes(b"of another run")
        return label(*arguments)

    def refuse(resume: bool) -> None:
        with pytest.raises(OutputError, match=r"labels\.parquet: it appeared since the run began.*move it"):
            run(source, tmp_path / "student", plan, **given, resume=resume)
        assert labels.read_bytes() == b"of another run"

    with interrupted_after(1):
        run(source, tmp_path / "student", plan, **given)
    labels.write_bytes(b"of another run")
    with monkeypatch.context() as patch:
        patch.setattr(rounds, "label", None)
        refuse(resume=True)
    labels.unlink()
    monkeypatch.setattr(rounds, "label", beside_another_run)
    refuse(resume=True)
    labels.unlink()
    monkeypatch.setattr(rounds, "label", None)  # what this run had found is still there
    bundle = run(source, tmp_path / "student", plan, **given, resume=True)
    assert pq.read_table(labels).num_rows == metrics(bundle)["examples"]["pseudo_labeled"]


def test_a_run_that_was_killed_before_or_after_it_copied_its_labels_goes_on(
    source, trained, tmp_path, monkeypatch
):
    labels, plan = tmp_path / "labels.parquet", SelfTrainingConfig(document_vectors=0)
    given = {"teachers": [str(trained.path)], "pseudo_labels": labels}
    for name, of in (("copy_pseudo_labels", rounds), ("train_model", self_training)):
        with monkeypatch.context() as patch:
            patch.setattr(of, name, None)
            with pytest.raises(TypeError):
                run(source, tmp_path / name, plan, **given)
        with monkeypatch.context() as patch:
            patch.setattr(rounds, "label", None)
            bundle = run(source, tmp_path / name, plan, **given, resume=True)
        assert pq.read_table(labels).num_rows == metrics(bundle)["examples"]["pseudo_labeled"]
        labels.unlink()


def test_a_run_of_another_command_does_not_go_on(source, trained, tmp_path):
    heap = tmp_path / "other.csv"
    pd.DataFrame({"review": [text for text, _ in invented.reviews(50, seed=3)]}).to_csv(heap, index=False)
    plan = SelfTrainingConfig(rounds=2, document_vectors=0)
    output, teachers = tmp_path / "student", [str(trained.path)]
    with interrupted_after(1):
        run(source, output, plan, teachers=teachers)
    for changed, of, named in (
        (replace(source, unlabeled=str(heap)), plan, "texts was .*; unlabeled was"),
        (source, replace(plan, passages=3.0), r"passages was 1\.0, is 3\.0"),
        (source, replace(plan, rounds=1), "rounds was 2, is 1"),
    ):
        with pytest.raises(DataError, match=f"another one: {named}"):
            run(changed, output, of, teachers=teachers, resume=True)
    with pytest.raises(DataError, match="another one: teachers was"):
        run(source, output, plan, resume=True)
    with pytest.raises(DataError, match="another one: it had --unlabeled"):
        train_bundle(source, output, SETTINGS, resume=True, overwrite=False)
    run(source, output, plan, teachers=teachers, resume=True)


@pytest.fixture
def threads(monkeypatch) -> list[int]:
    """How many threads each step of a run of two teachers is set to, all in this process."""
    numbers: list[int] = []

    def in_turn(works, at_once):
        for work in works:
            work()

    monkeypatch.setattr(rounds, "run_side_by_side", in_turn)
    monkeypatch.setattr(rounds, "first_teachers", lambda *_: [{"epochs": 1}, {"epochs": 1, "seed": 7}])
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    return numbers


def test_a_teacher_that_is_left_over_is_trained_with_as_many_threads_as_planned(source, tmp_path, threads):
    """Other threads give other numbers, and the run would end with another model."""
    plan = SelfTrainingConfig(document_vectors=0)
    with interrupted_after(1):
        run(source, tmp_path / "student", plan, threads=4, teachers=["auto"])
    assert threads == [2]
    run(source, tmp_path / "student", plan, threads=4, teachers=["auto"], resume=True)
    assert threads == [2, 2, 4]  # the second teacher and the student


def test_vectors_that_are_missing_alone_are_learnt_as_beside_the_teachers(source, tmp_path, threads):
    """With other threads they would be others, and so the model."""
    with interrupted_after(2):
        run(source, tmp_path / "student", threads=2, teachers=["auto"])
    assert threads == [1, 1]
    run(source, tmp_path / "student", threads=2, teachers=["auto"], resume=True)
    assert threads == [1, 1, 1, 2]  # the vectors and the student


def test_the_students_language_model_is_trained_beside_the_first_teachers(
    source, tmp_path, threads, caplog, monkeypatch
):
    """A core would idle else, while the larger teacher is trained."""
    caplog.set_level("INFO", "sentcli")
    plan = SelfTrainingConfig(document_vectors=0)
    two = [{"epochs": 1, "pretrain": 0}, {"epochs": 1, "pretrain": 0, "seed": 7}]
    monkeypatch.setattr(rounds, "first_teachers", lambda *_: two)
    whole = run(source, tmp_path / "whole", plan, threads=2, pretrain=1, teachers=["auto"])
    assert threads == [1, 1, 1, 2]  # the teachers, the language model and the student
    language = [message for message in caplog.messages if message.startswith("language model")]
    assert [message.split(":")[0] for message in language] == ["language model epoch 1/1", "language model"]
    threads.clear()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rounds, "train_language_model", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "student", plan, threads=2, pretrain=1, teachers=["auto"])
    again = run(source, tmp_path / "student", plan, threads=2, pretrain=1, teachers=["auto"], resume=True)
    assert threads == [1, 1, 1, 2]
    assert again.read("model.safetensors") == whole.read("model.safetensors")
    assert whole.read("history.csv").count(b"language model") == 1


def test_vectors_that_cannot_be_written_are_no_traceback(source, tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(labeling, "new_file", full)
    with pytest.raises(OutputError, match=r"document-vectors.*No space left"):
        run(source, tmp_path / "student")


def test_when_the_loss_is_no_number_the_labels_are_not_lost(source, trained, tmp_path, monkeypatch):
    student = tmp_path / "student"
    with monkeypatch.context() as patch:
        patch.setattr(ClassifierTrainer, "measure", lambda *_: (math.nan, 0.5))
        with pytest.raises(TrainingError, match="--lr, and with --pseudo-labels and a copy of ") as caught:
            run(source, student, teachers=[str(trained.path)])
    (labels,) = (word.rstrip(",") for word in str(caught.value).split() if ".parquet" in word)
    copy = Path(shutil.move(labels, tmp_path / "labels.parquet"))
    shutil.rmtree(tmp_path / ".student.training")
    assert metrics(run(source, student, pseudo_labels=copy))["validation"]["accuracy"] > 0.8


def test_labels_of_two_rounds_are_learnt_from_without_another_one(source, trained, tmp_path, monkeypatch):
    labels, plan = tmp_path / "labels.parquet", SelfTrainingConfig(rounds=2, document_vectors=0)
    first = run(source, tmp_path / "one", plan, teachers=[str(trained.path)], pseudo_labels=labels)
    assert metrics(first)["self_training"]["rounds"] == 2
    monkeypatch.setattr(rounds, "label", None)
    without = DataSource(source.dataset, None, None, NO_VECTORS)
    again = run(without, tmp_path / "two", plan, pseudo_labels=labels)
    assert metrics(again)["self_training"] == metrics(first)["self_training"]
    assert metrics(again)["stages"] == metrics(first)["stages"]


def test_a_lexicon_is_asked_about_the_labels_that_the_student_learns_from_alone(
    source, trained, tmp_path, caplog, monkeypatch
):
    caplog.set_level(logging.INFO, "sentcli")
    labels = tmp_path / "labels.parquet"
    plan = SelfTrainingConfig(rounds=2, document_vectors=0, lexicon=3.0)
    bundle = run(source, tmp_path / "student", plan, teachers=[str(trained.path)], pseudo_labels=labels)
    table = pq.read_table(labels)  # what the teacher says, who has not heard of it
    assert "what it finds in passages with labels, from -1 to 1: negative " in caplog.text
    assert "hardly" not in caplog.text
    added = metrics(bundle)["examples"]["pseudo_labeled"] - table.num_rows
    assert metrics(bundle)["examples"]["passages"] == sum(table["passage"].to_pylist())
    assert added > 0
    assert added % 6 == 0  # each of its words in six forms
    without = run(source, tmp_path / "without", pseudo_labels=labels)
    monkeypatch.setattr("sentcli.training.self_training.lexicon._LEAST_GAP", 3.0)  # more than there can be
    again = run(source, tmp_path / "again", SelfTrainingConfig(lexicon=3.0), pseudo_labels=labels)
    assert "it hardly tells the labels apart: are they opinions?" in caplog.text
    assert metrics(without)["self_training"] == metrics(bundle)["self_training"] | {"lexicon": 0.0}
    assert metrics(again)["self_training"] == metrics(bundle)["self_training"]
    assert again.read("model.safetensors") == bundle.read("model.safetensors")
    assert again.read("model.safetensors") != without.read("model.safetensors")
    card = (bundle.path / "README.md").read_text("utf-8")
    assert "VADER" in card
    assert "VADER" not in (without.path / "README.md").read_text("utf-8")


def test_a_heap_that_has_grown_is_told_of(source, tmp_path, caplog):
    labels = tmp_path / "labels.parquet"
    run(source, tmp_path / "one", pseudo_labels=labels)
    heap = tmp_path / "heap.csv"
    texts = [text for text, _ in invented.reviews(300, seed=12)]
    pd.DataFrame({"review": [*texts, "A new one.", "Another one."]}).to_csv(heap, index=False)
    run(replace(source, unlabeled=str(heap)), tmp_path / "two", pseudo_labels=labels)
    assert "it says nothing of 2 of the texts without labels" in caplog.text


def test_corrected_labels_are_another_run(source, trained, tmp_path):
    with interrupted_after(1):
        run(source, tmp_path / "student", SelfTrainingConfig(rounds=2), teachers=[str(trained.path)])
    data = pd.read_csv(source.dataset)
    kept = tmp_path / "few.csv"
    flipped = data.assign(label=data["label"].map({"positive": "negative", "negative": "positive"}))
    flipped.to_csv(kept, index=False)
    changed = replace(source, dataset=str(kept))
    options = {"teachers": [str(trained.path)], "resume": True}
    with pytest.raises(DataError, match=r"another one: .*labels was"):
        run(changed, tmp_path / "student", SelfTrainingConfig(rounds=2), **options)


def test_labels_that_cannot_be_used_or_written_are_refused_before_any_work(source, tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "circle.parquet").symlink_to("circle.parquet")
    of_name = {
        "broken.parquet": DataError,
        "circle.parquet": OutputError,
        "nowhere/labels.parquet": OutputError,
    }
    for name, error in of_name.items():
        with pytest.raises(error, match=name):
            run(source, tmp_path / "student", pseudo_labels=tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.parquet", "circle.parquet"]


def test_labels_in_the_folder_that_the_model_replaces_are_refused(source, tmp_path):
    with pytest.raises(UsageError, match="is replaced as a whole; keep it elsewhere"):
        run(source, tmp_path / "m", pseudo_labels=tmp_path / "m" / "labels.parquet", overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_labels_of_other_texts_are_told_of(source, tmp_path, caplog):
    labels = tmp_path / "labels.parquet"
    run(source, tmp_path / "one", pseudo_labels=labels)
    caplog.set_level("WARNING", "sentcli")
    run(source, tmp_path / "two", pseudo_labels=labels)
    assert "labels.parquet" not in caplog.text
    heap, few = tmp_path / "heap.csv", tmp_path / "few.csv"
    pd.DataFrame({"review": ["A text alone."]}).to_csv(heap, index=False)
    invented.write_csv(few, invented.reviews(40, seed=99))
    run(replace(source, dataset=str(few), unlabeled=str(heap)), tmp_path / "three", pseudo_labels=labels)
    assert "300 of its texts are not among those without labels" in caplog.text
    assert "passages of texts that are held out now may be in it" in caplog.text


def test_passages_that_are_held_out_now_are_not_counted(source, trained, tmp_path):
    labels, heap = tmp_path / "labels.parquet", tmp_path / "heap.csv"
    run(source, tmp_path / "one", teachers=[str(trained.path)], pseudo_labels=labels)
    table = pq.read_table(labels).to_pandas()
    held_out = table["text"][table["passage"]].tolist()[:30]
    rows = [(text, label) for text, (_, label) in zip(held_out, invented.reviews(30, seed=5), strict=True)]
    invented.write_csv(heap, rows)
    settings = replace(SETTINGS, config=replace(SETTINGS.config, validation_share=0.5))
    options = {"pseudo_labels": labels, "resume": False, "overwrite": False}
    others = replace(source, dataset=str(heap), unlabeled=None)
    self_train(others, tmp_path / "two", settings, SelfTrainingConfig(), **options)
    found = metrics(load_bundle(tmp_path / "two"))["examples"]
    is_learnt = ~table["text"].isin(read_texts(others, read_labeled(others), 0.5).validation.texts)
    assert found["pseudo_labeled"] == sum(is_learnt) < len(table)
    assert found["passages"] == sum(is_learnt & table["passage"]) < sum(table["passage"])


def test_a_teacher_that_may_know_the_validation_part_is_told_of(source, trained, tmp_path, caplog):
    caplog.set_level("WARNING", "sentcli")
    run(source, tmp_path / "student", teachers=[str(trained.path)])
    assert "it was validated on other texts" in caplog.text
    caplog.clear()
    run(source, tmp_path / "next", teachers=[str(tmp_path / "student")])
    assert caplog.text == ""


def test_what_cannot_be_is_refused(source, trained_three, tmp_path):
    with pytest.raises(UsageError, match="--unlabeled"):
        run(DataSource(source.dataset, None, None, NO_VECTORS), tmp_path / "m", teachers=["auto"])
    with pytest.raises(UsageError, match="--teacher auto"):
        run(source, tmp_path / "m", SelfTrainingConfig(teacher_pretrain=1))
    with pytest.raises(DataError, match="a teacher of negative, neutral, positive"):
        run(source, tmp_path / "m", teachers=[str(trained_three.path)])
    assert list(tmp_path.iterdir()) == []


def test_teachers_of_one_name_and_of_the_name_of_another_part_are_told_apart(source, trained, tmp_path):
    folders = ("one/same", "two/same", "n-grams", "document vectors", "model")
    teachers = [tmp_path / folder for folder in folders]
    for teacher in teachers:
        shutil.copytree(trained.path, teacher)
    labels = tmp_path / "labels.parquet"
    run(source, tmp_path / "student", teachers=list(map(str, teachers)), pseudo_labels=labels)
    members = [name for name in pq.read_table(labels).column_names if name.endswith(":positive")]
    assert members == [
        "probability:positive",
        *(f"from {name}:positive" for name in ("same", "same (2)")),
        *(f"from {name} (2):positive" for name in folders[2:]),
        "from n-grams:positive",
        "from document vectors:positive",
    ]


def test_a_teacher_that_pytorch_asks_takes_no_thread_from_the_student(source, trained, tmp_path, monkeypatch):
    """Scoring sets PyTorch to a thread a worker, and a resumed run would not have scored."""
    shutil.copytree(trained.path, tmp_path / "teacher")
    (tmp_path / "teacher" / "model.onnx").unlink()
    write_manifest(tmp_path / "teacher")
    numbers: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: (numbers or [2])[-1])
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    monkeypatch.setattr("sentcli.training.settings.usable_cores", lambda: 2)
    settings = replace(SETTINGS, threads=None)
    options = {"teachers": [str(tmp_path / "teacher")], "resume": False, "overwrite": False}
    self_train(source, tmp_path / "student", settings, SelfTrainingConfig(document_vectors=0), **options)
    assert 1 in numbers
    assert numbers[-1] == 2


def test_what_the_data_decided_is_said_once(source, trained, tmp_path, caplog):
    settings = replace(SETTINGS, auto=("batch_size", "validation_share"))
    plan = SelfTrainingConfig(document_vectors=0)
    options = {"teachers": [str(trained.path)], "resume": False, "overwrite": False}
    with caplog.at_level(logging.INFO, "sentcli"):
        self_train(source, tmp_path / "student", settings, plan, **options)
    of_labels, of_all = (message for message in caplog.messages if message.startswith("chosen for "))
    assert of_labels.startswith("chosen for 60 texts ")
    assert of_labels.endswith("classes: validation-share 0.2")
    assert of_all.startswith("chosen for 360 texts ")
    assert of_all.endswith("classes: batch-size 8")
