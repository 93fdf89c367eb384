"""Find the columns that hold the texts: by their names, else by their first values."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sentcli.config import NOTE
from sentcli.errors import DataError, option
from sentcli.tables.table import Note, Table, list_columns

# The first rows decide, up to either limit, so that a file and a pipe of the same bytes have the same texts.
SAMPLE_ROWS = 1000
SAMPLE_SIZE = 1 << 20  # bytes or characters of whole lines

# Names in exports of shops, apps, social media and surveys, in lower case and without blanks and punctuation.
# The two columns of a name with + are one text.
TEXT_NAMES = (  # noqa: SIM905  # a list takes a line for each name
    "reviewtext reviewbody reviewcontent reviewfull reviewdetail reviewdescription reviewcommentmessage "
    "reviewstext fulltext commenttext commentbody commentcontent tweettext posttext messagetext feedbacktext "
    "sentimenttext cleantext cleancomment text review content comment body positivereview+negativereview "
    "pros+cons likedtext+dislikedtext sentence reviews comments verifiedreviews customerreview userreview "
    "customerfeedback feedback tweet originaltweet selftext textdisplay textoriginal verbatim opinion "
    "openendedresponse messagebody message phrase"
).split()
# Names that often mean something else. They count only if no other column has longer texts.
_WEAK_NAMES = (  # noqa: SIM905  # as above
    "description response answer experience note notes remarks post caption quote summary reviewsummary "
    "reviewheadline reviewtitle headline title subject"
).split()
_OUTER = "description"  # of a ticket, whose inner object may have a comment on the answer

_FEWEST = 3  # values for a comparison with other columns
_AHEAD = 2  # a column found by its values has this many times the characters of any other
_MOST = 500  # characters of a value that count
_LEAST_WORDS, _LEAST_LETTERS = 3, 0.75  # of a text; blanks count as letters
_MOST_PROPOSED = 3
_LONGEST_NAME = 200
_WORD = re.compile(r"(?<!\S)[^\w\s]*[^\W\d_]+(['\u2019][^\W\d_]+)?[^\w\s]*(?!\S)")
_NO_LETTER = re.compile(r"[^\w\s]|[\d_]")


class Choice(NamedTuple):
    """The indexes of the columns to score; for the log, a note on a choice that no name supports."""

    places: tuple[Any, ...]
    notes: tuple[Note, ...] = ()


def is_decided(
    columns: Sequence[Any], others: Mapping[Any, str], wanted: str | None, values: Sequence[Sequence[Any]]
) -> bool:
    """Return whether the first rows decide what `find_texts` returns, whatever rows follow.

    They do if they have the columns that the user named, or a word under the most usual name.
    """
    if wanted is not None:
        return all(_match(columns, part) for part in _parts(columns, wanted))
    groups = next(iter(_named(columns)), [])
    return all(len(group) == 1 for group in groups) and any(
        columns[place] not in others and _has_word(values[place]) for (place,) in groups
    )


def find_texts(
    columns: Sequence[Any],
    others: Mapping[Any, str],
    wanted: str | None,
    where: str,
    values: Sequence[Sequence[Any]],
) -> Choice:
    """Choose the columns to score.

    :param others: the columns that hold no texts, each with a reason such as `is int64, not a string`.
    :param wanted: the name of a column, its number from 1, or several of these with commas between them.
    :param values: the first values of each column; only strings count.
    :raises DataError: when no column or several columns qualify, or a chosen one holds no texts.
    """
    if wanted is not None:
        return Choice(tuple(_only(part, columns, others, where) for part in _parts(columns, wanted)))
    named = _named(columns)
    usable = [place for place, name in enumerate(columns) if name not in others]
    for groups in named:
        good = [
            [place for place in group if place in usable and _has_word(values[place])] for group in groups
        ]
        if any(good):
            chosen = [some or group for some, group in zip(good, groups, strict=True)]
            choice = _one_of_each(chosen, columns, others, where)
            outer = [place for place in usable if columns[place] == _OUTER and _has_word(values[place])]
            if outer and "." in str(columns[choice.places[0]]):
                raise _undecided(columns, [*outer, *choice.places], where)
            return choice._replace(notes=_longer(choice, columns, usable, values, where))
    if len(columns) == 1 and usable:
        return Choice((0,))
    return _by_values(columns, others, usable, values, named, where)


def places_of(table: Table, names: Mapping[str, str]) -> list[Any]:
    """Return the places of columns that the user named, for `Chunk.cells`.

    :param names: each with the name of the option.
    :raises DataError: for a column that does not exist, or exists several times.
    """
    columns, places = [name for name, _ in table.paths], [place for _, place in table.paths]
    return [places[_only(name, columns, {}, table.name, field)] for name, field in names.items()]


def _by_values(
    columns: Sequence[Any],
    others: Mapping[Any, str],
    usable: Sequence[int],
    values: Sequence[Sequence[Any]],
    named: Sequence[list[list[int]]],
    where: str,
) -> Choice:
    """Choose the column with the longest texts, else by its name, else the only column of strings."""
    sizes = {place: _size(values[place]) for place in usable}
    ranked = sorted(usable, key=sizes.__getitem__, reverse=True)
    rivals = [place for place in ranked if sizes[place] * _AHEAD > sizes[ranked[0]]]
    weak = [groups for groups in _usual(columns, _WEAK_NAMES) if groups[0][0] in (rivals or usable)]
    likely = [*named, *weak] if not rivals else weak if len(weak) == len(rivals) else []
    if likely:
        return _one_of_each(likely[0], columns, others, where)
    strings = [
        place for place in usable if not values[place] or any(isinstance(each, str) for each in values[place])
    ]
    found = rivals or strings
    if len(found) != 1:
        raise _undecided(columns, found, where)
    reason = "the column with the longest texts" if rivals else "the only column of strings"
    rest = [place for place in ranked if place != found[0]]
    other = f"; another one: {_proposed(columns, rest[0])}" if rest else ""
    note = f"{where}: texts taken from {columns[found[0]]!r:.200}, {reason}{other}"
    return Choice((found[0],), ((NOTE, note),))


def _one_of_each(
    groups: Sequence[Sequence[int]], columns: Sequence[Any], others: Mapping[Any, str], where: str
) -> Choice:
    """Choose the only column of each group, which has a usual name."""
    for first, *further in groups:
        if columns[first] in others:  # the other columns may be anything, such as a title
            hint = f"try another {option('text_column')}; {list_columns(columns)}"
            raise DataError(f"{where}: the column {columns[first]!r:.200} {others[columns[first]]}; {hint}")
        if further:
            raise _undecided(columns, [first, *further], where)
    return Choice(tuple(first for (first,) in groups))


def _longer(
    choice: Choice, columns: Sequence[Any], usable: Sequence[int], values: Sequence[Sequence[Any]], where: str
) -> tuple[Note, ...]:
    """Return a note if another column whose name may mean a text has longer texts than the chosen ones."""
    named = {group[0] for groups in _usual(columns, TEXT_NAMES + _WEAK_NAMES) for group in groups}
    sizes = {place: _size(values[place]) for place in named.intersection(usable).union(choice.places)}
    longest, first = max(sizes, key=sizes.__getitem__), choice.places[0]
    if len(values[first]) < _FEWEST or sizes[longest] <= _AHEAD * sum(
        sizes[place] for place in choice.places
    ):
        return ()
    other = f"{columns[longest]!r:.200} has longer ones; for those: {_proposed(columns, longest)}"
    return ((NOTE, f"{where}: texts taken from {columns[first]!r:.200} by its name, but {other}"),)


def find_usual(columns: Sequence[Any], usual: Sequence[str]) -> Any | None:
    """Return the column with the first usual name that exists; None if none exists or several have it."""
    for (places,) in _usual(columns, usual):
        return columns[places[0]] if len(places) == 1 else None
    return None


def is_usual(name: str) -> bool:
    """Return whether a name is usual for a text column."""
    return _plain(name) in TEXT_NAMES


def join_texts(parts: Iterable[str | None]) -> str | None:
    """Return the parts of a text with blanks between them; None if all are missing."""
    present = [part for part in parts if part is not None]
    return " ".join(filter(None, present)) if present else None


def join_columns(columns: Sequence[list[str | None]]) -> list[str | None]:
    """Return the text of each row: the value of one column, or the joined values of several."""
    return columns[0] if len(columns) == 1 else [*map(join_texts, zip(*columns, strict=True))]


def _usual(columns: Sequence[Any], usual: Sequence[str]) -> Iterator[list[list[int]]]:
    """Yield the columns of each usual name: for each of its parts, those that match it.

    Case, blanks and punctuation count only if several columns differ in nothing else.
    """
    alike: dict[str, list[int]] = {}
    for place, name in enumerate(columns):
        alike.setdefault(_plain(name), []).append(place)
    for name in usual:
        groups = [alike.get(part, []) for part in name.split("+")]
        if all(groups):
            yield [
                [place for place in group if columns[place] == part] or group
                for part, group in zip(name.split("+"), groups, strict=True)
            ]


def _plain(name: Any) -> str:
    return re.sub(r"[\W_]+", "", str(name)).casefold()  # names in a data frame may not be strings


def _named(columns: Sequence[Any]) -> list[list[list[int]]]:
    fields = [str(name).rpartition(".")[2] for name in columns]  # of a path
    return [*_usual(columns, TEXT_NAMES), *_usual(fields, TEXT_NAMES)]


def _parts(columns: Sequence[Any], wanted: str) -> list[str]:
    """Return the names of several columns, or the only one."""
    several = [] if _match(columns, wanted) else [part.strip() for part in str(wanted).split(",")]
    return several if len(several) > 1 else [wanted]


def _match(columns: Sequence[Any], wanted: str) -> list[int]:
    """Return the columns that a user may mean: by name, as it is printed, in another case, by number."""
    printed = [*map(_printed, columns)]
    for names, name in (
        (columns, wanted),
        (printed, wanted),
        ([each.strip().casefold() for each in printed], str(wanted).strip().casefold()),
    ):
        if found := [place for place, each in enumerate(names) if each == name]:
            return found
    number = int(wanted) if re.fullmatch("[0-9]{1,9}", str(wanted)) else 0
    return [number - 1] if 1 <= number <= len(columns) else []


def _only(
    wanted: str, columns: Sequence[Any], others: Mapping[Any, str], where: str, name: str = "text_column"
) -> int:
    found = _match(columns, wanted)
    if not found:
        hint = f"{list_columns(columns)}; try another {option(name)}"
        raise DataError(f"{where}: no column {wanted!r:.200}; {hint}")
    if len(found) > 1:
        numbers = " or ".join(option(name, place + 1) for place in found[:_MOST_PROPOSED])
        raise DataError(f"{where}: there are several columns {wanted!r:.200}; add {numbers}")
    column = columns[found[0]]
    if column in others:
        raise DataError(f"{where}: the column {column!r:.200} {others[column]}")
    return found[0]


def _printed(name: Any) -> str:
    return repr(str(name))[1:-1]


def _undecided(columns: Sequence[Any], places: Sequence[int], where: str) -> DataError:
    """Return an error that proposes the likely columns."""
    proposed = " or ".join(_proposed(columns, place) for place in places[:_MOST_PROPOSED])
    hint = f"Add {proposed}" if proposed else "None has strings"
    return DataError(f"{where}: which column is the text? {hint}; {list_columns(columns)}")


def _proposed(columns: Sequence[Any], place: int) -> str:
    """Return the option for a column, by number where its name is long or not the only one."""
    name = _printed(columns[place])
    is_clear = len(name) <= _LONGEST_NAME and [*columns].count(columns[place]) == 1
    return option("text_column", name if is_clear else place + 1)


def _has_word(values: Iterable[Any]) -> bool:
    """Return whether any value has a word, which numbers, ids, dates and addresses of pages do not."""
    return any(isinstance(value, str) and _WORD.search(value[:_MOST]) for value in values)


def _size(values: Iterable[Any]) -> int:
    """Return the characters of the different texts among values: those that are mostly words, and no JSON."""
    texts = {value[:_MOST] for value in values if isinstance(value, str)}
    return sum(
        len(text)
        for text in texts
        if len(text.split()) >= _LEAST_WORDS
        and len(_NO_LETTER.sub("", text)) >= _LEAST_LETTERS * len(text)
        and text[0] + text[-1] not in ("{}", "[]")
    )
