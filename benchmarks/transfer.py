"""Compare models on the probes: short texts on several subjects.

    python benchmarks/transfer.py exports/imdb-bilstm my-model

Each file has equally many texts of each label; neutral ones are left out. On files this small, the area under
the ROC curve and the loss distinguish two models earlier than the accuracy does. `together` is the mean of
the models' logits.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from ending import run

from sentcli.datasets.labels import label_ids
from sentcli.datasets.load import load_split
from sentcli.evaluation.metrics import Evaluation, evaluate
from sentcli.model.bundle import load_bundle
from sentcli.scoring.labels import NEUTRAL, softmax
from sentcli.scoring.scorer import Scorer

PROBES = Path(__file__).parent / "probes"


def main() -> None:
    """Score all probes with each model, and print one row per model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    options = parser.parse_args()

    bundles = [load_bundle(path) for path in options.models]
    for bundle in bundles:
        if bundle.config.labels != bundles[0].config.labels:
            parser.error(f"{bundle.path}: its labels are not those of {bundles[0].path}")
    files = sorted(PROBES.glob("*.csv"))
    rows: list[list[str]] = [[str(path)] for path in options.models] + [["together"]]
    with ExitStack() as stack:
        scorers = [stack.enter_context(Scorer(bundle, workers=1)) for bundle in bundles]
        for file in files:
            data = load_split(str(file), "train", None, None)
            data = data.take([row for row, label in enumerate(data.labels) if label != NEUTRAL])
            names = bundles[0].config.labels
            labels = label_ids(data.labels, names, data.where)
            found = [scorer.probabilities(data.texts) for scorer in scorers]
            # A text that says nothing to a model can have any label.
            said = [np.log(np.nan_to_num(each, nan=1 / len(names))) for each in found]
            for row, logits in zip(rows, [*said, np.mean(said, axis=0)], strict=True):
                row.append(_figures(evaluate(labels, softmax(logits), names)))
    width = max(len(name) for name, *_ in rows)
    print("accuracy, area under the ROC curve, loss")
    print(" " * width, *(f"{file.stem:>19}" for file in files))
    for name, *figures in rows if len(bundles) > 1 else rows[:1]:
        print(f"{name:{width}}", *figures)


def _figures(found: Evaluation) -> str:
    return f"  {found.accuracy:.3f} {found.roc_auc:.3f} {found.log_loss:.3f}"


if __name__ == "__main__":
    run(main)
