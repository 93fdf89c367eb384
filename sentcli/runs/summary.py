"""The progress of a run, and its summary for people and as JSON."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentcli.config import LOG
from sentcli.errors import counted
from sentcli.files.source import STANDARD
from sentcli.scoring.dates import doubt_of, split_span
from sentcli.scoring.evidence import p_of_groups, verdict_of
from sentcli.scoring.labels import OTHER_LANGUAGE, Counts, Group, Groups, groups_by_column, is_group

_MANY_FOREIGN = 0.02  # of the rows that are not blank
_SILENCE = 600.0  # seconds between two progress lines in a log
_EMPTY = "(empty)"
_MOST_SHOWN, _LONGEST_NAME = 20, 40  # groups in a table, and characters of their names


@dataclass(frozen=True, kw_only=True)
class Summary(Counts):
    """The counts of a run: those of its texts, see `Counts`, and these. Summaries add up.

    :param rows, rejected: the number of rows that were written, and of rows that could not be read.
    :param rejected_before: rows that an earlier run rejected, of the outputs that an update left alone.
    :param formulas_without_value: cells of workbooks that were read as 0 or empty.
    :param text_columns: the text column of each output whose inputs have columns.
    :param skipped: outputs that were finished before this run.
    :param failed: outputs that this run could not make.
    :param scored: rows that this run scored; a stopped run before it may have scored others.
    :param seconds: duration of this run.
    :param groups: the rows and labels of each value of the columns of `ReadOptions.by`.
    :param inputs: path, size and modification time of each input.
    """

    rows: int = 0
    rejected: int = 0
    rejected_before: int = 0
    formulas_without_value: int = 0
    text_columns: list[str] = field(default_factory=list)
    skipped: int = 0
    failed: int = 0
    scored: int = 0
    seconds: float = 0.0
    inputs: list[dict[str, Any]] = field(default_factory=list)
    groups: Groups = field(default_factory=Groups)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "groups", Groups(self.groups))  # as `labels`

    def to_record(self) -> dict[str, Any]:
        """Return the fields as JSON, unrounded."""
        first = {"rows": self.rows, "rejected": self.rejected}
        return {**first, **vars(self), "labels": dict(self.labels), "groups": dict(self.groups)}

    def to_json(self) -> dict[str, Any]:
        """Return the fields, with rounded seconds and the speed."""
        rate = self.scored / self.seconds if self.seconds else 0.0
        return {**self.to_record(), "seconds": round(self.seconds, 3), "rows_per_second": round(rate, 1)}

    def to_sheet(self, model: str, label: str, report: Sequence[list[Any]] = ()) -> list[list[Any]]:
        """Return the figures that are the same in each run, as the rows of a sheet of a workbook.

        :param label: the label whose share in each group is given.
        :param report: what a report says, as rows.
        """
        tables = [*report]
        for column, groups in groups_by_column(self.groups, label).items():
            tables += [[], [column, "rows", label, "at least", "at most"]]
            for group in groups:
                tables.append([group.value or _EMPTY, group.rows, group.share, *(group.interval or ())])
            tables.append([_verdict(groups, label)])
        labeled = sum(self.labels.values())
        return [
            ["model", model],
            ["texts in", " and ".join(sorted({*self.text_columns}))],
            [],
            ["", "rows", "share of labeled"],
            ["all", self.rows],
            *([label, count, count / labeled] for label, count in sorted(self.labels.items())),
            *(["blank", self.blank], ["no known word", self.no_known_word], ["rejected", self.rejected]),
            ["perhaps in another language", self.other_language],
            *tables,
        ]

    def lines(self, output: str = "", *, ordered: bool = False) -> list[str]:
        """Return the summary as lines of text.

        :param output: the name of the output; empty for standard output.
        :param ordered: whether the labels are whole numbers in order, such as stars.
        """
        where = f"{output}: " if output else ""
        rejected = f", {self.rejected:,} rejected" if self.rejected else ""
        now = f"; this run scored {self.scored:,}" if self.scored < self.rows else ""
        minutes, seconds = divmod(self.seconds, 60)
        time = f" in {minutes:.0f} min {seconds:.0f} s" if minutes else f" in {seconds:.2g} s"
        speed = f", {self.scored / self.seconds:,.0f} rows/s" if self.seconds >= 1 else ""
        labeled = sum(self.labels.values())
        kinds = [f"{count:,} {label} ({count / labeled:.1%})" for label, count in sorted(self.labels.items())]
        if ordered and labeled:
            stars = sorted(((int(label), count) for label, count in self.labels.items()), reverse=True)
            mean = sum(number * count for number, count in stars) / labeled
            kinds = [f"{mean:.1f} stars on average", *(f"{of}: {count / labeled:.1%}" for of, count in stars)]
        no_score = {"blank": self.blank, "no known word": self.no_known_word}
        no_score |= {"too many unknown words": self.too_unknown, "below min-score": self.unsure}
        kinds += [f"{count:,} {name}" for name, count in no_score.items() if count]
        columns = " and ".join(f"{name!r:.100}" for name in sorted({*self.text_columns}))
        texts = [f"texts in {columns}"] if columns else []
        if self.tokens:
            texts.append(f"{self.unknown / self.tokens:.1%} of the words unknown to the model")
        if self.truncated:
            texts.append(f"{self.truncated:,} truncated")
        first = f"{where}{counted(self.rows, 'row')}{rejected}{now + time + speed if self.scored else ''}"
        return [*filter(None, (first, ", ".join(kinds), ", ".join(texts)))]

    def tables(self, label: str) -> Iterator[str]:
        """Yield the largest groups of each column as lines of text, with the share of a label."""
        for column, groups in groups_by_column(self.groups, label).items():
            names = [f"{group.value or _EMPTY:.{_LONGEST_NAME}}" for group in groups[:_MOST_SHOWN]]
            width = max(map(len, (column, *names)))
            yield f"{column:{width}}  {'rows':>10}  {label:>8}  95 % interval"
            for name, group in zip(names, groups, strict=False):
                low, high = group.interval or (0.0, 0.0)
                share = "-" if group.share is None else f"{group.share:.1%}"
                interval = "" if group.share is None else f"  {low:.1%} to {high:.1%}"
                yield f"{name:{width}}  {group.rows:10,}  {share:>{max(8, len(label))}}{interval}"
            if len(groups) > _MOST_SHOWN:
                yield f"and {counted(len(groups) - _MOST_SHOWN, 'further value')}"
            yield from filter(None, [_verdict(groups, label)])

    @property
    def doubts(self) -> list[str]:
        """What is not sure about the dates of columns, for messages; "" for a column whose dates are sure."""
        spans = (name for name in self.groups if split_span(name)[1])
        return [doubt_of(split_span(name)[0], self.groups[name]) for name in spans]

    @property
    def warning(self) -> str:
        """The warning about rows in another language; empty if they are few."""
        count, least = self.other_language, _MANY_FOREIGN * (self.rows - self.blank)
        if count < max(1, least):
            return ""
        verb = "is" if self.rows == 1 else "are"
        what = f"{count:,} of {counted(self.rows, 'row')} {verb} perhaps in another language"
        why = f"more than {OTHER_LANGUAGE:.0%} of the words are unknown to the model, so labels are doubtful"
        hint = f"--null-unknown {OTHER_LANGUAGE} leaves them without a label, --unknown-words adds a column"
        return f"{what}: {why}; {hint} with the share of unknown words"


def _verdict(groups: Sequence[Group], label: str) -> str:
    """Return whether groups differ in the share of a label; "" for a single one."""
    known = [(group.labels.get(label, 0), group.labeled) for group in groups if is_group(group.value)]
    return verdict_of(p_of_groups(known)) if len(known) > 1 else ""


@dataclass
class Progress:
    """What the outputs of a run share to show their progress."""

    shown: bool = False
    logged: float = field(default_factory=time.perf_counter)  # when the last line was logged


class Bar:
    """The progress of an output: a bar on a terminal, else a log line every ten minutes. `close` erases it.

    :param total_bytes: the size of its inputs, if known.
    """

    def __init__(self, progress: Progress, name: str, total_bytes: int | None) -> None:
        self._progress = progress
        self._where = "" if name == STANDARD else f"{name}: "
        self._total_bytes = total_bytes
        self._started = time.perf_counter()
        self._bar: Any = None
        if progress.shown and sys.stderr and sys.stderr.isatty():
            from tqdm import tqdm  # not needed, and slow to import, for a quick answer on stdin

            self._bar = tqdm(total=total_bytes, unit="B", unit_scale=True, leave=False)

    def update(self, read: int, rows: int, scored: int, counts: str = "") -> None:
        """Show the bytes read so far, the rows written and scored, and before them other counts."""
        now = time.perf_counter()
        if self._bar is None and not (self._progress.shown and now - self._progress.logged >= _SILENCE):
            return
        reached = f"{counts}{rows:,} rows, {scored / (now - self._started):,.0f} rows/s"
        if self._bar is not None:
            self._bar.set_postfix_str(reached, refresh=False)
            self._bar.update(read - self._bar.n)
            return
        self._progress.logged = now
        share = f", {read / self._total_bytes:.0%} of the bytes" if self._total_bytes else ""
        LOG.info("%s%s%s", self._where, reached, share)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
