"""What texts praise and what they complain about: terms by the label of the sentence that they stand in.

Terms are words and pairs of words. Those that set apart positive and negative sentences are ranked by their
log odds with a Dirichlet prior. B. Monroe, M. Colaresi and K. Quinn, "Fightin' Words: Lexical Feature
Selection and Evaluation for Identifying the Content of Political Conflict", Political Analysis 16 (2008),
equation (22).
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sentcli.explain.pieces import sentences_of
from sentcli.scoring.labels import Floats
from sentcli.text.tokenizer import words_of

Score = Callable[[Sequence[str]], Floats]  # returns the probability of the second label; NaN without one
Numbers = npt.NDArray[np.int64]

_MOST_CHARACTERS = 2_000_000  # of all texts that are read
_CLEAR = 1.0  # log odds of a sentence that praises or complains
_PRIOR = 500.0  # sentences that the prior is worth
_FEWEST, _FEWEST_SHARE = 5, 1 / 400  # sentences with a term, and their number by that of texts
_LEAST_Z, _LEAST_SHARE = 1.5, 0.6  # of a term, and of its sentences on one side
_NOUN, _JUDGING, _NEUTRAL = 0.15, 2.0, 3.0  # see `Terms._kinds`
_PAIR_SHARE = 0.4  # of a word's occurrences, from which a pair stands for it
_QUOTES, _QUOTE_WORDS = 3, (5, 40)

# A noun stands after one of these, and before no further word that says something.
_BEFORE_NOUNS = frozenset(
    "the a an my our your their his her its this these those no any some every each".split()  # noqa: SIM905
)
_BEFORE_SOME_NOUNS = frozenset(("of", "for", "with", "in", "on", "at", "from", "about"))
# Words without a subject or a judgement of their own. The apostrophe of "isn't" separates its parts.
_EMPTY = frozenset(
    """the a an and or but of to in on at for with is was are were be been being it its this that these those
    i we you they my our your their he she his her them me us so as had have has having do did does done
    doing from by when which who will would can could should may might must just there here if than then
    too also all any some ve re ll not no don didn doesn isn wasn weren aren won couldn wouldn shouldn
    haven hasn hadn ain am im ive into onto out up off over under about after before again because since
    until while where what how why each every both either neither else very even still ever never always
    however though although yet only really quite rather almost already now later once etc same half few
    little more most other others another first second third last next two three four five ten new old own
    several many much such whole entire least less far well overall maybe probably unfortunately instead
    yes please""".split()  # noqa: SIM905
)
# Words that may be a noun and are the subject of no review.
_GENERAL = frozenset(
    """time times way ways thing things lot lots plenty bit reason reasons one ones people person fact point
    day days week weeks month months year years hour hours minute minutes night nights today kind sort type
    part rest end start beginning something anything everything nothing someone anyone everyone amount
    number couple example case side middle top bottom front back idea experience review reviews star stars
    problem problems issue issues world man woman guy job place area get got getting go going went
    come came make made take took say said says tell told see saw know think thought want wanted try tried
    use used give gave find found let put keep look looked feel felt seem seems around through
    thank thanks""".split()  # noqa: SIM905
)


class Quote(NamedTuple):
    """A sentence of a text with a term: `text[start:end]` of the text with this number."""

    text: int
    start: int
    end: int


class Term(NamedTuple):
    """A word or a pair of words.

    :param texts: how many texts have it in a sentence of its side.
    """

    name: str
    texts: int
    quotes: list[Quote]


class Terms:
    """The terms of texts.

    :param score: scores texts, see `Score`; called for sentences, then for terms.
    """

    def __init__(self, texts: Sequence[str], score: Score) -> None:
        spans = list(_sentences(texts))
        self._spans = np.array(spans, np.int64).reshape(-1, 3)
        sentences = [texts[text][start:end] for text, start, end in spans]
        self._odds = _log_odds(score(sentences))
        ids: dict[str, int] = {}
        found, owners, nouns, self._words = array("i"), array("i"), array("d"), array("i")
        for number, sentence in enumerate(sentences):
            tokens = words_of(sentence)
            self._words.append(len(tokens))
            for term, noun in _terms_of(tokens):
                found.append(ids.setdefault(term, len(ids)))
                owners.append(number)
                nouns.append(noun)
        self.names = [*ids]
        self._found, self._owners = np.array(found, np.int64), np.array(owners, np.int64)
        count = np.maximum(1, np.bincount(self._found, minlength=len(ids)))
        self._nouns = np.bincount(self._found, nouns, len(ids)) / count
        frequent = np.flatnonzero(count >= _FEWEST).tolist()
        self._own = np.zeros(len(ids))
        self._own[frequent] = np.nan_to_num(_log_odds(score([self.names[term] for term in frequent])))

    def of(self, texts: Numbers, sign: int, most: int) -> tuple[list[Term], list[Term]]:
        """Return the terms that set apart the sentences of one side: topics, and words that judge.

        :param texts: the numbers of the texts that count.
        :param sign: 1 for positive sentences, -1 for negative ones.
        """
        is_read = np.isin(self._spans[:, 0], texts)[self._owners]
        found, owners = self._found[is_read], self._owners[is_read]
        odds = sign * self._odds[owners]
        size = len(self.names)
        own, other, every = (
            np.bincount(found[rows], minlength=size)
            for rows in (odds > _CLEAR, odds < -_CLEAR, np.full(len(odds), fill_value=True))
        )
        is_frequent = every >= max(_FEWEST, _FEWEST_SHARE * len(texts))
        z = np.where(is_frequent, _z_scores(own, other, np.where(is_frequent, every, 0)), 0.0)
        is_clear = (z > _LEAST_Z) & (own >= _LEAST_SHARE * (own + other))
        ranked = [term for term in np.argsort(-z, kind="stable").tolist() if is_clear[term]]
        topics, judging = self._kinds(ranked, sign)
        is_own = odds > _CLEAR
        found, owners = found[is_own], owners[is_own]
        return (
            [self._term(term, found, owners) for term in self._distinct(topics, every)[:most]],
            [self._term(term, found, owners) for term in self._distinct(judging, every)[:most]],
        )

    def _kinds(self, ranked: Sequence[int], sign: int) -> tuple[list[int], list[int]]:
        """Divide terms into nouns that do not judge strongly alone, and other words that judge."""
        topics, judging = [], []
        for term in ranked:
            if self.names[term].split()[-1] not in _GENERAL:
                if self._nouns[term] >= _NOUN and sign * self._own[term] < _NEUTRAL:
                    topics.append(term)
                elif sign * self._own[term] >= _JUDGING:
                    judging.append(term)
        return topics, judging

    def _distinct(self, ranked: Sequence[int], counts: Numbers) -> list[int]:
        """Return terms without those that share a word with a better one; a usual pair replaces its word."""
        names = [self.names[term] for term in ranked]
        kept: list[int] = []
        taken: set[str] = set()
        for term, name in zip(ranked, names, strict=True):
            pairs = [
                pair
                for pair, both in zip(ranked, names, strict=True)
                if name in both.split() and both != name and counts[pair] >= _PAIR_SHARE * counts[term]
            ]
            best = max(pairs, key=counts.__getitem__, default=term)
            stems = {word.removesuffix("s") for word in self.names[best].split()}
            if not stems & taken:
                kept.append(best)
            taken |= stems
        return kept

    def _term(self, term: int, found: Numbers, owners: Numbers) -> Term:
        sentences = np.unique(owners[found == term])
        texts = self._spans[sentences, 0]
        shortest, longest = _QUOTE_WORDS
        ranked = sentences[np.argsort(-np.abs(self._odds[sentences]), kind="stable")].tolist()
        good = [each for each in ranked if shortest <= self._words[each] <= longest] or ranked
        quotes: dict[int, Quote] = {}
        for sentence in good[:: max(1, len(good) // 12)]:  # not only the extreme ones
            quote = Quote(*self._spans[sentence].tolist())
            quotes.setdefault(quote.text, quote)
        return Term(self.names[term], len(np.unique(texts)), [*quotes.values()][:_QUOTES])


def _sentences(texts: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield the number of the text, the start and the end of each sentence."""
    left = _MOST_CHARACTERS
    for number, text in enumerate(texts):
        left -= len(text)
        if left < 0:
            return
        for start, end in sentences_of(text):
            yield number, start, end


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


def _z_scores(own: Numbers, other: Numbers, every: Numbers) -> npt.NDArray[Any]:
    """Return how surely each term belongs to its own side and not to the other."""
    prior = _PRIOR * every / max(1, every.sum()) + 1e-9
    x, y = own + prior, other + prior
    total_x, total_y = own[every > 0].sum() + _PRIOR, other[every > 0].sum() + _PRIOR
    difference = np.log(x / (total_x - x)) - np.log(y / (total_y - y))
    return difference / np.sqrt(1 / x + 1 / y)


def _log_odds(scores: Floats) -> Floats:
    bounded = np.clip(scores, 1e-9, 1 - 1e-9)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds
