"""Label texts with a weighted ensemble of teachers: networks and a model of n-grams."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, chain, count, pairwise
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from sentcli.config import FOLDS, SelfTrainingConfig
from sentcli.errors import DataError
from sentcli.evaluation.holdout import one_spelling
from sentcli.evaluation.labels import label_ids
from sentcli.evaluation.metrics import Labels, log_loss
from sentcli.evaluation.passages import cut_passages
from sentcli.model.bundle import Bundle, load_bundle
from sentcli.scoring.labels import Floats, softmax
from sentcli.scoring.predict import predict
from sentcli.text.tokenizer import words_of
from sentcli.training.corpus import Texts
from sentcli.training.self_training.pseudo_labels import PseudoLabels, Reached
from sentcli.training.settings import Settings

_log = logging.getLogger("sentcli")

AUTO = "auto"  # among the teachers: train one first
NGRAMS = "n-grams"
TOGETHER = "all together"

_LONGEST_NGRAM, _FEWEST_TEXTS = 3, 3  # words of an n-gram; texts with it
_INVERSE_PENALTY = 30.0  # for the weights of n-grams
_SMALLEST = 1e-6  # probability, so that one teacher that is sure and wrong does not outweigh all others


class StackedEnsemble:
    """Teachers weighted by a logistic regression on the logarithms of their probabilities.

    If a class has too few texts to fit the weights, all teachers count equally.

    :param labels: the labels of the validation part, `[texts]`.
    :param members: the probabilities of each teacher for these texts, `[texts, classes]`.
    """

    def __init__(self, labels: Labels, members: Mapping[str, Floats]) -> None:
        self._names = tuple(members)
        self._model: LogisticRegression | None = None
        classes = next(iter(members.values())).shape[1]
        if np.bincount(labels, minlength=classes).min() >= FOLDS:
            features = self._features(members)
            self._model = LogisticRegression(max_iter=1000).fit(features, labels)
            probabilities = cross_val_predict(self._model, features, labels, cv=FOLDS, method="predict_proba")
        else:
            probabilities = self.probabilities(members)
        self.reached = reached(labels, probabilities)

    def probabilities(self, members: Mapping[str, Floats]) -> Floats:
        """Return the probabilities of all teachers together, `[texts, classes]`."""
        if self._model:
            together: Floats = self._model.predict_proba(self._features(members))
            return together
        return softmax(np.mean([_clipped_log(members[name]) for name in self._names], axis=0))

    def _features(self, members: Mapping[str, Floats]) -> Floats:
        """Return log-probabilities relative to the first class, `[texts, members * (classes - 1)]`."""
        logs = [_clipped_log(members[name]) for name in self._names]
        return np.concatenate([values[:, 1:] - values[:, :1] for values in logs], axis=1)


def _clipped_log(probabilities: Floats) -> Floats:
    return np.log(np.clip(probabilities, _SMALLEST, 1))


def reached(labels: Labels, probabilities: Floats) -> dict[str, float]:
    """Return loss and accuracy as `history.csv` has them."""
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return {"validation_loss": log_loss(labels, probabilities), "validation_accuracy": accuracy}


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


def load_teachers(names: Sequence[str]) -> dict[str, Bundle]:
    """Read the teachers that are model folders, and give each its own name.

    :raises BundleError: for a folder that is not a model.
    """
    bundles: dict[str, Bundle] = {}
    for name in dict.fromkeys(names):
        if name != AUTO:
            bundle = load_bundle(Path(name))
            bundles[own_name(bundle.name, bundles)] = bundle
    return bundles


def own_name(name: str, taken: Collection[str]) -> str:
    """Return the name, with a number if another teacher or the model of n-grams has it."""
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    return next(each for each in names if each not in (*taken, NGRAMS, TOGETHER))


def check_labels(bundle: Bundle, labels: Sequence[str]) -> None:
    """Check that a teacher has the classes of the data.

    :raises DataError: when its labels are not these, in this order.
    """
    if bundle.config.labels != tuple(labels):
        raise DataError(
            f"{bundle.path}: the teacher has the labels {', '.join(bundle.config.labels):.200}, "
            f"but the data has {', '.join(labels):.200}"
        )


def label(
    texts: Texts, bundles: Mapping[str, Bundle], settings: Settings, plan: SelfTrainingConfig
) -> PseudoLabels:
    """Label the texts without labels, and passages of all texts. Neutral texts are not used.

    Networks and n-grams together label whole texts. Only networks label passages, because a few words have
    too few n-grams. The best network for whole texts need not be the best for passages, so for passages the
    weights are fitted on passages of the validation part, with the labels of their texts. The label of a
    passage is then mixed with that of its text.

    :raises BundleError: when a bundle changed since it was opened, or cannot be run.
    """
    classes = len(texts.labels)
    texts = replace(
        texts,
        train=texts.train.of_classes(texts.labels),
        validation=texts.validation.of_classes(texts.labels),
    )
    validation = label_ids(texts.validation.labels, texts.labels, texts.validation.where)
    train = label_ids(texts.train.labels, texts.labels, texts.train.where)
    passages, sources = _cut(texts, plan, settings.config.seed) if bundles else ([], [])
    of_validation = cut_passages(texts.validation.texts, plan.passage_sentences) if passages else []
    parts = (texts.validation.texts, texts.unlabeled, passages, of_validation)
    everything = [*chain.from_iterable(parts)]
    ends = accumulate(map(len, parts), initial=0)
    held_out, unlabeled, cut, cut_held_out = (slice(start, end) for start, end in pairwise(ends))

    said: dict[str, Floats] = {}
    for name, bundle in bundles.items():
        values = predict(bundle, everything, title=name, workers=settings.cores, quiet=settings.quiet)
        said[name] = np.nan_to_num(values, nan=1 / classes)  # for a blank text
    _log.info("fitting the model of n-grams")
    whole = {name: values[: unlabeled.stop] for name, values in said.items()}
    whole[NGRAMS] = classify_by_ngrams(texts.train.texts, train, everything[: unlabeled.stop])

    teacher = StackedEnsemble(validation, {name: values[held_out] for name, values in whole.items()})
    targets = teacher.probabilities({name: values[unlabeled] for name, values in whole.items()})
    everyone: Reached = {name: reached(validation, values[held_out]) for name, values in whole.items()}
    everyone[TOGETHER] = teacher.reached
    for name, figures in everyone.items():
        _log.info("labels of %s: validation accuracy %.4f", name, figures["validation_accuracy"])
    if passages:
        judge = StackedEnsemble(validation, {name: values[cut_held_out] for name, values in said.items()})
        alone = judge.probabilities({name: values[cut] for name, values in said.items()})
        of_sources = np.concatenate([np.eye(classes)[train], targets])[np.array(sources, np.intp)]
        mixed = (1 - plan.passage_context) * alone + plan.passage_context * of_sources
        targets = np.concatenate([targets, mixed])
    labelled = [*texts.unlabeled, *passages]
    return PseudoLabels(labelled, targets.astype(np.float32), len(passages), everyone)


def _cut(texts: Texts, plan: SelfTrainingConfig, seed: int) -> tuple[list[str], list[int]]:
    """Cut passages from texts; leave out those that equal a validation text.

    A fraction of `plan.passages` is the share of texts with one more passage.

    :returns: the passages, and the position of each one's text among training and unlabelled texts.
    """
    whole = [*texts.train.texts, *texts.unlabeled]
    held_out = {*map(one_spelling, texts.validation.texts)}
    passages: list[str] = []
    sources: list[int] = []
    for number in range(int(np.ceil(plan.passages))):
        share = min(1.0, plan.passages - number)
        order = np.random.default_rng((seed, number)).permutation(len(whole))
        drawn = np.sort(order[: round(share * len(whole))]).tolist()
        cut = cut_passages([whole[row] for row in drawn], plan.passage_sentences, 1000 * seed + number)
        for row, passage in zip(drawn, cut, strict=True):
            if words_of(passage) and one_spelling(passage) not in held_out:
                passages.append(passage)
                sources.append(row)
    return passages, sources
