"""Run fastText's supervised classifier with pairs of words (Joulin et al., 2016), and its other libraries.

Five epochs at rate 0.5 are the best of six settings on a tenth of IMDb's train split.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from systems.base import LABELS, System, spaced

_POSITIVE = f"__label__{LABELS[1]}"


class FastText(System):
    def __init__(self, folder: Path, threads: int = 1) -> None:
        import fasttext

        self._predict = fasttext.load_model(str(folder / "model.bin")).predict

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[int], folder: Path, **options: Any) -> None:
        import fasttext

        lines = [
            f"__label__{LABELS[label]} {spaced(text)}\n" for text, label in zip(texts, labels, strict=True)
        ]
        random.Random(1).shuffle(lines)  # the data sets are sorted by label
        file = folder / "train.txt"
        file.write_text("".join(lines), "utf-8")
        # One thread: with more, the weights differ from run to run.
        settings = {"wordNgrams": 2, "minCount": 2, "lr": 0.5, "epoch": 5, "thread": 1, "verbose": 0}
        fasttext.train_supervised(str(file), **settings, **options).save_model(str(folder / "model.bin"))
        file.unlink()

    def positive(self, texts: Sequence[str]) -> list[float]:
        labels, shares = self._predict([*map(spaced, texts)])
        pairs = zip(labels, shares, strict=True)
        return [float(share[0] if label[0] == _POSITIVE else 1 - share[0]) for label, share in pairs]


class New(FastText):
    """fasttext-new: the model in Rust, with threads."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import fasttext_new

        model = fasttext_new.load_model(str(folder / "model.bin"))
        self._predict = lambda texts: model.predict_batch(texts, threads=threads)


class Threaded(FastText):
    """fasttext-threaded: the library in C++, with threads."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import fasttext_threaded

        self._predict = fasttext_threaded.load_model(folder / "model.bin", threads=threads).predict
