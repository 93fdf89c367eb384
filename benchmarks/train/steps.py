"""Measure the models of docs/tutorial.md on IMDb, from a plain RNN to the included model.

    python benchmarks/train/steps.py                        # 48 units, 2 epochs: 40 minutes of one core
    python benchmarks/train/steps.py --units 256 --epochs 5 --results full.jsonl --work full
    python benchmarks/train/steps.py --docs                 # measure nothing: write the table of the page

Needs `pip install '.[train]'`. Each step has the settings of the one before and those that it adds. Its
figures are a line of the results file; the same command continues. The networks learn by the loop of `sentcli
train`, and `sentcli evaluate` measures them. What `sentcli train` does not have is here: an RNN, a GRU, a
constant learning rate, and networks without n-grams.
"""

import argparse
import csv
import json
import logging
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import Tensor, nn

from sentcli.backends.torch import load_model
from sentcli.config import DEFAULT_DATASET, BundleConfig, DataSet, ModelConfig
from sentcli.datasets.labels import label_ids
from sentcli.datasets.load import Rejects, load_split, read_data_sets
from sentcli.evaluation.calibration import fit_temperature
from sentcli.evaluation.metrics import evaluate
from sentcli.export.export import write_onnx
from sentcli.model import bundle
from sentcli.model.bilstm import BiLSTM, round_embedding
from sentcli.scoring.labels import Floats, softmax
from sentcli.text.tokenizer import truncate, words_of
from sentcli.training import loop
from sentcli.training.classifier import loss_and_accuracy, predict_logits
from sentcli.training.corpus import Corpus, DataSource, Examples, encode_texts, read_texts
from sentcli.training.heads import divide_logits
from sentcli.training.init_model import init_model, torch_set_up
from sentcli.training.ngrams import add_linear, fit_linear
from sentcli.training.settings import Settings, resolve_settings

ROOT = Path(__file__).parents[2]
RESULTS, PAGE = ROOT / "benchmarks" / "results" / "steps.jsonl", ROOT / "docs" / "tutorial.md"
SENTENCES = ROOT / "benchmarks" / "probes" / "everyday-products.csv"
WRITTEN = ROOT / "data" / "everyday.csv"
START, END = "<!-- steps -->\n", "<!-- end of steps -->"
CPU = torch.device("cpu")
LONGER = 5  # epochs, as in tutorials
SCORED = 5000  # reviews of the train split, for the speed
FIGURES = ("examples", "accuracy", "accuracy_interval", "log_loss", "expected_calibration_error")
CELLS = {"rnn": (torch.rnn_tanh, 1), "gru": (torch.gru, 3), "lstm": (torch.lstm, 4)}  # with their gates

TUTORIAL = {
    "max-tokens": 256,
    "min-freq": 5,
    "pooling": "last",
    "dropout": 0.5,
    "embedding-dropout": 0.5,
    "batch-size": 64,
    "lr": 0.001,
    "weight-decay": 0.0,
    "warmup": 0.0,
    "ema-decay": 0.0,
    "word-dropout": 0.0,
    "label-smoothing": 0.0,
    "adversarial": 0.0,
}


@dataclass(frozen=True)
class Step:
    """A model: what it is called, and the settings that it adds to those of the step before."""

    key: str
    title: str
    adds: Mapping[str, Any] = field(default_factory=dict)


STEPS = (
    Step("ngrams", "no network: words, pairs and triples, logistic regression"),
    Step("rnn", "plain RNN, both directions, last states"),
    Step("gru", "GRU in its place"),
    Step("lstm", "**LSTM in its place: the tutorial's model**"),
    Step("longer", "the same, five epochs"),
    Step("rate", "+ warm-up, cosine, AdamW", {"lr": 0.002, "warmup": 0.05, "weight-decay": 0.01}),
    Step("pooling", "+ maximum and mean of all states", {"pooling": "max+mean"}),
    Step("tokens", "+ 512 tokens", {"max-tokens": 512}),
    Step("ema", "+ average of the weights (EMA)", {"ema-decay": 0.995}),
    Step("words", "+ word dropout", {"embedding-dropout": 0.3, "word-dropout": 0.2}),
    Step("smoothing", "+ label smoothing", {"label-smoothing": 0.1}),
    Step("adversarial", "+ adversarial steps", {"adversarial": 1.0}),
    Step("gate", "+ one gate in place of three", {"gates": "forget"}),
    Step("bigrams", "+ 20,000 pairs of words as tokens", {"bigrams": 20_000}),
    Step("wide", "+ n-grams in the logits"),
    Step("sentences", "+ 76,452 written sentences to learn from"),
    Step("included", "**the included model**"),
)


class Recurrent(BiLSTM):
    """The network of sentcli with another cell; it runs each direction of each layer by itself."""

    def __init__(self, config: ModelConfig, cell: str) -> None:
        super().__init__(config)
        self.cell, gates = CELLS[cell]
        self.states = 2 if cell == "lstm" else 1
        for name, weight in [*self.lstm.named_parameters()]:
            setattr(self.lstm, name, nn.Parameter(weight.data[: gates * config.hidden_size].clone()))

    def _run_direction(self, index: int, inputs: Tensor) -> Tensor:
        weights = [getattr(self.lstm, name) for name in self.lstm._all_weights[index]]
        initial = inputs.new_zeros(1, inputs.shape[1], self.config.hidden_size)
        state = initial if self.states == 1 else [initial, initial]
        # Biases, one layer, no dropout, one direction, tokens first; as in BiLSTM.
        return self.cell(inputs, state, weights, True, 1, 0.0, self.training, False, False)[0]


def settings_of(step: Step, units: int, epochs: int) -> dict[str, Any]:
    """Return the settings of a step: those of the tutorial's model, and what all steps up to it add."""
    settings: dict[str, Any] = {**TUTORIAL, "hidden-size": units, "epochs": epochs}
    for each in STEPS[: STEPS.index(step) + 1]:
        settings |= each.adds
    if step.key == "longer":
        settings["epochs"] = LONGER
    return settings


class Walk:
    """The steps on a data set; their models are written to a folder."""

    def __init__(self, dataset: str, glove: str, work: Path, units: int, epochs: int) -> None:
        self.dataset, self.glove = (  # `sentcli` runs in the folder
            str(Path(path).resolve()) if Path(path).exists() else path for path in (dataset, glove)
        )
        self.work, self.units, self.epochs = work, units, epochs
        self.corpora: dict[Any, Corpus] = {}  # the last one

    def measure(self, step: Step) -> dict[str, Any]:
        """Return the figures of a step."""
        if step.key == "included":
            return self._of_bundle(bundle.default_bundle_path())
        settings, data = self._data(step)
        if step.key == "ngrams":
            return self._ngrams(data)
        started = time.process_time()
        if step.key == "wide":
            network = load_model(bundle.load_bundle(self.work / "bigrams"))
        else:
            with torch_set_up(1, 0):
                network = self._train(step, data, settings)
        logits = predict_logits(network, data.validation, CPU).astype(np.float64)
        if step.key in ("wide", "sentences"):
            linear = fit_linear(data, np.arange(len(data.vocab)), {})
            logits, _ = add_linear(network, linear, data, logits)
        seconds, names = time.process_time() - started, data.texts.labels
        temperature = fit_temperature(data.validation.labels, logits)
        before, after = (
            figures(data.validation.labels, softmax(each), names) for each in (logits, logits / temperature)
        )
        divide_logits(network, temperature)
        round_embedding(network)
        trained = {"seconds": seconds, "validation": after, "uncalibrated": before}
        if step.key in ("rnn", "gru"):  # without a bundle
            measured = [load_split(DataSet(path), "test") for path in (self.dataset, str(SENTENCES))]
            found = [self._probabilities(network, data, settings, part.texts) for part in measured]
            test, short = (
                figures(label_ids(part.labels, names, part.where), of_part, names)
                for part, of_part in zip(measured, found, strict=True)
            )
            return {**trained, "test": test, "sentences": short["accuracy"], **weights_of(network)}
        path = self.work / step.key
        with bundle.new_bundle(path, overwrite=True) as folder:
            bundle.write_config(folder, BundleConfig(network.config, settings.text, names))
            (folder / bundle.VOCAB).write_text(data.vocab.to_text(), "utf-8")
            write_onnx(network, folder / bundle.ONNX, "folded", settings.text.max_tokens)
        return {**trained, **self._of_bundle(path)}

    def _data(self, step: Step) -> tuple[Settings, Corpus]:
        """Return the settings of a step and its encoded texts, those of the step before if they are equal."""
        given = settings_of(step, self.units, self.epochs)
        written = [DataSet(str(WRITTEN), validate=False)] if step.key == "sentences" else []
        source = DataSource((DataSet(self.dataset), *written), self.glove)
        settings = resolve_settings(source, given)
        key = (settings.text, settings.config.bigrams, len(source.data))
        if key not in self.corpora:
            parts, names = read_data_sets(source.data)
            texts = read_texts(source, parts, names, settings.config, Rejects())
            self.corpora = {key: encode_texts(texts, settings.text, settings.config)}
        return settings, self.corpora[key]

    def _train(self, step: Step, data: Corpus, settings: Settings) -> BiLSTM:
        config, initial = settings.config, init_model(data, settings)
        network = initial.build()
        if step.key in ("rnn", "gru"):
            vectors = network.embedding
            network = Recurrent(network.config, step.key)
            network.embedding = vectors

        def validate(model: nn.Module) -> tuple[float, float]:
            return loss_and_accuracy(predict_logits(model, data.validation, CPU), data.validation)

        run = loop.Run(CPU, quiet=True, vary=initial.vary)
        is_constant = step.key in (*CELLS, "longer")
        with patch.object(loop, "learning_rate", lambda *_: config.lr) if is_constant else nullcontext():
            loop.fit(network, data.train, validate, config, run)
        round_embedding(network)
        return network

    def _probabilities(
        self, network: BiLSTM, data: Corpus, settings: Settings, texts: Sequence[str]
    ) -> Floats:
        encoded = (data.vocab.encode(words_of(text)) for text in texts)
        ids = [np.array(truncate(each, settings.text.max_tokens), np.int32) for each in encoded]
        examples = Examples(ids, np.zeros((len(ids), len(data.texts.labels)), np.float32))
        return softmax(predict_logits(network, examples, CPU).astype(np.float64))

    def _ngrams(self, data: Corpus) -> dict[str, Any]:
        started, names = time.process_time(), data.texts.labels
        test, short = (load_split(DataSet(path), "test") for path in (self.dataset, str(SENTENCES)))
        parts = {"validation": data.texts.validation, "test": test, "sentences": short}
        unseen = [text for part in parts.values() for text in part.texts]
        words = {"tokenizer": words_of, "token_pattern": None, "lowercase": False, "ngram_range": (1, 3)}
        model = make_pipeline(
            TfidfVectorizer(min_df=3, sublinear_tf=True, **words), LogisticRegression(C=10, max_iter=1000)
        )
        found = model.fit(data.texts.train.texts, data.train.labels).predict_proba(unseen)
        ends = np.cumsum([len(part) for part in parts.values()])
        of_parts = {
            name: figures(label_ids(part.labels, names, part.where), found[end - len(part) : end], names)
            for (name, part), end in zip(parts.items(), ends, strict=True)
        }
        of_parts["sentences"] = of_parts["sentences"]["accuracy"]
        return {**of_parts, "seconds": time.process_time() - started}

    def _of_bundle(self, path: Path) -> dict[str, Any]:
        """Return the figures of a model folder on the test split and on sentences, its size and its speed."""
        test, short = (
            json.loads(self._run("evaluate", str(path.resolve()), "--dataset", source, "--json", "-q")[1])
            for source in (self.dataset, str(SENTENCES))
        )
        shape = bundle.load_bundle(path).config.model
        return {
            "test": {name: test[name] for name in FIGURES},
            "sentences": short["accuracy"],
            **weights_of(BiLSTM(replace(shape, neutral_head=False))),
            "rows_per_second": self._speed(path),
        }

    def _speed(self, model: Path) -> float:
        """Return the rows per CPU second of `sentcli score`, without its start."""
        texts, seconds = load_split(DataSet(self.dataset), "train").texts, []
        for rows in (1, SCORED):
            with (self.work / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([["text"], *([text] for text in texts[:rows])])
            command = ("score", "reviews.csv", "-o", "scored.csv", "--model", str(model.resolve()))
            seconds.append(self._run(*command, "--overwrite", "-q")[0])
        return SCORED / (seconds[1] - seconds[0])

    def _run(self, *arguments: str) -> tuple[float, str]:
        """Run `sentcli` in the folder; return its CPU seconds and its output."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "sentcli", *arguments]
        done = subprocess.run(command, cwd=self.work, stdout=subprocess.PIPE, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def figures(labels: Any, probabilities: Floats, names: Sequence[str]) -> dict[str, Any]:
    found = evaluate(labels, probabilities, names)
    return {name: found[name] for name in FIGURES}


def weights_of(network: BiLSTM) -> dict[str, int]:
    """Return the number of weights: of the word vectors, and of all else."""
    vectors = network.embedding.weight.numel()
    return {"vectors": vectors, "weights": sum(each.numel() for each in network.parameters()) - vectors}


def read(results: Path) -> dict[str, dict[str, Any]]:
    lines = results.read_text("utf-8").splitlines() if results.exists() else []
    return {record["key"]: record for record in map(json.loads, lines)}


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the steps as a table of Markdown."""
    lines = [
        "| step | validation | test | log loss | sentences | CPU min | weights | rows/s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for step in STEPS:
        if of := records.get(step.key):
            cells = [
                step.title,
                f"{of['validation']['accuracy']:.3f}" if "validation" in of else "",
                f"{of['test']['accuracy']:.3f}",
                f"{of['test']['log_loss']:.3f}",
                f"{of['sentences']:.2f}",
                f"{of['seconds'] / 60:.1f}" if "seconds" in of else "",
                f"{of['weights']:,}" if "weights" in of else "",
                f"{round(of['rows_per_second'], -2):,.0f}" if "rows_per_second" in of else "",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(page: str, records: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page with the table of these results."""
    return re.sub(f"{START}.*{END}", lambda _: f"{START}{table(records)}\n{END}", page, flags=re.DOTALL)


def main() -> None:
    """Measure the steps that the results file lacks and print the table, or write it into the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default=DEFAULT_DATASET)
    parser.add_argument("--glove", default="6B.100d")
    parser.add_argument("--units", type=int, default=48, help="hidden units of each direction")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", nargs="+", choices=[step.key for step in STEPS], help="these alone")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--work", type=Path, default=Path("steps"), help="folder of the models")
    parser.add_argument("--docs", action="store_true", help="write the last figures into docs/tutorial.md")
    options = parser.parse_args()
    logging.getLogger("sentcli").setLevel(logging.ERROR)
    if options.docs:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), read(options.results)), "utf-8")
        return
    options.work.mkdir(parents=True, exist_ok=True)
    walk = Walk(options.dataset, options.glove, options.work, options.units, options.epochs)
    for step in STEPS:
        if step.key in read(options.results) or step.key not in (options.steps or [step.key]):
            continue
        record = {"key": step.key, "units": options.units, "epochs": options.epochs, **walk.measure(step)}
        with options.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(step.key, f"{record['test']['accuracy']:.4f}, {record.get('seconds', 0):.0f} s", flush=True)
    print(table(read(options.results)))


if __name__ == "__main__":
    main()
