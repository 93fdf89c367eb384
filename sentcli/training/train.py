"""One run of `sentcli train`: from data to a model folder, continued if it was interrupted.

The work folder next to the output keeps the checkpoint, and `run.json` with the settings, data and
versions of the run. The same command continues the run; a different one is refused.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from sentcli import __version__
from sentcli.config import BY_DATA
from sentcli.datasets.labels import join
from sentcli.datasets.rejects import Rejects
from sentcli.datasets.splits import digest_texts
from sentcli.datasets.training_data import read_data_sets
from sentcli.errors import DataError, OutputError, UsageError
from sentcli.files.atomic import new_file, resolve
from sentcli.files.lock import Lock
from sentcli.files.sink import Target
from sentcli.model.bilstm import choose_device
from sentcli.model.bundle import check_target, check_writable, default_bundle_path
from sentcli.scoring import stop
from sentcli.text.tokenizer import words_of
from sentcli.training.corpus import DataSource, Texts, read_texts
from sentcli.training.finetune import load_base
from sentcli.training.glove import check_source
from sentcli.training.precision import check_precision
from sentcli.training.settings import BY_LABELS, NO_VECTORS, DataSize, Settings
from sentcli.training.train_model import train_model

_log = logging.getLogger("sentcli")

_FEW = 2000  # labelled texts; with fewer, the included model is the start if they have its classes
_ENGLISH = 0.8  # share of the running words that it knows
_NOTE = "run.json"
_OVERWRITE = "overwrite"  # key in the note: whether the run may replace a model


def train_bundle(
    source: DataSource,
    output: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    rejects: Rejects | None = None,
) -> None:
    """Train a model and write its folder; continue an interrupted run of the same settings and data.

    :param overwrite: start over, and replace a model at `output`.
    :param rejects: the limit on rows that cannot be used; they are written to a file next to `output`.
    :raises SentcliError: for data, vectors, settings or an output that cannot be used.
    :raises StopRequested: after a signal, once a checkpoint is written.
    """
    _make_parent(output)
    work = work_folder(output)
    # Two runs of one output would share the work folder.
    with Lock(resolve(output), check=stop.check):
        check_run(source, output, settings, overwrite=overwrite or _may_replace(output))
        names = settings.base.config.labels if settings.base else None
        rejects = rejects or Rejects()
        parts, labels = read_data_sets(source.data, source.csv, None, rejects, source.positive, names)
        pairs = [*zip(parts, source.data, strict=True)]
        validated = join([part for part, each in pairs if each.validate] or parts, labels)
        others = [text for part, each in pairs if not each.validate for text in part.texts]
        size = DataSize.of(validated.texts, [label for label in validated.labels if label in labels])
        if settings.given is not None and size.with_more(others).texts < _FEW:
            settings = _from_the_included(settings, [*validated.texts, *others], labels)
        if base := settings.base:
            source = replace(source, glove=NO_VECTORS)
            settings = replace(settings, base=replace(base, keeps_classifier=base.has_classes(labels)))
            if not base.has_classes(labels):
                _log.info("%s has other classes: the new model gets a new classifier", base.path)
        if others:  # a cross-validation would train on them in each fold
            settings = replace(settings, auto=[name for name in settings.auto if name != "folds"])
        settings = settings.chosen_for(size, BY_LABELS if others else BY_DATA)
        config = settings.config
        texts = read_texts(source, parts, labels, None if config.folds else config.validation_share, rejects)
        rejects.write(Target(output).rejects)
        settings = settings.chosen_for(size.with_more(others))
        with _noted(work, _facts(source, texts, settings), overwrite=overwrite) as replaces:
            train_model(texts, source, output, settings, work, overwrite=replaces)
        remove_work_folder(work)


def _from_the_included(settings: Settings, texts: Sequence[str], labels: Sequence[str]) -> Settings:
    """Let the training start from the included model if these are English texts with labels of polarity.

    A setting that contradicts this model rules it out.
    """
    base = load_base(default_bundle_path())
    known = [word in base.vocab for text in texts for word in words_of(text)]
    if not base.has_classes(labels) or sum(known) < _ENGLISH * len(known):
        return settings
    with suppress(UsageError):
        settings = settings.finetuning(base, settings.given or {})
        _log.info(
            "few texts with labels of polarity: fine-tuning the included model, %s; --glove starts from word "
            "vectors",
            base.path.name,
        )
    return settings


def work_folder(output: Path) -> Path:
    """Return the folder of the run that writes this model."""
    return output.parent / f".{output.name}.training"


def remove_work_folder(work: Path) -> None:
    shutil.rmtree(work)


def _may_replace(output: Path) -> bool:
    """Return whether the interrupted run of this output was started with `overwrite`."""
    return bool((_read_note(work_folder(output)) or {}).get(_OVERWRITE))


def check_run(source: DataSource, output: Path, settings: Settings, *, overwrite: bool) -> None:
    """Check output, vectors, device and precision before the training begins.

    :raises SentcliError: when training cannot use one of them.
    """
    check_target(output, overwrite=overwrite)
    if source.glove != NO_VECTORS:
        check_source(source.glove, settings.model.embedding_dim)
    check_precision(settings.config, choose_device(settings.device))


def _make_parent(output: Path) -> None:
    """Make the folder that holds the output and the work folder.

    :raises OutputError: when it cannot be made or written.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output.parent}: the folder cannot be made: {error.strerror}") from None
    check_writable(output.parent)


def _facts(source: DataSource, texts: Texts, settings: Settings) -> dict[str, Any]:
    """Return everything that the weights depend on, as JSON."""
    parts = (texts.train, texts.validation)
    digests = [digest_texts(some) for part in parts for some in (part.texts, part.labels)]
    tables = [
        {f"{name} of data set {number}": value for name, value in asdict(each).items()}
        for number, each in enumerate(source.data, start=1)
    ]
    return {
        **{key: value for key, value in asdict(source).items() if key != "data"},
        **{key: value for table in tables for key, value in table.items()},
        **settings.text.to_json(),
        **settings.model.to_json(),
        **settings.config.to_json(),
        "finetune": settings.base.digest if settings.base else None,
        "texts": digest_texts(digests),
        "sentcli": __version__,
        "torch": torch.__version__,
    }


def _read_note(work: Path) -> dict[str, Any] | None:
    """Return the note of an interrupted run; None if there is none.

    :raises DataError: when it cannot be read.
    """
    path = work / _NOTE
    try:
        note = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; start over with --overwrite") from None
    return note if isinstance(note, dict) else None


@contextmanager
def _noted(work: Path, facts: dict[str, Any], *, overwrite: bool) -> Iterator[bool]:
    """Make the work folder and its note, or check that they are those of the same run.

    A run that ends before it saved anything leaves no folder.

    :returns: whether the run may replace a model.
    :raises DataError: naming what changed since the interrupted run.
    :raises OutputError: when the folder cannot be written.
    """
    wanted = json.loads(json.dumps(facts))
    found = None if overwrite else _read_note(work)
    if found is not None:
        replaces = bool(found.pop(_OVERWRITE, False))
        changed = [
            f"{name} was {found.get(name)!r:.60}, is {wanted.get(name)!r:.60}"
            for name in wanted | found
            if found.get(name) != wanted.get(name)
        ]
        if changed:
            raise DataError(
                f"{work}: the interrupted run had other settings or data: {'; '.join(changed[:4])}; "
                "repeat its command to continue, or start over with --overwrite"
            )
    else:
        replaces = overwrite
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            with new_file(work / _NOTE) as file:
                file.write((json.dumps({**wanted, _OVERWRITE: overwrite}, indent=2) + "\n").encode())
        except OSError as error:
            shutil.rmtree(work, ignore_errors=True)
            raise OutputError(f"{work}: cannot be written: {error.strerror}") from error
    try:
        yield replaces
    except BaseException:
        if [*work.glob("*")] == [work / _NOTE]:
            remove_work_folder(work)
        raise
