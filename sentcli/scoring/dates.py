"""Dates as people write them: their days, whether days or months come first, and spans of time.

A day is a text: 2025-12-31, or 2025-12 for a month, or 03/04/2025 in the order in which it is written,
because only the whole column shows whether its days come first.
"""

import re
from calendar import month_name
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache

_SPANS = ("week", "month", "quarter", "year")
MONTHS = re.compile(r"([1-9]\d?)([my])")  # a number of months or years
NO_DATE = "(no date)"
_CACHED = 1 << 14  # values that are read once
_LONGEST = 80  # characters of a date with its time and with words before it
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LAST_MONTH = "12"
_LAST_CENTURY = 70  # the first year of two digits that is one of the last century
_EPOCH, _SECONDS = date(1970, 1, 1), range(10**8, 2**32)  # of years that reviews have
_EXCEL, _SERIALS = date(1899, 12, 30), range(32_874, 54_789)  # from 1990 to 2049

# Compiled at the first date, because that takes time and few runs have one.
_NUMBERS = r"(?<!\d)([12]\d{3}|\d\d?)([-/.])\s?(\d\d?)(?:\2\s?(\d{4}|\d\d?))?(?!\.?\d)"
_NAMED = (  # 3 Apr 2026, April 3rd, 2026, 03-Apr-26, Apr 2026, Fri Apr 3 10:05:00 +0000 2026
    r"(?i)(?:(?<!\d)(?P<before>\d\d?)(?:st|nd|rd|th)?[-\s./]*(?:of\s+)?)?(?<![a-z])(?<!\d{4}[-\s])"
    rf"(?P<name>{'|'.join(_MONTHS)})(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?(?![a-z])[-\s./,'\u2019]*"
    r"(?(before)|(?:(?P<after>\d\d?)(?:st|nd|rd|th)?[-\s,]+)?)"
    r"(?:\d\d?:\d\d(?::\d\d)?\s+(?:(?:[-+]\d{4}|[a-z]{2,4})\s+)?)?"
    r"(?P<year>\d{4}|(?(before)|(?<=[-'\u2019]))\d\d(?!:))(?!\d)"
)
_COMPACT = r"([12]\d{3})(\d\d)(\d\d)(?:T.*|\d{4}|\d{6})?"


@lru_cache(_CACHED)
def day_of(value: str, day_first: bool | None = None) -> str:
    """Return the day of a date, a timestamp, a number of (milli)seconds since 1970, or a number of Excel.

    :param day_first: whether the day comes first in 3/4/2025; None: it stays in the order of the text.
    :returns: a day as described above; "" for anything else.
    """
    if len(value) > _LONGEST:
        return ""
    if match := re.search(_NUMBERS, value):
        return _day_of_numbers(day_first, *match.groups(default=""))
    if match := re.search(_NAMED, value):
        month = _MONTHS.index(match["name"].lower()) + 1
        return _iso(match["year"], month, match["before"] or match["after"])
    if match := re.fullmatch(_COMPACT, value):
        return _iso(*match.groups())
    whole = value.partition(".")[0]
    number = int(whole[:10]) if whole.isdecimal() else 0  # of milliseconds, the seconds
    if number in _SECONDS:
        return (_EPOCH + timedelta(seconds=number)).isoformat()
    return (_EXCEL + timedelta(number)).isoformat() if number in _SERIALS else ""


def _day_of_numbers(day_first: bool | None, first: str, mark: str, second: str, third: str) -> str:
    """Return the day of two or three numbers; "" for those of versions, such as 1.2.25, and of decimals."""
    if len(first) == 4:
        return _iso(first, second, third) if third or mark != "." else ""
    is_version = mark == "." and len(first + second + third) < len("311225")
    if len(third) < 2 or is_version:
        return ""
    day = f"{int(first):02}/{int(second):02}/{_year(third)}"
    settled = settle(day, day_first=day_first is not False)
    return day if settled and mark != "." and day_first is None else settled


def _iso(year: str, month: str | int, day: str | None) -> str:
    """Return a day, or a month without one; "" if there is no such day."""
    try:
        start = date(_year(year), int(month), int(day or 1)).isoformat()
    except ValueError:
        return ""
    return start if day else start[:7]


def _year(digits: str) -> int:
    year = int(digits)
    return year if year > 99 else year + (2000 if year < _LAST_CENTURY else 1900)


def settle(day: str, *, day_first: bool) -> str:
    """Return a day as 2025-12-31; in the other order if this one has no such day, "" if none has."""
    if "/" not in day:
        return day
    first, second, year = day.split("/")
    usual, other = _iso(year, second, first), _iso(year, first, second)
    return (usual or other) if day_first else (other or usual)


@lru_cache(_CACHED)
def month_of(day: str, kept: str = "") -> str:
    """Return the month of a day; of a day in this month, or whose month is not sure yet, the day itself."""
    settled, other = (settle(day, day_first=day_first) for day_first in (True, False))
    return settled[:7] if settled == other and settled[:7] != kept[:7] else day


def order_of(days: Iterable[str]) -> tuple[bool, str]:
    """Return whether the days of a column come first, and one of its days if they do not show it.

    A number above 12 is a day. If there is none, or as many in either place, the months are the fewer ones.
    """
    written = [(day[:2], day[3:5], day[6:]) for day in days if "/" in day]
    firsts, seconds = (sum(day[place] > _LAST_MONTH for day in written) for place in (0, 1))
    months = [len({(day[place], day[2]) for day in written}) for place in (0, 1)]
    doubtful = [day for day in written if day[0] != day[1] and max(day[:2]) <= _LAST_MONTH]
    is_shown = (firsts > 0) != (seconds > 0)
    return (firsts, months[0]) > (seconds, months[1]), "" if is_shown else "/".join(min(doubtful, default=()))


def doubt_of(column: str, days: Iterable[str]) -> str:
    """Return what is not sure about the days of a column, for a message; "" if nothing is."""
    known = [day for day in days if day[:1].isdecimal()]
    day_first, example = order_of(known)
    if example:
        taken, other = ("day", "month") if day_first else ("month", "day")
        problem = f"{column}: the dates do not show whether the day or the month comes first in {example}"
        return f"{problem}: read with the {taken} first; if that is wrong, add --{other}-first"
    hint = "dates are, for example, 2025-12-31, 31/12/2025, 3 Apr 2026 or seconds since 1970"
    return "" if known else f"{column}: no value is read as a date; {hint}"


def split_span(name: str) -> tuple[str, str]:
    """Return the column and the span of a name such as date:month; of another name, the name and ""."""
    column, _, span = name.rpartition(":")
    return (column, span) if column and span in _SPANS else (name, "")


def by_span(days: Mapping[str, Mapping[str, int]], span: str) -> dict[str, Counter[str]]:
    """Return the counts of days as those of spans."""
    day_first, _ = order_of(days)
    spans: dict[str, Counter[str]] = {}
    for day, counts in days.items():
        spans.setdefault(span_of(settle(day, day_first=day_first), span), Counter()).update(counts)
    return spans


def span_of(day: str, span: str) -> str:
    """Return the span of a day: 2025-W14, 2025-04, 2025-Q2 or 2025; what is no day stays as it is.

    :param span: also `day`.
    """
    if not day[:1].isdecimal():
        return day or NO_DATE
    if span == "week" and len(day) > len("2025-04"):
        return date.fromisoformat(day).strftime("%G-W%V")
    if span == "quarter":
        return f"{day[:4]}-Q{(int(day[5:7]) + 2) // 3}"
    return day[: {"year": 4, "month": 7}.get(span)]


def written(day: str) -> str:
    """Return a day or a month as people write it, such as 5 April 2025; another span stays as it is."""
    year, month, number = (*day.split("-"), "", "")[:3]
    if not month.isdecimal():
        return day
    return f"{number.lstrip('0')} {month_name[int(month)]} {year}".strip()
