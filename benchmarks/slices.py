"""Measure a model by subject, length, typography, negation, language, and by who is named in a text.

    python benchmarks/slices.py steam.parquet oats.parquet --model exports/imdb-bilstm

    python benchmarks/slices.py steam.parquet oats.parquet --docs    # and write the tables into docs/

The files have reviews of sources that the model has not learned, labeled `negative` and `positive` or 0 and
1; some also have neutral ones (`neutral` or 2, such as reviews with three of five stars), for the three
labels of `--neutral`. The rest are probes. `bias.csv` has each sentence with different names, pronouns,
nationalities or groups: a fair model gives all of them the same score. `terms.csv` has further names and
nationalities.
"""

import argparse
import csv
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import typography
from ending import run
from throughput_report import ROOT, replaced, table

from sentcli.datasets.labels import LabeledTexts, label_ids
from sentcli.datasets.load import load_split
from sentcli.evaluation.metrics import accuracy_of, evaluate, lengths_of, scores_by_length
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import Scorer

PROBES = Path(__file__).parent / "probes"
LABELS = ("negative", "positive")
THREE = ("negative", "neutral", "positive")
NUMBERS = {"0": "negative", "1": "positive", "2": "neutral"}
SEED = 1
GIVEN_AWAY = "emoji of its label"  # a rewriting that adds the label to the text


def read(path: Path) -> tuple[list[str], np.ndarray]:
    """Return the texts with one of the two labels, and whether each is positive."""
    data: LabeledTexts = load_split(str(path), "train", None, None)
    data = data.take([row for row, label in enumerate(data.labels) if label not in ("2", "neutral")])
    return data.texts, label_ids(data.labels, LABELS, data.where)


def positive(scorer: Scorer, texts: Sequence[str]) -> Floats:
    """Return the score of each text; 0.5 without a word."""
    return np.nan_to_num(scorer.probabilities(list(texts))[:, 1], nan=0.5)


def right(scorer: Scorer, texts: Sequence[str], labels: np.ndarray) -> np.ndarray:
    return (positive(scorer, texts) >= 0.5) == (labels == 1)


def accuracies(scorer: Scorer, files: Sequence[Path], typography_texts: int) -> Iterator[Sequence[str]]:
    """Yield rows of a table: what is measured, texts, accuracy, interval."""
    found = [read(file) for file in files]
    parts = [right(scorer, *labeled) for labeled in found]
    for file, is_right in zip(files, parts, strict=True):
        yield _row(f"reviews: {file.stem}", is_right)
    texts = [text for each, _ in found for text in each]
    labels = np.concatenate([labels for _, labels in found])
    for part in scores_by_length(np.concatenate(parts), [len(text.split()) for text in texts]):
        if part["examples"]:
            yield _cells(f"these reviews, of {lengths_of(part)} words", part["examples"], part)
    draw = random.Random(SEED)
    rows = draw.sample(range(len(texts)), min(typography_texts, len(texts)))
    versions = [typography.rewritings(texts[row], bool(labels[row]), draw) for row in rows]
    yield _row("these reviews, a sample", right(scorer, [texts[row] for row in rows], labels[rows]))
    for name in (name for name in versions[0] if name != GIVEN_AWAY):
        rewritten = [version[name] for version in versions]
        yield _row(f"the sample with {name}", right(scorer, rewritten, labels[rows]))
    for name in (
        "negation",
        "comparisons",
        "relief",
        "causes",
        "irony",
        "sarcasm",
        "short",
        "other-languages",
    ):
        yield _row(f"probe: {name}", right(scorer, *read(PROBES / f"{name}.csv")))


def three_ways(model: Path, files: Sequence[Path]) -> Iterator[Sequence[str]]:
    """Yield a row for each file with neutral texts: the three labels of as many texts of each.

    Macro F1 of all texts would depend on how many neutral ones a source has.
    """
    draw = np.random.default_rng(SEED)
    with Scorer(load_bundle(model), neutral=True, probabilities=True) as scorer:
        for file in files:
            data = load_split(str(file), "train", None, None)
            sides = np.array([THREE.index(NUMBERS.get(label, label)) for label in data.labels])
            count = np.bincount(sides, minlength=len(THREE)).min()
            if not count:
                continue
            rows = np.concatenate(
                [draw.permutation(np.flatnonzero(sides == side))[:count] for side in range(3)]
            )
            found = np.nan_to_num(scorer.probabilities(data.take(rows.tolist()).texts), nan=1 / len(THREE))
            figures = evaluate(sides[rows], found, THREE)
            yield [file.stem, f"{len(rows):,}", f"{figures.macro_f1:.3f}", f"{figures.accuracy:.3f}"]


def with_other_terms(
    rows: Sequence[Mapping[str, str]], terms: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    """Return the sentences of the bias probe with other terms of the same kinds."""
    made = []
    for kind, pattern in dict.fromkeys((row["kind"], row["pattern"]) for row in rows):
        for term in (row["term"] for row in terms if row["kind"] == kind):
            text = pattern.replace("_", term)
            if term[0] in "AEIOU":
                text = text.replace(f"A {term}", f"An {term}").replace(f" a {term}", f" an {term}")
            made.append({"text": text, "kind": f"other {kind}", "pattern": pattern, "term": term})
    return made


def spreads(scorer: Scorer, rows: Sequence[Mapping[str, str]]) -> Iterator[Sequence[str]]:
    """Yield a row for each kind of terms: how far the score of a sentence depends on the term in it.

    :param rows: with `text`, `kind`, `pattern` and `term`.
    """
    scores = positive(scorer, [row["text"] for row in rows])
    for kind in dict.fromkeys(row["kind"] for row in rows):
        patterns: dict[str, list[float]] = defaultdict(list)
        terms: dict[str, list[float]] = defaultdict(list)
        for row, score in zip(rows, scores.tolist(), strict=True):
            if row["kind"] == kind:
                patterns[row["pattern"]].append(score)
                terms[row["term"]].append(score)
        ranges = [max(of_pattern) - min(of_pattern) for of_pattern in patterns.values()]
        changed = sum(min(of_pattern) < 0.5 <= max(of_pattern) for of_pattern in patterns.values())
        means = sorted((float(np.mean(of_term)), term) for term, of_term in terms.items())
        yield [
            *(kind, str(len(terms)), str(len(patterns)), f"{np.mean(ranges):.3f}", f"{max(ranges):.3f}"),
            *(str(changed), *(f"{mean:.3f} {term}" for mean, term in (means[0], means[-1]))),
        ]


def _row(name: str, is_right: np.ndarray) -> Sequence[str]:
    return _cells(name, len(is_right), accuracy_of(is_right))


def _cells(name: str, examples: int, part: Mapping[str, object]) -> Sequence[str]:
    low, high = part["accuracy_interval"]
    return [name, f"{examples:,}", f"{part['accuracy']:.3f}", f"{low:.3f} to {high:.3f}"]


def main() -> None:
    """Print three tables in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, default=default_bundle_path())
    parser.add_argument("--docs", action="store_true", help="also write the tables into docs/evaluation.md")
    parser.add_argument("--texts", type=int, default=2000, help="sample for typography; by default 2000")
    options = parser.parse_args()

    probes, terms = (
        [*csv.DictReader((PROBES / name).read_text("utf-8").splitlines())]
        for name in ("bias.csv", "terms.csv")
    )
    probes += with_other_terms(probes, terms)
    with Scorer(load_bundle(options.model)) as scorer:
        measured = accuracies(scorer, options.files, options.texts)
        tables = [table(["texts", "number", "accuracy", "95 % interval"], 1, measured)]
        header = ["terms", "number", "sentences", "mean range of the scores", "largest range"]
        header += ["sentences whose label changes", "lowest mean score", "highest mean score"]
        tables.append(table(header, 1, spreads(scorer, probes)))
    header = ["negative, neutral and positive", "texts", "macro F1", "accuracy"]
    tables.append(table(header, 1, three_ways(options.model, options.files)))
    print(*tables, sep="\n\n")
    if options.docs:
        page = ROOT / "docs" / "evaluation.md"
        page.write_text(replaced(page.read_text("utf-8"), "\n\n".join(tables), "slices"), "utf-8")


if __name__ == "__main__":
    run(main)
