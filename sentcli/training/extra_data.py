"""Labelled sentences that are learnt besides a data set: what its own texts do not say."""

from pathlib import Path

from sentcli.config import EVERYDAY
from sentcli.errors import DataError
from sentcli.evaluation.datasets import load_split
from sentcli.evaluation.labels import LabeledTexts, class_ids, label_ids
from sentcli.evaluation.splits import CsvFormat

EVERYDAY_FILE = Path(__file__).with_name("everyday.csv")
NO_SENTENCES = LabeledTexts([], [])


def read_sentences(
    spec: str,
    labels: tuple[str, ...],
    text_column: str | None,
    label_column: str | None,
    csv: CsvFormat,
) -> LabeledTexts:
    """Read sentences with labels.

    :param spec: `everyday` for those that come with sentcli, whatever the other parameters say; else as for
        `load_split`, of which the train split is taken.
    :param labels: the classes of the model.
    :raises DataError: as `load_split`, and for a label that is none of these classes.
    """
    if spec != EVERYDAY:
        data = load_split(spec, "train", text_column, label_column, csv)
        class_ids(data, labels)
        return data
    data = load_split(str(EVERYDAY_FILE), "train", "text", "label")
    try:
        label_ids(data.labels, labels, EVERYDAY)
    except DataError as error:
        raise DataError(
            f"{error}; call two classes negative and positive, or leave --sentences {EVERYDAY} out"
        ) from None
    return data
