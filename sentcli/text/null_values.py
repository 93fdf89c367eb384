"""Null values: what a cell without a text holds in data frames, databases, spreadsheets and surveys."""

from collections.abc import Iterable
from pathlib import Path

from sentcli.errors import UsageError

NULL_VALUES = tuple(Path(__file__).with_name("null_values.txt").read_text("utf-8").splitlines())
_FORMS = ("{}", "{}.", "{}!", "({})", "[{}]", "<{}>", '"{}"', "'{}'", "-{}-")  # that a null value may have


def is_missing(value: object) -> bool:
    """Return whether a value of a column is None, NaN, or the NaT or NA of pandas."""
    # A comparison with NA has no truth value.
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


class NullValues:
    """A set of null values: in any case, with a full stop or !, in brackets or quotation marks.

    Any white space may be around.
    """

    def __init__(self, values: Iterable[str]) -> None:
        if isinstance(values, str):
            raise UsageError(f"null_values is one string, {values!r:.100}; pass a list of strings")
        self.values = sorted({value.strip().casefold() for value in values} - {""})
        self._found = frozenset(form.format(value) for value in self.values for form in _FORMS)
        self._longest = max(map(len, self._found), default=0)

    def __contains__(self, text: str) -> bool:
        text = text.strip()
        return len(text) <= self._longest and text.casefold() in self._found
