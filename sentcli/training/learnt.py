"""What a model learnt from: on the same texts again its figures promise too much."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from sentcli.bundle import METRICS, Bundle
from sentcli.errors import BundleError
from sentcli.training.holdout import train_validation
from sentcli.training.labels import LabeledTexts
from sentcli.training.metrics import Metrics, read_metrics

# By such a name, with no letter beside the word, the data set library takes a file of a folder for the split.
_TRAIN_FILE = re.compile(r"(?<![^-._ 0-9])train(ing)?[-._ 0-9]")


def has_learnt(bundle: Bundle, dataset: str, split: str, texts: Iterable[str]) -> bool:
    """Tell whether a model learnt from these texts, those that were held out included.

    Known are the data sets by name, and the texts of the training split, and those without labels, wherever
    they lie. Of a model that does not say what it learnt from, such as an export, nothing is known.

    :param dataset, split: where the texts come from, as `sentcli evaluate` takes it; a file has no splits.
    """
    if METRICS not in bundle.digests:
        return False
    metrics = read_metrics(bundle)
    digests = (metrics.get("learnt"), metrics.get("learnt_unlabeled"))
    return _is_named(metrics, dataset, split) or digest_of_set(texts) in digests


def _is_named(metrics: Metrics, dataset: str, split: str) -> bool:
    """Tell by their name whether texts were learnt: a file that has grown since is not known by its texts."""
    measured = Path(dataset).resolve()
    learnt = [Path(spec).resolve() for spec in (metrics["dataset"], metrics.get("unlabeled")) if spec]
    if measured.is_file():
        is_split = any(path in measured.parents for path in learnt)
        return measured in learnt or (is_split and _TRAIN_FILE.search(measured.name) is not None)
    return split == "train" and any(measured in (path, *path.parents) for path in learnt)


def held_out_part(bundle: Bundle, data: LabeledTexts) -> LabeledTexts:
    """Give the part of the train split that was held out when the model was trained.

    :param data: the train split.
    :raises BundleError: when the folder is not one that `sentcli train` wrote, or for another data set.
    """
    metrics = read_metrics(bundle)
    try:
        share, digest = float(metrics["training"]["validation_share"]), metrics["split"]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.path / METRICS}: it does not say which texts were held out") from error
    _, validation = train_validation(data, share)
    if digest_texts(validation.texts) != digest:
        raise BundleError(
            f"{bundle.path}: trained on another data set than {data.where}, or with other columns"
        )
    return validation


def digest_of_set(texts: Iterable[str]) -> str:
    """Give a SHA-256 of texts, whatever their order and however often one is there; empty ones are none."""
    return digest_texts(sorted({*texts} - {""}))


def digest_texts(texts: Iterable[str]) -> str:
    """Give a SHA-256 of texts in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode(errors="surrogatepass")).digest())
    return digest.hexdigest()
