"""Options of a scorer that add columns, or change labels and scores."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sentcli.errors import UsageError, option
from sentcli.scoring.labels import Scores
from sentcli.tables.options import ResultColumn

if TYPE_CHECKING:
    from sentcli.explain.explanation import Aspects, Sentence
    from sentcli.explain.phrases import OwnWords
    from sentcli.scoring.scorer import Scorer

MIXED = "mixed"  # the label of a text with a clearly negative and a clearly positive sentence
_CLEARLY = 0.05, 0.95

_WORDS, _SENTENCES = "sentiment_words", "sentiment_sentences"
_TAKEN = ("score", "unknown", "words", "sentences")  # names that no aspect may have
# The names and Arrow types of the fields of an item in these columns of lists.
_WORD = (("phrase", "string"), ("part", "float64"))
_SENTENCE = (("start", "int64"), ("end", "int64"), ("label", "string"), ("score", "float64"))


@dataclass(frozen=True)
class Extras:
    """Options of `Scorer` for further columns, and for other labels and scores.

    :param unknown_words: a column with the share of words that the model does not know, see `Scores`.
    :param null_unknown: a text with a larger share of unknown words gets no label and no score.
    :param min_score: a text whose most probable label has a lower probability gets no label.
    :param explain: a column with so many of the phrases that decided; 0: none.
    :param sentences: a column with the place, the label and the score of each sentence.
    :param about: by the name of an aspect the words that name it: a column with the score of their clauses.
    :param words: phrases with weights that are added to the log odds of the second label where they stand.
    :param mixed: a text with a clearly negative and a clearly positive sentence is `mixed`; with `neutral`.
    :param ordered: labels are whole numbers: their median is the label, the mean the score; None: if 1 to 5.
    :raises UsageError: for an invalid value, naming the option.
    """

    unknown_words: bool = False
    null_unknown: float = 1.0
    min_score: float = 0.0
    explain: int = 0
    sentences: bool = False
    about: Mapping[str, Sequence[str]] = field(default_factory=dict)
    words: Mapping[str, float] = field(default_factory=dict)
    mixed: bool = False
    ordered: bool | None = None

    def __post_init__(self) -> None:
        for name in ("about", "words"):  # from a mapping or from pairs
            object.__setattr__(self, name, dict(getattr(self, name)))
        names = Counter([*_TAKEN, *(name.lower() for name in self.about)])
        if twice := [name for name, count in names.items() if count > 1]:
            raise UsageError(f"{option('about')}: there is a column sentiment_{twice[0]:.80} already")
        for name in ("null_unknown", "min_score"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise UsageError(f"{option(name, share)}: it has to be a share from 0 to 1, such as 0.5")

    def check(self, labels: Sequence[str], *, has_neutral: bool) -> None:
        """Refuse options that do not fit a model with these labels, and phrases without a word."""
        for name, finder in (("about", self.aspects), ("words", self.own_words)):
            if finder and len(labels) > 2:
                raise UsageError(f"{option(name)} needs a model of two labels, not {', '.join(labels):.200}")
        for name in ("min_score", "ordered"):
            if getattr(self, name) and has_neutral:
                raise UsageError(f"{option(name)} and {option('neutral')} contradict each other; omit one")
        if self.mixed and not has_neutral:
            raise UsageError(f"{option('mixed', True)} needs {option('neutral', True)} too")
        if self.ordered and not all(label.lstrip("+-").isdecimal() for label in labels):
            raise UsageError(f"{option('ordered', True)} needs whole numbers, not {', '.join(labels):.200}")

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The options that labels and columns depend on; `words` as a hash, as there may be thousands."""
        words = hashlib.sha256(json.dumps(self.words).encode()).hexdigest() if self.words else None
        return {**asdict(self), "about": [*self.about.items()], "words": words}

    @cached_property
    def own_words(self) -> "OwnWords | None":
        """The phrases with weights, if there are any."""
        if not self.words:
            return None
        from sentcli.explain.phrases import OwnWords

        return OwnWords(self.words)

    @cached_property
    def aspects(self) -> "Aspects | None":
        """The aspects whose clauses are scored, if there are any."""
        if not self.about:
            return None
        from sentcli.explain.explanation import Aspects

        return Aspects(self.about)

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The columns after those of labels, scores and probabilities."""
        columns = []
        if self.unknown_words:
            columns.append(ResultColumn("sentiment_unknown", attrgetter("unknown"), is_number=True))
        if self.explain:
            columns.append(_column(_WORDS, items=_WORD))
        if self.sentences:
            columns.append(_column(_SENTENCES, items=_SENTENCE))
        return (*columns, *(_column(f"sentiment_{name}", is_number=True) for name in self.about))

    def add_to(self, scores: Scores, texts: Sequence[str | None], scorer: "Scorer") -> Scores:
        """Return scores with the labels and values that need the scores of parts of texts."""
        if not (self.explain or self.sentences or self.about or self.mixed):
            return scores
        labeled = [text if label else None for text, label in zip(texts, scores.labels, strict=True)]
        distinct = [*dict.fromkeys(text for text in labeled if text)]
        values = self._values(distinct, scorer)
        of_texts = {name: dict(zip(distinct, column, strict=True)) for name, column in values.items()}
        more = {name: [text and column[text] for text in labeled] for name, column in of_texts.items()}
        if not self.mixed:
            return replace(scores, more=more)
        pairs = zip(more.pop(MIXED), scores.labels, strict=True)
        labels = [MIXED if is_mixed else label for is_mixed, label in pairs]
        counts = replace(scores.counts, labels=Counter(filter(None, labels)))
        return replace(scores, labels=labels, counts=counts, more=more)

    def _values(self, texts: Sequence[str], scorer: "Scorer") -> dict[str, Sequence[Any]]:
        """Return the values of each column for texts with a label, and whether each is mixed."""
        from sentcli.explain.explanation import deciding_words, score_sentences, sentences_json

        values: dict[str, Sequence[Any]] = {}
        if self.explain:
            values[_WORDS] = deciding_words(texts, scorer.parts, self.explain)
        if self.sentences or self.mixed:
            sentences = score_sentences(texts, scorer.score_alone)
            if self.sentences:
                values[_SENTENCES] = [*map(sentences_json, sentences)]
            if self.mixed:
                values[MIXED] = [*map(_is_mixed, sentences)]
        if self.aspects:
            of_aspects = self.aspects.scores(texts, scorer.parts, scorer.score_alone)
            values |= {f"sentiment_{name}": scores for name, scores in of_aspects.items()}
        return values


def _is_mixed(sentences: "Sequence[Sentence]") -> bool:
    scores = [sentence.score for sentence in sentences if sentence.score is not None]
    low, high = _CLEARLY
    return bool(scores) and min(scores) <= low and max(scores) >= high


def _column(name: str, **kind: Any) -> ResultColumn:
    return ResultColumn(name, lambda scores: scores.more[name], **kind)
