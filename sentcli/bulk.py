"""From files to scored files: a job of `sentcli.tables`, the pipeline of `sentcli.scoring`, a summary."""

import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from sentcli.errors import InterruptedRunError, TerminatedBySignal
from sentcli.scoring import Scorer, Scores
from sentcli.tables import Job, ReadOptions, RejectOptions, WriteOptions, open_job, plan_outputs

_CARRIED = {"blank", "truncated", "tokens", "unknown", "labels"}


@dataclass
class Summary:
    """What a run did, in rows.

    :param blank: rows without a word, which have no score.
    :param truncated: rows whose text is longer than the model reads.
    :param tokens, unknown: words of all texts, and those that the model does not know.
    :param labels: rows of each label.
    :param seconds: of this run alone; `scored` counts the rows that it did not find finished.
    :param inputs: what tells the inputs from changed ones: path, size, time of change.
    """

    rows: int = 0
    rejected: int = 0
    blank: int = 0
    truncated: int = 0
    tokens: int = 0
    unknown: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    scored: int = 0
    seconds: float = 0.0
    inputs: list[dict[str, Any]] = field(default_factory=list)

    def add(self, scores: Scores) -> None:
        """Count the rows of a chunk."""
        self.blank += scores.blank
        self.truncated += scores.truncated
        self.tokens += scores.tokens
        self.unknown += scores.unknown
        self.labels.update(label for label in scores.labels if label is not None)

    def carried(self) -> dict[str, Any]:
        """Give what a journal keeps for a run that goes on from it."""
        return {name: getattr(self, name) for name in _CARRIED}

    def restore(self, carried: Mapping[str, Any]) -> None:
        """Take up what `carried` gave."""
        for name in _CARRIED & carried.keys():
            setattr(self, name, type(getattr(self, name))(carried[name]))

    def to_json(self) -> dict[str, Any]:
        rate = self.scored / self.seconds if self.seconds else 0.0
        return {**asdict(self), "rows_per_second": round(rate, 1), "seconds": round(self.seconds, 3)}

    def __iadd__(self, other: Self) -> Self:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    def lines(self) -> list[str]:
        """Lay the summary out for people."""
        counted = [f"{self.rows:,} rows"]
        for name in ("rejected", "blank", "truncated"):
            if count := getattr(self, name):
                counted.append(f"{count:,} {name}")
        if self.tokens:
            counted.append(f"{self.unknown / self.tokens:.1%} of the words unknown to the model")
        speed = f"{self.scored / self.seconds:,.0f} rows/s, {self.seconds:.1f} s" if self.seconds else ""
        labeled = sum(self.labels.values())
        shares = [f"{label} {count / labeled:.1%}" for label, count in sorted(self.labels.items())]
        return [line for line in (", ".join(counted), ", ".join(shares), speed) if line]


def score_files(
    scorer: Scorer,
    inputs: Sequence[str],
    output: str,
    *,
    read: ReadOptions,
    write: WriteOptions,
    rejects: RejectOptions,
    resume: bool = False,
    overwrite: bool = False,
    show_progress: bool = False,
) -> Summary:
    """Score every row of the inputs; each output stands under its name when all of its rows are in it.

    :param inputs: paths, globs, URLs or `-` for stdin.
    :param output: a file, a folder for one output an input, or `-` for stdout.
    :param show_progress: draw a bar on stderr, if that is a terminal.
    :raises UsageError: for options that do not go together.
    :raises DataError: for an input that cannot be read, or more rejects than allowed.
    :raises OutputError: for an output that exists, cannot be written, or cannot be resumed.
    :raises InterruptedRunError: after a signal.
    """
    total = Summary()
    for sources, target in plan_outputs(inputs, output, write):
        job = open_job(
            sources,
            target,
            read=read,
            write=write,
            rejects=rejects,
            resume=resume,
            overwrite=overwrite,
            fingerprint={"model": scorer.bundle.digest, "backend": scorer.backend},
        )
        try:
            with job:
                total += _score_job(scorer, job, show_progress=show_progress)
        except KeyboardInterrupt as error:
            number = error.number if isinstance(error, TerminatedBySignal) else signal.SIGINT
            hint = "; the same command with --resume goes on from there" if job.resumable else ""
            raise InterruptedRunError(f"{target}: stopped after {job.rows:,} rows{hint}", number) from None
    return total


def _score_job(scorer: Scorer, job: Job, *, show_progress: bool) -> Summary:
    started = time.perf_counter()
    summary = Summary()
    summary.restore(job.notes)
    with _Bar(job, show_progress) as bar:
        for chunk, scores in scorer.stream(job):
            summary.add(scores)
            job.notes = summary.carried()
            job.write(chunk, scores.labels, scores.scores)
            bar.update(chunk.position.progress, job.rows)
    job.finish()
    summary.rows, summary.rejected, summary.inputs = job.rows, job.rejected, job.inputs
    summary.scored = job.rows - job.resumed_rows
    summary.seconds = time.perf_counter() - started
    return summary


class _Bar:
    """A bar by bytes read, with rows/s beside it; nothing when it is not wanted or stderr is no terminal."""

    def __init__(self, job: Job, shown: bool) -> None:
        self._job = job
        self._shown = shown
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._shown:
            from tqdm import tqdm  # a quick answer on stdin does without it

            total = self._job.total_bytes
            self._bar = tqdm(total=total, unit="B", unit_scale=True, disable=None, leave=False)
        self._started = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, read: int, rows: int) -> None:
        if self._bar is not None and not self._bar.disable:
            rate = (rows - self._job.resumed_rows) / (time.perf_counter() - self._started)
            self._bar.set_postfix_str(f"{rows:,} rows, {rate:,.0f} rows/s", refresh=False)
            self._bar.update(read - self._bar.n)
