"""The title and the first sentences of a page. They say only what is clear, each with its figures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sentcli.report.changes import Change
from sentcli.report.groups import Table
from sentcli.report.page import percent, points
from sentcli.scoring.evidence import Counted, share_of
from sentcli.scoring.labels import Group

_MOST_TOLD, _MOST_LISTED = 3, 4  # groups in the title, and in the sentences after it
_LONGEST = 60  # characters of a name


def lead_of(figures: Mapping[str, Any], label: str, names: Mapping[str, str]) -> tuple[Markup, list[Markup]]:
    """Return the title and the first sentences.

    :param figures: see `figures_of`.
    :param label: the label whose shares are compared.
    :param names: see `render_scored`.
    """
    spans = Markup("{} since {}").format(label, figures["since"]), Markup("before")
    if names["earlier"]:
        spans = (
            Markup("{} in {}").format(label, _name(names["title"])),
            Markup("in ") + _name(names["earlier"]),
        )
    change, tables = figures["change"], figures["groups"]
    table = next((table for table in tables if table.named), None)
    # If most of the change of all rows is that of other groups, it is the finding.
    parts = [own.part for own in table.named] if table else []
    if table and not (change.is_named and abs(sum(parts)) < abs(change.points) / 2):
        title = _title_of_groups(table, spans)
    elif change:
        kind = ("Fewer" if change.points < 0 else "More") + f" {label} reviews"
        title = Markup("{}: {}").format(
            kind if change.is_named else "No clear change", _shares([change], spans)
        )
    else:
        title = _title_without_change(figures["all"], tables, label)
    return title, [*_sentences(figures, label, spans)]


def _title_of_groups(table: Table, spans: Sequence[Markup]) -> Markup:
    """Return which groups fell or rose most clearly."""
    has_fallen = table.named[0].points < 0
    told = [change for change in table.named if (change.points < 0) == has_fallen][:_MOST_TOLD]
    names = Markup(" and ").join(_name(change.name) for change in told)
    title = Markup("{} {}: {}").format(names, "fell" if has_fallen else "rose", _shares(told, spans))
    tested = [change.tier == "clear" for change in table.changes.values() if change.is_tested]
    rest = len(tested) - len(told) if sum(tested) == len(told) else 0
    return title + (f"; the other {rest if rest > 1 else 'one'} did not clearly change" if rest else "")


def _title_without_change(everyone: Group, tables: Sequence[Table], label: str) -> Markup:
    if tables and tables[0].extremes:
        return _extreme(tables[0].extremes[0], label)
    if everyone.share is None:
        return Markup("No review has a score")
    return Markup("{} of the reviews are {}").format(percent(everyone.share), label)


def _sentences(figures: Mapping[str, Any], label: str, spans: Sequence[Markup]) -> Iterator[Markup]:
    change, tables = figures["change"], figures["groups"]
    if change:
        verdict = "more than chance" if change.is_named else "no clear change"
        yield Markup("All reviews: {}; {}").format(_shares([change], spans, are_counted=True), verdict)
    for table in tables:
        for own in table.named[:_MOST_LISTED]:
            yield Markup("{}: {}").format(_name(own.name), _shares([own], spans, are_counted=True))
    for table in tables[:1]:
        verdict = table.verdict.removeprefix("they ")
        yield Markup("The {:,} values of {} {}").format(len(table.known), _name(table.column), verdict)
        yield from (_extreme(extreme, label) for extreme in table.extremes)


def _name(name: str) -> Markup:
    return Markup("<bdi>{}</bdi>").format(name[:_LONGEST])


def _shares(changes: Sequence[Change], spans: Sequence[Markup], *, are_counted: bool = False) -> Markup:
    """Return the shares of groups since and before; of a single one also its reviews, and the interval."""
    sides = [[change.since for change in changes], [change.before for change in changes]]
    counted = [
        " and ".join(percent(share_of(side)) + (f" of {side[1]:,}" if are_counted else "") for side in pairs)
        for pairs in sides
    ]
    text = Markup("{} {}, {} {}").format(counted[0], spans[0], counted[1], spans[1])
    low, high = map(points, changes[0].interval)
    return text + (f" ({points(changes[0].points)} points, {low} to {high})" if are_counted else "")


def _extreme(extreme: tuple[Group, Counted], label: str) -> Markup:
    """Return how a group differs from all others."""
    group, rest = extreme
    shares = f"{percent(group.share)} {label} of {group.labeled:,}, {percent(share_of(rest))} elsewhere"
    return Markup("{}: {}").format(_name(group.value), shares)
