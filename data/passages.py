"""Cut passages of a few sentences from longer texts: for data/teacher.py, and to measure a model on them.

    python data/passages.py --dataset stanfordnlp/imdb --split test -o snippets/passages.csv

The file has one passage of each text with the label of the text, which need not be that of the passage.
"""

import argparse
import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sentcli.config import DataSet
from sentcli.datasets.load import load_split

_LINE_BREAK = "<br />"
# Both expressions take linear time even on a page of dots: they start to match only at the first mark.
_SENTENCE_END = re.compile(r"""[.!?…](?<![.!?…].)[.!?…]*+[])}"'\u201d\u2019»]*+(?=\s|<br />)""", re.DOTALL)
_EMPTY_LINE = re.compile(r"<br />\s*+<br />")
# No sentence ends at the full stop of these. A single letter is an initial or `e.g.`, not the end of `it's`.
_ABBREVIATION = re.compile(
    r"""(?<!['\u2019])\b(?:[^\W\d_]|mr|mrs|ms|messrs|dr|prof|st|jr|sr|rev|hon|gov|sen|rep|capt|lt|col|gen|sgt
    |vs|cf|etc|al|vol)\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_LONGEST_ABBREVIATION = len("messrs")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def cut_passages(texts: Sequence[str], sentences: int = 3, seed: int = 1) -> list[str]:
    """Cut a passage of consecutive sentences from each text, with a random length and position.

    The draw depends on the seed and the position of the text in the list, not on the other texts.

    :param sentences: the maximum number of sentences in a passage, at least 1.
    :returns: an unchanged passage of each text. It has a word if the text has one.
    """
    return [_cut(text, sentences, (seed, index)) for index, text in enumerate(texts)]


def _cut(text: str, sentences: int, seed: tuple[int, int]) -> str:
    spans = sentence_spans(text)
    if len(spans) < 2:
        return "".join(text[start:end] for start, end in spans)
    random = np.random.default_rng(seed)
    count = random.integers(1, min(sentences, len(spans)), endpoint=True)
    first = random.integers(0, len(spans) - count, endpoint=True)
    return text[spans[first][0] : spans[first + count - 1][1]]


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each sentence, without the white space and line breaks around it.

    Sentences end after their marks and at empty lines (`<br /><br />`). Each has a letter or digit, unless
    the whole text has none; a blank text has no sentences.
    """
    plain = text.replace(_LINE_BREAK, " " * len(_LINE_BREAK))  # same positions, no letters
    spans: list[tuple[int, int]] = []
    has_word = True
    start = 0
    for end in _ends(text):
        if sentence := plain[start:end].strip():
            first = plain.index(sentence, start)
            last = first + len(sentence)
            word = _LETTER_OR_DIGIT.search(sentence) is not None
            if spans and not (has_word and word):  # a sentence with only marks joins its neighbour
                spans[-1] = (spans[-1][0], last)
                has_word |= word
            else:
                spans.append((first, last))
                has_word = word
        start = end
    return spans


def _ends(text: str) -> list[int]:
    """Return the positions where a sentence may end; the last is the end of the text."""
    marks = _SENTENCE_END.finditer(text)
    ends = {mark.end() for mark in marks if mark[0] != "." or not _is_abbreviated(text, mark.start())}
    return sorted({*ends, *(line.start() for line in _EMPTY_LINE.finditer(text)), len(text)})


def _is_abbreviated(text: str, end: int) -> bool:
    return _ABBREVIATION.search(text, max(end - _LONGEST_ABBREVIATION, 0), end) is not None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", required=True, help="file, folder, or id on the Hugging Face hub")
    parser.add_argument("--split", default="test")
    parser.add_argument("--sentences", type=int, default=3, help="in a passage, at most; by default 3")
    parser.add_argument("-o", "--output", type=Path, required=True, help="CSV file to write")
    options = parser.parse_args()
    data = load_split(DataSet(options.dataset), options.split)
    passages = cut_passages(data.texts, options.sentences)
    with options.output.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *zip(passages, data.labels, strict=True)])


if __name__ == "__main__":
    main()
