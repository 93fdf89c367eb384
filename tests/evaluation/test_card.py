import re
import shlex
from dataclasses import asdict
from itertools import takewhile

import numpy as np
import pytest
import yaml

from sentcli.config import POOLINGS, BundleConfig, ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.evaluation.measurement import measure
from sentcli.evaluation.metrics import evaluate
from sentcli.evaluation.model_card import count_parameters, model_card
from sentcli.scoring.labels import softmax

LINE = "sentcli train --dataset stanfordnlp/imdb --glove 6B.100d -o imdb-bilstm"
HISTORY = [
    {
        "epoch": 1,
        "train_loss": 0.5,
        "train_accuracy": 0.7512,
        "validation_loss": 0.4,
        "validation_accuracy": 0.8,
    },
    {
        "epoch": 2,
        "train_loss": 0.3,
        "train_accuracy": 0.87,
        "validation_loss": 0.3,
        "validation_accuracy": 0.8876,
    },
]
FILES = ("config.json", "vocab.txt", "metrics.json", "curves.png", "manifest.json")
GLOVE = {
    "source": "6B.100d",
    "types_covered": 900,
    "types_total": 1000,
    "tokens_covered": 985,
    "tokens_total": 1000,
}


def figures(labels=("negative", "positive"), rows=200):
    random = np.random.default_rng(3)
    classes = random.integers(0, len(labels), rows)
    logits = random.normal(0, 1, (rows, len(labels)))
    logits[np.arange(rows), classes] += 2
    return evaluate(classes, softmax(logits), labels)


def record(seed=3, names=("negative", "positive"), **changes):
    """An evaluation as `sentcli evaluate --card` records it."""
    random = np.random.default_rng(seed)
    classes = random.integers(0, 2, 200)
    logits = random.normal(0, 1, (200, 2))
    logits[np.arange(200), classes] += 2
    texts = ["word " * length for length in random.integers(1, 300, 200)]
    return {
        "kind": "texts",
        "model": "imdb-bilstm",
        "file": "model.onnx",
        "backend": "onnx",
        "against": None,
        "dataset": "stanfordnlp/imdb",
        "split": "test",
        "where": "stanfordnlp/imdb, split test",
        "text_column": None,
        "label_column": None,
        "passages": None,
        "command": "sentcli evaluate",
        **measure(texts, classes, softmax(logits), names).to_json(),
        **changes,
    }


TRAINING = {**TrainConfig(seed=77).to_json(), "bf16": False, "device": "cpu", "seconds": 90.0}
VARIANTS = {"command": "python sizes.py", "machine": "Zen, 2 cores"}


def cells(section):
    """Give the rows of the first table below its head."""
    lines = iter(section.splitlines())
    next(line for line in lines if line.startswith("| ---"))
    rows = takewhile(lambda line: line.startswith("|"), lines)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))] for row in rows]


def write(
    labels=("negative", "positive"),
    *,
    history=HISTORY,
    line=LINE,
    name="imdb-bilstm",
    licence=None,
    files=FILES,
    **changes,
):
    config = BundleConfig(ModelConfig(1002, num_classes=len(labels)), TextConfig(), labels)
    metrics = {
        "command": line,
        "licence": licence,
        "dataset": "stanfordnlp/imdb",
        "examples": {"train": 1790, "validation": 200},
        "validation": asdict(figures(labels)),
        "best_epoch": 2,
        "glove": GLOVE,
        "training": TRAINING,
        "versions": {"sentcli": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
    }
    return model_card(config, metrics | changes, history, name=name, files=files)


def front_matter(card):
    _, matter, _ = card.split("---\n", 2)
    return yaml.safe_load(matter)


def section(card, title):
    return card.split(f"\n## {title}\n")[1].split("\n## ")[0]


def row(card, head):
    """Give the cells of the first table row that begins so."""
    line = next(line for line in card.splitlines() if line.startswith(f"| {head} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


class TestFrontMatter:
    def test_of_a_hub_data_set(self):
        assert front_matter(write(licence="apache-2.0")) == {
            "language": "en",
            "library_name": "sentcli",
            "pipeline_tag": "text-classification",
            "license": "apache-2.0",
            "datasets": ["stanfordnlp/imdb"],
        }

    def test_leaves_out_what_is_not_known(self):
        keys = front_matter(write(dataset="reviews.csv")).keys()
        assert keys == {"library_name", "pipeline_tag"}

    def test_a_folder_with_the_form_of_an_id_is_no_hub_data_set(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert front_matter(write(dataset="my/reviews"))["datasets"] == ["my/reviews"]
        (tmp_path / "my" / "reviews").mkdir(parents=True)
        assert "datasets" not in front_matter(write(dataset="my/reviews"))


class TestTraining:
    def test_has_the_line_the_sizes_and_the_coverage(self):
        card = write()
        data, training = section(card, "Data"), section(card, "Recipe")
        assert f"```sh\n{LINE}\n```" in training
        assert row(data, "data set") == ["`stanfordnlp/imdb`"]
        assert row(data, "texts") == ["1,790 to train on, 200 held out for validation"]
        assert row(data, "word vectors") == ["`6B.100d`: 90.0% of the vocabulary, 98.5% of the running words"]
        assert row(training, "kept") == ["the weights of epoch 2 of 3: the lowest validation loss"]
        assert row(training, "time of its own epochs, without teachers") == ["1.5 minutes, device cpu"]
        assert row(training, "versions") == ["sentcli 0.1.0, torch 2.13.0, python 3.11.7"]

    def test_has_every_setting(self):
        training = section(write(), "Recipe")
        assert row(training, "`seed`") == ["77"]
        for key, value in TrainConfig(seed=77).to_json().items():
            assert row(training, f"`{key}`") == [str(value)]
        assert row(training, "`embedding_dropout`") == ["0.3"]
        taught = section(write(self_training=SelfTrainingConfig(rounds=2).to_json()), "Recipe")
        assert row(taught, "`rounds`") == ["2"]

    def test_names_the_recipe_if_there_is_one(self):
        assert "recipe.toml" not in write()
        card = write(files=(*FILES, "recipe.toml"))
        assert "](recipe.toml)" in section(card, "Recipe")
        assert "sentcli train --config" in row(section(card, "Files"), "`recipe.toml`")[0]

    def test_without_vectors(self):
        card = write(glove={**GLOVE, "source": "none", "types_covered": 0, "tokens_covered": 0})
        assert row(card, "word vectors") == ["none: the embedding began with random values"]
        assert "GloVe" not in card

    def test_a_line_with_ticks_stays_in_its_block(self):
        card = write(line="sentcli train --dataset 'a\n```\nb'")
        assert "````sh\nsentcli train --dataset 'a\n```\nb'\n````" in card


class TestValidation:
    def test_has_every_figure(self):
        expected = figures()
        shown = section(write(), "Validation")
        low, high = expected.accuracy_interval
        assert "the 200 texts of the validation part" in shown
        line = "sentcli evaluate imdb-bilstm --dataset stanfordnlp/imdb --held-out"
        assert f"```sh\n{line}\n```" in shown
        assert row(shown, "accuracy") == [f"{expected.accuracy:.4f}", f"{low:.4f} to {high:.4f}"]
        assert row(shown, "F1 of `positive`") == [f"{expected.f1:.4f}", "-"]
        assert row(shown, "macro F1") == [f"{expected.macro_f1:.4f}", "-"]
        assert row(shown, "ROC AUC") == [f"{expected.roc_auc:.4f}", "-"]
        assert row(shown, "log loss") == [f"{expected.log_loss:.4f}", "-"]
        calibration = row(shown, "expected calibration error, 15 bins")
        assert calibration == [f"{expected.expected_calibration_error:.4f}", "-"]
        positive = expected.classes[1]
        cells = [f"{value:.4f}" for value in (positive.precision, positive.recall, positive.f1)]
        assert row(shown, "`positive`") == [f"{positive.support:,}", *cells]
        (a, b), (c, d) = expected.confusion
        assert f"| `negative` | {a} | {b} |\n| `positive` | {c} | {d} |" in shown

    def test_the_line_reads_the_data_as_training_did(self):
        columns = {"text_column": "the text", "label_column": "stars", "delimiter": ";", "encoding": None}
        columns["skip_lines"] = 2
        shown = section(write(dataset="reviews.csv", columns=columns), "Validation")
        found = "--dataset reviews.csv --text-column 'the text' --label-column stars"
        reads = f"{found} --delimiter ';' --skip-lines 2"
        assert f"\nsentcli evaluate imdb-bilstm {reads} --held-out\n" in shown

    def test_has_the_curves_and_the_epochs(self):
        shown = section(write(), "Validation")
        assert "](curves.png)" in shown
        assert row(shown, "1") == ["0.5000", "0.7512", "0.4000", "0.8000"]
        assert row(shown, "2") == ["0.3000", "0.8700", "0.3000", "0.8876"]

    def test_other_figures_of_the_epochs_are_shown_too_where_there_are_some(self):
        history = [
            {**HISTORY[0], "seconds": 3.0, "validation_passage_accuracy": float("nan")},
            {**HISTORY[1], "seconds": 3.0, "validation_passage_accuracy": 0.8123},
        ]
        shown = section(write(history=history), "Validation")
        assert row(shown, "epoch")[-1] == "validation passage accuracy"
        assert [row(shown, epoch)[-1] for epoch in "12"] == ["-", "0.8123"]

    def test_very_many_epochs_are_left_to_the_file(self):
        history = [{**HISTORY[0], "epoch": epoch} for epoch in range(1, 42)]
        shown = section(write(history=history), "Validation")
        assert "The figures of all 41 epochs are in `history.csv`." in shown
        assert "| 41 |" not in shown

    def test_undefined_figures_are_a_dash(self):
        validation = asdict(evaluate(np.array([1]), np.array([[0.2, 0.8]]), ("negative", "positive")))
        shown = section(write(validation=validation), "Validation")
        assert row(shown, "ROC AUC") == ["-", "-"]
        assert row(shown, "`negative`") == ["0", "-", "-", "-"]

    def test_more_than_two_classes(self):
        card = write(("bad", "so-so", "good"))
        assert "F1 of `" not in card
        assert "probability\nof that label." in card
        assert row(card, "true \\ predicted") == ["`bad`", "`so-so`", "`good`"]

    def test_very_many_classes_have_no_confusion_matrix(self):
        card = write(tuple(f"class {number}" for number in range(13)))
        assert "true \\ predicted" not in card
        assert "| `class 12` |" in card

    def test_calibration_is_shown_before_and_after(self):
        calibration = {
            "temperature": 0.71234,
            "log_loss_before": 0.3,
            "error_before": 0.05,
            "log_loss_after": 0.25,
            "error_after": 0.004,
        }
        assert "### Calibration" not in write()
        shown = section(write(calibration=calibration, files=(*FILES, "reliability.png")), "Validation")
        assert "a temperature of 0.7123," in shown
        calibrated = shown.split("### Calibration")[1]
        assert row(calibrated, "log loss") == ["0.3000", "0.2500"]
        assert row(calibrated, "expected calibration error") == ["0.0500", "0.0040"]
        assert "](reliability.png)" in calibrated
        none = section(write(calibration=calibration | {"temperature": 1.0}), "Validation")
        assert "a temperature of 1.0000, since the validation part, all of it right, says nothing" in none
        training = {**TrainConfig(class_weight="balanced").to_json(), "device": "cpu", "seconds": 1.0}
        balanced = write(calibration=calibration, training=training)
        assert "Each class had the same say in it" in balanced
        assert "the same say" not in shown
        limit = section(write(calibration=calibration | {"temperature": 0.1 + 1e-9}), "Validation")
        assert "a temperature of 0.1000, the limit: " in limit

    @pytest.mark.parametrize(
        ("support", "weighed"),
        [(4, "log-probabilities weighed the same"), (5, "a logistic regression")],
    )
    def test_a_teacher_is_weighed_where_every_class_has_enough_texts(self, support, weighed):
        labels = np.array([0] * 9 + [1] * support)
        validation = asdict(evaluate(labels, np.eye(2)[labels], ("negative", "positive")))
        stage = {"stage": "round 1: n-grams", "validation_accuracy": 0.9, "validation_loss": 0.3}
        assert weighed in " ".join(
            section(write(validation=validation, stages=[stage]), "Validation").split()
        )

    def test_stages_of_the_model_that_it_began_as_are_told_from_its_own(self):
        reached = {"validation_accuracy": 0.9, "validation_loss": 0.3}
        own, before = ({"stage": f"{of}round 1: n-grams", **reached} for of in ("", "old: "))
        told = "Stages of `old` are of the model that this one began as"
        base = {"name": "old", "dataset": "a.csv", "glove": GLOVE}
        assert told in section(write(stages=[before, own], base=base), "Validation")
        assert told not in section(write(stages=[own], base=base), "Validation")
        assert told not in section(write(stages=[own]), "Validation")

    def test_losses_weighed_by_class_are_called_so(self):
        training = {**TrainConfig(class_weight="balanced").to_json(), "device": "cpu", "seconds": 1.0}
        assert "the validation loss is weighed by class" in section(write(training=training), "Validation")
        assert "weighed by class" not in write()

    def test_seeds_have_mean_and_spread(self):
        of = {"validation_loss": 0.2, "validation_calibration_error": 0.01}
        seeds = [
            {"seed": 1, "validation_accuracy": 0.92, **of},
            {"seed": 2, "validation_accuracy": 0.93, **of},
        ]
        shown = section(write(seeds=seeds, variants=VARIANTS), "Validation").split("### Other seeds")[1]
        assert [row(shown, seed) for seed in "12"] == [
            [accuracy, "0.2000", "0.0100"] for accuracy in ("0.9200", "0.9300")
        ]
        assert "The mean accuracy is 0.9250, the spread 0.9200 to 0.9300." in shown
        assert "```sh\npython sizes.py\n```" in shown
        assert "Trained by the recipe of this model, " in shown
        base = {"name": "first", "dataset": "a.csv", "glove": GLOVE}
        assert "recipe of the model that this one began as, " in write(
            seeds=seeds, variants=VARIANTS, base=base
        )
        assert "### Other seeds" not in write(seeds=seeds[:1], variants=VARIANTS)

    def test_sizes_have_accuracy_and_speed(self):
        of = {
            "hidden": 48,
            "layers": 2,
            "validation_accuracy": 0.92,
            "validation_loss": 0.2,
            "validation_calibration_error": 0.01,
            "reviews_per_second": 6123.4,
        }
        card = write(sizes=[of], variants=VARIANTS, files=(*FILES, "sizes.png"))
        shown = section(card, "Validation").split("### Other seeds and sizes")[1]
        assert "those of one core of Zen, 2 cores." in shown
        assert row(shown, "48") == ["2", "0.9200", "0.2000", "0.0100", "6,123"]
        assert "](sizes.png)" in shown


class TestWhereItCameFrom:
    def test_what_the_hub_has_is_known_from_training(self):
        assert front_matter(write(dataset="a/b", hub_id="a/b"))["datasets"] == ["a/b"]
        card = write(dataset="data/b", hub_id=None)  # read from another folder, where there is no such file
        assert "datasets" not in front_matter(card)
        assert "--dataset TEST-SET" in section(card, "Figures")

    def test_commands_name_the_folder_as_it_was_given(self):
        card = write(name="n1", output="models/n 1")
        assert "sentcli evaluate 'models/n 1' --dataset stanfordnlp/imdb --held-out" in section(
            card, "Validation"
        )
        assert "sentcli evaluate 'models/n 1'" in section(card, "Figures")

    def test_a_folder_whose_name_begins_as_an_option_can_be_named_in_commands(self):
        card = write(output="-m5")
        assert "sentcli evaluate ./-m5 --dataset stanfordnlp/imdb --held-out" in section(card, "Validation")
        assert "sentcli evaluate -m5" not in card

    def test_a_backtick_in_the_folder_does_not_end_the_command(self):
        card = write(output="a`b")
        line = "sentcli evaluate 'a`b' --dataset stanfordnlp/imdb --split test --passages --card"
        assert f"`` {line} `` does." in section(card, "What it is bad at")

    @pytest.mark.parametrize(
        ("count", "passages", "said"),
        [
            (90, 0, "90: of these"),
            (91, 0, "91: of these"),  # the one more is a lexicon's
            (95, 5, "95: of these, of passages cut"),
        ],
    )
    def test_passages_are_named_where_there_are_some(self, count, passages, said):
        examples = {"train": 10, "validation": 2, "unlabeled": 90, "pseudo_labeled": count}
        examples |= {"passages": passages}
        (found,) = row(write(examples=examples), "labelled by a teacher")
        assert found.startswith(said)
        assert ("passages" in found) == ("passages" in said)

    @pytest.mark.parametrize(
        ("unlabeled", "said"), [("heap.csv", "`heap.csv`: 90"), (None, "those of `--pseudo-labels`: 90")]
    )
    def test_what_these_are_is_said_before(self, unlabeled, said):
        examples = {"train": 10, "validation": 2, "unlabeled": 90, "pseudo_labeled": 90, "passages": 0}
        assert row(write(unlabeled=unlabeled, examples=examples), "texts without labels") == [said]

    def test_what_was_learnt_besides_and_before_is_told(self):
        examples = {"train": 10, "validation": 2, "sentences": 1234}
        base = {"name": "first", "dataset": "a.csv", "glove": GLOVE}
        card = write(sentences="everyday", examples=examples, base=base)
        assert row(card, "sentences learnt besides") == ["`everyday`: 1,234"]
        assert row(card, "began as") == ["the model `first`, whose words it has"]
        training = {**TRAINING, "keep": 0.25}
        files = (*FILES, "recipe.toml", "base.toml")
        card = write(base=base, training=training, files=files)
        assert "; moved by 0.25 of the way back to those of `first` |" in card
        assert row(card, "before, to make `first`") == ["[`base.toml`](base.toml), for `--config`"]
        assert "moved by" not in write(training=training)
        assert "began as" not in write()

    def test_english_is_said_of_imdb_alone(self):
        assert "Made for English texts" in write()
        assert "Made for texts" in write(dataset="reviews.csv")
        assert "language" not in front_matter(write(dataset="reviews.csv"))


class TestFigures:
    def test_without_any_a_command_that_measures_is_given(self):
        shown = section(write(), "Figures")
        line = "sentcli evaluate imdb-bilstm --dataset stanfordnlp/imdb --split test --card"
        assert f"```sh\n{line}\n```" in shown

    def test_a_local_data_set_has_no_test_split_to_name(self):
        shown = section(write(dataset="reviews.csv"), "Figures")
        assert "sentcli evaluate imdb-bilstm --dataset TEST-SET --card\n" in shown

    def test_each_figure_has_a_row_with_its_interval_below_its_command(self):
        of = record(command="sentcli evaluate 'a|b'")
        shown = section(write(evaluations=[of]), "Figures")
        rows = cells(shown)
        expected = {
            "accuracy": of["accuracy"],
            "F1 of `positive`": of["f1"],
            "macro F1": of["macro_f1"],
            "ROC AUC": of["roc_auc"],
            "log loss": of["log_loss"],
            "expected calibration error, 15 bins": of["expected_calibration_error"],
        }
        bounds = of["intervals"]
        intervals = [
            of["accuracy_interval"],
            *(bounds[name] for name in ("f1", "macro_f1", "roc_auc", "log_loss")),
        ]
        wanted = [*(f"{low:.4f} to {high:.4f}" for low, high in intervals), "-"]
        assert [row[0] for row in rows] == list(expected)
        assert [row[2] for row in rows] == wanted
        assert [row[1] for row in rows] == [f"{value:.4f}" for value in expected.values()]
        measured = "On `stanfordnlp/imdb, split test`, 200 texts, onnx:"
        assert f"{measured}\n\n```sh\nsentcli evaluate 'a|b'\n```" in shown

    def test_texts_of_one_class_all_right_have_a_dash_for_what_they_lack(self):
        labels, probabilities = np.zeros(3, int), np.array([[0.9, 0.1]] * 3)
        measured = measure(["good"] * 3, labels, probabilities, ("negative", "positive"))
        one = record(dataset="one.csv", where="one.csv", **measured.to_json())
        of = record(dataset="x.csv", where="x.csv")
        for others in ([one, of], [of, one]):
            shown = section(write(evaluations=[record(), *others]), "Figures")
            _, table = shown.split("### Other measurements")
            head = next(line for line in table.splitlines() if line.startswith("| measured on"))
            rows = cells(table)
            assert {len(row) for row in rows} == {len(cells(f"| --- |\n{head}")[0])}
            (row,) = (row for row in rows if "one.csv" in row[0])
            assert row[2:6] == ["1.0000 (0.4385 to 1.0000)", "-", "1.0000 (1.0000 to 1.0000)", "-"]

    def test_each_other_one_has_a_row_with_its_figures_and_its_command(self):
        of = record(command="sentcli evaluate 'a|b'", dataset="x.csv", where="x.csv")
        shown = section(write(evaluations=[record(), of]), "Figures")
        bounds = {"accuracy": of["accuracy_interval"], **of["intervals"]}
        keys = ("accuracy", "f1", "macro_f1", "roc_auc", "log_loss")
        figures = [f"{of[key]:.4f} ({bounds[key][0]:.4f} to {bounds[key][1]:.4f})" for key in keys]
        (found,) = cells(shown.split("### Other measurements")[1])
        assert found[:2] == ["`x.csv`, 200 texts, onnx", "subjects"]
        assert found[2:-1] == [*figures, f"{of['expected_calibration_error']:.4f}"]
        assert found[-1] == "`sentcli evaluate 'a\\|b'`"
        assert "### Other measurements" not in write(evaluations=[of])

    def test_the_first_on_the_models_own_data_set_is_shown_first_and_in_full(self):
        own, more = record(seed=1, command="own"), record(seed=2, command="more")
        other = record(seed=3, command="other", dataset="x.csv", where="x.csv")
        passages = record(seed=4, command="passages", kind="passages", passages=2)
        shown = section(write(evaluations=[passages, other, own, more]), "Figures")
        rows = cells(shown.split("### Other measurements")[1])
        told = [("subjects", "`other`"), ("-", "`more`"), ("short", "`passages`")]
        assert [(row[1], row[-1]) for row in rows] == told
        (a, b), (c, d) = own["confusion"]
        assert f"| `negative` | {a} | {b} |\n| `positive` | {c} | {d} |" in shown
        assert "```sh\nown\n```" in shown
        assert shown.count("### Confusion matrix") == 1
        for part in own["by_length"]:
            if part["examples"]:
                name = f"{part['shortest']}-{part['longest']}"
                assert row(shown, name)[:2] == [f"{part['examples']}", f"{part['accuracy']:.4f}"]
        assert row(shown, "512+") == ["0", "-", "-"]
        for band in own["bands"]:
            low, high = band["accuracy_interval"]
            found = row(shown, f"`--uncertain {band['low']:g} {band['high']:g}`")
            interval = f"{low:.4f} to {high:.4f}"
            assert found == [f"{band['share']:.2%}", f"{band['accuracy']:.4f}", interval]

    def test_without_one_on_its_own_data_set_the_first_is_shown_in_full(self):
        one, two = (record(command=name, dataset=name, where=name) for name in ("one", "two"))
        card = write(evaluations=[one, two])
        assert "```sh\none\n```" in section(card, "Figures")
        subjects = section(card, "What it is bad at").split("**Other subjects and kinds of text**")[1]
        assert "on `two`." in subjects.splitlines()[0]
        assert "not measured on any but `one`." in section(write(evaluations=[one]), "What it is bad at")

    def test_a_class_called_uncertain_leaves_the_option_out(self):
        labels = ("good", "uncertain")
        card = write(labels, evaluations=[record(names=labels)])
        assert "--uncertain" not in card
        assert "--uncertain" in write(evaluations=[record()])

    def test_pictures_are_shown_that_are_there(self):
        names = ("confusion_matrix.png", "accuracy_by_length.png", "evaluated_reliability.png")
        assert not any(f"]({name})" in write(evaluations=[record()]) for name in names)
        card = write(evaluations=[record()], files=(*FILES, *names))
        assert all(f"]({name})" in section(card, "Figures") for name in names)

    def test_another_form_of_the_model_is_compared(self):
        comparison = {
            "examples": 200,
            "changed": 3,
            "changed_share": 0.015,
            "mean_difference": 0.00123,
            "p99_difference": 0.01,
            "max_difference": 0.03,
            "accuracy": 0.9,
            "against_accuracy": 0.905,
        }
        of = record(
            kind="comparison",
            file="model.int8.onnx",
            against={"model": "imdb-bilstm", "file": "model.onnx", "backend": "onnx"},
            comparison=comparison,
            command="sentcli evaluate a --against b",
        )
        shown = section(write(evaluations=[of]), "Figures").split("### Other forms of the model")[1]
        forms = "int8 (`imdb-bilstm/model.int8.onnx`) against `imdb-bilstm/model.onnx`"
        assert f"{forms}, on `stanfordnlp/imdb, split test`:" in shown
        assert row(shown, "labels changed") == ["3 of 200 (1.50%)"]
        assert row(shown, "accuracy")[0].startswith("0.9000 (")
        assert row(shown, "accuracy")[0].endswith("), against 0.9050")
        assert row(shown, "difference of scores, mean") == ["0.001230"]
        assert row(shown, "difference of scores, 99th percentile") == ["0.010000"]
        assert row(shown, "difference of scores, largest") == ["0.030000"]
        assert "```sh\nsentcli evaluate a --against b\n```" in shown


class TestWeakSpots:
    def test_what_was_not_measured_is_said_to_be_so(self):
        shown = section(write(), "What it is bad at")
        assert shown.count("not measured") == 4
        assert "Negation" not in shown
        assert (
            "`sentcli evaluate imdb-bilstm --dataset stanfordnlp/imdb --split test --passages --card` does"
            in shown
        )
        assert "it knows 1,000 words" in shown
        assert "one of the 2 labels" in shown

    def test_passages_and_other_data_sets_have_figures(self):
        passages = record(kind="passages", passages=3, seed=5)
        other = record(dataset="x.csv", where="x.csv", seed=6)
        shown = section(write(evaluations=[passages, record(), other]), "What it is bad at")
        for of, where in (
            (passages, "passages of 1 to 3 sentences of `stanfordnlp/imdb, split test`"),
            (other, "`x.csv`"),
        ):
            low, high = of["accuracy_interval"]
            assert f"accuracy {of['accuracy']:.4f} ({low:.4f} to {high:.4f}) on {where}." in shown
        assert "not always its own" in shown
        assert shown.count("accuracy ") == 2

    def test_what_was_said_to_examine_a_weak_spot_stands_there_alone(self):
        measured = [
            record(dataset=f"{spot}.csv", where=f"{spot}.csv", weak_spot=spot, seed=seed)
            for seed, spot in enumerate(("short", "subjects", "negation", "irony", "languages"))
        ]
        passages = record(kind="passages", passages=3)
        lines = section(write(evaluations=[passages, *measured, record()]), "What it is bad at").splitlines()
        shown = {line.split("**")[1]: line for line in lines if line}
        for of, title in zip(
            measured,
            (
                "Short texts",
                "Other subjects and kinds of text",
                "Negation",
                "Irony",
                "Other languages and rare words",
            ),
            strict=True,
        ):
            assert f"accuracy {of['accuracy']:.4f}" in shown[title]
            assert [name for name, line in shown.items() if f"`{of['where']}`" in line] == [title]
        assert shown["Short texts"].count("accuracy ") == 2
        assert shown["Irony"].endswith("on `irony.csv`. Expect it to be taken at its word.")
        assert "on `languages.csv`. It knows 1,000 words" in shown["Other languages and rare words"]
        assert "not measured" not in "".join(lines)

    def test_of_many_sets_the_one_of_the_lowest_accuracy_is_told(self):
        sets = [
            record(dataset=name, where=name, accuracy=accuracy)
            for name, accuracy in (("a", 0.91), ("b", 0.83), ("c", 0.97), ("d", 0.89))
        ]
        shown = section(write(evaluations=[record(), *sets]), "What it is bad at")
        low, high = sets[1]["accuracy_interval"]
        told = f"accuracy 0.8300 ({low:.4f} to {high:.4f}) on `b`, the lowest of 4"
        assert f"**: {told}; *Other measurements* has all.\n" in shown
        assert not any(f"`{name}`" in shown for name in "acd")
        few = section(write(evaluations=[record(), *sets[:3]]), "What it is bad at")
        assert all(f"on `{name}`" in few for name in "abc")

    def test_texts_chosen_for_a_weak_spot_are_not_shown_in_full(self):
        chosen = record(command="chosen", dataset="i", where="i", weak_spot="irony")
        assert "### Confusion matrix" not in write(evaluations=[chosen])
        other = record(command="other", dataset="o", where="o")
        assert "```sh\nother\n```" in section(write(evaluations=[chosen, other]), "Figures")

    def test_a_set_of_short_texts_is_not_said_to_be_of_passages(self):
        shown = section(
            write(evaluations=[record(), record(weak_spot="short", dataset="s", where="s")]),
            "What it is bad at",
        )
        assert "on `s`.\n" in shown
        assert "A passage has" not in shown

    def test_a_model_from_a_file_does_not_take_its_test_file_for_another_subject(self):
        of = record(dataset="test.csv", where="test.csv")
        shown = section(write(dataset="train.csv", evaluations=[of]), "What it is bad at")
        assert "**Other subjects and kinds of text**: not measured" in shown


class TestTerms:
    def test_imdb_and_glove(self):
        terms = section(write(licence="apache-2.0"), "Licences and sources")
        assert "Model: `apache-2.0`." in terms
        assert "Maas" in terms
        assert "ACL 2011" in terms
        assert "Public Domain Dedication and\n  License (PDDL)" in terms
        assert "Pennington" in terms

    def test_of_other_data_and_vectors_nothing_is_claimed(self):
        card = write(dataset="reviews.csv", glove={**GLOVE, "source": "fasttext.vec"})
        terms = section(card, "Licences and sources")
        assert "Model: none was stated" in terms
        assert "`reviews.csv`, under the terms of its source" in terms
        assert "`fasttext.vec`, under the terms of their source" in terms
        assert not re.search("IMDb|Maas|GloVe|PDDL", card)

    def test_what_its_bases_learnt_from_is_its_too_and_each_once(self):
        first = {"name": "first", "dataset": "stanfordnlp/imdb", "glove": GLOVE, "sentences": "more.csv"}
        second = {"name": "second", "dataset": "a.csv", "glove": GLOVE, "self_training": {"lexicon": 4.0}}
        terms = section(write(dataset="b.csv", base=second | {"base": first}), "Licences and sources")
        for said in ("`b.csv`", "`a.csv`", "`more.csv`", "Maas", "Pennington", "Hutto"):
            assert terms.count(said) == 1
        assert "Hutto" not in write(base=first)

    def test_sentences_that_come_with_sentcli_are_said_to(self):
        assert "a language model, under the licence of sentcli" in write(sentences="everyday")
        assert "- Sentences: `more.csv`, under the terms of their source." in write(sentences="more.csv")

    @pytest.mark.parametrize("source", ["6B.100d", "42B.300d", "twitter.27B.50d", "glove.6B.100d.txt.gz"])
    def test_knows_glove_by_its_names(self, source):
        assert "PDDL" in write(glove={**GLOVE, "source": source})


class TestText:
    def test_says_what_the_model_is(self):
        card = write()
        assert "\n# imdb-bilstm\n" in card
        assert row(card, "labels") == ["`negative`, `positive`"]
        assert row(card, "vocabulary") == ["1,000 words, those seen 5 times or more"]
        assert row(card, "embedding") == ["1,002 x 100 dimensions"]
        assert row(card, "longest text") == ["512 words: of a longer one the first 128 and the last 384"]
        assert "sentcli score reviews.csv -o scored.csv --model imdb-bilstm" in card

    def test_says_no_more_where_every_word_is_known(self):
        training = {**TrainConfig(min_freq=1).to_json(), "bf16": False, "device": "cpu", "seconds": 90.0}
        assert row(write(training=training), "vocabulary") == ["1,000 words"]

    def test_counts_phrases_apart(self):
        card = write(glove={**GLOVE, "types_total": 700})
        (known,) = row(card, "vocabulary")
        assert known.startswith("700 words")
        assert known.endswith("and 300 phrases: pairs of them that are read as one")
        assert row(card, "longest text")[0].startswith("512 words, a phrase counted as one: of a longer one")

    def test_lists_the_files(self):
        known = [
            *("config.json", "vocab.txt", "model.safetensors", "model.onnx", "recipe.toml"),
            *("metrics.json", "history.csv", "curves.png", "reliability.png", "sizes.png"),
            *("confusion_matrix.png", "evaluated_reliability.png", "accuracy_by_length.png"),
            "manifest.json",
        ]
        for there in (known, known[:4]):
            files = section(write(files=set(there)), "Files")
            assert re.findall(r"^\| `(.*?)` \|", files, re.MULTILINE) == there

    def test_no_placeholder_is_left(self):
        assert not re.search(r"[{}]", write())
        assert not re.search(r"[{}]", write(evaluations=[record()]))

    def test_names_may_hold_anything(self):
        card = write(("a|b", "c`d", "e\nf"), name="my model; rm", dataset="{0}\n# x.csv")
        assert "`a\\|b`" in card
        assert "`` c`d ``" in card
        assert "`e\N{REPLACEMENT CHARACTER}f`" in card
        assert "`{0}\N{REPLACEMENT CHARACTER}# x.csv`" in card
        assert f"--model {shlex.quote('my model; rm')}\n" in card


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("layers", [1, 3])
def test_parameters_are_counted_as_torch_counts_them(pooling, layers):
    from sentcli.model.bilstm import BiLSTM

    config = ModelConfig(
        11, num_classes=3, embedding_dim=5, hidden_size=4, num_layers=layers, pooling=pooling
    )
    assert count_parameters(config) == sum(weights.numel() for weights in BiLSTM(config).parameters())


@pytest.mark.parametrize(("gates", "free"), [("forget", 2)])
def test_of_gates_that_follow_from_others_no_parameter_is_counted(gates, free):
    from sentcli.model.bilstm import BiLSTM

    config = ModelConfig(11, num_classes=2, embedding_dim=5, hidden_size=4)
    model = BiLSTM(config)
    of_lstm = sum(weights.numel() for weights in model.lstm.parameters())
    every = sum(weights.numel() for weights in model.parameters())
    assert count_parameters(config, gates) == every - of_lstm * (4 - free) // 4
    shown = row(write(training={**TRAINING, "gates": gates}), "LSTM")[0]
    assert "its input gate is 1 - the forget gate" in shown
    assert ("its output gate 1" in shown) == (gates == "forget")


@pytest.mark.parametrize(
    ("sentences", "told"), [("everyday", "that come with sentcli"), ("my.csv", "of `my.csv`")]
)
def test_the_sentences_learnt_besides_are_named_where_its_use_is_told(sentences, told):
    examples = {"train": 9, "validation": 2, "sentences": 7}
    use = section(write(sentences=sentences, examples=examples), "Intended use")
    assert f"learnt from: `stanfordnlp/imdb` and the sentences {told}." in use
    assert "sentences" not in section(write(), "Intended use")
