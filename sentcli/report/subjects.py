"""What reviews say of subjects: how many praise and complain, what is at stake, and sentences to quote."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from sentcli.explain.explanation import forms_of
from sentcli.explain.phrases import Phrases
from sentcli.explain.pieces import clauses_of
from sentcli.report.collector import Review
from sentcli.report.findings import Finding, against_rest, judged
from sentcli.report.words import find_subjects
from sentcli.scoring.evidence import Counted, share_of
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import Scorer

_MOST_CHARACTERS = 2_000_000  # of all texts that are read
_CLEAR = 1.0  # log odds of a clause that praises or complains
_FEWEST, _FEWEST_SHARE = 5, 1 / 200  # texts that praise or complain of a subject, and their share of all
_MOST_COMPLAINTS = 0.6  # in the texts that judge a subject of praise
_LEAST_EFFECT = 0.004  # on the share of positive reviews; of thousands, a smaller one may be chance
_FALLS, _RISES = 0.001, 0.002  # the largest p of all falls and rises of complaints that are named
_QUOTE_CHARACTERS, _TYPICAL = range(40, 191), 80
_CLEAREST = 4.0  # log odds beyond which all clauses are alike
_SUBJECTS, _QUOTES = 10, 3  # of a list; of a subject
_GRID_SUBJECTS, _GRID_GROUPS, _GRID_QUOTES = 8, 12, 2
_MOST_READ = 400  # reviews to search in
# Before a word, these say that it is a verb, or that there is none of it.
_BEFORE_VERBS = frozenset("i we you they he she to can will would could should may must didn't don't".split())  # noqa: SIM905
_ABSENT = frozenset(("no", "without", "zero"))

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
    :param clauses: those with these words; first those since a day, and of these the ones that read best.
    :param complains: the reviews that complain.
    :param praise: the number of reviews that praise.
    :param stake, gain: by how much the share of positive reviews is lower because some complain, and higher
        because some praise, if these would else be like the other reviews: upper bounds.
    :param quotes: reviews, each with a sentence in place of its text.
    """

    words: Sequence[str]
    clauses: Sequence[Clause]
    complains: Numbers
    praise: int
    stake: float
    gain: float
    quotes: Sequence[Review] = ()


class Subjects:
    """The subjects of reviews, as many as are read.

    :param scorer: scores the clauses, and has the words of the user's own subjects.
    :param label: the label of positive reviews.
    :param since: the day whose complaints are compared with those before it; "" for none.
    :ivar own, found: the user's own subjects, and those that were found, in no order.
    :ivar praised, blamed: the subjects of praise and those of complaints, with the largest effect first.
    """

    def __init__(self, reviews: Sequence[Review], scorer: Scorer, label: str, since: str = "") -> None:
        sizes = np.cumsum([len(row.text) for row in reviews])
        self.reviews = reviews = reviews[: int(np.searchsorted(sizes, _MOST_CHARACTERS, "right"))]
        self._every = {*range(len(reviews))}
        self._positive = {number for number in self._every if reviews[number].label == label}
        self._before = {number for number in self._every if "" < reviews[number].day < since}
        self._since = {number for number in self._every if reviews[number].day >= since > ""}
        self._clauses = _clauses_of([row.text for row in reviews], scorer)
        own = self._subjects(scorer.extras.about)
        words = find_subjects([clause.text for clause in self._clauses], partial(_log_odds, scorer))
        least = max(_FEWEST, _FEWEST_SHARE * len(reviews))
        found = [row for row in self._subjects(words) if max(row.all[0], row.praise) >= least]
        found = [row for row in found if row.name not in scorer.extras.about]
        every, taken = judged([*own, *found], _FALLS, _RISES), set[int]()
        self.own = self._quoted(every[: len(own)], (-1, 1), taken)
        self.found = every[len(own) :]
        praised, blamed = self._sides()
        self.blamed, self.praised = self._quoted(blamed, (-1,), taken), self._quoted(praised, (1,), taken)

    def _subjects(self, words: Mapping[str, Sequence[str]]) -> list[Subject]:
        """Return what the clauses say of subjects with these words."""
        forms = {
            form.replace("-", " "): (name, word)
            for name, own in words.items()
            for word in own
            for form in forms_of(word.lower())
        }
        phrases = Phrases(forms)
        uses: dict[str, list[tuple[str, Clause]]] = {name: [] for name in words}
        for clause in self._clauses:
            for (name, word), start, _ in phrases.find(clause.text.replace("-", " ")):
                before = clause.text[:start].lower().split()[-2:]
                is_absent = clause.odds > 0 and not _ABSENT.isdisjoint(before)
                if not (is_absent or _BEFORE_VERBS.issuperset(before[-1:] or [""])):
                    uses[name].append((word, clause))
        return [self._subject(name, pairs) for name, pairs in uses.items()]

    def _subject(self, name: str, uses: Sequence[tuple[str, Clause]]) -> Subject:
        clauses = [clause for _, clause in uses]
        named = {clause.review for clause in clauses}
        complains = {clause.review for clause in clauses if clause.odds < -_CLEAR}
        praises = {clause.review for clause in clauses if clause.odds > _CLEAR}
        return Subject(
            name=name,
            all=_counted(complains, named),
            before=_counted(complains, self._before),
            since=_counted(complains, self._since),
            words=[word for word, _ in Counter(word for word, _ in uses).most_common()],
            clauses=sorted(clauses, key=lambda clause: (clause.review not in self._since, -_worth(clause))),
            complains=complains,
            praise=len(praises),
            stake=-self._effect(complains),
            gain=self._effect(praises),
        )

    def _effect(self, says: Numbers) -> float:
        """Return by how much the share of positive reviews is higher because some say something."""
        rest = self._every - says or self._every
        return share_of(_counted(self._positive, self._every)) - share_of(_counted(self._positive, rest))

    def _sides(self) -> tuple[list[Subject], list[Subject]]:
        """Return the subjects of praise and those of complaints.

        A subject of praise has no larger share of complaints than subjects have on average, and one of
        complaints at least half of that. Those that change next to nothing are left out.
        """
        bad, good = (sum(sign * clause.odds > _CLEAR for clause in self._clauses) for sign in (-1, 1))
        usual = share_of((bad, bad + good))
        most = min(usual, _MOST_COMPLAINTS)
        share = {row.name: share_of((row.all[0], row.all[0] + row.praise)) for row in self.found}
        praised = sorted(self.found, key=lambda row: -row.gain)
        praised = [row for row in praised if row.gain >= _LEAST_EFFECT and share[row.name] <= most]
        blamed = sorted(self.found, key=lambda row: -row.stake)
        blamed = [row for row in blamed if row.stake >= _LEAST_EFFECT and share[row.name] >= usual / 2]
        return praised[:_SUBJECTS], blamed[:_SUBJECTS]

    def _quoted(self, rows: Sequence[Subject], signs: Sequence[int], taken: Numbers) -> list[Subject]:
        return [
            replace(row, quotes=[quote for sign in signs for quote in self.quotes(row, sign, _QUOTES, taken)])
            for row in rows
        ]

    def quotes(self, subject: Subject, sign: int, limit: int, taken: Numbers) -> list[Review]:
        """Return reviews, each with a sentence that a reader would choose in place of its text.

        :param sign: 1 for praise, -1 for complaints.
        :param taken: the reviews that are not quoted; those that are quoted are added.
        """
        quotes: dict[str, Review] = {}
        for own in subject.clauses:
            is_fit = own.quote and sign * own.odds > _CLEAR and own.review not in taken
            if is_fit and len(quotes) < limit and own.quote not in quotes:
                quotes[own.quote] = self.reviews[own.review]._replace(text=own.quote)
                taken.add(own.review)
        return [*quotes.values()]

    def to_read(self) -> list[tuple[Review, list[str]]]:
        """Return the latest reviews, and of one day those that name the most subjects, with their names."""
        names: dict[int, list[str]] = {number: [] for number in self._every}
        for row in (*self.own, *self.blamed, *self.praised):
            for number in {clause.review for clause in row.clauses}:
                names[number].append(row.name)
        pairs = zip(self.reviews, names.values(), strict=True)
        return sorted(pairs, key=lambda pair: (pair[0].day, len(pair[1])), reverse=True)[:_MOST_READ]

    def grid(self, place: int) -> list[tuple[str, list[tuple[Finding, list[Review]]]]]:
        """Return for each subject how many complain of it in the largest groups, compared with the rest.

        :param place: that of the groups among those of a review.
        """
        groups: dict[str, Numbers] = {}
        for number, row in enumerate(self.reviews):
            groups.setdefault(row.groups[place], set()).add(number)
        largest = sorted(filter(None, groups), key=lambda name: -len(groups[name]))[:_GRID_GROUPS]
        grid = []
        for subject in [*self.own, *self.blamed][:_GRID_SUBJECTS]:
            cells = [Finding(name=name, all=_counted(subject.complains, groups[name])) for name in largest]
            cells = against_rest(cells, _counted(subject.complains, self._every))
            quotes = [self.quotes(subject, -1, _GRID_QUOTES, self._every - groups[name]) for name in largest]
            grid.append((subject.name, [*zip(cells, quotes, strict=True)]))
        return grid


def _clauses_of(texts: Sequence[str], scorer: Scorer) -> list[Clause]:
    """Return the clauses of texts in order; what is quoted is the sentence, or else the clause."""
    places = clauses_of(texts, scorer.parts.alone)
    odds = _log_odds(scorer, [texts[number][slice(*span)] for number, _, span in places]).tolist()
    clauses = []
    for (number, sentence, span), alone in zip(places, odds, strict=True):
        whole, own = (texts[number][slice(*of)] for of in (sentence, span))
        quote = next((quote for quote in (whole, own) if len(quote) in _QUOTE_CHARACTERS), "")
        clauses.append(Clause(number, own, alone, quote))
    return clauses


def _counted(says: Numbers, reviews: Numbers) -> Counted:
    """Return how many of some reviews say something, and how many there are."""
    return len(says & reviews), len(reviews)


def _worth(clause: Clause) -> float:
    """Return how well a clause reads: best if clear, in a whole sentence of a usual length."""
    quote = clause.quote
    is_whole = quote[:1].isupper() and quote[-1:] in (".", "!", "?") and not quote.isupper()
    return min(_CLEAREST, abs(clause.odds)) + 2 * is_whole - abs(len(quote) - _TYPICAL) / 40


def _log_odds(scorer: Scorer, texts: Sequence[str]) -> Floats:
    """Return the log odds of the second label for each text; 0 for a text without a label."""
    scores = np.nan_to_num(np.array(scorer.score_alone(texts).scores, float), nan=0.5).clip(1e-9, 1 - 1e-9)
    return np.asarray(np.log(scores / (1 - scores)))
