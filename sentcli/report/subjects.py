"""What reviews say of subjects: how many praise and complain, what is at stake, and sentences to quote."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from sentcli.explain.clauses import clauses_of
from sentcli.explain.explanation import forms_of
from sentcli.explain.phrases import Phrases
from sentcli.explain.pieces import sentences_of
from sentcli.report.collector import Review
from sentcli.report.findings import Finding, against_rest, judged
from sentcli.report.page import Spans, shade
from sentcli.report.words import find_subjects
from sentcli.scoring.evidence import Counted, share_of
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import Scorer

_MOST_CHARACTERS = 2_000_000  # of all texts that are read
_CLEAR = 1.0  # log odds of a clause that praises or complains
_FEWEST, _FEWEST_SHARE = 5, 1 / 200  # texts that praise or complain of a subject, and their share of all
_MOST_COMPLAINTS = 0.6  # in the texts that judge a subject of praise
_FALLS, _RISES = 0.001, 0.002  # the largest p of all falls and rises of complaints that are named
_QUOTE_CHARACTERS, _TYPICAL, _LONGEST = range(40, 191), 80, 200
_CLEAREST = 4.0  # log odds beyond which all clauses are alike
_SUBJECTS, _QUOTES = 10, 3  # of a list; of a subject
_GRID_SUBJECTS, _GRID_GROUPS, _GRID_QUOTES = 8, 12, 2
_MOST_READ = 400  # reviews to search in
# Before a word, these say that it is a verb, or that there is none of it.
_BEFORE_VERBS = frozenset("i we you they he she to can will would could should may must didn't don't".split())  # noqa: SIM905
_ABSENT = frozenset(("no", "without", "zero"))

Card = tuple[Review, Spans]  # a row with its text, or a sentence of it, as it is shown
Numbers = set[int]  # of reviews


class Clause(NamedTuple):
    """A clause of a review, with the log odds of it alone, and what is quoted of it: "" if nothing can be."""

    review: int
    text: str
    odds: float
    quote: str


@dataclass(frozen=True, kw_only=True)
class Subject(Finding):
    """What reviews say of a subject: how many complain, of those that name it, and of all before and since.

    :param words: the words that the reviews use for it, the most frequent first.
    :param clauses: those with these words.
    :param complains: the reviews that complain.
    :param praise: the number of reviews that praise.
    :param stake, gain: by how much the share of positive reviews is lower because some complain, and higher
        because some praise, if these would else be like the other reviews: upper bounds.
    """

    words: Sequence[str]
    clauses: Sequence[Clause]
    complains: Numbers
    praise: int
    stake: float
    gain: float


class Subjects:
    """The subjects of reviews, as many as are read.

    :param scorer: scores the clauses, and has the words of the user's own subjects.
    :param label: the label of positive reviews.
    :param since: the day whose complaints are compared with those before it; "" for none.
    :ivar own, found: the user's own subjects, and those that were found, in no order.
    """

    def __init__(self, reviews: Sequence[Review], scorer: Scorer, label: str, since: str = "") -> None:
        sizes = np.cumsum([len(row.text) for row in reviews])
        self.reviews = reviews[: int(np.searchsorted(sizes, _MOST_CHARACTERS, "right"))]
        reviews = self.reviews
        self._positive = {number for number, row in enumerate(reviews) if row.label == label}
        self._before = {number for number, row in enumerate(reviews) if "" < row.day < since}
        self._since = {number for number, row in enumerate(reviews) if row.day >= since > ""}
        self._clauses = _clauses_of([row.text for row in reviews], scorer)
        clauses = [clause.text for clause in self._clauses]
        found = self._subjects(find_subjects(clauses, partial(_log_odds, scorer)))
        least = max(_FEWEST, _FEWEST_SHARE * len(reviews))
        found = [row for row in found if max(row.all[0], row.praise) >= least]
        own = self._subjects(scorer.extras.about)
        every = judged([*own, *found], _FALLS, _RISES)
        self.own, self.found = every[: len(own)], every[len(own) :]

    def _subjects(self, words: Mapping[str, Sequence[str]]) -> list[Subject]:
        """Return what the clauses say of subjects with these words."""
        forms = {
            form.replace(" ", blank): (name, word)
            for name, own in words.items()
            for word in own
            for form in forms_of(word.lower())
            for blank in " -"
        }
        phrases = Phrases(forms)
        uses: dict[str, Counter[str]] = {name: Counter() for name in words}
        clauses: dict[str, list[Clause]] = {name: [] for name in words}
        for clause in self._clauses:
            for (name, word), start, _ in phrases.find(clause.text):
                before = clause.text[:start].lower().split()[-2:]
                is_absent = clause.odds > 0 and not _ABSENT.isdisjoint(before)
                if not (is_absent or _BEFORE_VERBS.issuperset(before[-1:] or [""])):
                    uses[name][word] += 1
                    clauses[name].append(clause)
        return [
            self._subject(name, [word for word, _ in uses[name].most_common()], clauses[name])
            for name in words
        ]

    def _subject(self, name: str, words: Sequence[str], clauses: Sequence[Clause]) -> Subject:
        named = {clause.review for clause in clauses}
        complains = {clause.review for clause in clauses if clause.odds < -_CLEAR}
        praises = {clause.review for clause in clauses if clause.odds > _CLEAR}
        return Subject(
            name=name,
            all=_counted(complains, named),
            before=_counted(complains, self._before),
            since=_counted(complains, self._since),
            words=words,
            clauses=clauses,
            complains=complains,
            praise=len(praises),
            stake=-self._effect(complains),
            gain=self._effect(praises),
        )

    def _effect(self, says: Numbers) -> float:
        """Return by how much the share of positive reviews is higher because some say something."""
        yes, size = _counted(self._positive, says)
        rest = len(self._positive) - yes, len(self.reviews) - size
        return (
            size / len(self.reviews) * (share_of((yes, size)) - share_of(rest)) if rest[1] and size else 0.0
        )

    def sides(self, limit: int) -> tuple[list[Subject], list[Subject]]:
        """Return the subjects of praise and those of complaints, with the largest effect first.

        A subject of praise has no larger share of complaints than subjects have on average, and one of
        complaints at least half of that.
        """
        bad, good = (sum(sign * clause.odds > _CLEAR for clause in self._clauses) for sign in (-1, 1))
        usual = bad / max(1, bad + good)
        most = min(usual, _MOST_COMPLAINTS)
        sides = [(row, row.all[0] / max(1, row.all[0] + row.praise)) for row in self.found]
        praised = [row for row, complaints in sides if row.gain > 0 and complaints <= most]
        blamed = [row for row, complaints in sides if row.stake > 0 and complaints >= usual / 2]
        praised.sort(key=lambda row: -row.gain)
        blamed.sort(key=lambda row: -row.stake)
        return praised[:limit], blamed[:limit]

    def quotes(self, subject: Subject, sign: int, limit: int, taken: Numbers) -> list[Review]:
        """Return reviews, each with a sentence that a reader would choose in place of its text.

        Those since a day come first.

        :param sign: 1 for praise, -1 for complaints.
        :param taken: the reviews that are not quoted; those that are quoted are added.
        """
        clear = [own for own in subject.clauses if sign * own.odds > _CLEAR and own.quote]
        clauses = [own for own in clear if own.review not in taken]
        quotes: dict[str, Review] = {}
        for own in sorted(clauses, key=lambda own: (own.review not in self._since, -_worth(own))):
            if len(quotes) < limit and own.review not in taken and own.quote not in quotes:
                quotes[own.quote] = self.reviews[own.review]._replace(text=own.quote)
                taken.add(own.review)
        return [*quotes.values()]

    def to_read(self, rows: Sequence[Subject]) -> list[tuple[Review, list[str]]]:
        """Return the latest reviews, and of one day those that name the most of some subjects, with these."""
        named = {row.name: {clause.review for clause in row.clauses} for row in rows}
        pairs = [
            (review, [name for name, numbers in named.items() if number in numbers])
            for number, review in enumerate(self.reviews)
        ]
        return sorted(pairs, key=lambda pair: (pair[0].day, len(pair[1])), reverse=True)[:_MOST_READ]

    def grid(
        self, rows: Sequence[Subject], place: int
    ) -> list[tuple[str, list[tuple[Finding, list[Review]]]]]:
        """Return for each subject how many complain of it in the largest groups, compared with the rest.

        :param place: that of the groups among those of a review.
        """
        groups: dict[str, Numbers] = {}
        for number, row in enumerate(self.reviews):
            groups.setdefault(row.groups[place], set()).add(number)
        groups.pop("", None)
        largest = sorted(groups, key=lambda name: -len(groups[name]))[:_GRID_GROUPS]
        every = {*range(len(self.reviews))}
        grid = []
        for subject in rows:
            cells = [Finding(name=name, all=_counted(subject.complains, groups[name])) for name in largest]
            cells = against_rest(cells, _counted(subject.complains, every))
            quotes = [self.quotes(subject, -1, _GRID_QUOTES, every - groups[name]) for name in largest]
            grid.append((subject.name, [*zip(cells, quotes, strict=True)]))
        return grid


def _clauses_of(texts: Sequence[str], scorer: Scorer) -> list[Clause]:
    """Return the clauses of texts in order; what is quoted is the sentence, or else the clause."""
    sentences = [(text, *span) for text in range(len(texts)) for span in sentences_of(texts[text])]
    clauses = []
    for number, start, end in clauses_of(texts, sentences, scorer.parts):
        text, *span = sentences[number]
        own, whole = texts[text][start:end], texts[text][slice(*span)]
        quote = next((quote for quote in (whole, own) if len(quote) in _QUOTE_CHARACTERS), "")
        clauses.append(Clause(text, own, 0.0, quote))
    odds = _log_odds(scorer, [clause.text for clause in clauses]).tolist()
    return [clause._replace(odds=alone) for clause, alone in zip(clauses, odds, strict=True)]


def _counted(says: Numbers, reviews: Numbers) -> Counted:
    """Return how many of some reviews say something, and how many there are."""
    return len(says & reviews), len(reviews)


def _worth(clause: Clause) -> float:
    """Return how well a clause reads: best if clear, in a whole sentence of a usual length."""
    quote = clause.quote
    is_whole = quote[:1].isupper() and quote[-1:] in (".", "!", "?") and not quote.isupper()
    return min(_CLEAREST, abs(clause.odds)) + 2 * is_whole - abs(len(quote) - _TYPICAL) / 40


def topics_of(
    sample: Sequence[Review], scorer: Scorer, label: str, since: str, place: int | None
) -> dict[str, Any]:
    """Return what rows say of subjects.

    :param label, since: see `Subjects`.
    :param place: see `Subjects.grid`; None without a grid.
    """
    subjects = Subjects(sample, scorer, label, since)
    taken: Numbers = set()

    def quoted(rows: Sequence[Subject], *signs: int) -> list[tuple[Subject, list[Card]]]:
        cited = [
            (row, [quote for sign in signs for quote in subjects.quotes(row, sign, _QUOTES, taken)])
            for row in rows
        ]
        spans = iter(shade([quote.text for _, quotes in cited for quote in quotes], scorer, _LONGEST))
        return [(row, [(quote, next(spans)) for quote in quotes]) for row, quotes in cited]

    praised, blamed = subjects.sides(_SUBJECTS)
    grid_rows = [*subjects.own, *blamed][:_GRID_SUBJECTS]
    return {
        "own": quoted(subjects.own, -1, 1),
        "blamed": quoted(blamed, -1),
        "praised": quoted(praised, 1),
        "grid": [] if place is None else subjects.grid(grid_rows, place),
        "read": subjects.to_read([*subjects.own, *blamed, *praised]),
        "sample": len(subjects.reviews),
    }


def _log_odds(scorer: Scorer, texts: Sequence[str]) -> Floats:
    """Return the log odds of the second label for each text; 0 for a text without a label."""
    scores = np.nan_to_num(np.array(scorer.score_alone(texts).scores, float), nan=0.5).clip(1e-9, 1 - 1e-9)
    return np.asarray(np.log(scores / (1 - scores)))
