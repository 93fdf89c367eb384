"""A linear model of n-grams."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from sentcli.evaluation.metrics import Labels
from sentcli.scoring.labels import Floats
from sentcli.text.tokenizer import words_of

NGRAMS = "n-grams"

_LONGEST_NGRAM, _FEWEST_TEXTS = 3, 3  # words of an n-gram; texts with it
_INVERSE_PENALTY = 30.0  # for the weights of n-grams


def classify_by_ngrams(texts: Sequence[str], labels: Labels, others: Sequence[str]) -> Floats:
    """Return the probabilities `[others, classes]` of other texts from a linear model of n-grams.

    Logistic regression on TF-IDF of words, pairs and triples is fast and unlike a network (G. Mesnil, T.
    Mikolov, M. Ranzato and Y. Bengio, "Ensemble of Generative and Discriminative Techniques for Sentiment
    Analysis of Movie Reviews", arXiv:1412.5335, 2014).
    """
    vectorizer = TfidfVectorizer(
        tokenizer=words_of,
        token_pattern=None,
        lowercase=False,  # `words_of` does this
        ngram_range=(1, _LONGEST_NGRAM),
        min_df=_FEWEST_TEXTS if len(texts) > 100 * _FEWEST_TEXTS else 1,
        sublinear_tf=True,
        dtype=np.float32,
    )
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000).fit(vectorizer.fit_transform(texts), labels)
    probabilities: Floats = model.predict_proba(vectorizer.transform(others))
    return probabilities
