"""Null values: what a cell without a text holds in data frames, databases, spreadsheets and surveys."""

from collections.abc import Iterable

from sentcli.errors import UsageError

NULL_VALUES = (
    # As pandas reads and writes them.
    *("#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NaN", "-NaN", "NaT", "None", "NULL"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    # Of databases and programming languages.
    *("\\N", "(null)", "[null]", "<null>", "(none)", "<none>", "nil", "undefined"),
    # Of spreadsheets.
    *("#NULL!", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NAME?", "#ERROR!", "#CALC!", "#SPILL!", "(blank)"),
    # As people fill in forms.
    *("-", "--", "---", ".", "..", "...", "?", "??", "???", "n.a.", "n.a", "n\\a", "n / a", "n/d", "(empty)"),
    *("blank", "missing", "unknown", "not applicable", "not provided", "not specified", "not stated"),
    *("no answer", "no comment", "no comments", "no response", "no review", "no text"),
)


def is_missing(value: object) -> bool:
    """Return whether a value of a column is None, NaN, or the NaT or NA of pandas."""
    # A comparison with NA has no truth value.
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


class NullValues:
    """A set of null values, in any case and with any white space around them."""

    def __init__(self, values: Iterable[str]) -> None:
        if isinstance(values, str):
            raise UsageError(f"null_values is one string, {values!r:.100}; pass a list of strings")
        self.values = sorted({value.strip().casefold() for value in values} - {""})
        self._found = frozenset(self.values)
        self._longest = max(map(len, self.values), default=0)

    def __contains__(self, text: str) -> bool:
        text = text.strip()
        return len(text) <= self._longest and text.casefold() in self._found
