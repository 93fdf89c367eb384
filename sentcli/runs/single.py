"""One output: a job, its scores, a summary; how to go on with it."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from sentcli.errors import (
    DataError,
    ExistingOutputError,
    InterruptedRunError,
    OutOfMemoryError,
    OutputError,
    ProcessError,
    RejectsError,
    ResumeError,
    is_short_of_threads,
    signal_of,
)
from sentcli.files.remote import is_url
from sentcli.files.source import STANDARD
from sentcli.files.storage import is_special, resolve
from sentcli.runs.job import Job
from sentcli.runs.ledger import Journal
from sentcli.runs.leftovers import give_up
from sentcli.runs.opening import open_job
from sentcli.runs.summary import Summary, counted
from sentcli.scoring.scorer import Scorer

_log = logging.getLogger("sentcli")

_THERE = "; {command} goes on from there"
_MENDED_FIRST = "; once this is mended, {command} goes on"
_MENDED = "; what was scored so far is kept: once this is mended, {command} goes on"
_HIGHER = "; what was scored so far is kept: with a higher --max-rejects, {option} goes on"
_FEWER = "what was scored so far is kept: with fewer --workers, {option} goes on"
# What goes on with an interrupted run.
RESUMED = {"command": "the same command with --resume", "option": "--resume"}
REPEATED = {"command": "the same command", "option": "it"}
_LESS = "try fewer --workers"
_SMALLER = f"{_LESS}, or a lower --max-row-bytes"
_TURN = 0.0005  # seconds
_SILENCE = 600.0  # seconds after which a log is told how far a run is


class Progress:
    """How far a run is: a bar for each output; where stderr is no terminal, a line now and then.

    :param shown: say anything at all.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._told = time.perf_counter()

    @contextmanager
    def of(self, job: Job, target: str) -> Iterator[Callable[[int, int], None]]:
        """Give what is to be told of one output: the bytes read and the rows written so far."""
        bar: Any = None
        if self._shown and sys.stderr and sys.stderr.isatty():
            from tqdm import tqdm  # a quick answer on stdin does without it

            bar = tqdm(total=job.total_bytes, unit="B", unit_scale=True, leave=False)
        started = time.perf_counter()

        def update(read: int, rows: int) -> None:
            now = time.perf_counter()
            if bar is None and not (self._shown and now - self._told >= _SILENCE):
                return
            reached = f"{rows:,} rows, {(rows - job.resumed_rows) / (now - started):,.0f} rows/s"
            if bar is not None:
                bar.set_postfix_str(reached, refresh=False)
                bar.update(read - bar.n)
            else:
                self._told = now
                name = "" if target == STANDARD else f"{target}: "
                share = f", {read / job.total_bytes:.0%} of the bytes" if job.total_bytes else ""
                _log.info("%s%s%s", name, reached, share)

        try:
            yield update
        finally:
            if bar is not None:
                bar.close()


def score_output(
    scorer: Scorer,
    sources: Sequence[str],
    target: str,
    *,
    progress: Progress,
    again: Mapping[str, str],
    note: Callable[[Summary], None] = lambda _: None,
    is_resumable: bool = False,
    **options: Any,
) -> Summary:
    """Score one output; errors say whether another run could go on.

    :param again: what that would be, for the texts above.
    :param note: what a run of more outputs does when this one is finished.
    :param is_resumable: the run could be gone on with whatever is left of this output.
    :param options: those of `open_job` that the scorer does not know.
    :raises SentcliError: as `sentcli.runs.run.score_files`.
    """
    job: Job | None = None

    def hint(text: str = _THERE) -> str:
        return text.format(**again) if is_resumable or (job and job.resumable) else ""

    try:
        opened = open_job(
            sources,
            target,
            fingerprint=scorer.fingerprint,
            labels=scorer.given_labels,
            **options,
        )
        with opened as job, progress.of(job, target) as update:
            return _score_job(scorer, job, update, note)
    except KeyboardInterrupt as error:
        rows = counted((job.kept_rows if job.resumable else job.rows) if job else 0, "row")
        where = "" if target == STANDARD else f"{target}: "
        raise InterruptedRunError(f"{where}stopped after {rows}{hint()}", signal_of(error)) from None
    except ProcessError as error:
        raise ProcessError(f"{error}{hint()}") from error
    except MemoryError as error:
        raise OutOfMemoryError(f"memory is short; {hint(_FEWER) or _SMALLER}") from error
    except RuntimeError as error:
        if not is_short_of_threads(error):
            raise
        raise ProcessError(f"another thread cannot be started; {hint(_FEWER) or _LESS}") from error
    except RejectsError as error:
        raise RejectsError(f"{error}{hint(_HIGHER)}") from error
    except DataError as error:
        raise DataError(f"{error}{hint(_MENDED if job else _MENDED_FIRST)}") from error
    except ResumeError as error:
        raise ResumeError(_with_name(target, error)) from error
    except ExistingOutputError as error:
        alone = "; --skip-existing leaves it alone" if is_resumable else ""
        raise ExistingOutputError(f"{_with_name(target, error)}{alone}") from error
    except OutputError as error:
        raise OutputError(f"{_with_name(target, error)}{hint()}") from error


def _with_name(target: str, error: OutputError) -> str:
    """Give what an error says, with the name of the output where that is not in it."""
    is_named = target == STANDARD or target in str(error)
    return str(error) if is_named else f"{target}: {error}"


def _score_job(
    scorer: Scorer, job: Job, update: Callable[[int, int], None], note: Callable[[Summary], None]
) -> Summary:
    started = time.perf_counter()
    summary = Summary()
    summary.restore(job.notes)
    with _quick_turns():
        for chunk, scores in scorer.stream(job):
            summary.count(scores)
            if job.text_column is not None:
                summary.text_columns = [job.text_column]
            job.notes = summary.carried()
            job.write(chunk, scores.labels, scores.scores)
            update(chunk.position.progress, job.rows)
    summary.rows, summary.rejected, summary.inputs = job.rows, job.rejected, job.inputs
    summary.scored = job.rows - job.resumed_rows
    job.finish(partial(note, summary))
    if job.rejected and job.rejects_path:
        _log.warning("%s rejected: see %s", counted(job.rejected, "row"), job.rejects_path)
    summary.seconds = time.perf_counter() - started
    return summary


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Let threads that wait for the interpreter's lock have it soon.

    Workers need it for microseconds between two calls that do without it, and would wait for the thread that
    reads: CPython's 5 ms a turn are longer than most of these calls.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def go_on(
    score: Callable[..., Summary],
    sources: Sequence[str],
    target: str,
    *,
    rejects: str | None = None,
    overwrite: bool,
    **options: Any,
) -> Summary:
    """Score one output from where a run of it was interrupted, if that can be, else from its beginning.

    An input that cannot be read twice is read from its beginning at once.

    :param score: does it, as `score_output` with a scorer and its options.
    :param rejects: the rejects file, where it has a name of its own.
    :param overwrite: the output may exist.
    :param options: more of those of `score`.
    :raises SentcliError: as `score`.
    """
    score = partial(score, sources, target, overwrite=overwrite, **options)
    is_file = not (_is_stream(target) or is_url(target))
    if is_file and not any(map(_is_stream, sources)) and Journal(resolve(target)).exists:
        try:
            return score(resume=True)
        except ResumeError:
            if resolve(target).exists() and not overwrite:
                raise
            _log.warning("%s: begun on other conditions, or of another input; it starts over", target)
            give_up(resolve(target), rejects)
    return score()


def _is_stream(name: str) -> bool:
    return name == STANDARD or is_special(name)
