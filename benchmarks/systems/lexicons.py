"""VADER and TextBlob: words with a polarity each, and rules. Nothing is learned."""

from collections.abc import Sequence

from systems.base import Context, System


class Vader(System):
    def __init__(self, context: Context, *, pooled: bool = False) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()
        super().__init__(context, pooled=pooled)

    def positive(self, texts: Sequence[str]) -> list[float]:
        """Put the compound score, -1 to 1, on a scale of 0 to 1."""
        return [(self._analyzer.polarity_scores(text)["compound"] + 1) / 2 for text in texts]


class TextBlob(System):
    def __init__(self, context: Context, *, pooled: bool = False) -> None:
        from textblob import TextBlob

        self._blob = TextBlob
        super().__init__(context, pooled=pooled)

    def positive(self, texts: Sequence[str]) -> list[float]:
        """Put the polarity, -1 to 1, on a scale of 0 to 1."""
        return [(self._blob(text).sentiment.polarity + 1) / 2 for text in texts]
