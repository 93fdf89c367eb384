"""The part of a model card that `sentcli evaluate --card` measured: figures, and what they say of limits."""

import os.path
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sentcli.evaluation.lengths import LengthScores
from sentcli.evaluation.markdown import block, code, four, interval, table
from sentcli.evaluation.metrics import ECE_BINS
from sentcli.evaluation.metrics_file import WEAK_SPOTS, Metrics, learners
from sentcli.model import bundle
from sentcli.scoring.labels import UNCERTAIN

Record = Mapping[str, Any]  # what `sentcli evaluate --json` prints, and `command`

_ALL_OF = 3  # evaluations for one weak spot; of more the worst is told, and the table has the others
_OTHERS = "Other measurements"
MOST_CLASSES = 12  # in a confusion matrix; metrics.json has them all
_NAMES = {
    "accuracy": "accuracy",
    "f1": "F1",
    "macro_f1": "macro F1",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss",
    "expected_calibration_error": f"expected calibration error, {ECE_BINS} bins",
}


def headline(metrics: Metrics) -> Record | None:
    """Choose the evaluation that the card shows in full, the one that its pictures are of.

    :returns: of those on whole texts that were not chosen for a weak spot the first that was made, on the
        model's own data set if there is one.
    """
    whole = [record for record in _of_kind(metrics, "texts") if not record.get("weak_spot")]
    own = [record for record in whole if one_name(record["dataset"]) == one_name(metrics["dataset"])]
    return next(iter([*own, *whole]), None)


def one_name(dataset: str) -> str:
    """Give a data set the same name however its path is spelled; the id of one on the hub is that name."""
    return os.path.normpath(dataset)


def evaluations(metrics: Metrics, files: Collection[str], model: str, test_set: str) -> str:
    """Write the section of figures.

    :param files: names of the files of the model folder; a picture that is not there is not shown.
    :param model, test_set: arguments of the line that measures, where nothing was measured yet.
    """
    shown = headline(metrics)
    records = [record for kind in ("texts", "passages") for record in _of_kind(metrics, kind)]
    others = [record for record in records if record is not shown]
    parts = []
    if records:
        parts.append(
            f"{_of_training(metrics)} Each figure here comes from the command beside it; those under "
            "*Validation* were noted in training where no command is named."
        )
    else:
        parts.append(
            f"{_of_training(metrics)} None was measured yet. This measures one and writes the figures here:"
        )
        parts.append(block(f"sentcli evaluate {model} --dataset {test_set} --card"))
    if shown:
        parts.append(_in_full(shown, files))
    if others:
        spots = [_weak_spot(record, metrics, shown) for record in others]
        parts += [f"### {_OTHERS}", _in_rows(others, spots)]
    comparisons = _of_kind(metrics, "comparison")
    if comparisons:
        parts.append(_comparisons(comparisons))
    return "\n\n".join(parts)


def weak_spots(metrics: Metrics, words: int, labels: Sequence[str], model: str, test_set: str) -> str:
    """Say what the model is bad at, with figures where there are some.

    :param words: that the model knows.
    :param labels: of its classes.
    :param test_set: as for `evaluations`.
    """
    shown = headline(metrics)
    known = code(shown["where"] if shown else metrics["dataset"])
    measured: dict[str, list[Record]] = {spot: [] for spot in WEAK_SPOTS}
    for record in [*_of_kind(metrics, "passages"), *_of_kind(metrics, "texts")]:
        if spot := _weak_spot(record, metrics, shown):
            measured[spot].append(record)
    found = {spot: f"{_accuracies(records)}. " if records else "" for spot, records in measured.items()}
    line = code(f"sentcli evaluate {model} --dataset {test_set} --passages --card")
    short = found["short"] or f"not measured; {line} does."
    if any(record["passages"] for record in measured["short"]):
        short += (
            "A passage has the label of the text that it was cut from, which is not always its own, so that "
            "some of the errors are those of the labels."
        )
    spots = {
        "Short texts": short,
        "Other subjects and kinds of text": found["subjects"] or f"not measured on any but {known}.",
        "Negation": found["negation"],
        "Irony": _after(found["irony"], "expect it to be taken at its word."),
        "Other languages and rare words": _after(
            found["languages"],
            f"it knows {words:,} words, in lower case, and all others look the same to it.",
        ),
        "Texts that say nothing of the kind": (
            f"every text with a word in it gets one of the {len(labels)} labels"
            f"{'' if UNCERTAIN in labels else ', unless `--uncertain` is given'}."
        ),
    }
    return "\n".join(f"- **{spot}**: {said.strip()}" for spot, said in spots.items() if said)


def _of_training(metrics: Metrics) -> str:
    """Say what training read of test splits, of all that the model went on from too."""
    chosen_on = [learner.get("validation_data") for learner in learners(metrics)]
    if "test" in chosen_on:
        return "Training chose its epoch on the test split."
    on = ", ".join(code(name) for name in dict.fromkeys(chosen_on) if name)
    return "Training read no test split." + (f" It chose its epoch on {on}." if on else "")


def confusion_matrix(figures: Mapping[str, Any]) -> str:
    """Write the table; with very many classes, where it is."""
    names = [code(scores["name"]) for scores in figures["classes"]]
    if len(names) > MOST_CLASSES:
        return f"The confusion matrix of the {len(names)} classes is in `{bundle.METRICS}`."
    rows = [
        (name, *(f"{count:,}" for count in counts))
        for name, counts in zip(names, figures["confusion"], strict=True)
    ]
    return table(("true \\ predicted", *names), rows)


def named_figures(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Give name, value and interval of each figure, the F1 of the positive class with its name."""
    positive = code(figures["classes"][1]["name"])
    intervals = {"accuracy": figures["accuracy_interval"], **figures.get("intervals", {})}
    return [
        (f"{name} of {positive}" if key == "f1" else name, four(figures[key]), interval(intervals.get(key)))
        for key, name in _NAMES.items()
        if key != "f1" or len(figures["classes"]) == 2
    ]


def _of_kind(metrics: Metrics, kind: str) -> list[Record]:
    return [record for record in metrics.get("evaluations", ()) if record["kind"] == kind]


def _weak_spot(record: Record, metrics: Metrics, shown: Record | None) -> str | None:
    """Tell which of `WEAK_SPOTS` an evaluation is of: the one that was named, else by what it measured."""
    if spot := record.get("weak_spot"):
        return str(spot)
    if record["passages"]:
        return "short"
    own = (metrics["dataset"], shown["dataset"] if shown else metrics["dataset"])
    return None if one_name(record["dataset"]) in map(one_name, own) else "subjects"


def _in_rows(records: Sequence[Record], spots: Sequence[str | None]) -> str:
    """Show evaluations in a row each, with the weak spots that they are of; all have the same classes."""
    names = [name for name, _, _ in named_figures(records[0])]
    rows = (
        (
            _texts(record),
            spot or "-",
            *(figure if of == "-" else f"{figure} ({of})" for _, figure, of in named_figures(record)),
            code(record["command"]),
        )
        for record, spot in zip(records, spots, strict=True)
    )
    return table(("measured on", "weak spot", *names, "command"), rows)


def _texts(record: Record) -> str:
    return f"{_measured_on(record)}, {record['examples']:,} texts, {record['backend']}"


def _measured_on(record: Record) -> str:
    passages = f"passages of 1 to {record['passages']} sentences of " if record["passages"] else ""
    return f"{passages}{code(record['where'])}"


def _accuracies(records: Sequence[Record]) -> str:
    if len(records) > _ALL_OF:
        worst = min(records, key=lambda record: float(record["accuracy"]))
        return f"{_accuracies([worst])}, the lowest of {len(records)}; *{_OTHERS}* has all"
    return "; ".join(
        f"accuracy {four(record['accuracy'])} ({interval(record['accuracy_interval'])}) "
        f"on {_measured_on(record)}"
        for record in records
    )


def _after(figures: str, remark: str) -> str:
    """Put a remark behind figures, if there are any."""
    return figures + remark[0].upper() + remark[1:] if figures else f"not measured; {remark}"


def _in_full(record: Record, files: Collection[str]) -> str:
    """Show one evaluation from all sides."""
    by_length = [
        (
            LengthScores(**part).name,
            f"{part['examples']:,}",
            four(part["accuracy"]),
            interval(part["accuracy_interval"]),
        )
        for part in record["by_length"]
    ]
    has_bands = UNCERTAIN not in [scores["name"] for scores in record["classes"]]
    by_band = [
        (
            f"`--uncertain {band['low']:g} {band['high']:g}`",
            f"{band['share']:.2%}",
            four(band["accuracy"]),
            interval(band["accuracy_interval"]),
        )
        for band in record["bands"]
    ]
    confusion = picture(bundle.CONFUSION, "Confusion matrix", files)
    lengths = picture(bundle.LENGTHS, "Accuracy by length", files)
    diagram = picture(bundle.EVALUATED_RELIABILITY, "Reliability diagram", files)
    return "\n\n".join(
        part
        for part in (
            f"On {_texts(record)}:",
            block(record["command"]),
            table(("figure", "value", "95 % interval"), named_figures(record)),
            "### Confusion matrix",
            confusion_matrix(record),
            confusion,
            "### Accuracy by length",
            table(("words", "texts", "accuracy", "95 % interval"), by_length),
            lengths,
            "### Reliability",
            f"The expected calibration error is {four(record['expected_calibration_error'])}.",
            diagram,
            "### Accuracy without the uncertain" * has_bands,
            table(("option", "texts with a label", "accuracy on them", "95 % interval"), by_band) * has_bands,
        )
        if part
    )


def _comparisons(records: Sequence[Record]) -> str:
    parts = ["### Other forms of the model"]
    for record in records:
        found, against = record["comparison"], record["against"]
        form = "int8" if record["file"] == "model.int8.onnx" else record["backend"]
        accuracy = f"{four(found['accuracy'])} ({interval(record['accuracy_interval'])})"
        changed = f"{found['changed']:,} of {found['examples']:,} ({found['changed_share']:.2%})"
        rows = (
            ("accuracy", f"{accuracy}, against {four(found['against_accuracy'])}"),
            ("labels changed", changed),
            ("difference of scores, mean", f"{found['mean_difference']:.6f}"),
            ("difference of scores, 99th percentile", f"{found['p99_difference']:.6f}"),
            ("difference of scores, largest", f"{found['max_difference']:.6f}"),
        )
        parts += [
            f"{form} ({_file(record)}) against {_file(against)}, on {_measured_on(record)}:",
            table(("figure", "value"), rows),
            block("\n".join(filter(None, [record.get("export"), record["command"]]))),
        ]
    return "\n\n".join(parts)


def _file(form: Mapping[str, Any]) -> str:
    return code(f"{form['model']}/{form['file']}")


def picture(name: str, title: str, files: Collection[str]) -> str:
    """Show a picture, if it is there."""
    return f"![{title}]({name})" if name in files else ""
