"""Runs of `score_files` that are interrupted at will."""

from collections import Counter
from pathlib import Path

from sentcli.runs.run import score_files
from sentcli.scoring.scorer import Scorer

CHUNK = 16  # rows


def run(scorer, inputs, output, **options):
    return score_files(scorer, inputs, str(output), **options)


def interrupt(monkeypatch, after, error=KeyboardInterrupt):
    """Let a signal come after so many chunks, of all outputs together."""
    stream, given = Scorer.stream, 0

    def interrupted(self, chunks):
        nonlocal given
        for pair in stream(self, chunks):
            if given == after:
                raise error
            given += 1
            yield pair

    monkeypatch.setattr(Scorer, "stream", interrupted)


def count_texts(monkeypatch):
    """Count the texts that are scored from now on."""
    begin, counted = Scorer._begin, Counter()

    def counting(self, texts, *arguments):
        counted["texts"] += len(texts)
        return begin(self, texts, *arguments)

    monkeypatch.setattr(Scorer, "_begin", counting)
    return counted


def content(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def facts(summary):
    """What a run that was interrupted has to have in common with one that was not."""
    of_this_run = {"scored", "seconds", "rows_per_second"}
    return {name: value for name, value in summary.to_json().items() if name not in of_this_run}
