"""The settings that depend on the data, chosen from how much of it there is."""

import logging
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sentcli.config import TrainConfig

_log = logging.getLogger("sentcli")

AUTO = ("epochs", "batch_size", "min_freq", "validation_share", "class_weight")
OF_LABELS = ("validation_share", "class_weight")

# What TrainConfig's own defaults were found on, the train split of IMDb: 25,000 texts of 234 words.
_TEXTS, _WORDS = 25_000, 5_850_000

_MOST_EPOCHS = 60  # of a handful of texts there is nothing more to learn
_SMALLEST_BATCH = 8  # smaller ones leave the padded steps of a batch no faster, and its gradient to chance
_HELD_OUT = (100, 10_000)  # texts: the error of an accuracy of 0.9 is then 3 points, and 0.3 points
_MOST_HELD_OUT = 0.2  # share, where 100 texts would be more than can be spared
_LEAST_HELD_OUT = 0.001
# Of an even share: a rarer class gets the same say as the others. A model that learnt from 3,000 reviews as
# they came, 150 of them negative, found 24 of 500 negative ones, and 234 where both classes had the same say.
_RARE = 0.25


@dataclass(frozen=True)
class DataSize:
    """How much there is to learn from.

    :param texts: labelled texts, those to be held out included.
    :param words: words of all of them, split at spaces.
    :param classes, rarest: number of classes, and texts of the smallest.
    """

    texts: int
    words: int
    classes: int
    rarest: int

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[str]) -> "DataSize":
        counts = Counter(labels)
        return cls(0, 0, len(counts), min(counts.values(), default=0)).with_more(texts)

    def with_more(self, texts: Sequence[str]) -> "DataSize":
        """Give the size with what is learnt besides the labelled texts, as often as an epoch has it."""
        words = sum(text.count(" ") + 1 for text in texts)
        return replace(self, texts=self.texts + len(texts), words=self.words + words)


def settle(config: TrainConfig, auto: Collection[str], size: DataSize) -> TrainConfig:
    """Choose the settings that are left to the data, and log them.

    :param auto: names of the settings to choose, out of `AUTO`; the others stay as they are.
    """
    chosen = {name: value for name, value in choices(size).items() if name in auto}
    if chosen:
        _log.info(
            "chosen for %s texts of %s words, %s or more of each of %d classes: %s",
            *(f"{number:,}" for number in (size.texts, size.words, size.rarest)),
            size.classes,
            ", ".join(f"{name.replace('_', '-')} {value}" for name, value in chosen.items()),
        )
    return replace(config, **chosen)


def choices(size: DataSize) -> dict[str, Any]:
    """Give what suits data of some size, of the settings in `AUTO`; for IMDb's size, they are TrainConfig's.

    They follow the square root of the size: of n times the texts, each is seen 1/sqrt(n) times as often, in
    batches sqrt(n) times as large. So a few hundred texts get as many steps as IMDb, about a thousand.
    """
    usual = TrainConfig()
    count = max(size.texts, 1)  # a data set without texts is refused by `class_names`
    texts, words = math.sqrt(count / _TEXTS), math.sqrt(size.words / _WORDS)
    # Larger batches than IMDb's make no text cheaper, and take steps from the only pass over many texts.
    batch_size = 2 ** round(math.log2(usual.batch_size * texts))
    fewest, most = (held_out / count for held_out in _HELD_OUT)
    suited: dict[str, Any] = {
        "epochs": min(max(round(usual.epochs / texts), 1), _MOST_EPOCHS),
        "batch_size": min(max(batch_size, _SMALLEST_BATCH), usual.batch_size),
        # The vocabulary grows with the words, by Heaps' law about as their root; this holds it back.
        "min_freq": max(round(usual.min_freq * words), 1),
        "validation_share": round(
            max(min(max(usual.validation_share, fewest), most, _MOST_HELD_OUT), _LEAST_HELD_OUT), 4
        ),
    }
    if 1 < size.rarest < _RARE * count / size.classes:  # a single text may be mistyped, and tells too little
        suited["class_weight"] = "balanced"
    return suited
