"""What a model's own folder says of it, `sentcli evaluate` included: in `metrics.json` and on the card."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentcli.errors import BundleError, UsageError
from sentcli.evaluation import plots
from sentcli.evaluation.card_evaluations import headline, one_name
from sentcli.evaluation.history import own_epochs, read_history
from sentcli.evaluation.measurement import Measurement
from sentcli.evaluation.metrics import reliability
from sentcli.evaluation.metrics_file import Metrics, read_metrics
from sentcli.evaluation.model_card import model_card, write_card
from sentcli.files.lock import Lock
from sentcli.files.storage import resolve
from sentcli.model.bundle import (
    CONFUSION,
    EVALUATED_RELIABILITY,
    LENGTHS,
    METRICS,
    ORIGIN,
    SIZES,
    WEIGHTS,
    Bundle,
    check_target,
    check_writable,
    load_bundle,
    new_bundle,
)

_LOCK = "card-lock"  # not the one of a training that is to replace the model, hours later
# Two evaluations of the same data that agree in all of these are one, made twice.
_IDENTITY = ("kind", "file", "backend", "text_column", "label_column", "passages")


def find_card(model: Bundle, against: Bundle | None) -> Bundle:
    """Find the model folder whose card an evaluation belongs to, before time is spent on the figures.

    :param against: what the model is compared with; an export's card is that of the model it was made from.
    :raises UsageError: when neither has a card, or one is not an export of the other, nor the same model.
    :raises BundleError: when the card could not be written anew from what is in the folder.
    :raises OutputError: when the folder could not be replaced.
    """
    if METRICS in model.digests:
        carded = model
        if against and not _is_same(against, model):
            raise UsageError(
                f"--card: {against.path} is no other form of {model.path}, and the card is of that alone; "
                "leave out --card"
            )
    elif against and METRICS in against.digests:
        carded = against
        if not _is_export(model, carded):
            raise UsageError(
                f"--card: {model.path} was not exported from {carded.path} as it is now; "
                "try `sentcli export` again, then this"
            )
    else:
        raise UsageError(
            f"--card: {model.path} was not written by `sentcli train` and has no card; for an export, "
            "try --against with the model that it was made from"
        )
    check_target(carded.path, overwrite=True)
    check_writable(carded.path.resolve().parent)
    metrics, history = read_metrics(carded), own_epochs(read_history(carded))
    try:
        model_card(carded.config, metrics, history, name=carded.name, files=carded.digests)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(
            f"{carded.path / METRICS}: no card can be made of it ({error!r:.200}); "
            "it is of another version of sentcli; train the model anew"
        ) from error
    return carded


def record_evaluation(bundle: Bundle, record: Mapping[str, Any], measured: Measurement) -> None:
    """Write an evaluation into a model folder, which is replaced as a whole.

    It takes the place of an earlier record of the same evaluation.

    :param bundle: what `find_card` found.
    :param record: what `sentcli evaluate --json` prints, and `command`.
    :raises BundleError: when the model was changed since it was opened.
    :raises OutputError: when the folder cannot be written.
    """
    with _alone(bundle) as now:
        metrics = read_metrics(now)
        pictured = headline(metrics)
        records = {tuple(_identity(each)): each for each in [*metrics.get("evaluations", ()), record]}
        metrics["evaluations"] = [*records.values()]
        shown = headline(metrics)
        with _rewritten(now, metrics) as folder:
            if shown is record:
                calibration = reliability(measured.labels, measured.probabilities)
                plots.confusion_matrix(folder / CONFUSION, measured.figures.confusion, bundle.config.labels)
                plots.reliability(folder / EVALUATED_RELIABILITY, calibration)
                plots.accuracy_by_length(folder / LENGTHS, measured.by_length)
            elif shown is not pictured:  # now one that was measured before, whose pictures nobody has
                for picture in (CONFUSION, EVALUATED_RELIABILITY, LENGTHS):
                    (folder / picture).unlink(missing_ok=True)


def record_variants(
    bundle: Bundle,
    sizes: Sequence[Mapping[str, float]],
    seeds: Sequence[Mapping[str, float]],
    *,
    command: str,
    machine: str,
) -> None:
    """Write what models of other sizes and seeds reached into a model folder, which is replaced as a whole.

    :param bundle: what `find_card` found.
    :param sizes, seeds: as `sentcli.evaluation.model_card.model_card` has them.
    :param command: the line that measured them.
    :param machine: what the speeds are of, in words.
    :raises BundleError: when the model was changed since it was opened.
    :raises OutputError: when the folder cannot be written.
    """
    with _alone(bundle) as now:
        variants = {"command": command, "machine": machine}
        metrics = read_metrics(now)
        metrics |= {"sizes": [*map(dict, sizes)], "seeds": [*map(dict, seeds)], "variants": variants}
        with _rewritten(now, metrics) as folder:
            plots.accuracy_by_speed(folder / SIZES, sizes)


def _is_export(model: Bundle, origin: Bundle) -> bool:
    """Tell whether a model was exported from another one, with the weights that it has now."""
    if ORIGIN not in model.digests:
        return False
    return model.read(ORIGIN).decode("ascii", "replace").split() == [origin.digests.get(WEIGHTS), WEIGHTS]


def _is_same(other: Bundle, model: Bundle) -> bool:
    """Tell whether two folders hold the same weights, in whatever form."""
    return other.digests.get(WEIGHTS) == model.digests.get(WEIGHTS) or _is_export(other, model)


@contextmanager
def _alone(bundle: Bundle) -> Iterator[Bundle]:
    """Give the model as it is now: other evaluations may have been recorded meanwhile; the next ones wait."""
    lock = Lock(resolve(bundle.path), _LOCK, waits=True)
    try:
        now = load_bundle(bundle.path)
        if now.digest != bundle.digest:
            raise BundleError(f"{bundle.path}: the model was changed while it was measured; measure it anew")
        yield now
    finally:
        lock.release()


@contextmanager
def _rewritten(bundle: Bundle, metrics: Metrics) -> Iterator[Path]:
    """Give a copy of a model folder with other metrics, to add to; with its card it replaces the folder."""
    history = own_epochs(read_history(bundle))
    with new_bundle(bundle.path, overwrite=True) as folder:
        for name in bundle.digests:
            (folder / name).write_bytes(bundle.read(name))
        (folder / METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
        yield folder
        write_card(folder, bundle.config, metrics, history, name=bundle.name)


def _identity(record: Mapping[str, Any]) -> list[Any]:
    is_file = record["where"] == f"{record['dataset']:.200}"  # which is the same whatever split was asked for
    identity = [one_name(record["dataset"]), None if is_file else record["split"]]
    identity += [record[name] for name in _IDENTITY]
    if against := record["against"]:
        identity += [record["model"], *against.values()]
    return identity
