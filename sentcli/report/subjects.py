"""What reviews say of subjects: how many praise and complain, what is at stake, and sentences to quote."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sentcli.explain.clauses import clauses_of
from sentcli.explain.explanation import forms_of
from sentcli.explain.parts import Parts
from sentcli.explain.phrases import Phrases
from sentcli.explain.pieces import sentences_of
from sentcli.report.collector import Collector, Review
from sentcli.report.findings import Finding, against_rest, judged
from sentcli.report.page import Spans, shade
from sentcli.report.words import LogOdds, find_subjects
from sentcli.scoring.evidence import Counted
from sentcli.scoring.labels import Bools, Floats
from sentcli.scoring.scorer import Scorer
from sentcli.text.encoder import Numbers

_MOST_CHARACTERS = 2_000_000  # of all texts that are read
_CLEAR = 1.0  # log odds of a clause that praises or complains
_FEWEST, _FEWEST_SHARE = 5, 1 / 200  # texts that praise or complain of a subject, and their share of all
_NAME_SHARE = 0.1  # of the uses of a subject: a name that is rarer gives way to its most frequent word
_MOST_COMPLAINTS = 0.6  # in the texts that judge a subject of praise
_FALLS, _RISES = 0.001, 0.003  # the largest p of all falls and rises of complaints that are named
_QUOTE_CHARACTERS, _TYPICAL, _LONGEST = range(40, 191), 80, 200
_CLEAREST = 4.0  # log odds beyond which all clauses are alike
_SUBJECTS, _QUOTES = 10, 3  # of a list; of a subject
_GRID_SUBJECTS, _GRID_GROUPS, _GRID_QUOTES = 8, 12, 2
# Before a word, these say that it is a verb, or that there is none of it.
_BEFORE_VERBS = frozenset("i we you they he she to can will would could should may must didn't don't".split())  # noqa: SIM905
_ABSENT = frozenset(("no", "without", "zero"))

Card = tuple[Review, Spans]  # a row with its text, or a sentence of it, as it is shown


@dataclass(frozen=True, kw_only=True)
class Subject(Finding):
    """What reviews say of a subject: how many complain, of those that name it, and of all before and since.

    :param words: the words that the reviews use for it, the most frequent first.
    :param complains, praises: whether each review does.
    :param clauses: the numbers of the clauses with these words.
    :param stake, gain: by how much the share of positive reviews is lower because some complain, and higher
        because some praise, if these would else be like the other reviews: upper bounds.
    """

    words: Sequence[str]
    complains: Bools
    praises: Bools
    clauses: Numbers
    stake: float
    gain: float

    @property
    def praise(self) -> int:
        return int(self.praises.sum())

    @property
    def complaints(self) -> float:
        """The share of complaints in the reviews that judge."""
        return self.all[0] / max(1, self.all[0] + self.praise)


def _effect(says: Bools, is_positive: Bools) -> float:
    """Return by how much the share of positive texts is higher because some say something."""
    if says.all() or not says.any():
        return 0.0
    return float(says.mean() * (is_positive[says].mean() - is_positive[~says].mean()))


def _counted(says: Bools, rows: Bools) -> Counted:
    """Return how many of some reviews say something, and how many there are."""
    return int(says[rows].sum()), int(rows.sum())


class Subjects:
    """The subjects of reviews, as many as are read.

    :param own: the words of the user's own subjects, by their names.
    :param label: the label of positive reviews.
    :param since: the day whose complaints are compared with those before it; "" for none.
    :ivar own, found: the user's own subjects, and those that were found, in no order.
    """

    def __init__(
        self,
        reviews: Sequence[Review],
        parts: Parts,
        log_odds: LogOdds,
        own: Mapping[str, Sequence[str]],
        label: str,
        since: str = "",
    ) -> None:
        sizes = np.cumsum([len(row.text) for row in reviews])
        self.reviews = reviews[: int(np.searchsorted(sizes, _MOST_CHARACTERS, "right"))]
        texts = [row.text for row in self.reviews]
        sentences = [(text, *span) for text in range(len(texts)) for span in sentences_of(texts[text])]
        places = clauses_of(texts, sentences, parts)
        self._sentences = [texts[text][start:end] for text, start, end in sentences]
        self._clauses = [texts[sentences[number][0]][start:end] for number, start, end in places]
        self._sentence_of = np.array([number for number, *_ in places], int)
        self._text_of = np.array([sentences[number][0] for number, *_ in places], int)
        self._odds = log_odds(self._clauses)
        self._is_positive = np.array([row.label == label for row in self.reviews], bool)
        self._is_since = np.array([bool(since) and row.day >= since for row in self.reviews], bool)
        self._is_before = np.array([bool(since and row.day) for row in self.reviews], bool) & ~self._is_since
        least = max(_FEWEST, _FEWEST_SHARE * len(texts))
        found = self._subjects(find_subjects(self._clauses, log_odds))
        found = [row for row in found if max(row.all[0], row.praise) >= least]
        every = judged([*self._subjects(own, are_own=True), *found], _FALLS, _RISES)
        self.own, self.found = every[: len(own)], every[len(own) :]
        self._in_sentence = Counter(  # how many subjects
            number for row in self.found for number in self._sentence_of[row.clauses].tolist()
        )

    def _subjects(self, words: Mapping[str, Sequence[str]], *, are_own: bool = False) -> list[Subject]:
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
        return [
            self._subject(name, uses[name], np.unique(clauses[name]).astype(int), are_own) for name in words
        ]

    def _subject(self, name: str, uses: Counter[str], clauses: Numbers, is_own: bool) -> Subject:
        words = [word for word, _ in uses.most_common()]
        is_rare = bool(words) and uses[name] < _NAME_SHARE * uses.total()
        odds, texts = self._odds[clauses], self._text_of[clauses]
        named, complains, praises = (
            np.bincount(texts[rows], minlength=len(self.reviews)) > 0
            for rows in (slice(None), odds < -_CLEAR, odds > _CLEAR)
        )
        return Subject(
            name=words[0] if is_rare and not is_own else name,
            all=_counted(complains, named),
            before=_counted(complains, self._is_before),
            since=_counted(complains, self._is_since),
            words=words,
            complains=complains,
            praises=praises,
            clauses=clauses,
            stake=-_effect(complains, self._is_positive),
            gain=_effect(praises, self._is_positive),
        )

    def sides(self, limit: int) -> tuple[list[Subject], list[Subject]]:
        """Return the subjects of praise and those of complaints, with the largest effect first.

        A subject of praise has no larger share of complaints than subjects have on average, and one of
        complaints at least half of that.
        """
        bad, good = (int((side > _CLEAR).sum()) for side in (-self._odds, self._odds))
        usual = bad / max(1, bad + good)
        praised = [row for row in self.found if row.complaints <= min(usual, _MOST_COMPLAINTS)]
        blamed = [row for row in self.found if row.complaints >= usual / 2]
        praised = sorted((row for row in praised if row.gain > 0), key=lambda row: -row.gain)
        blamed = sorted((row for row in blamed if row.stake > 0), key=lambda row: -row.stake)
        return praised[:limit], blamed[:limit]

    def quotes(self, subject: Subject, sign: int, limit: int, taken: set[int]) -> list[Review]:
        """Return reviews, each with a sentence that a reader would choose in place of its text.

        Those since a day come first.

        :param sign: 1 for praise, -1 for complaints.
        :param taken: the numbers of reviews that are not quoted; those that are quoted are added.
        """
        clauses = subject.clauses[sign * self._odds[subject.clauses] > _CLEAR]
        worth = np.array([self._worth(clause, sign) for clause in clauses.tolist()])
        quotes: dict[str, Review] = {}
        for clause in clauses[np.lexsort((-worth, ~self._is_since[self._text_of[clauses]]))].tolist():
            text, quote = int(self._text_of[clause]), self._quote(clause)
            if quote and len(quotes) < limit and text not in taken and quote not in quotes:
                quotes[quote] = self.reviews[text]._replace(text=quote)
                taken.add(text)
        return [*quotes.values()]

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


def topics_of(collected: Collector, scorer: Scorer, since: str, column: str | None) -> dict[str, Any]:
    """Return what the sampled rows say of subjects.

    :param since: see `Subjects`.
    :param column: the column of the groups of the grid.
    """
    sample, labels = collected.settled(collected.sample.rows)[::-1], collected.labels
    own = scorer.extras.about
    subjects = Subjects(sample, scorer.parts, partial(_log_odds, scorer), own, labels[-1], since)
    taken: set[int] = set()

    def quoted(rows: Sequence[Subject], *signs: int) -> list[tuple[Subject, list[Card]]]:
        quotes = [
            [quote for sign in signs for quote in subjects.quotes(row, sign, _QUOTES, taken)] for row in rows
        ]
        spans = iter(shade([quote.text for cited in quotes for quote in cited], scorer, _LONGEST))
        return [
            (row, [(quote, next(spans)) for quote in cited]) for row, cited in zip(rows, quotes, strict=True)
        ]

    praised, blamed = subjects.sides(_SUBJECTS)
    return {
        "own": quoted(subjects.own, -1, 1),
        "blamed": quoted(blamed, -1),
        "praised": quoted(praised, 1),
        "grid": _grid(subjects, [*subjects.own, *blamed], collected.columns.by.index(column))
        if column
        else [],
        "sample": len(subjects.reviews),
    }


def _grid(
    subjects: Subjects, rows: Sequence[Subject], place: int
) -> list[tuple[str, list[tuple[Finding, list[Review]]]]]:
    """Return for each subject how many complain of it in the largest groups, compared with the rest."""
    groups = np.array([row.groups[place] for row in subjects.reviews], object)
    names = [name for name, _ in Counter(filter(None, groups)).most_common(_GRID_GROUPS)]
    everyone = np.ones(len(groups), bool)
    grid = []
    for subject in rows[:_GRID_SUBJECTS]:
        cells = [Finding(name=name, all=_counted(subject.complains, groups == name)) for name in names]
        cells = against_rest(cells, _counted(subject.complains, everyone))
        rests = [{*np.flatnonzero(groups != name).tolist()} for name in names]
        quotes = [subjects.quotes(subject, -1, _GRID_QUOTES, rest) for rest in rests]
        grid.append((subject.name, [*zip(cells, quotes, strict=True)]))
    return grid


def _log_odds(scorer: Scorer, texts: Sequence[str]) -> Floats:
    """Return the log odds of the second label for each text; 0 for a text without a label."""
    scores = np.nan_to_num(np.array(scorer.score_alone(texts).scores, float), nan=0.5).clip(1e-9, 1 - 1e-9)
    return np.asarray(np.log(scores / (1 - scores)))
