"""The page of scored rows: shares with intervals, by group, over time and by stars; subjects; reviews."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from html import unescape
from typing import Any

from sentcli.report.collector import LENGTH_BINS, SCORE_BINS, Collector, Review
from sentcli.report.findings import groups_of_title, tables_of, whole_of
from sentcli.report.page import fill, shaded
from sentcli.report.subjects import Subjects
from sentcli.report.timeline import find_since, is_since, timeline
from sentcli.scoring.dates import NO_DATE, by_span
from sentcli.scoring.extras import MIXED
from sentcli.scoring.labels import NEUTRAL, OTHERS, Group
from sentcli.scoring.scorer import Scorer

_WEAK, _REPEATED = 0.02, 4  # the share of texts that is worth a warning, and the number of equal ones
_SHELF = 12  # rows to read
_LONG_ENOUGH = 30  # characters of a text that is worth reading; shorter ones come last


def render_scored(
    collected: Collector,
    scorer: Scorer,
    names: Mapping[str, str],
    since: str,
    rejected: int,
    named: Sequence[str],
) -> tuple[bytes, list[list[Any]]]:
    """Return the page of what was collected, and what it says first as rows of a sheet.

    :param scorer: the scorer of the labels and scores; it scores sentences and finds the parts of words.
    :param names: `title` and, of files with which the rows are compared, `earlier`.
    :param since: see `find_since`.
    :param rejected: rows that could not be read.
    :param named: the columns that the user named.
    """
    figures, sample = figures_of(collected, since, named), collected.sample
    labeled = [row for row in sample if row.label]
    subjects = Subjects(labeled, scorer, collected.labels[-1], figures["since"])
    page = fill(
        "scored.html.jinja",
        **names,
        model=scorer.bundle.name,
        collected=collected,
        asked=since,
        rejected=rejected,
        weak=_weak_shares(sample, scorer),
        shelves=shelves_of(sample),
        shaded=partial(shaded, scorer),
        subjects=subjects,
        **figures,
    )
    return page, _rows_of(page.decode(), subjects, figures, collected.labels[-1])


def _rows_of(page: str, subjects: Subjects, figures: Mapping[str, Any], label: str) -> list[list[Any]]:
    """Return the first sentences of a page, the months, the first groups, and the subjects with a quote."""
    header = page[page.index("<header>") : page.index("</header>")]
    sentences = re.findall(r"<(?:h1|li)>(.*?)</(?:h1|li)>", header, re.DOTALL)
    rows: list[list[Any]] = [[]]
    rows += [[unescape(re.sub("<[^>]+>", "", sentence)).strip()] for sentence in sentences]
    time = figures["time"]
    tables = {time["span"]: [(group.value, group) for _, group in time["points"]]} if time else {}
    tables |= {table.column: [(own.name, own) for own in table.rows] for table in figures["found"]}
    for column, groups in tables.items():
        rows += [[], [column, "rows", label, "at least", "at most"]]
        rows += [[name, own.rows, own.share, *own.interval] for name, own in groups if own.share is not None]
    rows += [[], ["subject", "complain", "praise", "sentence"]]
    for row in (*subjects.own, *subjects.blamed, *subjects.praised):
        rows.append([row.name, row.all[0], row.praise, *(quote.text for quote in row.quotes[:1])])
    return rows


def shelves_of(sample: Sequence[Review]) -> dict[str, list[Review]]:
    """Return the most negative, most positive and least certain rows, and those against their stars."""
    against = [row for row in sample if row.stars and (row.stars - 3) * (row.score - 0.5) < 0]

    def best(rows: Sequence[Review], key: Callable[[float], float]) -> list[Review]:
        distinct: dict[str, Review] = {}  # one of those that begin alike
        for row in sorted(rows, key=lambda row: (len(row.text) < _LONG_ENOUGH, key(row.score))):
            distinct.setdefault(row.text[:60].casefold(), row)
        return [*distinct.values()][:_SHELF]

    return {
        "negative": best(sample, lambda score: score),
        "positive": best(sample, lambda score: -score),
        "uncertain": best(sample, lambda score: abs(score - 0.5)),
        "surprising": best(against, lambda score: -abs(score - 0.5)),
    }


def _weak_shares(sample: Sequence[Review], scorer: Scorer) -> dict[str, float]:
    """Return which shares of the sample weaken the page: other languages, cut texts, one text many times."""
    texts = [row.text for row in sample]
    counts = scorer.count_doubts(texts)
    repeated = max(Counter(texts).values(), default=0)
    counts["repeated"] = repeated if repeated >= _REPEATED else 0
    return {name: count / len(texts) for name, count in counts.items() if count > _WEAK * len(texts)}


def figures_of(collected: Collector, asked: str = "", named: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures of what was collected, by their names in the template.

    :param asked: the period that is compared, see `find_since`.
    :param named: the columns that the user named.
    """
    first, *_, last = collected.labels
    counts = collected.counts

    def groups(kind: str, names: Iterable[str]) -> list[Group]:
        return [Group.of(name, counts[kind].get(name, {}), last) for name in names]

    scores, stars = groups("score", SCORE_BINS), groups("stars", "54321")
    labels = sum((Counter(group.labels) for group in scores), Counter())
    high, low = (Counter(ones.labels) + Counter(others.labels) for ones, others in (stars[:2], stars[3:]))
    agreement = {"disagree": low[last] + high[first], "agree": low[first] + high[last]}
    days = by_span(counts["day"], "day")
    undated = days.pop(NO_DATE, Counter()) + days.pop(OTHERS, Counter())
    since = find_since({day: labels.total() - labels[""] for day, labels in days.items()}, asked)

    def side_of(period: str) -> bool | None:
        day = collected.settle(period)
        return is_since(day, since) if since and day[:1].isdecimal() else None

    marks = {f"{day} {label}": rows for day, of in counts["day"].items() for label, rows in of.items()}
    whole = whole_of(marks, last, side_of)
    tables = tables_of(collected.by, last, side_of)
    return {
        "all": Group.of("", labels, last),
        "bins": [(group, max(collected.labels, key=Counter(group.labels).__getitem__)) for group in scores],
        "lengths": [group for group in groups("length", LENGTH_BINS) if group.labeled],
        "whole": whole if whole.is_tested else None,
        "in_title": groups_of_title(tables, whole),
        "groups": tables,
        "found": [table for table in tables[:1] if table.column not in named],
        "since": since,
        "time": timeline(days, since, last),
        "undated": undated.total() - undated[""],
        "stars": [group for group in stars if group.labeled],
        "agree": Group.of("", agreement, "agree"),
        "undecided": (low + high)[NEUTRAL] + (low + high)[MIXED],
    }
