"""Run linear models over words and pairs of words: Vowpal Wabbit, scikit-learn, spaCy.

Settings were chosen on a tenth of the training texts, never on a test split.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from systems.base import LABELS, System, spaced

# Words and pairs seen in 3 reviews or more: a fifth of all.
_COUNTED = {"ngram_range": (1, 2), "min_df": 3}
_VW_CHARACTERS = str.maketrans("|:\r", "   ")  # which its format gives a meaning


class VowpalWabbit(System):
    def __init__(self, folder: Path, threads: int = 1) -> None:
        from vowpalwabbit import Workspace

        self._model = Workspace(f"-i {folder / 'model.vw'} -t --quiet --link logistic")

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[int], folder: Path, **options: Any) -> None:
        from vowpalwabbit import Workspace

        lines = [f"{2 * label - 1} {_line(text)}\n" for text, label in zip(texts, labels, strict=True)]
        random.Random(1).shuffle(lines)  # the data sets are sorted by label
        file = folder / "train.txt"
        file.write_text("".join(lines), "utf-8")
        settings = "--loss_function logistic --ngram 2 -b 24 --passes 10 --l2 1e-7 --holdout_off --quiet"
        model = folder / "model.vw"
        Workspace(f"-d {file} -c --cache_file {file}.cache -k -f {model} {settings}").finish()
        for rest in folder.glob("train.txt*"):
            rest.unlink()

    def positive(self, texts: Sequence[str]) -> list[float]:
        return [self._model.predict(_line(text)) for text in texts]


def _line(text: str) -> str:
    return f"| {spaced(text.translate(_VW_CHARACTERS))}"


class _Pipeline(System):
    """A pipeline of scikit-learn, stored by joblib."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import joblib

        self._pipeline = joblib.load(folder / "pipeline.joblib")

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[int], folder: Path, **options: Any) -> None:
        import joblib

        joblib.dump(cls.fit(texts, labels, **options), folder / "pipeline.joblib")

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[int], **options: Any) -> Any:
        raise NotImplementedError

    def positive(self, texts: Sequence[str]) -> list[float]:
        return self._pipeline.predict_proba(texts)[:, 1].tolist()


class Hashing(_Pipeline):
    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[int], **options: Any) -> Any:
        import numpy as np
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.linear_model import SGDClassifier
        from sklearn.pipeline import make_pipeline

        vectorizer = HashingVectorizer(ngram_range=(1, 2), n_features=2**22)
        model = SGDClassifier(loss="log_loss", alpha=1e-6, random_state=1)
        model.fit(vectorizer.transform(texts), labels)
        model.coef_ = model.coef_.astype(np.float32)
        return make_pipeline(vectorizer, model)


class Tfidf(_Pipeline):
    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[int], **options: Any) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        strength = 100.0 if len(texts) <= 25_000 else 30.0
        vectorizer = TfidfVectorizer(**_COUNTED, sublinear_tf=True)
        return make_pipeline(vectorizer, LogisticRegression(C=strength, solver="liblinear")).fit(
            texts, labels
        )


class NaiveBayes(_Pipeline):
    """NBSVM with logistic loss: n-grams weighted by their log-count ratio (Wang and Manning, 2012)."""

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[int], **options: Any) -> Any:
        import numpy as np
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        # Pairs of all words and marks, which Wang and Manning count too.
        vectorizer = CountVectorizer(**_COUNTED, binary=True, token_pattern=r"\w+|[!?.,()]")
        counts, is_positive = vectorizer.fit_transform(texts), np.asarray(labels) == 1
        sums = [np.asarray(counts[rows].sum(axis=0)).ravel() + 1 for rows in (is_positive, ~is_positive)]
        ratios = np.log(sums[0] / sums[0].sum()) - np.log(sums[1] / sums[1].sum())
        model = LogisticRegression(C=0.1, solver="liblinear").fit(counts.multiply(ratios).tocsr(), labels)
        model.coef_ = model.coef_ * ratios  # the same scores, one step less
        return make_pipeline(vectorizer, model)


class Spacy(System):
    def __init__(self, folder: Path, threads: int = 1) -> None:
        import spacy

        self._model = spacy.load(folder / "model")

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[int], folder: Path, **options: Any) -> None:
        import spacy
        from spacy.training import Example
        from spacy.util import fix_random_seed, minibatch

        fix_random_seed(1)
        model = spacy.blank("en")
        bag = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 2}
        model.add_pipe("textcat", config={"model": {**bag, "no_output_layer": False}})
        examples = [
            Example.from_dict(
                model.make_doc(text), {"cats": {name: name == LABELS[label] for name in LABELS}}
            )
            for text, label in zip(texts, labels, strict=True)
        ]
        optimizer = model.initialize(lambda: examples[:100] + examples[-100:])
        for _ in range(4 if len(texts) <= 25_000 else 2):
            random.Random(1).shuffle(examples)
            for batch in minibatch(examples, 128):
                model.update(batch, sgd=optimizer)
        model.to_disk(folder / "model")

    def positive(self, texts: Sequence[str]) -> list[float]:
        return [doc.cats[LABELS[1]] for doc in self._model.pipe(texts, batch_size=256)]
