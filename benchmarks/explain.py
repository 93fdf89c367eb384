"""Remove the words that an explanation names, and measure how far the score falls: the deletion test.

    python benchmarks/explain.py airlines.parquet health_apps.parquet tv_reviews.parquet imdb/test.parquet
    python benchmarks/explain.py reviews.csv --model my-model --texts 2000

Equally many texts of each file are drawn, of 20 words or more. The tenth of their words with the largest
parts towards the label is removed. The table shows the mean fall of the log odds of the label, signed, with
the 95 % interval over texts; the share of labels that change; and the CPU time of an explanation. Times need
a quiet machine. Only models with two labels are measured.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from ending import run
from pyarrow import csv, parquet

import sentcli
from sentcli.explain.parts import Word
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import Scorer
from sentcli.tables import arrow

SEED = 1
LEAST_WORDS = 20
DRAWS = 20  # of random words
TENTH = 10


def main() -> None:
    """Print one row per way to choose the words."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="tables of reviews")
    parser.add_argument("--model", type=Path, help="a model folder; by default the included model")
    parser.add_argument("--texts", type=int, default=500, help="how many texts are drawn; by default 500")
    options = parser.parse_args()

    draw = random.Random(SEED)
    with sentcli.load(options.model, workers=1) as scorer:
        texts = sample(scorer, options.files, options.texts, draw)
        list(scorer.parts.words(texts[:2], exact=False))  # loads the model and scores its vocabulary, once
        everything, exact_ms = timed(scorer.parts.words, texts)
        quarter, bulk_ms = timed(partial(scorer.parts.words, exact=False), texts)
        counts = [-(-len(words) // TENTH) for words in everything]
        odds = log_odds(scorer, texts)
        print(f"{len(texts)} texts, {np.mean([len(words) for words in everything]):.0f} words on average")
        print(f"{'words removed':16} {'fall of log odds':>24} {'labels changed':>15} {'CPU ms a text':>14}")
        for name, found, ms in (("exact", everything, exact_ms), ("strongest", quarter, bulk_ms)):
            chosen = [
                sorted(words, key=lambda word: -word.part * sign)[:count]
                for words, count, sign in zip(found, counts, np.sign(odds), strict=True)
            ]
            print(row(name, [fall(scorer, texts, chosen, odds)], odds, ms))
        falls = [fall(scorer, texts, list(map(draw.sample, everything, counts)), odds) for _ in range(DRAWS)]
        print(row("random", falls, odds, 0))


def sample(scorer: Scorer, files: Sequence[Path], count: int, draw: random.Random) -> list[str]:
    """Return texts that say something, as many of each file."""
    chosen: list[str] = []
    for number, file in enumerate(files, start=1):
        table = parquet.read_table(file) if file.suffix == ".parquet" else csv.read_csv(file)
        paths = arrow.paths_of(table.schema)
        choice = arrow.find_text_columns(paths, table.to_batches()[:1], None, str(file))
        column = table.column(choice.places[0]).to_pylist()
        texts = [text for text in column if text and len(text.split()) >= LEAST_WORDS]
        texts = [text for text, (label, _) in zip(texts, scorer.score(texts), strict=True) if label]
        chosen += draw.sample(texts, min(len(texts), count * number // len(files) - len(chosen)))
    return chosen


def timed(
    explain: Callable[[Sequence[str]], Iterator[list[Word]]], texts: Sequence[str]
) -> tuple[list[list[Word]], float]:
    """Return the words of texts, and the CPU time in ms per text."""
    start = time.process_time()
    found = list(explain(texts))
    return found, 1000 * (time.process_time() - start) / len(texts)


def log_odds(scorer: Scorer, texts: Sequence[str]) -> Floats:
    """Return the log odds of the second label; 0 for a text that says nothing any more."""
    probabilities = scorer.probabilities(texts)
    return np.nan_to_num(np.log(probabilities[:, 1]) - np.log(probabilities[:, 0]))


def fall(scorer: Scorer, texts: Sequence[str], chosen: Sequence[Sequence[Word]], odds: Floats) -> Floats:
    """Return how far the log odds of each label fall if the chosen words are removed from the text."""
    return np.sign(odds) * (odds - log_odds(scorer, list(map(without, texts, chosen))))


def without(text: str, words: Sequence[Word]) -> str:
    """Return a text with blanks in place of some words."""
    for word in words:
        text = f"{text[: word.start]}{' ' * (word.end - word.start)}{text[word.end :]}"
    return text


def row(name: str, falls: Sequence[Floats], odds: Floats, ms: float) -> str:
    """Return a row of the table; several falls of each text are averaged."""
    mean = np.mean(falls, axis=0)
    half = 1.96 * mean.std() / len(mean) ** 0.5
    changed = np.mean(np.array(falls) > np.abs(odds))
    interval = f"{mean.mean():.2f} ({mean.mean() - half:.2f} to {mean.mean() + half:.2f})"
    return f"{name:16} {interval:>24} {changed:>15.1%} {f'{ms:.1f}' if ms else '':>14}"


if __name__ == "__main__":
    run(main)
