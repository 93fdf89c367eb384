"""Which inputs go to which output."""

import glob
import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from sentcli.errors import DataError, OutputError, UsageError
from sentcli.files.atomic import resolve
from sentcli.files.compression import WRITABLE, compression_of, path_of
from sentcli.files.remote import as_path, expand, is_url
from sentcli.files.source import STANDARD
from sentcli.runs.output import default_rejects
from sentcli.tables.options import WriteOptions
from sentcli.tables.registry import get_format, is_suffix

_log = logging.getLogger("sentcli")

_FIXED = re.compile(r"^(?:[^*?[]*/)?")  # the folders before the first wildcard of a glob


def plan_outputs(
    inputs: Sequence[str], output: str, write: WriteOptions | None = None
) -> list[tuple[list[str], str]]:
    """Pair inputs with outputs: all with one file, or each with one of its name in a folder.

    In a folder, what a glob finds keeps its folders below the glob's first wildcard: names repeat in the
    folders of a partitioned data set.

    :param inputs: files, `-`, URLs, and globs of files or URLs; a glob gives its files in order.
    :param output: a file, `-`, a URL; or a folder: a name that ends in a slash is created if it is missing.
    :param write: with a format, files in the folder get its suffix.
    :raises DataError: if a glob finds nothing, or cannot look into a folder.
    :raises UsageError: if two inputs would get one output, or a folder is behind a URL.
    :raises OutputError: if the folder cannot be created.
    """
    found = [(name, file) for name in map(_plain, inputs) for file in _expand(name)]
    files = [file for _, file in found]
    if not files:
        raise UsageError("no input; give a file, or - for standard input")
    if not output:
        raise UsageError("-o is empty; give a file, a folder, or - for standard output")
    if is_url(output) and output.endswith("/"):
        raise UsageError(f"{output}: a folder cannot be behind a URL; name a file, or a local folder")
    folder = Path(output)
    if output == STANDARD or is_url(output):
        return [(files, output)]
    if not (output.endswith("/") or folder.is_dir()):
        if len(files) > 1 and not (folder.suffix or folder.exists()):
            _log.warning("%s: one file for all inputs; a folder with a file for each is %s/", output, output)
        return [(files, output)]
    form = write.format if write else None
    outputs = [folder / _folder_below(name, file) / _output_name(file, form) for name, file in found]
    _refuse_collisions(files, outputs)
    try:
        for parent in {path.parent for path in outputs}:
            parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: {error.strerror}") from None
    return [([file], str(path)) for file, path in zip(files, outputs, strict=True)]


def _refuse_collisions(files: Sequence[str], outputs: Sequence[Path]) -> None:
    """Refuse outputs that are one file, and inputs that are outputs, as a glob finds after an earlier run.

    :raises UsageError: naming one.
    """
    names = [*outputs, *(Path(default_rejects(str(path))) for path in outputs)]
    for file, count in Counter(map(resolve, names)).items():
        if count > 1:
            raise UsageError(f"{file} would be {count} files of this run; score them one by one")
    inputs = {Path(file).absolute(): place for place, file in enumerate(files)}
    for place, path in enumerate(outputs):
        if inputs.get(path.absolute(), place) != place:
            raise UsageError(
                f"{path} is among the inputs, and the output of {files[place]}; narrow the glob, or give "
                "another folder"
            )


def _plain(name: str) -> str:
    """Return a name without repeated slashes, which a glob's results do not have either."""
    path = as_path(name)
    return path if is_url(path) else re.sub("//+", "/", path)


def _expand(name: str) -> list[str]:
    if is_url(name):
        found = expand(name) if "*" in name else [name]
    elif name == STANDARD or not glob.has_magic(name) or Path(name).exists():
        return [name]
    else:
        _check_folders(name)
        # A set: glob finds a file in more than one way if `**` stands twice.
        files = {*glob.glob(name, recursive=True)}  # noqa: PTH207  # Path.glob takes no absolute pattern
        found = sorted(f"./{file}" if file == STANDARD else file for file in files)
    if not found:
        raise DataError(f"{name}: no such files")
    return found


def _check_folders(pattern: str) -> None:
    """Refuse folders that a pattern cannot look into: glob leaves them out without an error.

    :raises DataError: naming the first.
    """
    while glob.has_magic(pattern := os.path.dirname(pattern)):  # noqa: PTH120  # a pattern, and no path
        for found in glob.iglob(pattern, recursive=True):  # noqa: PTH207  # as in `_expand`
            folder = found or os.curdir
            if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):  # noqa: PTH112
                raise DataError(f"{folder}: Permission denied; nothing in it can be scored")


def _folder_below(name: str, file: str) -> PurePath:
    """Return the folders between the first wildcard of a glob and a file that it found."""
    fixed = _FIXED.findall(name)[0]
    if file == name or not file.startswith(fixed):
        return PurePath()
    below = PurePath(file.removeprefix(fixed)).parent
    return PurePath() if ".." in below.parts else below


def _output_name(file: str, form: str | None) -> str:
    """Return the name of an input's output in a folder: the same, but for the suffixes."""
    if file == STANDARD:
        raise UsageError("standard input has no name that a file in a folder could get; give -o FILE")
    name = path_of(file)
    compression = compression_of(name)
    plain = PurePath(name[: len(name) - len(compression)])
    if form and plain.suffix.lower() not in get_format(form).suffixes:
        stem = plain.stem if is_suffix(plain.suffix) else plain.name
        plain = plain.with_name(stem + get_format(form).suffixes[0])
        if form == "parquet":  # compressed in itself
            return plain.name
    return plain.name + (compression if compression in WRITABLE else "")
