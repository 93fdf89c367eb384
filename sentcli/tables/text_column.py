"""Find the columns that hold the texts: by their names and their first values.

A name alone may be that of notes of the staff, or of a message that was sent to all customers. So a column
with a usual name is compared with the others by their prose. If another one has as much, the user is asked.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any, NamedTuple

from sentcli.config import NOTE
from sentcli.errors import DataError, option
from sentcli.tables.prose import Prose, prose_of
from sentcli.tables.table import Note, Table, list_columns
from sentcli.text.null_values import NULL_VALUES, NullValues

# The first rows decide, up to any limit, so that a file and a pipe of the same bytes have the same texts.
SAMPLE_ROWS = 1000
SAMPLE_SIZE = 1 << 20  # bytes or characters of whole lines
_SAMPLE_VALUES = 16_000  # of a text format
FURTHER = 16  # samples are looked at, if a column with a usual name is blank up to there

# Names in exports of shops, apps, social media and surveys, in lower case and without blanks and punctuation.
# The two columns of a name with + are one text.
TEXT_NAMES = (  # noqa: SIM905  # a list takes a line for each name
    "reviewtext reviewbody reviewcontent reviewfull reviewdetail reviewdescription reviewcommentmessage "
    "reviewstext fulltext commenttext commentbody commentcontent tweettext posttext messagetext feedbacktext "
    "sentimenttext cleantext cleancomment text review content comment body positivereview+negativereview "
    "positivecomment+negativecomment positivecomments+negativecomments pros+cons likedtext+dislikedtext "
    "liked+disliked positive+negative sentence reviews comments verifiedreviews customerreview userreview "
    "customerfeedback feedback tweet originaltweet selftext textdisplay textoriginal verbatim opinion "
    "openendedresponse messagebody message phrase"
).split()
_PLAIN = re.compile("review|tweet|verbatim|opinion|pros|liked")  # in usual names of customers' texts alone
# In names of titles, of answers to a review and of details, which are not asked about next to a usual name.
_ASIDE = re.compile(
    r"title|headline|subject|(repl(?:y|ie))|response from|(owner|developer|company|hotel)s? (answer|respon)"
    r"|(product|item|link|user|video|channel) (text|desc|about|bio)"
    r"|\b(id|no|number|date|time|timestamp|created|at|stars?|rating|score|votes?|likes?|count|price|ur[il]|link"
    r"|e?mail|phone|ip|name|tags?|user|author|country|city|location|lang(uage)?|source|version|type|status|label)$"
)
_LONGEST_ASIDE = 4  # words; a longer name is a question

_FEWEST = 3  # values for a comparison with other columns
_LEAST = 6  # characters of prose; fewer may be a name
_AHEAD = 2  # a column found by its values has this many times the prose of any other
_FAR = 10  # a column with so many times less prose holds no texts
_LONGEST_VALUE = 500  # characters that are searched for a word
_MOST_PROPOSED = 3
_LONGEST_NAME = 200
_WORD = re.compile(r"(?<!\S)[^\w\s]*[^\W\d_]+(['\u2019][^\W\d_]+)?[^\w\s]*(?!\S)")
_NULLS = NullValues(NULL_VALUES)
_WORD_ENDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")  # in a name


class Choice(NamedTuple):
    """The indexes of the columns to score; for the log, a note on a choice that no name supports."""

    places: tuple[Any, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Sample:
    """The columns of an input with their first values, which decide which of them hold the texts.

    :param columns: the names.
    :param unfit: the columns that hold no texts, each with a reason such as `is int64, not a string`.
    :param wanted: what the user asked for: the name of a column, its number from 1, or several of these with
        commas between them.
    :param name: that of the input, for messages.
    :param values: the first values of each column; only strings count.
    """

    columns: Sequence[Any]
    unfit: Mapping[Any, str]
    wanted: str | None
    name: str
    values: Sequence[Sequence[Any]]

    @cached_property
    def _named(self) -> list[list[list[int]]]:
        """The columns of each usual name, see `_usual`; also where it is the last part of a path."""
        fields = [str(name).rpartition(".")[2] for name in self.columns]
        others = [] if fields == [*self.columns] else _usual(fields, TEXT_NAMES)
        return [*_usual(self.columns, TEXT_NAMES), *others]

    def is_decided(self) -> bool:
        """Return whether the first rows decide what `choose` returns, whatever rows follow.

        They do if they have the columns that the user named, or a word under the most usual name, and no
        column that may be preferred to it.
        """
        if self.wanted is not None:
            return all(map(self._match, self._parts(self.wanted)))
        groups = next(iter(self._named), [])
        places = [*chain(*groups)]
        is_clear = len(places) == len(groups) and any(map(self._has_word, places))
        return is_clear and next(self._rivals(self._rest(places), places[0]), None) is None

    def choose(self) -> Choice:
        """Choose the columns to score.

        :raises DataError: when no column or several columns qualify, or a chosen one holds no texts.
        """
        if self.wanted is not None:
            return Choice(tuple(map(self.place_of, self._parts(self.wanted))))
        for groups in self._named:
            good = [[*filter(self._has_word, group)] for group in groups]
            if any(good):
                return self._by_name([words or group for words, group in zip(good, groups, strict=True)])
        usable = self._rest(())
        if len(self.columns) == 1 and usable:
            return Choice((0,))
        if blank := self.find_blank():
            return self._by_name(blank)
        return self._by_values(usable)

    def find_blank(self) -> list[list[int]]:
        """Return the columns of a usual name if they are blank, and no other one has words either.

        Further rows may have texts there.
        """
        named = chain.from_iterable(chain(*self._named))
        if self.wanted is not None or any(map(self._has_word, named)):
            return []
        return next((groups for groups in self._named if all(map(self._is_blank, chain(*groups)))), [])

    def _rest(self, places: Sequence[int]) -> list[int]:
        """Return the columns that may hold texts, except for those at `places`."""
        names = enumerate(self.columns)
        return [place for place, name in names if place not in places and name not in self.unfit]

    def _rivals(self, rest: Iterable[int], first: int) -> Iterator[int]:
        """Yield the columns that may be preferred to the first one of a usual name, by their own names.

        A part of an object is not preferred to a value outside it.
        """
        names, named = {*map(str, self.columns)}, str(self.columns[first])
        for place in rest:
            name = str(self.columns[place])
            outer = name.rpartition(".")[0]
            is_inner = outer and outer in names and not named.startswith(f"{outer}.")
            if not (is_inner or _is_aside(name, named)):
                yield place

    def place_of(self, wanted: str, field: str = "text_column") -> int:
        """Return the index of the only column that a user may mean; `field` is the name of the option."""
        places = self._match(wanted)
        if not places:
            hint = f"{list_columns(self.columns)}; try another {option(field)}"
            raise DataError(f"{self.name}: no column {wanted!r:.200}; {hint}")
        if len(places) > 1:
            numbers = " or ".join(option(field, place + 1) for place in places[:_MOST_PROPOSED])
            raise DataError(f"{self.name}: there are several columns {wanted!r:.200}; try {numbers}")
        self._check_fit(places[0])
        return places[0]

    def _by_name(self, groups: Sequence[Sequence[int]]) -> Choice:
        """Choose the columns of a usual name, unless another column is as likely by its prose.

        :raises DataError: if one is; next to a name of customers' texts, if one has far more.
        """
        places = self._one_of_each(groups)
        first, rest = places[0], self._rest(places)
        if len(self.values[first]) < _FEWEST:
            return Choice(places)
        size = sum(self._prose(place).size for place in places)
        close = self._larger(rest, size / _AHEAD)
        larger = self._larger(close, _AHEAD * size)
        is_plain = _PLAIN.search(_plain(self.columns[first]))
        likely = [*self._rivals(larger if is_plain else close, first)]
        if self._prose(first).is_template:
            rivals = [*self._rivals(rest, first)]
            if not {*rivals}.isdisjoint(larger):
                return self._by_values(rivals)
            is_message = _plain(self.columns[first]).startswith("message")  # to which there are answers
            likely = likely or [place for place in rivals if is_message and self._has_word(place)]
        if likely:
            raise self._undecided([first, *likely])
        if not larger:
            return Choice(places)
        other = f"{self.columns[larger[0]]!r:.200} has longer ones; for those: {self._proposed(larger[0])}"
        taken = f"texts taken from {self.columns[first]!r:.200} by its name"
        return Choice(places, ((NOTE, f"{self.name}: {taken}, but {other}"),))

    def _one_of_each(self, groups: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Return the only column of each group, which has a usual name."""
        for group in groups:
            self._check_fit(group[0])  # the other columns may be anything, such as a title
            if len(group) > 1:
                raise self._undecided(group)
        return tuple(place for (place,) in groups)

    def _by_values(self, usable: Sequence[int]) -> Choice:
        """Choose the column with the longest texts, else by its name, else the only column of strings."""
        ranked = self._larger(usable, 0)
        rivals = self._larger(ranked, self._prose(ranked[0]).size / _AHEAD) if ranked else []
        if self._named and not rivals:
            return Choice(self._one_of_each(self._named[0]))
        reason = "the column with the longest texts"
        if not rivals:
            reason = "the only column of strings"
            rivals = [
                place for place in usable if any(isinstance(text, str) for text in self.values[place] or [""])
            ]
        if len(rivals) != 1:
            raise self._undecided(rivals)
        rest = self._larger(usable, self._prose(rivals[0]).size / _FAR)[1:]
        other = f"; another one: {self._proposed(rest[0])}" if rest else ""
        note = f"{self.name}: texts taken from {self.columns[rivals[0]]!r:.200}, {reason}{other}"
        return Choice((rivals[0],), ((NOTE, note),))

    def _larger(self, places: Iterable[int], size: float) -> list[int]:
        """Return the columns with more than `size` characters of prose, the largest first."""
        size = max(size, _LEAST)
        long = [place for place in places if len("".join(map(str, self.values[place]))) > size]  # saves time
        sizes = {place: self._prose(place).size for place in long}
        return sorted((place for place in long if sizes[place] > size), key=sizes.__getitem__, reverse=True)

    @cached_property
    def _prose(self) -> Callable[[int], Prose]:
        return cache(lambda place: prose_of(self.values[place]))

    def _check_fit(self, place: int) -> None:
        if reason := self.unfit.get(self.columns[place]):
            hint = f"try another {option('text_column')}; {list_columns(self.columns)}"
            raise DataError(f"{self.name}: the column {self.columns[place]!r:.200} {reason}; {hint}")

    def _undecided(self, places: Sequence[int]) -> DataError:
        """Return an error that proposes the likely columns."""
        proposed = " or ".join(map(self._proposed, places[:_MOST_PROPOSED]))
        hint = f"Add {proposed}" if proposed else "None has strings"
        return DataError(f"{self.name}: which column is the text? {hint}; {list_columns(self.columns)}")

    def _proposed(self, place: int) -> str:
        """Return the option for a column, by number where its name is long or not the only one."""
        name = _printed(self.columns[place])
        is_clear = len(name) <= _LONGEST_NAME and [*self.columns].count(self.columns[place]) == 1
        return option("text_column", name if is_clear else place + 1)

    def _parts(self, wanted: str) -> list[str]:
        """Return the names of several columns, or the only one."""
        several = [] if self._match(wanted) else [part.strip() for part in str(wanted).split(",")]
        return several if len(several) > 1 else [wanted]

    def _match(self, wanted: str) -> list[int]:
        """Return the columns that a user may mean: by name, as it is printed, in another case, by number."""
        printed = [*map(_printed, self.columns)]
        folded, numbers = [_folded(name) for name in printed], [*map(str, range(1, len(printed) + 1))]
        other = _folded(wanted)
        for names, name in ((self.columns, wanted), (printed, wanted), (folded, other), (numbers, other)):
            if places := [place for place, column in enumerate(names) if column == name]:
                return places
        return []

    def _has_word(self, place: int) -> bool:
        """Return whether any text of a column has a word, which numbers, ids, dates and links do not."""
        texts = [] if self.columns[place] in self.unfit else self.values[place]
        return any(isinstance(text, str) and _WORD.search(text[:_LONGEST_VALUE]) for text in texts)

    def _is_blank(self, place: int) -> bool:
        values = map(str, filter(None, self.values[place]))
        return all(value.isspace() or value in _NULLS for value in values)


def places_of(table: Table, names: Mapping[str, str]) -> list[Any]:
    """Return the places of columns that the user named, for `Chunk.cells`.

    :param names: each with the name of the option.
    :raises DataError: for a column that does not exist, or exists several times.
    """
    columns, places = [name for name, _ in table.paths], [place for _, place in table.paths]
    sample = Sample(columns, {}, None, table.name, ())
    return [places[sample.place_of(name, field)] for name, field in names.items()]


def find_usual(columns: Sequence[Any], usual: Sequence[str]) -> Any | None:
    """Return the column with the first usual name that exists; None if none exists or several have it."""
    places = next((groups[0] for groups in _usual(columns, usual)), [])
    return columns[places[0]] if len(places) == 1 else None


def samples(rows: int, size: int, width: int) -> float:
    """Return how many samples the first rows are, by the limit that they reach first."""
    return max(rows / SAMPLE_ROWS, size / SAMPLE_SIZE, rows * width / _SAMPLE_VALUES)


def is_usual(name: str) -> bool:
    """Return whether a name is usual for a text column."""
    return _plain(name) in TEXT_NAMES


def join_texts(parts: Sequence[str | None], nulls: NullValues) -> str | None:
    """Return the only part, or the parts with blanks between them, without null values; None without any."""
    if len(parts) == 1:
        return parts[0]
    present = [part for part in parts if part is not None]
    return " ".join(part for part in present if part and part not in nulls) if present else None


def join_columns(columns: Sequence[list[str | None]], nulls: NullValues) -> list[str | None]:
    """Return the text of each row: the value of one column, or the joined values of several."""
    if len(columns) == 1:
        return columns[0]
    return [join_texts(parts, nulls) for parts in zip(*columns, strict=True)]


def _usual(columns: Sequence[Any], usual: Sequence[str]) -> Iterator[list[list[int]]]:
    """Yield the columns of each usual name: for each of its parts, those that match it.

    Case, blanks and punctuation count only if several columns differ in nothing else.
    """
    alike: dict[str, list[int]] = {}
    for place, name in enumerate(columns):
        alike.setdefault(_plain(name), []).append(place)
    for name in usual:
        groups = {part: alike.get(part, []) for part in name.split("+")}
        if all(groups.values()):
            exact = {part: [place for place in groups[part] if columns[place] == part] for part in groups}
            yield [exact[part] or groups[part] for part in groups]


def _is_aside(name: str, named: str) -> bool:
    """Return whether a column is not asked about next to a usual name; replies to messages are."""
    words = _WORD_ENDS.sub(" ", name).lower().split()
    found = _ASIDE.search(" ".join(words)) if len(words) <= _LONGEST_ASIDE else None
    return found is not None and not (found[1] and _plain(named).startswith("message"))


@cache
def _plain(name: Any) -> str:
    return re.sub(r"[\W_]+", "", str(name)).casefold()  # names in a data frame may not be strings


def _folded(name: Any) -> str:
    return str(name).strip().casefold()


def _printed(name: Any) -> str:
    return repr(str(name))[1:-1]
