"""Lines of CSV that are records of their own, found in a whole block at once.

NumPy does on the bytes of many lines what the csv module does with one after the other. It hardly ever holds
the interpreter's lock meanwhile, for which the threads wait that encode and score.
"""

from bisect import bisect_left

import numpy as np

from sentcli.files.encodings import Encoding
from sentcli.files.lines import Block, Flags, Places, decode


class PlainRecords:
    """The plain lines of a block, and their fields.

    Lines in doubt are not plain: a quote stays open or is in an odd place, bytes are not in the encoding, the
    number of fields is another, or the line is blank.

    :param lines: in an encoding that is based on ASCII; at least one.
    :param delimiter: a character of ASCII.
    :param quotechar: one too, or empty.
    :param width: fields of a record.
    :ivar ranks: for each line, the number of plain lines up to it and with it.
    """

    def __init__(self, lines: Block, delimiter: str, quotechar: str, encoding: Encoding, width: int) -> None:
        self._lines, self._quotechar, self._encoding = lines, quotechar, encoding
        self._bytes = np.frombuffer(lines.raw, np.uint8)
        borders = lines.borders - lines.borders[0]
        starts, stops = borders[:-1], lines.stops - lines.borders[0]

        self._quotes = self._find(quotechar)
        firsts = np.searchsorted(self._quotes, borders)  # the first quote of each line
        delimiters = self._find(delimiter)
        of_line = np.searchsorted(borders, delimiters, side="right") - 1
        is_quoted = (np.searchsorted(self._quotes, delimiters) - firsts[of_line]) & 1 == 1
        delimiters = delimiters[~is_quoted]
        counts = np.diff(np.searchsorted(delimiters, borders))

        is_plain = (counts == width - 1) & (stops > starts)
        is_plain &= self._has_well_placed_quotes(firsts, starts, stops, delimiter)
        is_wide = lines.are_wide
        is_plain[self._undecodable(is_wide)] = False
        self._others = [*np.flatnonzero(~is_plain).tolist(), len(is_plain)]
        self.ranks: list[int] = np.cumsum(is_plain).tolist()
        self._is_wide = is_wide[is_plain]
        between = delimiters[np.repeat(is_plain, counts)].reshape(self.ranks[-1], width - 1)
        self._starts = np.column_stack([starts[is_plain], between + 1])
        self._stops = np.column_stack([between, stops[is_plain]])

    def _find(self, character: str) -> Places:
        if not character:
            return np.empty(0, np.intp)
        return np.flatnonzero(self._bytes == ord(character))

    def _has_well_placed_quotes(self, firsts: Places, starts: Places, stops: Places, delimiter: str) -> Flags:
        """Return for each line whether its quotes begin and end fields, or are two that stand for one."""
        quotes, counts = self._quotes, np.diff(firsts)
        lines = np.repeat(np.arange(len(counts)), counts)
        # In turn they open and close. Two that stand for one close a field and open it again.
        opens = (np.arange(len(quotes)) - firsts[lines]) & 1 == 0
        neighbours = self._bytes.take(np.where(opens, quotes - 1, quotes + 1), mode="clip")
        is_well = np.where(opens, quotes == starts[lines], quotes + 1 == stops[lines])
        is_well |= (neighbours == ord(delimiter)) | (neighbours == self._bytes[quotes])
        has: Flags = counts & 1 == 0
        has[lines[~is_well]] = False
        return has

    def _undecodable(self, is_wide: Flags) -> list[int]:
        """Return the numbers of the lines that are not in the encoding."""
        try:
            str(self._lines.raw, self._encoding.name)
        except UnicodeDecodeError:
            pass
        else:
            return []
        bad = []
        for number in np.flatnonzero(is_wide).tolist():
            try:
                self._encoding.decode(self._lines[number])
            except UnicodeDecodeError:
                bad.append(number)
        return bad

    def stop(self, start: int) -> int:
        """Return the first line from `start` on that is not plain, or the number of lines."""
        return self._others[bisect_left(self._others, start)]

    def values(self, number: int) -> list[str]:
        """Return the fields of a column, one a plain line."""
        starts, stops = self._starts[:, number], self._stops[:, number]
        if self._quotechar:
            is_quoted = self._bytes.take(starts, mode="clip") == ord(self._quotechar)
            is_quoted &= starts < stops
            starts, stops = starts + is_quoted, stops - is_quoted
        first = self._lines.borders[0]
        values = decode(self._lines.data, starts + first, stops + first, self._is_wide, self._encoding.name)
        has_quotes = np.searchsorted(self._quotes, starts) < np.searchsorted(self._quotes, stops)
        for place in np.flatnonzero(has_quotes).tolist():
            values[place] = values[place].replace(2 * self._quotechar, self._quotechar)
        return values
