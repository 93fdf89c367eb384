"""A scikit-learn classifier of texts, which trains as `sentcli train` does and predicts as `Scorer` does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sentcli.config import BundleConfig, DataSet
from sentcli.datasets.labels import LabeledTexts, known_labels, normalize_label
from sentcli.errors import requires
from sentcli.model.bundle import CONFIG, Bundle, load_bundle, new_bundle
from sentcli.scoring.inference import as_texts
from sentcli.scoring.labels import choose_classes
from sentcli.scoring.scorer import Scorer

with requires("train"):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_consistent_length
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d

    from sentcli.training.corpus import DataSource
    from sentcli.training.settings import Options
    from sentcli.training.train import train_bundle

_STATE = "classifier.json"  # parameters, the classes of y, and their shares


@dataclass(frozen=True)
class _InMemory(Bundle):
    """A model whose files are not on disk."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        return self.files[name]


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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803  # scikit-learn's name
        """Train a model, with its checkpoints in a temporary folder.

        :param y: the label of each text: strings, or numbers that identify classes.
        :param sample_weight: the weight of each text, as `--weight-column` of `sentcli train`; None: 1.
        :raises ValueError: for X and y of different lengths, and for labels of fewer than two classes.
        :raises TypeError: for an element of X that is neither a string nor missing.
        :raises SentcliError: for parameters or texts that cannot be used.
        """
        texts, y = [text or "" for text in as_texts(X)], column_or_1d(y)
        weights = np.ones(len(texts)) if sample_weight is None else column_or_1d(sample_weight, dtype=float)
        check_consistent_length(texts, y, weights)
        if missing := sum(label is None or label != label for label in y.tolist()):
            raise ValueError(f"y has no label (None or NaN) for {missing} of {len(texts)} texts; omit these")
        check_classification_targets(y)
        self.classes_, ids = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has {len(self.classes_)} class; a classifier needs two or more")
        self.class_prior_ = np.bincount(ids, weights) / weights.sum()
        given = {"epochs": self.epochs, "seed": self.seed, **(self.settings or {})}
        options = Options(quiet=True, command="sentcli.training.sklearn.SentimentClassifier")
        glove = str(self.glove) if self.glove else None
        finetune = Path(self.finetune) if self.finetune else None
        names = [*map(normalize_label, self.classes_.astype(str).tolist())]
        labels, columns = [names[number] for number in ids.tolist()], [[*map(str, weights.tolist())]]
        rows, where = range(1, len(texts) + 1), "X and y"
        labeled = LabeledTexts(texts, labels, tuple(names), where, rows=rows, columns=columns)
        source = DataSource((DataSet(where),), glove, finetune, given=labeled)
        with TemporaryDirectory() as folder:
            model = Path(folder, "model")
            train_bundle(source, given, model, options)
            self.files_ = {path.name: path.read_bytes() for path in model.iterdir()}
        return self

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write a model folder for `load`, `sentcli.load` and `sentcli score --model`."""
        check_is_fitted(self)
        state = {"parameters": self.get_params(), "classes": self.classes_.tolist()}
        state["class_prior"] = self.class_prior_.tolist()
        with new_bundle(Path(folder), overwrite=overwrite) as new:
            for name, content in self.files_.items():
                (new / name).write_bytes(content)
            (new / _STATE).write_text(json.dumps(state, default=str))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Return the classifier that `save` wrote, or one of another model folder, whose labels are strings.

        :raises BundleError: for a folder that is not of a model.
        """
        bundle = load_bundle(Path(folder))
        state = json.loads(bundle.read(_STATE)) if _STATE in bundle.digests else {}
        loaded, labels = cls(**state.get("parameters", {})), sorted(bundle.config.labels)
        loaded.classes_ = np.array(state.get("classes", labels))
        loaded.class_prior_ = np.array(state.get("class_prior", [1 / len(labels)] * len(labels)))
        loaded.files_ = {name: bundle.read(name) for name in bundle.digests if name != _STATE}
        return loaded

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:  # noqa: N803
        """Return the probability of each class, `[texts, classes]`; raise errors as `Scorer.score`."""
        check_is_fitted(self)
        config = BundleConfig.from_json(json.loads(self.files_[CONFIG]), CONFIG)
        bundle = _InMemory(Path("classifier"), config, dict.fromkeys(self.files_, ""), files=self.files_)
        with Scorer(bundle) as scorer:
            probabilities = scorer.probabilities(X)
        names = self.classes_.astype(str).tolist()
        ids = known_labels(names, scorer.labels)
        probabilities = probabilities[:, [ids[name] for name in names]]
        return np.where(np.isnan(probabilities), self.class_prior_, probabilities)

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: N803
        """Return the most probable label of each text, or the median star; raise errors as `Scorer.score`."""
        probabilities = self.predict_proba(X)
        return self.classes_[choose_classes(probabilities, self.classes_.astype(str).tolist())]
