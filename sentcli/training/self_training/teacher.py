"""The teacher: unlike models, weighed on the validation part, that label what has no labels."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from sentcli.config import FOLDS
from sentcli.errors import DataError
from sentcli.evaluation.metrics import Labels, log_loss
from sentcli.model.bundle import Bundle
from sentcli.scoring.labels import Floats, softmax
from sentcli.scoring.predict import predict
from sentcli.training.self_training.ngram_index import TokenizedTexts
from sentcli.training.self_training.ngrams import NgramModel

# Of the weights for document vectors; 1 and 16 were no better on IMDb's validation part.
_INVERSE_PENALTY = 4.0
_SMALLEST = 1e-6  # probability; a member that is sure and wrong must not outweigh all others


class StackedEnsemble:
    """Members weighed by a logistic regression over the logarithms of their probabilities.

    Where a class has so few texts that they cannot be weighed on them, all weigh the same.

    :param labels: of the validation part, `[texts]`.
    :param members: what each says of it, `[texts, classes]`.
    """

    def __init__(self, labels: Labels, members: Mapping[str, Floats]) -> None:
        self.names = tuple(members)
        features = self._features(members)
        classes = next(iter(members.values())).shape[1]
        self._model: LogisticRegression | None = None
        if np.bincount(labels, minlength=classes).min() >= FOLDS:
            self._model = LogisticRegression(max_iter=1000).fit(features, labels)
            validation = cross_val_predict(self._model, features, labels, cv=FOLDS, method="predict_proba")
        else:
            validation = self.probabilities(members)
        self.accuracy = float((validation.argmax(axis=1) == labels).mean())
        self.loss = log_loss(labels, validation)

    def probabilities(self, members: Mapping[str, Floats]) -> npt.NDArray[np.float32]:
        """Give what the members say together, `[texts, classes]`."""
        if self._model:
            together: Floats = self._model.predict_proba(self._features(members))
        else:
            together = softmax(np.mean([_clipped_log(members[name]) for name in self.names], axis=0))
        return together.astype(np.float32)

    def _features(self, members: Mapping[str, Floats]) -> Floats:
        """Give log-probabilities relative to the first class, `[texts, members * (classes - 1)]`."""
        logs = [_clipped_log(members[name]) for name in self.names]
        return np.concatenate([values[:, 1:] - values[:, :1] for values in logs], axis=1)


def _clipped_log(probabilities: Floats) -> Floats:
    return np.log(np.clip(probabilities, _SMALLEST, 1))


def score_with(bundle: Bundle, texts: Sequence[str], *, name: str, workers: int, quiet: bool) -> Floats:
    """Give the probabilities of a bundle, `[texts, classes]`, with a bar; of a blank text, all the same."""
    values = predict(bundle, texts, title=name, workers=workers, quiet=quiet)
    return np.nan_to_num(values, nan=1 / values.shape[1])


def classify_by_ngrams(texts: Sequence[str], labels: Labels, classes: int, others: Sequence[str]) -> Floats:
    """Give the probabilities of other texts, `[others, classes]`, by an n-gram model of those with labels."""
    model = NgramModel().fit(TokenizedTexts(texts), np.eye(classes)[labels])
    return model.probabilities(TokenizedTexts(others))


def classify_vectors(vectors: npt.NDArray[np.float32], labels: Labels, classes: int) -> Floats:
    """Give the probabilities of the texts without a label by a logistic regression on those with one.

    :param vectors: `[texts, size]`, of length 1, those of the texts with labels first.
    :param labels: of these.
    :returns: `[texts without a label, classes]`.
    """
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000).fit(vectors[: len(labels)], labels)
    probabilities = np.zeros((len(vectors) - len(labels), classes))
    probabilities[:, model.classes_] = model.predict_proba(vectors[len(labels) :])
    return probabilities


def check_labels(bundle: Bundle, labels: Sequence[str]) -> None:
    """Refuse a teacher of other classes.

    :raises DataError: when its labels are not these, in this order.
    """
    if bundle.config.labels != tuple(labels):
        raise DataError(
            f"{bundle.path}: a teacher of {', '.join(bundle.config.labels):.200}, "
            f"but the data has {', '.join(labels):.200}"
        )
