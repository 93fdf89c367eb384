"""What texts praise and what they complain about: terms by the label of the sentence that they stand in.

Terms are words and pairs of words. Those that set apart positive and negative sentences are ranked by their
log odds with a Dirichlet prior. B. Monroe, M. Colaresi and K. Quinn, "Fightin' Words: Lexical Feature
Selection and Evaluation for Identifying the Content of Political Conflict", Political Analysis 16 (2008),
equation (22).
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sentcli.explain.pieces import sentences_of
from sentcli.scoring.labels import Floats
from sentcli.text.encoder import Numbers
from sentcli.text.tokenizer import words_of

# Returns the probability of the second label of each text; NaN without one.
Probabilities = Callable[[Sequence[str]], Floats]

_MOST_CHARACTERS = 2_000_000  # of all texts that are read
_CLEAR = 1.0  # log odds of a sentence that praises or complains
_PRIOR = 500.0  # weight of the prior, in sentences
_FEWEST, _FEWEST_SHARE = 5, 1 / 400  # sentences with a term, and their number by that of texts
_LEAST_Z, _LEAST_SHARE = 1.5, 0.6  # of a term, and of its sentences on one side
_NOUN, _JUDGING, _NEUTRAL = 0.15, 2.0, 3.0  # see `Terms.of`
_PAIR_SHARE = 0.4  # of a word's occurrences, from which on a pair replaces it
_QUOTES, _QUOTE_CHARACTERS = 3, (25, 200)
_SPREAD = 12  # steps through the ranked sentences, so that quotes differ

# A noun stands after one of these, and not before another content word.
_BEFORE_NOUNS = frozenset(
    "the a an my our your their his her its this these those no any some every each".split()  # noqa: SIM905
)
_BEFORE_SOME_NOUNS = frozenset(("of", "for", "with", "in", "on", "at", "from", "about"))
_FOLDER = Path(__file__).parent
# Words without a subject or a judgment of their own; the apostrophe of "isn't" separates its parts.
_EMPTY = frozenset((_FOLDER / "empty_words.txt").read_text("utf-8").split())
# Words that may be nouns, but are the subject of no review.
_GENERAL = frozenset((_FOLDER / "general_words.txt").read_text("utf-8").split())


class Term(NamedTuple):
    """A word or a pair of words.

    :param texts: how many texts have it in a sentence of its side.
    :param quotes: some of these sentences, each with the number of its text.
    """

    name: str
    texts: int
    quotes: list[tuple[int, str]]


class Terms:
    """The terms of texts.

    :param score: called for sentences, then for terms.
    :ivar texts: how many of the texts were read.
    """

    def __init__(self, texts: Sequence[str], score: Probabilities) -> None:
        sizes = np.cumsum([len(text) for text in texts])
        self.texts = int(np.searchsorted(sizes, _MOST_CHARACTERS, "right"))
        spans = [(text, *span) for text in range(self.texts) for span in sentences_of(texts[text])]
        self._sentences = [texts[text][start:end] for text, start, end in spans]
        self._text_of = np.array([text for text, *_ in spans], np.int64)
        self._odds = _log_odds(score(self._sentences))
        ids: dict[str, int] = {}
        terms, owners, nouns = array("i"), array("i"), array("d")
        for number, sentence in enumerate(self._sentences):
            for term, noun in _terms_of(words_of(sentence)):
                terms.append(ids.setdefault(term, len(ids)))
                owners.append(number)
                nouns.append(noun)
        numbers = np.array(terms, np.int64)
        counts = np.bincount(numbers, minlength=len(ids))
        is_frequent, names = counts >= _FEWEST, [*ids]
        self._names = [names[term] for term in np.flatnonzero(is_frequent).tolist()]
        self._is_special = np.array([name.split()[-1] not in _GENERAL for name in self._names], bool)
        self._nouns = np.bincount(numbers, nouns, len(ids))[is_frequent] / counts[is_frequent]
        self._own = np.nan_to_num(_log_odds(score(self._names)))
        is_kept = is_frequent[numbers]
        self._terms = (np.cumsum(is_frequent) - 1)[numbers[is_kept]]
        self._owners = np.array(owners, np.int64)[is_kept]

    def of(self, texts: Numbers, sign: int, topics: int, judging: int) -> tuple[list[Term], list[Term]]:
        """Return the terms that set apart the sentences of one side: topics, and words that judge.

        :param texts: the numbers of the texts that count.
        :param sign: 1 for positive sentences, -1 for negative ones.
        :param topics, judging: how many of each.
        """
        is_read = np.isin(self._text_of, texts)[self._owners]
        terms, owners = self._terms[is_read], self._owners[is_read]
        odds = sign * self._odds[owners]
        is_clear_side, size = odds > _CLEAR, len(self._names)
        every = np.bincount(terms, minlength=size)
        own, other = (np.bincount(terms[rows], minlength=size) for rows in (is_clear_side, odds < -_CLEAR))
        every[every < max(_FEWEST, _FEWEST_SHARE * len(texts))] = 0
        z = np.where(every, _z_scores(own, other, every), 0.0)
        is_clear = self._is_special & (z > _LEAST_Z) & (own >= _LEAST_SHARE * (own + other))
        clear = np.flatnonzero(is_clear)
        ranked = clear[np.argsort(-z[clear], kind="stable")].tolist()
        is_topic = (self._nouns >= _NOUN) & (sign * self._own < _NEUTRAL)
        judges = ~is_topic & (sign * self._own >= _JUDGING)
        places = terms[is_clear_side], owners[is_clear_side]

        def best(is_kind: npt.NDArray[np.bool_], limit: int) -> list[Term]:
            kept = self._distinct([term for term in ranked if is_kind[term]], every)[:limit]
            return [self._term(term, *places) for term in kept]

        return best(is_topic, topics), best(judges, judging)

    def _distinct(self, ranked: Sequence[int], counts: Numbers) -> list[int]:
        """Return terms without those that share a word with a better one; a usual pair replaces its word."""
        pairs: dict[str, list[int]] = {}
        for term in ranked:
            for word in {*self._names[term].split()} - {self._names[term]}:
                pairs.setdefault(word, []).append(term)
        kept: list[int] = []
        taken: set[str] = set()
        for term in ranked:
            usual = [
                pair
                for pair in pairs.get(self._names[term], ())
                if counts[pair] >= _PAIR_SHARE * counts[term]
            ]
            best = max(usual, key=counts.__getitem__, default=term)
            stems = {word.removesuffix("s") for word in self._names[best].split()}
            if not stems & taken:
                kept.append(best)
            taken |= stems
        return kept

    def _term(self, term: int, terms: Numbers, owners: Numbers) -> Term:
        sentences = np.unique(owners[terms == term])
        ranked = sentences[np.argsort(-np.abs(self._odds[sentences]), kind="stable")].tolist()
        shortest, longest = _QUOTE_CHARACTERS
        good = [row for row in ranked if shortest <= len(self._sentences[row]) <= longest] or ranked
        quotes: dict[int, str] = {}
        for sentence in good[:: max(1, len(good) // _SPREAD)]:
            quotes.setdefault(int(self._text_of[sentence]), self._sentences[sentence])
        return Term(self._names[term], len(np.unique(self._text_of[sentences])), [*quotes.items()][:_QUOTES])


def _terms_of(tokens: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Yield the terms of a sentence, each with the evidence that it is a noun, from 0 to 1."""
    is_word = [len(token) > 1 and token.isalpha() and token not in _EMPTY for token in tokens]
    is_word += [False, False]
    before = ""
    for place, token in enumerate(tokens):
        if is_word[place]:
            evidence = 1.0 if before in _BEFORE_NOUNS else 0.5 if before in _BEFORE_SOME_NOUNS else 0.0
            yield token, 0.0 if is_word[place + 1] else evidence
            if is_word[place + 1]:
                yield f"{token} {tokens[place + 1]}", 0.0 if is_word[place + 2] else evidence
        before = token


def _z_scores(own: Numbers, other: Numbers, every: Numbers) -> Floats:
    """Return how surely each term belongs to its own side and not to the other."""
    prior = _PRIOR * every / max(1, every.sum()) + 1e-9
    x, y = own + prior, other + prior
    # More than the prior, so that a single term does not have the whole total.
    total_x, total_y = (side[every > 0].sum() + _PRIOR + 1 for side in (own, other))
    difference = np.log(x / (total_x - x)) - np.log(y / (total_y - y))
    z: Floats = difference / np.sqrt(1 / x + 1 / y)
    return z


def _log_odds(scores: Floats) -> Floats:
    bounded = np.clip(scores, 1e-9, 1 - 1e-9)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds
