"""How a CSV file writes its records: from a line to its fields, and from values to a record."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sentcli.errors import OutputError
from sentcli.files.encodings import Encoding


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

    @property
    def is_based_on_ascii(self) -> bool:
        """The bytes of delimiters, quotes and line ends are theirs alone, and one each."""
        characters = self.delimiter + self.quotechar
        return characters.isascii() and self.encoding.is_based_on_ascii

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
