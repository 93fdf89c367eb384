"""How a CSV file writes its records: from a line to its fields, and from values to a record."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sentcli.errors import OutputError
from sentcli.tables.charset import Encoding


@dataclass(frozen=True)
class Dialect:
    """How the records of a file are written.

    :param quotechar: empty: nothing is quoted.
    """

    delimiter: str
    quotechar: str
    encoding: Encoding

    def parser(self, lines: Iterator[str]) -> Any:  # the type of csv.reader has no public name
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quotechar or None,  # None, said explicitly: the default '"' may be the delimiter
            quoting=csv.QUOTE_MINIMAL if self.quotechar else csv.QUOTE_NONE,
            strict=True,
        )

    def fields(self, line: str) -> list[str] | None:
        """Give the fields of a line that is a record by itself, as the parser would, in half of its time.

        :returns: None where only the parser can tell: a quote stays open, or is in an odd place.
        """
        record = line.rstrip("\r\n")
        if not record or "\n" in record or "\r" in record:
            return None
        if not self.quotechar or self.quotechar not in record:
            return record.split(self.delimiter)
        # Outside of quotes and inside in turn; two quotes that stand for one have nothing between them.
        parts = record.split(self.quotechar)
        if len(parts) % 2 == 0:
            return None
        fields = parts[0].split(self.delimiter)
        last, place = len(parts) - 1, 0
        while place < last:
            if fields.pop():  # a quoted field begins behind a delimiter
                return None
            start = place + 1
            place = start + 1
            while place < last and not parts[place]:
                place += 2
            fields.append(self.quotechar.join(parts[start:place:2]))
            if parts[place]:
                behind, *others = parts[place].split(self.delimiter)
                if behind or not others:
                    return None
                fields += others
        return fields

    @cached_property
    def _special(self) -> re.Pattern[str]:
        return re.compile(f"[\r\n{re.escape(self.delimiter + self.quotechar)}]")

    def record(self, values: Sequence[str]) -> str:
        """Write values as one record, quoted where they have to be, without a line end.

        :raises OutputError: when one has to be quoted, and nothing may be.
        """
        search = self._special.search
        return self.delimiter.join([self._quote(value) if search(value) else value for value in values])

    def _quote(self, value: str) -> str:
        if not self.quotechar:
            raise OutputError(f"{value!r:.200} cannot be written without quotes; try another --quotechar")
        return f"{self.quotechar}{value.replace(self.quotechar, 2 * self.quotechar)}{self.quotechar}"
