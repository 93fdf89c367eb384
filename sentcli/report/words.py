"""What texts praise and what they complain about: terms by the label of the sentence that they stand in.

Terms are words and pairs of words. Those that set apart positive and negative sentences are ranked by their
log odds with a Dirichlet prior. B. Monroe, M. Colaresi and K. Quinn, "Fightin' Words: Lexical Feature
Selection and Evaluation for Identifying the Content of Political Conflict", Political Analysis 16 (2008),
equation (22).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sentcli.explain.pieces import sentences_of
from sentcli.scoring.labels import Bools, Floats
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
_QUOTES, _QUOTE_CHARACTERS = 3, range(25, 201)
_SPREAD = 12  # steps through the ranked sentences, so that quotes differ

# The evidence for a noun: the word before it. Nor does another content word follow it.
_EVIDENCE = dict.fromkeys("the a an my our your their his her its this that these those".split(), 1.0)  # noqa: SIM905
_EVIDENCE |= dict.fromkeys(("no", "any", "some", "every", "each"), 1.0)
_EVIDENCE |= dict.fromkeys(("of", "for", "with", "in", "on", "at", "from", "about"), 0.5)
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
        every = (
            (ids.setdefault(term, len(ids)), number, noun)
            for number, sentence in enumerate(self._sentences)
            for term, noun in _terms_of(words_of(sentence))
        )
        table = np.fromiter(every, [("term", np.int64), ("sentence", np.int64), ("noun", np.float64)])
        counts = np.bincount(table["term"], minlength=len(ids))
        is_frequent = counts >= _FEWEST
        self._names = [*compress(ids, is_frequent)]
        self._is_special = np.array([name.split()[-1] not in _GENERAL for name in self._names], bool)
        nouns = np.bincount(table["term"], table["noun"], len(ids))
        self._nouns = nouns[is_frequent] / counts[is_frequent]
        self._own = np.nan_to_num(_log_odds(score(self._names)))
        table = table[is_frequent[table["term"]]]
        self._terms, self._owners = (np.cumsum(is_frequent) - 1)[table["term"]], table["sentence"]

    def of(self, texts: Numbers, sign: int, topics: int, judging: int) -> tuple[list[Term], list[Term]]:
        """Return the terms that set apart the sentences of one side: topics, and words that judge.

        :param texts: the numbers of the texts that count.
        :param sign: 1 for positive sentences, -1 for negative ones.
        :param topics, judging: how many of each.
        """
        is_read = np.isin(self._text_of, texts)[self._owners]
        terms, owners = self._terms[is_read], self._owners[is_read]
        odds = sign * self._odds[owners]
        is_own, size = odds > _CLEAR, len(self._names)
        every, own, other = (
            np.bincount(terms[rows], minlength=size) for rows in (slice(None), is_own, odds < -_CLEAR)
        )
        every[every < max(_FEWEST, _FEWEST_SHARE * len(texts))] = 0
        z = np.where(every, _z_scores(own, other, every), 0.0)
        is_clear = self._is_special & (z > _LEAST_Z) & (own >= _LEAST_SHARE * (own + other))
        is_topic = (self._nouns >= _NOUN) & (sign * self._own < _NEUTRAL)
        judges = ~is_topic & (sign * self._own >= _JUDGING)

        def best(is_kind: Bools, limit: int) -> list[Term]:
            clear = np.flatnonzero(is_clear & is_kind)
            ranked = clear[np.argsort(-z[clear], kind="stable")].tolist()
            kept = self._distinct(ranked, every)[:limit]
            return [self._term(term, owners[is_own & (terms == term)]) for term in kept]

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
            best = max(pairs.get(self._names[term], [term]), key=counts.__getitem__)
            best = best if counts[best] >= _PAIR_SHARE * counts[term] else term
            stems = {word.removesuffix("s") for word in self._names[best].split()}
            if not stems & taken:
                kept.append(best)
            taken |= stems
        return kept

    def _term(self, term: int, owners: Numbers) -> Term:
        """Return a term with quotes of the sentences that have it, the clearest first."""
        sentences = np.unique(owners)
        ranked = sentences[np.argsort(-np.abs(self._odds[sentences]), kind="stable")].tolist()
        good = [row for row in ranked if len(self._sentences[row]) in _QUOTE_CHARACTERS] or ranked
        quotes: dict[int, str] = {}
        for sentence in good[:: max(1, len(good) // _SPREAD)]:
            quotes.setdefault(int(self._text_of[sentence]), self._sentences[sentence])
        return Term(self._names[term], len(np.unique(self._text_of[sentences])), [*quotes.items()][:_QUOTES])


def _terms_of(tokens: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Yield the terms of a sentence, each with the evidence that it is a noun, from 0 to 1."""
    is_word = [len(token) > 1 and token.isalpha() and token not in _EMPTY for token in [*tokens, "", ""]]
    for place, (before, token) in enumerate(zip(["", *tokens], tokens, strict=False)):
        if is_word[place]:
            evidence = _EVIDENCE.get(before, 0.0)
            yield token, 0.0 if is_word[place + 1] else evidence
            if is_word[place + 1]:
                yield f"{token} {tokens[place + 1]}", 0.0 if is_word[place + 2] else evidence


def _z_scores(own: Numbers, other: Numbers, every: Numbers) -> Floats:
    """Return how surely each term belongs to its own side and not to the other."""
    prior = _PRIOR * every / max(1, every.sum()) + 1e-9
    x, y = own + prior, other + prior
    # More than the prior, so that a single term does not have the whole total.
    total_x, total_y = (side[every > 0].sum() + _PRIOR + 1 for side in (own, other))
    difference = np.log(x / (total_x - x)) - np.log(y / (total_y - y))
    return np.asarray(difference / np.sqrt(1 / x + 1 / y))


def _log_odds(scores: Floats) -> Floats:
    bounded = np.clip(scores, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(bounded / (1 - bounded)))
