"""A linear model of n-grams: the baseline of every network."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from sentcli.evaluation.metrics import Labels
from sentcli.scoring import stop
from sentcli.scoring.labels import Floats
from sentcli.text.tokenizer import words_of
from sentcli.training.corpus import Corpus
from sentcli.training.cross_validation import Folds
from sentcli.training.examples import Rows

_LONGEST_NGRAM, _FEWEST_TEXTS = 3, 3  # words of an n-gram; texts with it
_INVERSE_PENALTY = 30.0  # for the weights of n-grams
_MOST_TEXTS = 25_000  # that the baseline learns from: the n-grams of more take gigabytes


def baseline_probabilities(data: Corpus, fold_of: Folds | None) -> Floats:
    """Train on the texts of the network; return the probabilities of the validation texts with a label."""
    classes = data.train.targets.shape[1]
    (sure,) = data.train.has_label.nonzero()
    texts, labels = data.texts.train.take(sure.tolist()).texts, data.train.labels[sure]

    def classify(train: Rows, unseen: Sequence[str]) -> Floats:
        stop.check()
        return classify_by_ngrams([texts[row] for row in train], labels[train], unseen, classes)

    if fold_of is None:
        draw = np.sort(np.random.default_rng(0).permutation(len(sure))[:_MOST_TEXTS])
        (validated,) = data.validation.has_label.nonzero()
        return classify(draw, data.texts.validation.take(validated.tolist()).texts)
    probabilities, folds = np.empty((len(sure), classes)), fold_of[sure]
    for fold in range(folds.max() + 1):
        (train,), (tested,) = (folds != fold).nonzero(), (folds == fold).nonzero()
        probabilities[tested] = classify(train, [texts[row] for row in tested])
    return probabilities


def classify_by_ngrams(texts: Sequence[str], labels: Labels, unseen: Sequence[str], classes: int) -> Floats:
    """Return the probabilities `[unseen, classes]` of unseen texts from a linear model of n-grams.

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
    features, probabilities = vectorizer.fit_transform(texts), np.zeros((len(unseen), classes))
    known = np.unique(labels)
    if len(known) == 1:  # in a fold
        probabilities[:, known] = 1
    else:
        model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000)
        if len(known) > 2:  # one model of all classes takes minutes where they are many
            model = OneVsRestClassifier(LogisticRegression(C=_INVERSE_PENALTY, solver="liblinear"))
        model.fit(features, labels)
        probabilities[:, known] = model.predict_proba(vectorizer.transform(unseen))
        probabilities /= probabilities.sum(axis=1, keepdims=True)  # the sums of fp32 are not exact
    return probabilities
