"""`sentcli evaluate`."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sentcli.bundle import CARD, INT8_ONNX, Bundle, load_bundle
from sentcli.cli import printable, say
from sentcli.cli.options import (
    backend_option,
    csv_encoding_option,
    dataset_option,
    delimiter_option,
    device_option,
    label_column_option,
    log_to_stderr,
    model_argument,
    overwrite_option,
    precision_option,
    quiet_option,
    text_column_option,
    workers_option,
)
from sentcli.cli.report import report
from sentcli.errors import OutputError, UsageError, requires

if TYPE_CHECKING:
    from sentcli.evaluation import Floats

_CHUNK = 2048  # texts between two updates of the progress bar
_ASIDE = ("--card", "--json", "-q", "--quiet", "--overwrite")  # flags that change no figure
_PLOTS = "--plots"  # nor does this, with its value
_PASSAGES = "--passages"
_SENTENCES = 3  # that a passage has at most, where no number is given


@click.command()
@model_argument
@dataset_option
@click.option("--split", default="test", help="Part of the data set to measure on; a file is all one part.")
@click.option(
    "--held-out",
    is_flag=True,
    help="Measure on the part of the train split that training held out, instead of --split.",
)
@text_column_option
@label_column_option
@delimiter_option
@csv_encoding_option
@click.option(
    _PASSAGES,
    metavar="[N]",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=_SENTENCES,
    help=f"Measure on a passage of 1 to N sentences of each text, {_SENTENCES} by default. It has the label "
    "of its text, which is not always its own.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="Another model folder or model file: say how far its labels and scores are from those of MODEL.",
)
@backend_option
@device_option
@precision_option
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option(_PLOTS, type=click.Path(path_type=Path), help="Folder for pictures of the figures.")
@overwrite_option
@click.option(
    "--card",
    is_flag=True,
    help="Write the figures into the card of the model, in place of those that this line gave before.",
)
@quiet_option
def evaluate(
    model: Path,
    dataset: str,
    split: str,
    held_out: bool,
    text_column: str | None,
    label_column: str | None,
    delimiter: str | None,
    encoding: str | None,
    passages: int | None,
    against: Path | None,
    backend: str | None,
    device: str | None,
    precision: str | None,
    workers: int | None,
    as_json: bool,
    plots: Path | None,
    overwrite: bool,
    card: bool,
    quiet: bool,
) -> None:
    """Measure a model on a labelled split of a data set.

    MODEL is a model folder, or one model file in it; by default the model in the box. Printed are accuracy
    with its 95 % interval, F1, ROC AUC, log loss, expected calibration error and the confusion matrix; then
    the accuracy by length, and what `sentcli score --uncertain` would leave at a few bands. Texts without a
    word get no score: they are counted, and left out of all figures.

    The card is in the folder that `sentcli train` wrote. Of an exported model, say int8, it is that of the
    model that --against names, which has to be the one that was exported.

    \b
    Examples:
      sentcli evaluate my-model --dataset held-out.csv --label-column stars --plots pictures
      sentcli evaluate my-int8/model.int8.onnx --against my-model --card
    """
    log_to_stderr(quiet=quiet)
    if sys.stdout is None:
        raise OutputError("standard output is closed, and that is where the figures go")
    if held_out and card:
        raise UsageError("--card: the figures of the part that training held out are there already")
    bundle = load_bundle(model)
    other = load_bundle(against) if against else None
    names = bundle.config.labels
    if other and other.config.labels != names:
        raise UsageError(f"--against {against}: its labels are not those of {model}, or not in their order")
    with requires("train"):
        from sentcli.training.dataset import CsvFormat, label_ids, load_split
        from sentcli.training.passages import cut_passages

        if card or held_out:
            from sentcli.training.recording import (
                find_card,
                held_out_part,
                record_evaluation,
                refuse_training_data,
            )
        if plots:
            from sentcli.plots import check_folder, draw_evaluation
    from sentcli.measurement import measure

    ran = _model(bundle, backend)
    how = {"backend": ran["backend"], "device": device, "precision": precision, "workers": workers}
    if precision not in (None, "fp32"):
        ran["backend"] += f" {precision}"
    compared = _model(other, None) if other else None
    carded = find_card(bundle, other) if card else None
    if carded:
        refuse_training_data(carded, dataset, split)
        if plots and carded.path.resolve() in (plots.resolve(), *plots.resolve().parents):
            raise UsageError(f"--plots {plots}: the card is in that model folder, which has its own pictures")
    if plots:
        check_folder(plots, overwrite=overwrite)
    csv = CsvFormat(delimiter, encoding)
    split = "train" if held_out else split
    examples = load_split(dataset, split, text_column, label_column, csv)
    if held_out:
        examples = held_out_part(bundle, examples)
    texts = cut_passages(examples.texts, passages) if passages else examples.texts
    labels = label_ids(examples.labels, names, examples.where)
    scored = _score(bundle, texts, how, quiet=quiet)
    other_scored = None
    if other and compared:
        where = None if compared["backend"] == "onnx" else device
        how = {"backend": compared["backend"], "device": where, "workers": workers}
        other_scored = _score(other, texts, how, quiet=quiet)
    measured = measure(texts, labels, scored, names, other_scored)
    if plots:
        draw_evaluation(plots, measured.labels, measured.probabilities, names, measured.by_length)
    found = {
        "kind": "comparison" if compared else "passages" if passages else "texts",
        **ran,
        "against": compared,
        "dataset": dataset,
        "split": split,
        "held_out": held_out,
        "where": examples.where,
        "text_column": text_column,
        "label_column": label_column,
        "passages": passages,
        **measured.to_json(),
    }
    if carded:
        commands = {"command": _command()}
        if compared and ran["file"] == INT8_ONNX:
            commands["export"] = _export_command(bundle, carded)
        record_evaluation(carded, found | commands, measured)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        of = f"passages of 1 to {passages} sentences of " if passages else ""
        click.echo(f"{printable(f'{bundle.name} on {of}{examples.where}')} ({ran['backend']})")
        if passages:
            click.echo("each with the label of its text, which is not always its own")
        against_name = "{model} ({backend}, {file})".format(**compared) if compared else ""
        click.echo(f"\n{report(measured, against_name)}")
    if carded and not quiet:
        say(f"{carded.path / CARD}: written anew, with these figures")


def _model(bundle: Bundle, backend: str | None) -> dict[str, str]:
    """Say which model it is, and what runs which of its files."""
    from sentcli.backends import choose

    name, file = choose(backend, bundle)
    return {"model": bundle.name, "file": file, "backend": name}


def _score(
    bundle: Bundle,
    texts: Sequence[str],
    how: Mapping[str, Any],
    *,
    quiet: bool,
) -> "Floats":
    """Give the probabilities of all texts, with a progress bar.

    :param how: options of `Scorer`.
    """
    import numpy as np
    from tqdm import tqdm

    from sentcli.scoring import Scorer

    probabilities = np.empty((len(texts), len(bundle.config.labels)))
    with (
        Scorer(bundle, **how) as scorer,
        tqdm(total=len(texts), unit="texts", leave=False, disable=True if quiet else None) as bar,
    ):
        for start in range(0, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            probabilities[start : start + len(chunk)] = scorer.probabilities(chunk)
            bar.update(len(chunk))
    return probabilities


def _export_command(bundle: Bundle, origin: Bundle) -> str:
    """Give the command line that makes a bundle with a file in int8 anew."""
    from sentcli.backends.onnx_program import check_program

    graph = check_program(bundle.read(INT8_ONNX), bundle.path / INT8_ONNX, bundle.config.model).graph
    options = ("--graph", graph, "--precision", "int8")
    return shlex.join(["sentcli", "export", str(origin.path), "-o", str(bundle.path), *options])


def _command() -> str:
    """Give the command line that measures the same again, without what is done with the figures."""
    given = sys.argv[1:]
    words = [
        # Said in full: what stood behind it may be gone, and what comes next then be taken for its number.
        f"{word}={_SENTENCES}" if word == _PASSAGES and (not after or after.startswith("-")) else word
        for before, word, after in zip(["", *given], given, [*given[1:], ""], strict=False)
        if word not in (*_ASIDE, _PLOTS) and before != _PLOTS and not word.startswith(f"{_PLOTS}=")
    ]
    return shlex.join(["sentcli", *words])
