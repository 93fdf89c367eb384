"""Run logistic regression over words and word pairs, weighted by TF-IDF or by naive Bayes ratios."""

from collections.abc import Sequence
from typing import Any

from systems.base import Context, System, train_split

# Words and pairs seen in 3 reviews or more: a fifth of all. The strengths of the penalties were chosen on a
# tenth of the train split.
_COUNTED = {"ngram_range": (1, 2), "min_df": 3}
_TFIDF_C = 100.0
_BAYES_C = 0.1


class _Pipeline(System):
    """A pipeline of scikit-learn, which joblib stores in the cache."""

    trains = True
    file: str

    def __init__(self, context: Context, *, pooled: bool = False) -> None:
        import joblib

        self._pipeline = joblib.load(context.trained(self.file, __file__))
        super().__init__(context, pooled=pooled)

    @classmethod
    def train(cls, context: Context, **options: Any) -> None:
        import joblib

        pipeline = cls.build()
        pipeline.fit(*train_split(context))
        joblib.dump(cls.fold(pipeline), context.trained(cls.file, __file__))

    @classmethod
    def build(cls) -> Any:
        raise NotImplementedError

    @classmethod
    def fold(cls, pipeline: Any) -> Any:
        """Return the fitted pipeline without the steps that scoring does not need."""
        return pipeline

    def positive(self, texts: Sequence[str]) -> list[float]:
        return self._pipeline.predict_proba(texts)[:, 1].tolist()


class Tfidf(_Pipeline):
    file = "tfidf.joblib"

    @classmethod
    def build(cls) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        vectorizer = TfidfVectorizer(**_COUNTED, sublinear_tf=True)
        return make_pipeline(vectorizer, LogisticRegression(C=_TFIDF_C, solver="liblinear"))


class NaiveBayes(_Pipeline):
    """NBSVM with logistic loss: n-grams weighted by their log-count ratio (Wang and Manning, 2012)."""

    file = "naive_bayes.joblib"

    @classmethod
    def build(cls) -> Any:
        from sklearn.base import BaseEstimator, TransformerMixin
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        class Ratios(TransformerMixin, BaseEstimator):
            def fit(self, counts: Any, labels: Any) -> Any:
                import numpy as np

                is_positive = np.asarray(labels) == 1
                sums = [
                    np.asarray(counts[rows].sum(axis=0)).ravel() + 1 for rows in (is_positive, ~is_positive)
                ]
                self.ratios_ = np.log(sums[0] / sums[0].sum()) - np.log(sums[1] / sums[1].sum())
                return self

            def transform(self, counts: Any) -> Any:
                return counts.multiply(self.ratios_).tocsr()

        # Pairs of all words and marks, which Wang and Manning count too.
        vectorizer = CountVectorizer(**_COUNTED, binary=True, token_pattern=r"\w+|[!?.,()]")
        return make_pipeline(vectorizer, Ratios(), LogisticRegression(C=_BAYES_C, solver="liblinear"))

    @classmethod
    def fold(cls, pipeline: Any) -> Any:
        """Multiply the ratios into the coefficients: the same scores, one step less."""
        from sklearn.pipeline import make_pipeline

        vectorizer, ratios, regression = (step for _, step in pipeline.steps)
        regression.coef_ = regression.coef_ * ratios.ratios_
        return make_pipeline(vectorizer, regression)
