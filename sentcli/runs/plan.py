"""Decide which inputs go to which output."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath

from sentcli.errors import DataError, UsageError
from sentcli.files.atomic import output_errors
from sentcli.files.compression import compression_of, path_of
from sentcli.files.remote import as_path, is_url
from sentcli.files.sink import Target
from sentcli.files.source import STANDARD
from sentcli.runs.folders import Found, absolute, find_inputs
from sentcli.tables.registry import SUFFIXES, format_of, get_format, written_format

Pair = tuple[list[str], Target]  # inputs, and the output that gets their rows

_log = logging.getLogger("sentcli")


def plan_outputs(
    inputs: Sequence[str], output: Target, write_format: str | None = None, read_format: str | None = None
) -> list[Pair]:
    """Pair inputs with outputs: all with one file, or each with a file of the same name in a folder.

    In a folder, the files of an input folder keep their folders below it, and those that a glob finds their
    folders below its first wildcard, because file names repeat in the folders of a partitioned data set.

    :param inputs: files, `-`, URLs, folders and globs; the files of a folder or glob are sorted.
    :param write_format: files in the folder get the suffix of this format; None: that of their input.
    :param read_format: the format of inputs with any suffix.
    """
    folder = output.name if output.is_folder else ""
    found = find_inputs([*map(_plain, inputs)], read_format, folder)
    files = [each.file for each in found]
    if not files:
        raise UsageError("no input; give a file, or - for standard input")
    name = output.name
    if not name:
        raise UsageError("-o is empty; give a file, a folder, or - for standard output")
    if not output.is_folder:
        if len(files) > 1 and output.is_file and not (Path(name).suffix or Path(name).exists()):
            _log.warning("%s: one file for all inputs; for one file each, give -o %s/", name, name)
        return [(files, output)]
    if read_format == "documents":
        raise UsageError(f"--documents makes one table of all files; give -o {name.rstrip('/')}.csv")
    below = [_folder_below(each) / _output_name(each.file, write_format) for each in found]
    outputs = [Target(f"{name}{path}" if output.is_url else Path(name, path)) for path in below]
    _refuse_collisions(files, outputs)
    if not output.is_url:
        with output_errors(name):
            for parent in {Path(target.name).parent for target in outputs}:
                parent.mkdir(parents=True, exist_ok=True)
    return [([file], target) for file, target in zip(files, outputs, strict=True)]


def _refuse_collisions(files: Sequence[str], outputs: Sequence[Target]) -> None:
    """Refuse outputs of the same name, and inputs that are outputs: a glob may find earlier outputs."""
    written = Counter(target.address for target in (*outputs, *(output.rejects for output in outputs)))
    for file, count in written.items():
        if count > 1:
            raise UsageError(f"{file} would be written {count} times in this run; score inputs one by one")
    inputs = {absolute(file): place for place, file in enumerate(files)}
    for place, target in enumerate(outputs):
        if inputs.get(absolute(target.name), place) != place:
            raise UsageError(
                f"{target.name} is an input, and also the output of {files[place]}; narrow the glob, or give "
                "another folder"
            )


def _plain(name: str) -> str:
    """Return a name without repeated slashes, as the names that a glob finds have none."""
    path = as_path(name)
    return path if is_url(path) else re.sub("//+", "/", path)


def _folder_below(found: Found) -> PurePath:
    """Return the folders between the folder or the first wildcard that was named, and a file found there.

    :raises DataError: if the name would lead out of the output folder, as a key of a bucket can.
    """
    file, base = found
    if base is None or not file.startswith(base):
        return PurePath()
    below = PurePath(file.removeprefix(base))
    if below.is_absolute() or ".." in below.parts or "\0" in file:
        raise DataError(f"{file}: the output folder cannot hold such a name; rename it, or narrow the glob")
    return below.parent


def _output_name(file: str, form: str | None) -> str:
    """Return the name of an input's output in a folder: the same name, with suffixes that fit the output."""
    if file == STANDARD:
        raise UsageError("standard input has no name for a file in a folder; give -o FILE")
    name = path_of(file)
    compression = compression_of(name)
    plain = PurePath(name[: len(name) - len(compression)])
    if plain.suffix.lower() in SUFFIXES:
        form = form or written_format(format_of(plain.name, "input_format"))
    if form and plain.suffix.lower() not in get_format(form).suffixes:
        stem = plain.stem if plain.suffix.lower() in SUFFIXES else plain.name
        plain = plain.with_name(stem + get_format(form).suffixes[0])
        if form in ("parquet", "xlsx"):  # compressed inside
            return plain.name
    return plain.name + compression
