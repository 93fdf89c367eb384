"""Invented reviews, enough of them to train a tiny model that gets most of them right."""

import csv
import random
from pathlib import Path

_THINGS = (
    "film",
    "story",
    "cast",
    "score",
    "ending",
    "camera work",
    "dialogue",
    "second half",
    "lead",
    "pace",
)
_OPENINGS = (
    "We saw it on a rainy evening.",
    "My sister chose this one.",
    "I had heard nothing about it before;",
    "Third time in the front row:",
    "Well...",
    "<br />Short notes from the late show.<br /><br />",
)
_WORDS = {
    "positive": ("wonderful", "warm", "clever", "moving", "bright", "a joy", "gripping", "tender"),
    "negative": ("dreadful", "dull", "clumsy", "lifeless", "loud", "a bore", "tired", "hollow"),
    "neutral": ("fine", "ordinary", "plain", "all right", "as expected", "average", "adequate", "middling"),
}
TWO, THREE = ("negative", "positive"), ("negative", "neutral", "positive")


def reviews(count: int, seed: int, labels: tuple[str, ...] = TWO) -> list[tuple[str, str]]:
    """Invent texts of 6 to 90 words, each with one of the labels in turn."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        label = labels[number % len(labels)]
        sentences = [draw.choice(_OPENINGS)]
        for _ in range(draw.choice((1, 1, 2, 3, 5, 12))):
            sentences.append(f"The {draw.choice(_THINGS)} was {draw.choice(_WORDS[label])}.")
        made.append((" ".join(sentences), label))
    return made


def write_csv(path: Path, rows: list[tuple[str, str]]) -> Path:
    """Write texts and labels as a data set that `sentcli train` takes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("review", "label"), *rows])
    return path
