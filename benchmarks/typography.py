"""Rewrite texts with the marks of phones, shops and word processors, and count the labels that change.

    python benchmarks/typography.py --dataset reviews.csv
    python benchmarks/typography.py --dataset imdb --model my-model --texts 300

A row counts the texts that its rewriting changes; their tags and entities stay as they are. None changes the
meaning; an emoji of the label that the text has, and a letter repeated for emphasis, may make it clearer.
"""

import argparse
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ending import run

import sentcli
from sentcli.config import DataSet
from sentcli.datasets.load import load_split
from sentcli.scoring.labels import Floats

SEED = 1
EMOJI = "👎😡💔", "👍😍🔥"  # of the first and the last label
KEPT = r"<[^<>]*>|&#?\w+;"  # tags and entities
OPENING = {'"': "\u201c", "'": "\u2018"}
CLOSING = {'"': "\u201d", "'": "\u2019"}
ENTITIES = {"&": ["&amp;"], '"': ["&quot;"], "'": ["&#39;", "&rsquo;"]}
FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("A"), ord("z") + 1)}


def main() -> None:
    """Score texts as they are and rewritten, and print one row per rewriting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="a labeled file, or a folder")
    parser.add_argument("--model", type=Path, help="a model folder; by default the model in the box")
    parser.add_argument("--texts", type=int, default=3000, help="how many texts are drawn; by default 3000")
    options = parser.parse_args()

    texts = load_split(DataSet(str(options.dataset)), "test").texts
    draw = random.Random(SEED)
    texts = draw.sample(texts, min(options.texts, len(texts)))
    with sentcli.load(options.model) as scorer:
        before = scorer.probabilities(texts)
        is_good = (before.argmax(axis=1) == before.shape[1] - 1).tolist()
        versions = [rewritings(text, good, draw) for text, good in zip(texts, is_good, strict=True)]
        print(f"{len(texts):,} texts\n{'rewriting':30} {'texts':>7} {'labels changed':>16} largest change")
        for name in versions[0]:
            rows = [row for row, text in enumerate(texts) if versions[row][name] != text]
            changed, largest = compare(
                before[rows], scorer.probabilities([versions[row][name] for row in rows])
            )
            share = changed / max(len(rows), 1)
            print(f"{name:30} {len(rows):7,} {changed:7,} {share:8.2%} {largest:14.4f}")


def compare(before: Floats, after: Floats) -> tuple[int, float]:
    """Return the number of labels that change or are lost or gained, and the largest change of a score.

    :param before, after: probabilities, `[texts, classes]`; a row of NaN has no label.
    """
    labels = (np.where(np.isnan(found[:, 0]), -1, found.argmax(axis=1)) for found in (before, after))
    return int(np.not_equal(*labels).sum()), float(np.nan_to_num(np.abs(before - after)).max(initial=0))


def rewritings(text: str, is_good: bool, draw: random.Random) -> dict[str, str]:
    """Return the text in each rewriting by name.

    :param is_good: whether the text has the last label of the model.
    :param draw: draws the places.
    """
    opened = replace(text, r"(?<![^\s(\[>])[\"']", OPENING.__getitem__)
    end = len(text.rstrip(" .!?"))

    def some(share: float, changed: str) -> Callable[[str], str]:
        return lambda found: changed if draw.random() < share else found

    return {
        "curly quotes and apostrophes": replace(opened, "[\"']", CLOSING.__getitem__),
        "HTML entities": replace(text, "[\"'&]", lambda mark: draw.choice(ENTITIES[mark])),
        "<p> around": f"<p>{text}</p>",
        "every fifth word in <b>": fifth_in_bold(text),
        "em dash without blanks": replace(text, r"\s*--+\s*|\s+-\s+", lambda _: "—"),
        "ellipsis": text.replace("...", "…"),
        "no-break blanks": replace(text, " ", some(0.2, "\xa0")),
        "zero-width blanks": replace(text, " ", some(0.2, " \u200b")),
        "emoji of its label": text[:end] + draw.choice(EMOJI[is_good]) + text[end:],
        "hyphens between words": replace(text, "(?<=[a-z]) (?=[a-z])", some(0.1, "-")),
        "a letter repeated": with_emphasis(text, draw),
        "full width letters": replace(text, "[A-Za-z]+", lambda word: word.translate(FULL_WIDTH)),
        "upper case": replace(text, "[^<&]+", str.upper),
    }


def replace(text: str, pattern: str, change: Callable[[str], str]) -> str:
    """Replace what matches a pattern outside of tags and entities."""
    return re.sub(f"{KEPT}|({pattern})", lambda found: change(found[1]) if found[1] else found[0], text)


def fifth_in_bold(text: str) -> str:
    """Put every fifth word between the tags `<b>` and `</b>`."""
    words = 0

    def change(word: str) -> str:
        nonlocal words
        words += 1
        return word if words % 5 else f"<b>{word}</b>"

    return replace(text, r"[^\s<>&]+", change)


def with_emphasis(text: str, draw: random.Random) -> str:
    """Repeat a vowel of one word of at least four letters, as in `greeeat`."""
    pattern = rf"{KEPT}|((?<=[A-Za-z]{{2}})[aeiou](?=[a-z]+\b))"
    vowels = [found.start() for found in re.finditer(pattern, text) if found[1]]
    if not vowels:
        return text
    place = draw.choice(vowels)
    return text[:place] + 4 * text[place] + text[place + 1 :]


if __name__ == "__main__":
    run(main)
