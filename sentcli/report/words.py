"""Find the words that texts use for their subjects: those of a list that ships, and other nouns and pairs."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path

import numpy as np

from sentcli.explain.explanation import forms_of
from sentcli.scoring.labels import Bools, Floats
from sentcli.text.tokenizer import words_of

# Returns the log odds of the second label for each text; 0 for a text without a label.
LogOdds = Callable[[Sequence[str]], Floats]

_FEWEST, _FEWEST_SHARE = 5, 1 / 200  # uses of a word, and their number by that of clauses
_LISTED, _NOUN = 0.03, 0.2  # the least evidence for a noun: of a word of the list, and of another
_JUDGES = 1.5  # log odds alone: of a word that is no subject, but may stand before one, as in "tiny room"
_PAIR_SHARE = 0.4  # of the uses of one of its words, from which on a pair is a subject
_NAME_SHARE = 0.5  # of uses with a capital, of a name

# The evidence for a noun: the word before it. Nor does another content word follow it.
_EVIDENCE = dict.fromkeys("the a an my our your their his her its this that these those".split(), 1.0)  # noqa: SIM905
_EVIDENCE |= dict.fromkeys(("no", "any", "some", "every", "each"), 1.0)
_EVIDENCE |= dict.fromkeys(("of", "for", "with", "in", "on", "at", "from", "about"), 0.5) | {"": 0.05}
_FORMS = ("ly", "ed", "ing")  # of words that are rarely subjects
_NAME = re.compile(r"(?<=[a-z,] )[A-Z]\w+")
_FOLDER = Path(__file__).parent
# Words without a subject or a judgment of their own; the apostrophe of "isn't" separates its parts.
_EMPTY = frozenset((_FOLDER / "empty_words.txt").read_text("utf-8").split())
# Words that may be nouns, but are the subject of no review.
_GENERAL = frozenset((_FOLDER / "general_words.txt").read_text("utf-8").split())


def find_subjects(clauses: Sequence[str], log_odds: LogOdds) -> dict[str, list[str]]:
    """Return the words of the subjects that clauses may be about, by the names of the subjects."""
    uses = _Uses(clauses, log_odds)
    lines = (_FOLDER / "subjects.txt").read_text("utf-8").splitlines()
    listed = [line.split(", ") for line in lines if line and not line.startswith("#")]
    subjects = {words[0]: [*filter(uses.may_be_noun, words)] for words in listed}
    known = {form for words in listed for word in words for form in forms_of(word)}
    nouns = uses.nouns()
    known |= {plural for noun in nouns for plural in forms_of(noun)[1:]}
    # After a word of the list often stands its verb: "the receptionist sat".
    return subjects | {noun: [noun] for noun in nouns if known.isdisjoint((noun, noun.split()[0]))}


class _Uses:
    """How clauses use words and pairs of words."""

    def __init__(self, clauses: Sequence[str], log_odds: LogOdds) -> None:
        self._ids: dict[str, int] = {"": 0}
        words = (word for clause in clauses for word in (*words_of(clause), "", ""))
        self._tokens = tokens = np.fromiter(
            (self._ids.setdefault(word, len(self._ids)) for word in words), int
        )
        self._names = [*self._ids]
        self._counts = np.bincount(tokens, minlength=len(self._ids))
        self._least = max(_FEWEST, _FEWEST_SHARE * len(clauses))
        frequent = np.flatnonzero(self._counts >= _FEWEST)
        odds = np.zeros(len(self._ids))
        odds[frequent] = log_odds([self._names[number] for number in frequent])
        self._judges = np.abs(odds) >= _JUDGES
        self._is_content = self._are(lambda name: len(name) > 1 and name.isalpha() and name not in _EMPTY)
        self._is_general = self._are(lambda name: name in _GENERAL or name.endswith(_FORMS))
        evidence = np.array([_EVIDENCE.get(name, 0.0) for name in self._names])
        self._evidence = np.maximum(evidence, self._judges)[np.roll(tokens, 1)]  # of each token
        self._ends = ~np.roll(self._is_content[tokens], -1)  # whether no content word follows each token
        nouns = np.bincount(tokens, self._evidence * self._ends, len(self._ids))
        self._nouns = nouns / np.maximum(1, self._counts)
        self._capitals = Counter(name.lower() for clause in clauses for name in _NAME.findall(clause))

    def _are(self, is_kind: Callable[[str], bool]) -> Bools:
        return np.array([is_kind(name) for name in self._names], bool)

    def may_be_noun(self, word: str) -> bool:
        """Return whether a word of the list is one of its subjects in these clauses, and no verb."""
        number = self._ids.get(word, 0)
        return not number or self._counts[number] < _FEWEST or bool(self._nouns[number] >= _LISTED)

    def nouns(self) -> list[str]:
        """Return frequent nouns and pairs of words that may be subjects."""
        tokens, counts, size = self._tokens, self._counts, len(self._ids)
        first = np.flatnonzero((self._is_content & ~self._judges)[tokens] & ~self._ends)
        pairs, pair_of, uses = np.unique(
            tokens[first] * size + tokens[first + 1], return_inverse=True, return_counts=True
        )
        left, right = np.divmod(pairs, size)
        is_usual = (uses >= self._least) & (uses >= _PAIR_SHARE * np.minimum(counts[left], counts[right]))
        nouns = np.bincount(pair_of, self._evidence[first] * self._ends[first + 1], len(pairs))
        is_pair = is_usual & (nouns >= _NOUN * uses) & ~self._is_general[right]

        paired = np.bincount([*left, *right], [*(uses * is_usual)] * 2, size)
        capitals = np.array([self._capitals[name] for name in self._names])
        is_noun = self._is_content & (counts >= self._least) & (self._nouns >= _NOUN)
        is_noun &= ~(self._judges | self._is_general | (capitals >= _NAME_SHARE * counts))
        is_noun &= paired < _PAIR_SHARE * counts
        names = self._names
        both = zip(left[is_pair], right[is_pair], strict=True)
        return [*compress(names, is_noun), *(f"{names[one]} {names[two]}" for one, two in both)]
