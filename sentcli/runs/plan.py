"""Which inputs go to which output."""

import glob
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path, PurePath

from sentcli.errors import DataError, OutputError, UsageError
from sentcli.files.compression import WRITABLE, compression_of, path_of
from sentcli.files.remote import as_path, expand, is_url
from sentcli.files.source import STANDARD
from sentcli.files.storage import resolve
from sentcli.runs.output import default_rejects
from sentcli.tables.options import WriteOptions
from sentcli.tables.registry import get_format, is_suffix

_log = logging.getLogger("sentcli")

_FIXED = re.compile(r"^(?:[^*?[]*/)?")  # of a glob, the folders before the first wildcard


def plan_outputs(
    inputs: Sequence[str], output: str, write: WriteOptions | None = None
) -> list[tuple[list[str], str]]:
    """Pair inputs with outputs: all with one file, or each with one of its name in a folder.

    There, what a glob finds keeps the folders that it is in below the glob's first wildcard: names repeat
    themselves in the folders of a partitioned data set.

    :param inputs: files, `-`, URLs, and globs of files or URLs; a glob gives its files in order.
    :param output: a file, `-`, a URL; or a folder: a name that ends in a slash is made one if it is missing.
    :param write: with a format, files in the folder get its suffix.
    :raises DataError: when a glob finds nothing, or cannot look into a folder.
    :raises UsageError: when two inputs would get one output, or a folder is behind a URL.
    :raises OutputError: when the folder cannot be made.
    """
    found = [(name, file) for name in map(_plain, inputs) for file in _expand(name)]
    files = [file for _, file in found]
    if not files:
        raise UsageError("no input; give a file, or - for standard input")
    if not output:
        raise UsageError("-o is empty; give a file, a folder, or - for standard output")
    if is_url(output) and output.endswith("/"):
        raise UsageError(
            f"{output}: a folder of outputs cannot be behind a URL; name a file, or a local folder"
        )
    folder = Path(output)
    if output == STANDARD or is_url(output):
        return [(files, output)]
    if not (output.endswith("/") or folder.is_dir()):
        if len(files) > 1 and not (folder.suffix or folder.exists()):
            _log.warning("%s: one file for all inputs; a folder with a file for each is %s/", output, output)
        return [(files, output)]
    form = write.format if write else None
    names = [str(_folder_below(name, file) / _output_name(file, form)) for name, file in found]
    for place, count in Counter(_places([*names, *map(default_rejects, names)], folder)).items():
        if count > 1:
            raise UsageError(f"{place} would be {count} files of this run; score them one by one")
    _refuse_outputs(files, [folder / name for name in names])
    try:
        for parent in {(folder / name).parent for name in names}:
            parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: {error.strerror}") from None
    return [([file], str(folder / name)) for file, name in zip(files, names, strict=True)]


def _refuse_outputs(files: Sequence[str], outputs: Sequence[Path]) -> None:
    """Refuse inputs that are outputs of others, which an earlier run has made: a glob finds them too.

    :raises UsageError: naming one.
    """
    inputs = {Path(file).absolute(): place for place, file in enumerate(files)}
    for place, output in enumerate(outputs):
        if inputs.get(output.absolute(), place) != place:
            raise UsageError(
                f"{output} is among the inputs, and the output of {files[place]}; narrow the glob, or give "
                "another folder"
            )


def _plain(name: str) -> str:
    """Give a name without slashes that mean nothing, as in `days//*.csv`: glob's results have none."""
    path = as_path(name)
    return path if is_url(path) else re.sub("//+", "/", path)


def _expand(name: str) -> list[str]:
    if is_url(name):
        found = expand(name) if "*" in name else [name]
    elif name == STANDARD or not glob.has_magic(name) or Path(name).exists():
        found = [name]
    else:
        # A set: where `**` stands twice, glob finds a file in more than one way.
        files = {*glob.glob(name, recursive=True)}  # noqa: PTH207  # Path.glob takes no absolute pattern
        found = sorted(f"./{file}" if file == STANDARD else file for file in files)
    if not found:
        raise DataError(f"{name}: no such files")
    if not is_url(name) and found != [name]:
        _check_folders(name)
    return found


def _check_folders(pattern: str) -> None:
    """Refuse folders that a pattern cannot look into: glob leaves them out without a word.

    :raises DataError: naming the first.
    """
    while glob.has_magic(pattern := os.path.dirname(pattern)):  # noqa: PTH120  # a pattern, and no path
        for found in glob.iglob(pattern, recursive=True):  # noqa: PTH207  # as in `_expand`
            folder = found or os.curdir
            if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):  # noqa: PTH112
                raise DataError(f"{folder}: Permission denied; nothing in it can be scored")


def _places(names: Sequence[str], folder: Path) -> Iterator[Path]:
    """Give the files that names in a folder lead to: links may lead two of them to one."""
    resolve_folder = cache(resolve)  # once for all files in it
    for path in map(folder.joinpath, names):
        yield resolve(path) if path.is_symlink() else resolve_folder(path.parent) / path.name


def _folder_below(name: str, file: str) -> PurePath:
    """Give the folders between the first wildcard of a glob and a file that it found."""
    fixed = _FIXED.findall(name)[0]
    if file == name or not file.startswith(fixed):
        return PurePath()
    below = PurePath(file.removeprefix(fixed)).parent
    return PurePath() if ".." in below.parts else below


def _output_name(file: str, form: str | None) -> str:
    """Name the output of an input in a folder: as the input, but for the suffixes."""
    if file == STANDARD:
        raise UsageError("standard input has no name that a file in a folder could get; give -o FILE")
    name = path_of(file)
    compression = compression_of(name)
    plain = PurePath(name[: len(name) - len(compression)])
    if form and plain.suffix.lower() not in get_format(form).suffixes:
        stem = plain.stem if is_suffix(plain.suffix) else plain.name
        plain = plain.with_name(stem + get_format(form).suffixes[0])
        if not get_format(form).appends:  # compressed in itself
            return plain.name
    return plain.name + (compression if compression in WRITABLE else "")
