"""A lexicon of English sentiment: what words mean to people, whatever the labelled texts are about.

A model of film reviews has seldom seen the words in which gadgets are praised, or seen them of other things:
an `unhappy` heroine is no complaint.
"""

import logging
from collections.abc import Container, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from sentcli.config import SelfTrainingConfig
from sentcli.evaluation.labels import label_ids
from sentcli.evaluation.metrics import Labels
from sentcli.evaluation.passages import cut_passages, split_sentences
from sentcli.scoring.labels import Floats, softmax
from sentcli.scoring.progress import progress_bar
from sentcli.text.tokenizer import tokenize
from sentcli.text.vocabulary import Vocab
from sentcli.training.corpus import Texts
from sentcli.training.self_training.pseudo_labels import PseudoLabels
from sentcli.training.settings import Settings

_log = logging.getLogger("sentcli")

_LONGEST = 10_000  # characters; its rules are for a few sentences, and it has nothing to say of a book
# Share of its weight in passages of more than one sentence, of which the teacher knows better. On IMDb, by
# the same labels, students of 40 units had with a weight of 4 and this share a validation loss of 0.195 and
# 80.8 % right on probes of single sentences; with a weight of 2 and all of it everywhere 0.204 and 80.8 %,
# without a lexicon 0.191 and 77.8 %.
_LONGER = 0.125
_LEAST_GAP = 0.2  # between the mean valences of two classes of opinions; of passages of IMDb it is 0.43
_FORMS = ("{}", "so {}", "very {}", "not {}", "never {}", "isn't {}")  # as it is, stressed, denied


class Lexicon:
    """VADER: the valence of 7,500 words, and rules for negation and emphasis.

    C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
    Text", ICWSM 2014.

    It learns from texts with labels which class is the good one: that whose texts have the highest mean
    valence; the worst has the lowest, and others lie between them as their means do.

    :param labels: of these texts, `[texts]`.
    :param quiet: without a progress bar.
    :ivar means: by class that has texts, their mean valence.
    """

    def __init__(self, texts: Sequence[str], labels: Labels, classes: int, *, quiet: bool = True) -> None:
        self._analyzer = SentimentIntensityAnalyzer()
        self._bar = partial(progress_bar, quiet=quiet, desc="lexicon", unit="texts")
        valences = self._valences(texts)
        self.means = {int(label): float(valences[labels == label].mean()) for label in np.unique(labels)}
        means = [*self.means.values()]
        self._merits = np.full(classes, np.mean(means))
        self._merits[[*self.means]] = means
        self._merits /= np.ptp(means) or 1

    @property
    def tells_apart(self) -> bool:
        """Whether the classes differ in it as opinions do."""
        return bool(np.ptp([*self.means.values()]) >= _LEAST_GAP)

    def logits(self, texts: Sequence[str]) -> Floats:
        """Say how much each text speaks for each class, `[texts, classes]`.

        Those of the best and the worst class differ by the text's valence, from -1 to 1.
        """
        return np.outer(self._valences(texts), self._merits)

    def short_texts(self, known: Container[str]) -> list[str]:
        """Give its words of letters alone that are known as well: each as it is, stressed and denied."""
        words = [word for word in self._analyzer.lexicon if word.isalpha() and word in known]
        return [form.format(word) for form in _FORMS for word in words]

    def _valences(self, texts: Sequence[str]) -> Floats:
        return np.fromiter(map(self._valence, self._bar(texts)), np.float64, len(texts))

    def _valence(self, text: str) -> float:
        if len(text) > _LONGEST:
            return 0.0
        valence: float = self._analyzer.polarity_scores(text)["compound"]
        return valence


def add_lexicon(pseudo: PseudoLabels, lexicon: Lexicon, weight: float, known: Container[str]) -> PseudoLabels:
    """Have a lexicon say what it thinks of passages too, and add its own words to them.

    :param weight: of its logits for a single sentence, which are added to the logarithms of the teacher's
        probabilities; it has less to say of longer passages.
    :param known: the words that the student will know.
    """
    passages = [pseudo.texts[row] for row in np.flatnonzero(pseudo.is_passage).tolist()]
    is_single = np.array([len(split_sentences(passage)) < 2 for passage in passages], bool)
    weights = weight * np.where(is_single, 1.0, _LONGER)
    targets = pseudo.targets.astype(np.float64)
    targets[pseudo.is_passage] *= np.exp(weights[:, np.newaxis] * lexicon.logits(passages))
    targets /= targets.sum(axis=1, keepdims=True)
    short = lexicon.short_texts(known)
    of_short = softmax(weight * lexicon.logits(short))
    return replace(
        pseudo,
        texts=[*pseudo.texts, *short],
        is_passage=np.append(pseudo.is_passage, np.ones(len(short), bool)),
        targets=np.concatenate([targets, of_short]).astype(np.float32),
        members={},
    )


def ask_lexicon(
    pseudo: PseudoLabels, texts: Texts, settings: Settings, plan: SelfTrainingConfig
) -> PseudoLabels:
    """Add a lexicon to the last labels, if the plan has one.

    To no others: teachers that learnt from it would only repeat it.
    """
    changed = {
        "plan": {**pseudo.notes.get("plan", {}), "lexicon": plan.lexicon},
        "passages": int(pseudo.is_passage.sum()),  # the lexicon's words stand among them
    }
    pseudo = replace(pseudo, notes={**pseudo.notes, **changed})
    if not plan.lexicon:
        return pseudo
    labels = label_ids(texts.train.labels, texts.labels, texts.train.where)
    passages = cut_passages(texts.train.texts, plan.passage_sentences, settings.config.seed)
    lexicon = Lexicon(passages, labels, len(texts.labels), quiet=settings.quiet)
    whole = texts.unlabeled or pseudo.whole_texts()
    learnt = chain(texts.train.texts, whole, texts.sentences.texts)
    known = settings.base.vocab if settings.base else None
    vocab = known or Vocab.build(map(tokenize, learnt), settings.config.min_freq)
    means = ", ".join(f"{texts.labels[label]} {mean:.2f}" for label, mean in lexicon.means.items())
    _log.info("a lexicon is asked about %d passages and its own words", pseudo.is_passage.sum())
    _log.info("what it finds in passages with labels, from -1 to 1: %s", means)
    if not lexicon.tells_apart:
        _log.warning("it hardly tells the labels apart: are they opinions? If not, leave --lexicon out")
    return add_lexicon(pseudo, lexicon, plan.lexicon, {*vocab.words})
