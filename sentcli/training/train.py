"""One run of `sentcli train`: from data to a model folder, continued if it was interrupted.

The work folder next to the output keeps the checkpoint, and `run.json` with the settings, data and
versions of the run. The same command continues the run; a different one is refused.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sentcli.config import LOG
from sentcli.datasets.labels import LabeledTexts
from sentcli.datasets.load import Rejects, read_data_sets
from sentcli.datasets.splits import are_learned
from sentcli.errors import DataError, UsageError, option
from sentcli.files.atomic import Lock, output_errors, resolve
from sentcli.files.sink import Target, write_file
from sentcli.model.bilstm import choose_device
from sentcli.model.bundle import HISTORY, check_target, check_writable, default_bundle_path, load_bundle
from sentcli.scoring.labels import NEUTRAL, STARS
from sentcli.text.tokenizer import words_of
from sentcli.training.corpus import DataSource, Texts, read_texts
from sentcli.training.finetune import MOST_LEARNED, Base, has_classes, load_base
from sentcli.training.glove import check_source
from sentcli.training.record import facts_of
from sentcli.training.settings import DataSize, Options, resolve_settings
from sentcli.training.train_model import train_model

_FEW = 2000  # labeled texts; with fewer, the included model is the start if they have its classes
_ENGLISH = 0.8  # share of the running words that it knows
_FEWEST_NEW = 20  # validation texts that the base model has not learned
_THREE = ("negative", NEUTRAL, "positive")
_NOTE = "run.json"
_OVERWRITE = "overwrite"  # key in the note: whether the run may replace a model


def train_bundle(
    source: DataSource, given: Mapping[str, Any], output: Path, options: Options, *, overwrite: bool = False
) -> None:
    """Train a model and write its folder; continue an interrupted run of the same settings and data.

    Rows that cannot be used are written to a file next to the model folder.

    :param overwrite: start over, and replace a model at `output`.
    """
    base = load_base(source.finetune) if source.finetune else None
    settings = resolve_settings(source, given, base)
    base = settings.base
    check_source(settings.glove, settings.model.embedding_dim)
    choose_device(options.device)  # it must exist
    rejects = Rejects(source.max_rejects, "correct them, or raise max-rejects in the file of settings")
    with output_errors(f"{output.parent}: the folder cannot be made"):
        output.parent.mkdir(parents=True, exist_ok=True)
    check_writable(output.parent)
    work = work_folder(output)
    # Two runs of one output would share the work folder.
    with Lock(resolve(output)):
        note = {} if overwrite else _read_note(work)
        replaces = bool(note.pop(_OVERWRITE, overwrite))  # an interrupted run may have begun with it
        check_target(output, overwrite=replaces)
        names = base.bundle.config.labels if base else None
        reading = source.csv, rejects, source.positive, names, source.given
        parts, labels = read_data_sets(source.data, *reading)
        size = DataSize.of(parts, source, labels)
        if not base and not source.glove and size.texts < _FEW:
            base = _included_model(source, given, parts, labels)
        if base:
            base = replace(base, keeps_classifier=base.keeps_network and has_classes(base.bundle, labels))
            if not base.keeps_classifier:
                change = ("classes", "classifier") if base.keeps_network else ("hidden units", "LSTM")
                LOG.info("%s has other %s: the new model gets a new %s", base.origin["name"], *change)
            elif (learned := _count_learned(source, parts, base)) > MOST_LEARNED * size.texts:
                size = replace(size, splittable=max(size.splittable - learned, 0))  # no cross-validation
        elif given.get("interpolate"):
            raise UsageError(f"{option('interpolate')} needs a model; name it with {option('finetune')}")
        settings = resolve_settings(source, given, base, size)
        texts = read_texts(source, parts, labels, settings.config, rejects)
        if base and base.keeps_classifier:
            texts = _validate_on_new(texts, base)
        rejects.write(Target(output).rejects)
        with output_errors(work):
            with _noted(work, note, facts_of(settings, texts), overwrite=replaces):
                train_model(texts, settings, options, output, work, overwrite=replaces)
            shutil.rmtree(work)


def _included_model(
    source: DataSource, given: Mapping[str, Any], parts: Sequence[LabeledTexts], labels: Sequence[str]
) -> Base | None:
    """Return the included model for English texts with labels of reviews, unless settings contradict it."""
    bundle = load_bundle(default_bundle_path())
    is_of_reviews = has_classes(bundle, labels) or tuple(labels) in (STARS, _THREE)
    if not is_of_reviews or "hidden_size" in given:
        return None
    known = [word in bundle.vocab for part in parts for text in part.texts for word in words_of(text)]
    with suppress(UsageError):
        if sum(known) >= _ENGLISH * len(known):
            base = load_base(bundle.path)
            resolve_settings(source, given, base)
            choice = "few English reviews: fine-tuning the included model %s; %s starts from word vectors"
            LOG.info(choice, base.origin["name"], option("glove"))
            return base
    return None


def _count_learned(source: DataSource, parts: Sequence[LabeledTexts], base: Base) -> int:
    validated = [part for part, data in zip(parts, source.data, strict=True) if data.validate]
    return sum(int(are_learned(part.texts, base.learned).sum()) for part in validated)


def _validate_on_new(texts: Texts, base: Base) -> Texts:
    """Return the texts without validation texts that the base model has learned, unless few are new."""
    (new,) = (~are_learned(texts.validation.texts, base.learned)).nonzero()
    counts = base.origin["name"], len(texts.validation) - len(new), len(texts.validation)
    if len(new) < min(_FEWEST_NEW, len(texts.validation) / 2):
        advice = f"so the model will keep its weights; pass new texts with {option('validation', 'FILE')}"
        LOG.warning("%s has learned %d of %d validation texts, %s", *counts, advice)
    elif len(new) < len(texts.validation):
        LOG.info("%s has learned %d of %d validation texts, which do not validate", *counts)
        return replace(texts, validation=texts.validation.take(new.tolist()))
    return texts


def work_folder(output: Path) -> Path:
    """Return the folder of the run that writes this model."""
    return output.parent / f".{output.name}.training"


def _read_note(work: Path) -> dict[str, Any]:
    """Return the note of an interrupted run; empty if there is none."""
    path = work / _NOTE
    try:
        note = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; start over with {option('overwrite')}") from None
    return note if isinstance(note, dict) else {}


@contextmanager
def _noted(work: Path, note: dict[str, Any], facts: dict[str, Any], *, overwrite: bool) -> Iterator[None]:
    """Make the work folder with a note of these facts, or check that a note is that of the same run.

    A run that ends before it saved anything leaves no folder.
    """
    facts = json.loads(json.dumps(facts))
    changed = [
        f"{name} was {note.get(name)!r:.60}, is {facts.get(name)!r:.60}"
        for name in facts | note
        if note.get(name) != facts.get(name)
    ]
    if note and changed:
        problem = f"the interrupted run had other settings or data: {'; '.join(changed[:4])}"
        hint = f"repeat its command to continue, or start over with {option('overwrite')}"
        raise DataError(f"{work}: {problem}; {hint}")
    try:
        if not note:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            data = json.dumps({**facts, _OVERWRITE: overwrite}, indent=2) + "\n"
            write_file(Target(work / _NOTE), data.encode())
        yield
    except BaseException:
        if all(file.name in (_NOTE, HISTORY) for file in work.glob("*")):
            shutil.rmtree(work, ignore_errors=True)
        raise
