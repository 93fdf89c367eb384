"""Lines of CSV that are records by themselves, found in a whole block at once.

NumPy does on the bytes of many lines what the csv module does with one after the other, and hardly ever holds
the interpreter's lock meanwhile, for which those wait who encode and score.
"""

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from sentcli.files.lines import Block, Places, decode
from sentcli.tables.dialect import Dialect

# Of so many bytes one at most is not quoted: then it is faster to look at those alone.
_SPARSE = 8


class PlainRecords:
    """The plain lines of a block, and their fields.

    Lines in doubt are not plain: a quote stays open or is in an odd place, bytes are not in the encoding, the
    number of fields is another, or there is nothing.

    :param lines: in an encoding that is based on ASCII; at least one.
    :param dialect: with a delimiter and a quotechar of ASCII.
    :param width: fields of a record.
    :ivar ranks: of each line, how many up to and with it are plain.
    """

    def __init__(self, lines: Block, dialect: Dialect, width: int) -> None:
        self._lines, self._dialect = lines, dialect
        self._bytes = np.frombuffer(lines.raw, np.uint8)
        borders = lines.borders - lines.borders[0]
        starts = borders[:-1]
        stops = lines.stops - lines.borders[0]

        found = np.empty(len(self._bytes), bool)  # shared, as memory that is new has to be mapped first
        self._quotes = self._find(dialect.quotechar, found)
        unquoted, is_plain = self._unquoted(borders, stops)
        delimiters = self._delimiters(unquoted, found)
        counts = np.diff(np.searchsorted(delimiters, borders))
        is_plain &= (counts == width - 1) & (stops > starts)
        are_wide = lines.are_wide
        wide = np.flatnonzero(are_wide).tolist()
        is_plain[[number for number in wide if not dialect.encoding.has(lines[number])]] = False

        self._borders = [*np.flatnonzero(~is_plain).tolist(), len(is_plain)]
        self.ranks: list[int] = np.cumsum(is_plain).tolist()
        self._are_wide = are_wide[is_plain]
        between = delimiters[np.repeat(is_plain, counts)].reshape(self.ranks[-1], width - 1)
        self._starts = np.column_stack([starts[is_plain], between + 1])
        self._stops = np.column_stack([between, stops[is_plain]])

    def _find(self, character: str, found: npt.NDArray[np.bool_]) -> Places:
        if not character:
            return np.empty(0, np.intp)
        return np.flatnonzero(np.equal(self._bytes, ord(character), out=found))

    def _unquoted(
        self, borders: Places, stops: Places
    ) -> tuple[tuple[Places, Places], npt.NDArray[np.bool_]]:
        """Find what is not quoted, line ends apart.

        :returns: where each piece of it begins and ends; and for each line whether its quotes are where they
            should be. If not, the whole line counts as not quoted.
        """
        quotes = self._quotes
        firsts = np.searchsorted(quotes, borders)
        counts = np.diff(firsts)
        lines = np.repeat(np.arange(len(counts)), counts)
        # In turn they open and close. Two that stand for one close a field and open it again.
        opens = (np.arange(len(quotes)) - firsts[lines]) & 1 == 0
        neighbours = self._bytes.take(np.where(opens, quotes - 1, quotes + 1), mode="clip")
        is_at_end = np.where(opens, quotes == borders[lines], quotes + 1 == stops[lines])
        is_border = is_at_end | (neighbours == ord(self._dialect.delimiter))
        is_well = counts & 1 == 0
        is_well[lines[~is_border & (neighbours != self._bytes[quotes])]] = False
        is_border &= is_well[lines]
        starts = np.concatenate([borders[:-1], quotes[is_border & ~opens] + 1])
        ends = np.concatenate([quotes[is_border & opens], stops])
        return (np.sort(starts), np.sort(ends)), is_well

    def _delimiters(self, pieces: tuple[Places, Places], found: npt.NDArray[np.bool_]) -> Places:
        """Find the delimiters in some pieces."""
        starts, ends = pieces
        sizes = ends - starts
        size = int(sizes.sum())
        if size * _SPARSE > len(self._bytes):
            places = self._find(self._dialect.delimiter, found)
            is_wanted = places < ends[np.searchsorted(starts, places, side="right") - 1]
        else:
            places = np.arange(size) + np.repeat(ends - np.cumsum(sizes), sizes)
            is_wanted = self._bytes[places] == ord(self._dialect.delimiter)
        delimiters: Places = places[is_wanted]
        return delimiters

    def stop(self, start: int) -> int:
        """Give the first line from one on that is not plain; behind the last line when all of them are."""
        return self._borders[bisect_left(self._borders, start)]

    def values(self, number: int) -> list[str]:
        """Return the fields of a column, one a plain line."""
        starts, stops = self._starts[:, number], self._stops[:, number]
        quotechar = self._dialect.quotechar
        if quotechar:
            is_quoted = (self._bytes.take(starts, mode="clip") == ord(quotechar)) & (starts < stops)
            starts, stops = starts + is_quoted, stops - is_quoted
        first = self._lines.borders[0]
        encoding = self._dialect.encoding.name
        values = decode(self._lines.data, starts + first, stops + first, self._are_wide, encoding)
        has_quotes = np.searchsorted(self._quotes, starts) < np.searchsorted(self._quotes, stops)
        for place in np.flatnonzero(has_quotes).tolist():
            values[place] = values[place].replace(2 * quotechar, quotechar)
        return values
