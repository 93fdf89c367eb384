"""What texts say of subjects: how many praise and complain, what is at stake, and sentences to quote."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sentcli.explain.clauses import clauses_of
from sentcli.explain.explanation import forms_of
from sentcli.explain.parts import Parts
from sentcli.explain.phrases import Phrases
from sentcli.explain.pieces import sentences_of
from sentcli.report.words import LogOdds, find_subjects
from sentcli.scoring.labels import Bools
from sentcli.text.encoder import Numbers

_MOST_CHARACTERS = 2_000_000  # of all texts that are read
_CLEAR = 1.0  # log odds of a clause that praises or complains
_FEWEST, _FEWEST_SHARE = 5, 1 / 200  # texts that praise or complain of a subject, and their share of all
_NAME_SHARE = 0.1  # of the uses of a subject: a name that is rarer gives way to its most frequent word
_MOST_COMPLAINTS = 0.6  # in the texts that judge a subject of praise
_QUOTE_CHARACTERS, _TYPICAL = range(40, 191), 80
_CLEAREST = 4.0  # log odds beyond which all clauses are alike
# Before a word, these say that it is a verb, or that there is none of it.
_BEFORE_VERBS = frozenset("i we you they he she to can will would could should may must didn't don't".split())  # noqa: SIM905
_ABSENT = frozenset(("no", "without", "zero"))


class Subject(NamedTuple):
    """What texts say of a subject: for each text, whether it names it, complains of it and praises it.

    :param words: the words that the texts use for it, the most frequent first.
    :param clauses: the numbers of the clauses with these words.
    """

    name: str
    words: list[str]
    named: Bools
    complains: Bools
    praises: Bools
    clauses: Numbers


class Figures(NamedTuple):
    """The figures of a subject.

    :param named, complain, praise: how many texts do.
    :param stake, gain: by how much the share of positive texts is lower because some complain, and higher
        because some praise, if these would else be like the other texts: upper bounds.
    :param periods: for each period, how many of its texts complain, and how many it has.
    """

    subject: Subject
    named: int
    complain: int
    praise: int
    stake: float
    gain: float
    periods: list[tuple[int, int]]

    @property
    def complaints(self) -> float:
        """The share of complaints in the texts that judge."""
        return self.complain / max(1, self.complain + self.praise)


def figures_of(subject: Subject, is_positive: Bools, periods: Sequence[Bools] = ()) -> Figures:
    """Return the figures of a subject.

    :param is_positive: whether each text is.
    :param periods: for each period, such as before a day and since, whether each text is of it.
    """
    named, complain = int(subject.named.sum()), int(subject.complains.sum())
    stake, gain = -_effect(subject.complains, is_positive), _effect(subject.praises, is_positive)
    parts = [(int(subject.complains[rows].sum()), int(rows.sum())) for rows in periods]
    return Figures(subject, named, complain, int(subject.praises.sum()), stake, gain, parts)


def _effect(says: Bools, is_positive: Bools) -> float:
    """Return by how much the share of positive texts is higher because some say something."""
    if says.all() or not says.any():
        return 0.0
    return float(says.mean() * (is_positive[says].mean() - is_positive[~says].mean()))


class Subjects:
    """The subjects of texts, as many as are read.

    :param own: the words of the user's own subjects, by their names.
    :ivar texts: how many of the texts were read.
    :ivar own, found: the user's own subjects, and those that were found, in no order.
    """

    def __init__(
        self, texts: Sequence[str], parts: Parts, log_odds: LogOdds, own: Mapping[str, Sequence[str]]
    ) -> None:
        sizes = np.cumsum([len(text) for text in texts])
        self.texts = int(np.searchsorted(sizes, _MOST_CHARACTERS, "right"))
        sentences = [(text, *span) for text in range(self.texts) for span in sentences_of(texts[text])]
        places = clauses_of(texts, sentences, parts)
        self._sentences = [texts[text][start:end] for text, start, end in sentences]
        self._clauses = [texts[sentences[number][0]][start:end] for number, start, end in places]
        self._sentence_of = np.array([number for number, *_ in places], int)
        self._text_of = np.array([sentences[number][0] for number, *_ in places], int)
        self._odds = log_odds(self._clauses)
        self.own = self._subjects(own)
        self.own = [row._replace(name=name) for name, row in zip(own, self.own, strict=True)]
        least = max(_FEWEST, _FEWEST_SHARE * self.texts)
        found = self._subjects(find_subjects(self._clauses, log_odds))
        self.found = [row for row in found if max(row.complains.sum(), row.praises.sum()) >= least]
        self._in_sentence = Counter(  # how many subjects
            number for row in self.found for number in self._sentence_of[row.clauses].tolist()
        )

    def _subjects(self, words: Mapping[str, Sequence[str]]) -> list[Subject]:
        """Return what the clauses say of subjects with these words."""
        pairs = ((name, word) for name, own in words.items() for word in own)
        word_of = {
            form.replace(" ", blank): pair
            for pair in pairs
            for form in forms_of(pair[1].lower())
            for blank in " -"
        }
        phrases = Phrases(word_of)
        uses: dict[str, Counter[str]] = {name: Counter() for name in words}
        clauses: dict[str, list[int]] = {name: [] for name in words}
        for number, clause in enumerate(self._clauses):
            for phrase, start, _ in phrases.find(clause):
                name, word = word_of[phrase]
                before = clause[:start].lower().split()[-2:]
                is_absent = self._odds[number] > 0 and not _ABSENT.isdisjoint(before)
                if not (is_absent or _BEFORE_VERBS.issuperset(before[-1:] or [""])):
                    uses[name][word] += 1
                    clauses[name].append(number)
        return [self._subject(name, uses[name], np.unique(clauses[name]).astype(int)) for name in words]

    def _subject(self, name: str, uses: Counter[str], clauses: Numbers) -> Subject:
        words = [word for word, _ in uses.most_common()]
        shown = words[0] if words and uses[name] < _NAME_SHARE * uses.total() else name
        odds, texts = self._odds[clauses], self._text_of[clauses]
        named, complains, praises = (
            np.bincount(texts[rows], minlength=self.texts) > 0
            for rows in (slice(None), odds < -_CLEAR, odds > _CLEAR)
        )
        return Subject(shown, words, named, complains, praises, clauses)

    def sides(self, figures: Sequence[Figures], limit: int) -> tuple[list[Figures], list[Figures]]:
        """Return the subjects of praise and those of complaints, with the largest effect first.

        A subject of praise has no larger share of complaints than subjects have on average, and one of
        complaints at least half of that.
        """
        bad, good = (int((side > _CLEAR).sum()) for side in (-self._odds, self._odds))
        usual = bad / max(1, bad + good)
        praised = [row for row in figures if row.gain > 0 and row.complaints <= min(usual, _MOST_COMPLAINTS)]
        blamed = [row for row in figures if row.stake > 0 and row.complaints >= usual / 2]
        praised.sort(key=lambda row: -row.gain)
        blamed.sort(key=lambda row: -row.stake)
        return praised[:limit], blamed[:limit]

    def quotes(
        self, subject: Subject, sign: int, limit: int, taken: set[int], is_first: Bools
    ) -> list[tuple[int, str]]:
        """Return sentences that a reader would choose, each with the number of its text.

        :param sign: 1 for praise, -1 for complaints.
        :param taken: texts that are not quoted; those that are quoted are added.
        :param is_first: the texts that are quoted before others.
        """
        clauses = subject.clauses[sign * self._odds[subject.clauses] > _CLEAR]
        worth = np.array([self._worth(clause, sign) for clause in clauses.tolist()])
        quotes: dict[str, int] = {}
        for clause in clauses[np.lexsort((-worth, ~is_first[self._text_of[clauses]]))].tolist():
            text, quote = int(self._text_of[clause]), self._quote(clause)
            if quote and len(quotes) < limit and text not in taken and quote not in quotes:
                quotes[quote] = text
                taken.add(text)
        return [(text, quote) for quote, text in quotes.items()]

    def _quote(self, clause: int) -> str:
        """Return the sentence of a clause, or the clause, or "" if neither has the length of a quote."""
        texts = self._sentences[self._sentence_of[clause]], self._clauses[clause]
        return next((text for text in texts if len(text) in _QUOTE_CHARACTERS), "")

    def _worth(self, clause: int, sign: int) -> float:
        """Return how well a clause reads: best if clear, in a whole sentence about it alone."""
        quote = self._quote(clause)
        is_whole = quote[:1].isupper() and quote[-1:] in (".", "!", "?") and not quote.isupper()
        odds = min(_CLEAREST, sign * float(self._odds[clause]))
        subjects = self._in_sentence[self._sentence_of[clause]]
        return odds + 2 * is_whole - subjects / 2 - abs(len(quote) - _TYPICAL) / 40
