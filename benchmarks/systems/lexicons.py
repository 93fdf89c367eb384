"""Run VADER and TextBlob: lexicons of polarities with rules, without training."""

from collections.abc import Sequence
from pathlib import Path

from systems.base import System


class Vader(System):
    def __init__(self, folder: Path, threads: int = 1) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()

    def positive(self, texts: Sequence[str]) -> list[float]:
        """Return the compound score, scaled from -1..1 to 0..1."""
        return [(self._analyzer.polarity_scores(text)["compound"] + 1) / 2 for text in texts]


class TextBlob(System):
    def __init__(self, folder: Path, threads: int = 1) -> None:
        from textblob import TextBlob

        self._blob = TextBlob

    def positive(self, texts: Sequence[str]) -> list[float]:
        """Return the polarity, scaled from -1..1 to 0..1."""
        return [(self._blob(text).sentiment.polarity + 1) / 2 for text in texts]
