"""Find the words that texts use for their subjects: those of a list that ships, and other nouns and pairs."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

from sentcli.explain.explanation import forms_of
from sentcli.scoring.labels import Floats
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
    texts = [["", *words_of(clause), "", ""] for clause in clauses]
    counts = Counter(chain.from_iterable(texts))
    frequent = [word for word, uses in counts.items() if word and uses >= _FEWEST]
    judging = {word for word, odds in zip(frequent, log_odds(frequent), strict=True) if abs(odds) >= _JUDGES}
    evidence, pairs = _uses(texts, {*filter(_is_content, counts)}, judging)
    names = Counter(name.lower() for clause in clauses for name in _NAME.findall(clause))
    least = max(_FEWEST, _FEWEST_SHARE * len(clauses))
    parts = [
        (pair, word)
        for pair, uses in pairs.items()
        for word in pair.split()
        if uses >= max(least, _PAIR_SHARE * counts[word])
    ]
    name_words = {name for name, uses in names.items() if uses >= _NAME_SHARE * counts[name]}
    excluded = judging | name_words | {word for _, word in parts}
    words = [word for word in frequent if _is_content(word) and counts[word] >= least]
    uses = {word: counts[word] for word in words if word not in excluded}
    uses |= {pair: pairs[pair] for pair, _ in parts}
    nouns = [noun for noun in uses if evidence[noun] >= _NOUN * uses[noun]]
    nouns = [noun for noun in nouns if not (noun.split()[-1] in _GENERAL or noun.endswith(_FORMS))]
    lines = (_FOLDER / "subjects.txt").read_text("utf-8").splitlines()
    listed = [line.split(", ") for line in lines if line and not line.startswith("#")]
    # A frequent word of the list has to be a noun here too.
    rare = {word for word in chain.from_iterable(listed) if counts[word] < _FEWEST}
    subjects = {
        words[0]: [word for word in words if word in rare or evidence[word] >= _LISTED * counts[word]]
        for words in listed
    }
    known = {form for words in listed for word in words for form in forms_of(word)}
    known |= {plural for noun in nouns for plural in forms_of(noun)[1:]}
    # After a word of the list often stands its verb: "the receptionist sat".
    return subjects | {noun: [noun] for noun in nouns if known.isdisjoint((noun, noun.split()[0]))}


def _is_content(word: str) -> bool:
    return len(word) > 1 and word.isalpha() and word not in _EMPTY


def _uses(
    texts: Iterable[Sequence[str]], content: set[str], judging: set[str]
) -> tuple[dict[str, float], Counter[str]]:
    """Return the evidence that words and pairs are nouns, and how often pairs of content words stand.

    :param judging: the words that judge.
    """
    evidence: dict[str, float] = defaultdict(float)
    pairs: Counter[str] = Counter()
    for words in texts:
        for before, word, after, then in zip(words, words[1:], words[2:], [*words[3:], ""], strict=False):
            sure = 1.0 if before in judging else _EVIDENCE.get(before, 0.0)
            if after not in content:
                evidence[word] += sure
            elif word in content and word not in judging:
                pairs[f"{word} {after}"] += 1
                evidence[f"{word} {after}"] += sure * (then not in content)
    return evidence, pairs
