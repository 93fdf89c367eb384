"""The rows to label next: those whose two most probable labels are the closest."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

from sentcli.config import LOG
from sentcli.errors import counted
from sentcli.tables.chunk import Chunk, Results
from sentcli.tables.registry import Writer

_DIGITS = 6


class LabelNext:
    """Collects the least certain rows of an output, which are written at its end; no text is written twice.

    :param writer: that of the output; its columns have the probability of each label.
    """

    def __init__(self, writer: Writer, limit: int) -> None:
        self._writer, self._limit = writer, limit
        prefix = f"{writer.write.prefix}probability_"
        self._places = [place for place, name in enumerate(writer.names) if name.startswith(prefix)]
        self._rows: list[tuple[float, Chunk, Results]] = []
        self._texts: set[str] = set()

    def add(self, chunk: Chunk, results: Results) -> None:
        """Keep the rows of a chunk that are less certain than those so far."""
        rows = enumerate(zip(*(results[place] for place in self._places), strict=True))
        margins = [(_margin(values), row) for row, values in rows if values[0] is not None]
        for margin, row in sorted(margins):
            text = " ".join((chunk.texts[row] or "").split()).casefold()
            if len(self._rows) == self._limit and margin >= self._rows[-1][0]:
                break
            if text not in self._texts:
                self._texts.add(text)
                alone = replace(chunk.take([row], {}, chunk.position), gaps=(), size=0, ends_group=False)
                insort(self._rows, (margin, alone, [[column[row]] for column in results]), key=itemgetter(0))
                del self._rows[self._limit :]

    def encode(self) -> bytes:
        """Return the rows as the writer has them."""
        LOG.info("%s to label next, the least certain first", counted(len(self._rows), "row"))
        return b"".join(self._writer.encode(chunk, results) for _, chunk, results in self._rows)


def _margin(probabilities: Sequence[float]) -> float:
    """Return the distance of the two highest, with the digits of files: a continued run has no others."""
    second, first = sorted(round(number, _DIGITS) for number in probabilities)[-2:]
    return round(first - second, _DIGITS)
