"""The files of data sets of the Hugging Face hub, and of folders in their layout."""

import glob
import logging
import tempfile
from pathlib import Path

import datasets
import huggingface_hub
from huggingface_hub import utils as hub

from sentcli.config import DEFAULT_DATASET, HUB_ID
from sentcli.errors import DataError
from sentcli.tables.registry import is_suffix, suffix_of


def layout(spec: str) -> tuple[dict[str, list[str]], dict[str, tuple[str, ...]]]:
    """Return the files of each split of a data set, and for each column the class names in its README.

    :param spec: a folder, or an id on the hub, whose files are downloaded, or taken from the cache.
    """
    folder = str(Path(spec).resolve())  # `datasets` would take a relative name such as `csv` for a builder
    is_folder = spec != "" and Path(folder).is_dir()
    if is_folder and glob.has_magic(folder):  # `datasets` would treat it as a pattern
        raise DataError(f"{spec:.200}: the path of a folder may not have *, ? or [; rename it")
    if not is_folder and (not HUB_ID.fullmatch(spec) or is_suffix(suffix_of(spec))):
        raise DataError(f"{spec:.200}: no such file or folder, and not a hub id such as {DEFAULT_DATASET}")
    datasets.disable_progress_bars()
    hub.disable_progress_bars()  # type: ignore[attr-defined]  # documented, yet not re-exported
    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        if not is_folder:
            folder = huggingface_hub.snapshot_download(spec, repo_type="dataset", token=False)
        with tempfile.TemporaryDirectory() as cache:
            builder = datasets.load_dataset_builder(folder, cache_dir=cache)
    except Exception as error:  # pandas, pyarrow, yaml, httpx and the hub raise many types
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{spec:.200} cannot be read as a data set: {reason:.300}") from error
    files = {str(split): [*map(str, names)] for split, names in builder.config.data_files.items()}
    classes = {
        column: tuple(feature.names)
        for column, feature in (builder.info.features or {}).items()
        if isinstance(feature, datasets.ClassLabel)
    }
    return files, classes
