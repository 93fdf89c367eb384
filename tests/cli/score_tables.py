"""CSV tables of a few rows, written and read."""

import csv
from pathlib import Path

TEXTS = ["a warm, wonderful film", "", "dull,\nclumsy and loud", 'a "joy" — gripping', "001"]


def write_csv(path, texts=TEXTS, name="review"):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = [(f"{number:03}", text) for number, text in enumerate(texts)]
        csv.writer(file, lineterminator="\n").writerows([("id", name), *rows])


def read(path):
    """Return the rows of an output as dictionaries."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
