"""What a scorer finds of each text in addition to its label and score, if it is asked for."""

from dataclasses import dataclass
from operator import attrgetter

from sentcli.errors import UsageError, option
from sentcli.tables.options import ResultColumn


@dataclass(frozen=True)
class Extras:
    """Options of `Scorer` for further columns and rules.

    :param unknown_words: a column with the share of words that the model does not know, see `Scores`.
    :param null_unknown: a text with a larger share of unknown words gets no label and no score.
    :raises UsageError: for an invalid value, naming the option.
    """

    unknown_words: bool = False
    null_unknown: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.null_unknown <= 1:
            given = option("null_unknown", self.null_unknown)
            raise UsageError(f"{given}: it has to be a share from 0 to 1, such as 0.5")

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The columns after those of labels, scores and probabilities."""
        found = []
        if self.unknown_words:
            found.append(ResultColumn("sentiment_unknown", attrgetter("unknown"), is_number=True))
        return tuple(found)
