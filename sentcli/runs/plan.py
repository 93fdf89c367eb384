"""Decide which inputs go to which output: the files that names stand for, and the names of outputs."""

import logging
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import NamedTuple
from urllib.parse import unquote

from sentcli.config import LOG
from sentcli.errors import DataError, OutputError, RefusedOutputError, UsageError, counted, option
from sentcli.files import remote, stop
from sentcli.files.atomic import output_errors
from sentcli.files.compression import compression_of, is_archive, list_members, path_of
from sentcli.files.remote import as_path, is_url
from sentcli.files.sink import Target
from sentcli.files.source import STANDARD, InputFile, Source, inspect_input
from sentcli.files.walk import WILDCARD, not_inputs, walk
from sentcli.tables.open import open_table
from sentcli.tables.options import ReadOptions, ResultColumn
from sentcli.tables.registry import SUFFIXES, get_format, is_known, suffix_of, written_format
from sentcli.tables.text_column import is_usual

Pair = tuple[list[str], Target]  # inputs, and the output that gets their rows

_FIXED = re.compile(r"^(?:[^*?[]*/)?")  # the folders before the first wildcard of a glob
# What Spark, Hadoop, Excel and Windows leave next to files, and hidden files of a bucket.
_MARKER = re.compile(r"(^|/)(_[^/]*/|_[^/.]*$|~\$|\.(?![./])|Thumbs\.db$)|\.crc$")
_SPARK = re.compile(r"(^|/)_(SUCCESS|(committed|started)_\d+)$|\.crc$")  # those that have no other meaning
_STORED = (".parquet", ".pq", ".orc", ".avro")  # the files of a Delta or Iceberg table
_DOCUMENT_BYTES = 16 << 10  # the mean size of files that may be a text each
_MANY = 10  # so many of these files, named one by one or by a glob, are worth a hint
_NAMED = 4  # of the files that are left out
_FOLDER = re.compile(r"(?:^|/)([^=/]+)=([^/]*)(?=/)")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")  # fits 64 bits, and is the same when written back

Partitions = Mapping[ResultColumn, Sequence[str | int | None]]  # the values of a column, one for each input


class Found(NamedTuple):
    """A file that was found.

    :param base: the folder below which an output folder keeps its folders; None: the user named the file.
    """

    file: str
    base: str | None = None


def plan_outputs(
    inputs: Sequence[str], output: Target, read: ReadOptions, write_format: str | None = None
) -> tuple[list[Pair], int]:
    """Pair inputs with outputs: all with one file, or each with a file of the same name in a folder.

    In a folder, the files of an input folder keep their folders below it, and those that a glob finds their
    folders below its first wildcard, because file names repeat in the folders of a partitioned data set.

    :param inputs: files, `-`, URLs, folders and globs; the files of a folder or glob are sorted.
    :param read: with the format of inputs with any suffix.
    :param write_format: files in the folder get the suffix of this format; None: that of their input.
    :returns: the pairs, and the number of inputs whose outputs cannot have a name, which are logged.
    """
    # Without repeated slashes, as the names that a glob finds have none.
    names = [name if is_url(name) else re.sub("//+", "/", name) for name in map(as_path, inputs)]
    found = find_inputs(names, read, output.name if output.is_folder else "")
    files = [each.file for each in found]
    if not files:
        raise UsageError("no input; give a file, or - for standard input")
    name = output.name
    if not name:
        raise UsageError("-o is empty; give a file, a folder, or - for standard output")
    if not output.is_folder:
        if len(files) > 1 and output.is_file and not (Path(name).suffix or Path(name).exists()):
            LOG.warning("%s: one file for all inputs; for one file each, give -o %s/", name, name)
        return [(files, output)], 0
    if read.format == "documents":
        raise UsageError(f"--documents makes one table of all files; give -o {name.rstrip('/')}.csv")
    pairs: list[Pair] = []
    for each in found:
        stop.check()
        try:
            path = _folder_below(each) / _output_name(each.file, write_format)
            target = Target(f"{name}{path}" if output.is_url else Path(name, path))
            pairs += [([each.file], target)] if target.rejects else []
        except (DataError, RefusedOutputError) as error:
            LOG.error("%.2000s", error)
    outputs = [target for _, target in pairs]
    _refuse_collisions(files, outputs)
    if not output.is_url:
        with output_errors(name):
            Path(name).mkdir(parents=True, exist_ok=True)
    for parent in {Path(target.name).parent for target in outputs if not target.is_url}:
        with suppress(RefusedOutputError), output_errors(parent):  # raised again when an output is written
            parent.mkdir(parents=True, exist_ok=True)
    return pairs, len(found) - len(pairs)


def _refuse_collisions(files: Sequence[str], outputs: Sequence[Target]) -> None:
    """Refuse outputs of the same name, and inputs that are outputs: a glob may find earlier outputs."""
    written = Counter(target.address for target in (*outputs, *(output.rejects for output in outputs)))
    for file, count in written.items():
        if count > 1:
            raise UsageError(f"{file} would be written {count} times in this run; score inputs one by one")
    inputs = []
    for name in files:
        with suppress(DataError):  # raised again when this input is scored
            inputs.append(InputFile(name, name) if is_url(name) else inspect_input(name))
    refuse_inputs(inputs, [*written])


def _folder_below(found: Found) -> PurePath:
    """Return the folders between the folder or the first wildcard that was named, and a file found there.

    :raises DataError: if the name would lead out of the output folder, as a key of a bucket can.
    """
    file, base = found
    if base is None or not file.startswith(base):
        return PurePath()
    below = PurePath(file.removeprefix(base))
    names = {*below.parts, PurePath(path_of(file)).name}
    if below.is_absolute() or ".." in names or "\0" in file:
        raise DataError(f"{file}: the output folder cannot hold such a name; rename it, or narrow the glob")
    return below.parent


def _output_name(file: str, form: str | None) -> str:
    """Return the name of an input's output in a folder: the same name, with suffixes that fit the output."""
    if file == STANDARD:
        raise UsageError("standard input has no name for a file in a folder; give -o FILE")
    name = PurePath(path_of(file)).name
    suffix, compression = suffix_of(file), compression_of(name)
    known = SUFFIXES.get(suffix)
    form = form or (written_format(known) if known else None)
    if not form or suffix in get_format(form).suffixes:
        return name
    stem = name[: len(name) - len(compression) - len(suffix if known else "")]
    # Parquet and workbooks are compressed inside.
    return stem + get_format(form).suffixes[0] + ("" if form in ("parquet", "xlsx") else compression)


def refuse_inputs(files: Sequence[InputFile], outputs: Sequence[str]) -> None:
    """Refuse to write to an input, whatever name the output has for it."""
    names = {file.path: file.name for file in files if file.path != STANDARD}
    identities = {file.identity: file.name for file in files if file.identity and file.size is not None}
    for output in outputs:
        name = names.get(output)
        with suppress(OSError, AttributeError):  # no such file yet; standard output closed or replaced
            status = os.fstat(sys.stdout.fileno()) if output == STANDARD else Path(output).stat()
            name = name or identities.get((status.st_dev, status.st_ino))
        if name:
            raise OutputError(f"{output} is the input {name}; give another name or folder")


def find_inputs(names: Sequence[str], read: ReadOptions, output: str) -> list[Found]:
    """Return the inputs that names stand for: files, `-`, URLs, folders, and globs of files or URLs.

    The files of a folder or glob are sorted.

    :param read: with the format of all inputs; None: the suffixes decide.
    :param output: a folder whose files are no inputs, if it is inside a named folder; or empty.
    """
    found = [file for name in names for each in _find(name, read, output) for file in _unpacked(each, read)]
    # A shell may have replaced a glob by all files of a folder.
    markers = [each for each in found if each.base is None and _SPARK.search(each.file)]
    if 0 < len(markers) < len(found):
        _say_left_out("", [each.file for each in markers])
        found = [each for each in found if each not in markers]
    _refuse_lakes(found)
    if not read.format and (count := _count_documents(each.file for each in found)) >= _MANY:
        LOG.warning("%s small text files: each line is a text; if each file is one, add --documents", count)
    return found


def _find(name: str, read: ReadOptions, output: str) -> list[Found]:
    at_url = is_url(name)
    if name.endswith("/") if at_url else name not in ("", STANDARD) and Path(name).is_dir():
        base = f"{name.rstrip('/')}/"
        found, links = (sorted(remote.list_folder(base)), []) if at_url else walk(base, "**/*")
        inside = Path(output).absolute()
        if output and not Path(base).absolute().is_relative_to(inside):
            found = [file for file in found if not Path(file).absolute().is_relative_to(inside)]
        kept = _inputs_among(name, base, found, read, is_folder=True)
        if not read.format and (count := _count_documents(kept)) > 1:
            what = f"{name}: is each of its {count:,} small text files one text, or each line of them?"
            raise UsageError(f"{what} Add --documents, or {option('input_format', 'lines')}")
    elif "*" in name if at_url else WILDCARD.search(name) and not Path(name).exists():
        base = _FIXED.findall(name)[0]
        found, links = (remote.expand(name), []) if at_url else walk(base, name.removeprefix(base))
        if not (found or links):
            raise DataError(f"{name}: no such files")
        kept = _inputs_among(name, base, found, read, is_folder=False)
    else:
        return [Found(name)]
    left_out = {} if at_url else dict.fromkeys(links, "a link to a folder") | not_inputs(kept)
    _say_left_out(name, [f"{file.removeprefix(base)} ({reason})" for file, reason in left_out.items()])
    kept = [f"./{file}" if file == STANDARD else file for file in kept if file not in left_out]
    return [Found(file, base) for file in kept] or [Found(name)]


def _unpacked(found: Found, read: ReadOptions) -> list[Found]:
    """Return the inputs in a zip archive, or the file if it is none."""
    base = f"{found.file}/"
    if is_archive(found.file):
        with suppress(DataError):  # raised again when this input is scored
            members = [f"{base}{name}" for name in list_members(found.file)]
            kept = _inputs_among(found.file, base, members, read, is_folder=True)
            return [Found(file, base if found.base is None else found.base) for file in kept]
    return [found]


def _inputs_among(
    name: str, base: str, found: Sequence[str], read: ReadOptions, *, is_folder: bool
) -> Sequence[str]:
    """Leave out markers and files of no known format; in a folder with tables, files of text too.

    In a folder of JSON without texts of a usual name in some files, such as users, these are left out.
    """
    files = [file for file in found if not _MARKER.search(file.removeprefix(base))]
    if not read.format:
        known = [file for file in files if is_known(file)]
        tables = [file for file in known if not _is_text(file)] if is_folder else []
        files = tables or known or files
        if not (read.text_column or is_url(name)) and {*map(suffix_of, tables)} == {".json"}:
            files = [*filter(_has_usual_text, files)] or files
    kept = files or found
    _say_left_out(name, sorted(file.removeprefix(base) for file in {*found} - {*kept}))
    return kept


def _has_usual_text(file: str) -> bool:
    """Return whether a file has texts in a column of a usual name, is empty, or is to be refused."""
    with suppress(DataError), Source(inspect_input(file)) as source:
        table = open_table(source, ReadOptions())
        return table.is_empty or any(is_usual(path.rpartition(".")[2]) for path in table.texts)
    return True


def _is_text(file: str) -> bool:
    return suffix_of(file) in get_format("lines").suffixes


def _count_documents(files: Iterable[str]) -> int:
    """Return the number of small files of text, which may be a text each; 0 if there are large ones."""
    paths = [Path(file) for file in files if _is_text(file) and not is_url(file)]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return len(sizes) if sum(sizes) <= _DOCUMENT_BYTES * len(sizes) else 0


def _say_left_out(name: str, files: Sequence[str]) -> None:
    """Say which files are left out; as a warning if one of them may be meant as an input."""
    unknown = [file for file in files if not _MARKER.search(file)]
    if files:
        named = ", ".join([*unknown, *filter(_MARKER.search, files)][:_NAMED])
        more = f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else ""
        level = logging.WARNING if unknown else logging.INFO
        where = f"{name}: " if name else ""
        LOG.log(level, "%s%s left out: %s%s", where, counted(len(files), "file"), named, more)


def _refuse_lakes(found: Iterable[Found]) -> None:
    """Refuse the files of a Delta or Iceberg table: only its log shows which of them are current."""
    stored = [each for each in found if suffix_of(each.file) in _STORED]
    folders = {each.base.rstrip("/") for each in stored if each.base and is_url(each.file)}
    for path in {Path(each.file).parent for each in stored if not is_url(each.file)}:
        folders |= {str(parent) for parent in (path, *path.parents, *path.absolute().parents)}
    for folder in sorted(folders, key=len):
        if _list(f"{folder}/_delta_log", "*.json"):
            kind, scan = "Delta", f"delta_scan($${folder}$$)"
        elif logs := _list(f"{folder}/metadata", "*.metadata.json"):
            newest = max(logs, key=lambda log: (len(log), log))  # v10 after v9
            kind, scan = "Iceberg", f"iceberg_scan($${newest}$$)"
        else:
            continue
        query = shlex.quote(f"COPY (FROM {scan}) TO $$OUT.parquet$$")
        what = f"{folder} is a table of {kind}: only its log shows which files are current"
        raise UsageError(f"{what}; try: duckdb -c {query} && sentcli score OUT.parquet -o SCORED.parquet")


def _list(folder: str, pattern: str) -> list[str]:
    """List the files of a folder that may not exist."""
    with suppress(DataError):  # of a server or a parent folder that does not list its files
        return remote.expand(f"{folder}/{pattern}") if is_url(folder) else walk(f"{folder}/", pattern)[0]
    return []


def partitions_of(names: Sequence[str]) -> Partitions:
    """Return the columns of the folders of inputs; integers if all values of a column are integers."""
    pairs = (_FOLDER.findall(path_of(name)) for name in names)
    found = [{unquote(key): unquote(value) for key, value in folders} for folders in pairs]
    partitions: dict[ResultColumn, Sequence[str | int | None]] = {}
    for column in dict.fromkeys(column for folders in found for column in folders):
        values = [folders.get(column, _NULL) for folders in found]
        is_integer = all(value == _NULL or _INTEGER.fullmatch(value) for value in values)
        typed = [None if value == _NULL else int(value) if is_integer else value for value in values]
        partitions[ResultColumn(column, lambda scores: (), is_integer=is_integer)] = typed
    return partitions
