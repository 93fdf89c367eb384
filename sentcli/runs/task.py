"""The task of a node in a cluster: score some files, each exactly as a run of its own does."""

import functools
import logging
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sentcli import __version__
from sentcli.errors import ClusterError, names_flags
from sentcli.files.sink import Target
from sentcli.runs.job import OF_ONE_OUTPUT, JobOptions, score_output
from sentcli.runs.summary import Progress
from sentcli.scoring.pool import tune_interpreter
from sentcli.scoring.scorer import Scorer, load

Parameters = tuple[tuple[str, Any], ...]
Result = tuple[dict[str, Any] | None, list[tuple[int, str]]]

_log = logging.getLogger("sentcli")


@dataclass(frozen=True)
class File:
    """An input with its output."""

    name: str  # what messages, rejects and records call the input
    output: str
    source: str  # absolute paths or URLs, because a node has another current folder
    target: str
    size: int


@names_flags()  # a cluster is used from the command line only
def score_task(
    files: Sequence[File], parameters: Parameters, conditions: Mapping[str, Any], options: JobOptions
) -> list[Result]:
    """Score each file to its output. A task may run again, or twice at once.

    :param conditions: the conditions of the driver, see `conditions_of`.
    :returns: for each file the record of its summary, None if an error concerns this file alone; and its log.
    :raises ClusterError: before anything is written, if the scores could differ from those of other nodes.
    """
    scorer = _scorer(parameters)
    here = conditions_of(scorer)
    for name, value in conditions.items():
        if here[name] != value:
            raise ClusterError(
                f"the node {platform.node()} has another {name}: {here[name]!s:.200} and not {value!s:.200}; "
                "install the same packages on every node"
            )
    return [_score(scorer, file, options) for file in files]


def conditions_of(scorer: Scorer) -> dict[str, Any]:
    """Return what all nodes need to have in common, by the names that messages show to the user."""
    return {"version of sentcli": __version__, **scorer.fingerprint}


@functools.cache  # a process serves many tasks of one run
def _scorer(parameters: Parameters) -> Scorer:
    tune_interpreter()
    return load(**dict(parameters))


def _score(scorer: Scorer, file: File, options: JobOptions) -> Result:
    from logging.handlers import BufferingHandler  # imports sockets, which few runs need

    log = BufferingHandler(sys.maxsize)  # the log of a node is not that of the user
    _log.addHandler(log)
    _log.setLevel(logging.INFO)
    summary = None
    try:
        total = score_output(scorer, [file.source], Target(file.target), options, Progress(), name=file.name)
        summary = total.to_record()
    except OF_ONE_OUTPUT as error:
        _log.error("%s (on %s)", error, platform.node())
    finally:
        _log.removeHandler(log)
    lines = [(record.levelno, record.getMessage()) for record in log.buffer]
    return summary, [(level, line.replace(file.target, file.output)) for level, line in lines]
