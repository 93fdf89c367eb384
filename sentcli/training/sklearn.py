"""A scikit-learn classifier of texts, which trains as `sentcli train` does and predicts as `Scorer` does."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sentcli import load
from sentcli.config import DataSet
from sentcli.datasets.labels import known_labels
from sentcli.errors import requires
from sentcli.scoring.inference import as_texts
from sentcli.scoring.labels import choose_classes

with requires("train"):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_consistent_length
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d

    from sentcli.training.corpus import DataSource
    from sentcli.training.settings import Options
    from sentcli.training.train import train_bundle


class SentimentClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of texts, which are a list or a column of strings as for `Scorer.score`.

    :param finetune, glove, epochs, seed: as the options of `sentcli train`, which also says what None means.
    :param settings: other settings of docs/training-settings.md by name, such as `{"hidden_size": 64}`.
    :ivar classes_: the labels, sorted.
    :ivar class_prior_: the share of each class in y: the probabilities of an empty text.
    :ivar files_: the content of each file of the model folder.
    """

    def __init__(
        self,
        *,
        finetune: str | Path | None = None,
        glove: str | Path | None = None,
        epochs: int | None = None,
        seed: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.finetune = finetune
        self.glove = glove
        self.epochs = epochs
        self.seed = seed
        self.settings = settings

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803  # scikit-learn's name
        """Train a model.

        :param y: the label of each text: strings, or numbers that identify classes.
        :raises ValueError: for X and y of different lengths, and for labels of fewer than two classes.
        :raises TypeError: for an element of X that is neither a string nor missing.
        :raises SentcliError: for parameters or texts that cannot be used.
        """
        texts, y = [text or "" for text in as_texts(X)], column_or_1d(y)
        check_consistent_length(texts, y)
        if missing := sum(label is None or label != label for label in y.tolist()):
            raise ValueError(f"y has no label (None or NaN) for {missing} of {len(texts)} texts; omit these")
        check_classification_targets(y)
        self.classes_, ids, counts = np.unique(y, return_inverse=True, return_counts=True)
        if len(counts) < 2:
            raise ValueError(f"y has {len(counts)} class; a classifier needs two or more")
        self.class_prior_ = counts / len(texts)
        given = {"epochs": self.epochs, "seed": self.seed, **(self.settings or {})}
        options = Options(quiet=True, command="sentcli.training.sklearn.SentimentClassifier")
        glove = str(self.glove) if self.glove else None
        finetune = Path(self.finetune) if self.finetune else None
        with TemporaryDirectory() as folder:
            data, model = Path(folder, "texts.parquet"), Path(folder, "model")
            names = self.classes_.astype(str)  # stated, as they may differ by case alone
            stated = json.dumps({"info": {"features": {"label": {"names": names.tolist()}}}})
            columns = {"text": texts, "label": names[ids]}
            pq.write_table(pa.table(columns, metadata={"huggingface": stated}), data)
            train_bundle(DataSource((DataSet(str(data)),), glove, finetune), given, model, options)
            self.files_ = {path.name: path.read_bytes() for path in model.iterdir()}
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, `[texts, classes]`; raise errors as `Scorer.score`."""
        check_is_fitted(self)
        with TemporaryDirectory() as folder:
            for name, content in self.files_.items():
                Path(folder, name).write_bytes(content)
            with load(folder) as scorer:
                probabilities = scorer.probabilities(X)
        names = self.classes_.astype(str).tolist()
        ids = known_labels(names, scorer.labels)
        probabilities = probabilities[:, [ids[name] for name in names]]
        return np.where(np.isnan(probabilities), self.class_prior_, probabilities)

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """Return the most probable label of each text, or the median star; raise errors as `Scorer.score`."""
        probabilities = self.predict_proba(X)
        return self.classes_[choose_classes(probabilities, self.classes_.astype(str).tolist())]
