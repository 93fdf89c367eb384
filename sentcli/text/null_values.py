"""Null values: what a cell without a text holds in data frames, databases, spreadsheets and surveys."""

from collections.abc import Iterable

from sentcli.errors import UsageError

NULL_VALUES = (
    # As pandas reads and writes them.
    *("#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NaN", "-NaN", "NaT", "None", "NULL"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    # Of databases and programming languages.
    *("\\N", "nil", "undefined"),
    # Of spreadsheets.
    *("#NULL!", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NAME?", "#ERROR!", "#CALC!", "#SPILL!"),
    # Of forums and chats.
    *("[deleted]", "[removed]", "[deleted by user]", "[removed by moderator]", "[ removed by reddit ]"),
    *("this message was deleted", "you deleted this message", "<media omitted>"),
    # As people fill in forms.
    *("-", "--", "---", ".", "..", "...", "?", "??", "???", "n.a.", "n.a", "n\\a", "n / a", "n/d", "(empty)"),
    *("x", "xx", "xxx", "blank", "missing", "unknown", "not applicable", "not provided", "not specified"),
    *("not stated", "no answer", "no comment", "no comments", "no response", "no review", "no text"),
    *("no feedback", "no opinion", "no remarks", "no further comment", "no further comments"),
    *("no additional comment", "no additional comments", "no other comment", "no other comments"),
    *("nothing to add", "nothing else to add", "nothing more to add", "nothing further to add"),
    *("nothing further", "nothing more", "nothing else", "nothing to say", "nothing to comment"),
    *("nothing to report", "none at this time", "nothing at this time", "not at this time", "no idea"),
    *("idk", "dunno", "dont know", "don't know", "don\u2019t know", "i dont know", "i don't know"),
    *("i don\u2019t know", "prefer not to say", "prefer not to answer", "see above", "as above"),
    *("same as above", "see below", "see previous", "ditto"),
)
_FORMS = ("{}", "{}.", "({})", "[{}]", "<{}>")  # that a null value may have


def is_missing(value: object) -> bool:
    """Return whether a value of a column is None, NaN, or the NaT or NA of pandas."""
    # A comparison with NA has no truth value.
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


class NullValues:
    """A set of null values: in any case, with a full stop, in brackets, and with any white space around."""

    def __init__(self, values: Iterable[str]) -> None:
        if isinstance(values, str):
            raise UsageError(f"null_values is one string, {values!r:.100}; pass a list of strings")
        self.values = sorted({value.strip().casefold() for value in values} - {""})
        self._found = frozenset(form.format(value) for value in self.values for form in _FORMS)
        self._longest = max(map(len, self._found), default=0)

    def __contains__(self, text: str) -> bool:
        text = text.strip()
        return len(text) <= self._longest and text.casefold() in self._found
