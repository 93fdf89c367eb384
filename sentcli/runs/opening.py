"""Opening a job: everything that can be checked before the first row."""

import json
import logging
import os
import stat
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from sentcli import __version__
from sentcli.errors import OutputError, UsageError
from sentcli.files.compression import WRITABLE, Members, compression_of
from sentcli.files.remote import RemoteFile, is_url
from sentcli.files.source import STANDARD, InputFile, Source, inspect_input
from sentcli.files.storage import (
    Stream,
    is_special,
    is_standard_output,
    is_standard_stream,
    own_files,
    resolve,
)
from sentcli.runs.file_output import FileOutput
from sentcli.runs.job import Job
from sentcli.runs.output import Output, StreamOutput, check_name, default_rejects, refuse_existing
from sentcli.tables.chunk import Cursor, Head
from sentcli.tables.options import ReadOptions, RejectOptions, Setup, WriteOptions
from sentcli.tables.registry import check_options, format_of, get_format, suffix_of

_HEAD_CHUNKS = 100  # that are read to find a head: a file of nothing but bad records may have none

_log = logging.getLogger("sentcli")


def open_job(
    inputs: Sequence[str],
    output: str,
    *,
    read: ReadOptions | None = None,
    write: WriteOptions | None = None,
    rejects: RejectOptions | None = None,
    resume: bool = False,
    overwrite: bool = False,
    fingerprint: Mapping[str, Any] | None = None,
    labels: Sequence[str] = (),
    commit_seconds: float = 1.0,
) -> Job:
    """Check everything that can be checked before the first row, and open the output.

    :param inputs: files, `-` for standard input, URLs: their rows go to the output one after the other.
    :param output: a file, `-` for standard output, a device or pipe, a URL.
    :param resume: go on with an interrupted run, if there is one.
    :param overwrite: the output and the rejects file may exist; they stay until the new ones are complete.
    :param fingerprint: what results depend on besides the inputs, JSON; a resumed run has to give the same.
    :param labels: those that rows may get; one that the output cannot hold ends the run as it begins.
    :param commit_seconds: at least so long between two commits.
    :raises UsageError: for options that do not fit together.
    :raises DataError: when an input cannot be read.
    :raises OutputError: when the output cannot be written or resumed, or another run is writing it.
    :raises MissingExtraError: for a URL, when what reads and writes those is not installed.
    """
    read, write, rejects = read or ReadOptions(), write or WriteOptions(), rejects or RejectOptions()
    files = [inspect_input(name) for name in inputs]
    setup = replace(_setup(inputs, output, read, write), labels=tuple(labels))
    written = [output, *filter(None, [rejects.path])]
    if not rejects.path and output != STANDARD:
        written.append(default_rejects(output if is_url(output) else str(resolve(output))))
    local = [name for name in written if not is_url(name)]
    refuse_inputs(files, [*written, *chain.from_iterable(map(own_files, local))])
    if len(files) > 1:
        _check_heads(files, setup)
    if setup.output_format == "lines" != setup.format:
        _log.warning("%s: lines hold label, score and text; other columns are left out", output)
    if rejects.path:
        _check_rejects(rejects.path, output)
    conditions = {
        **(fingerprint or {}),
        "sentcli": __version__,
        "formats": [setup.format, setup.output_format],
        "read": asdict(read),
        "write": asdict(write),
        "rejects": rejects.path,
        "libraries": _libraries(output, setup),
    }
    target = _open_output(
        output,
        rejects.path,
        json.loads(json.dumps(conditions)),  # as a journal gives it back
        appends=get_format(setup.output_format).appends,
        resume=resume,
        overwrite=overwrite,
    )
    try:
        return Job(files, setup, target, rejects, Members(compression_of(output)), commit_seconds)
    except BaseException:
        target.abort()
        raise


def _check_rejects(path: str, output: str) -> None:
    """Refuse, before the first row is rejected, a place where the rejects cannot go.

    :raises UsageError: when the rows go there.
    :raises OutputError: for a folder, and in one that is not there.
    """
    to_standard = output == STANDARD or is_standard_output(output)
    if to_standard:
        is_same = is_standard_output(path) or (Path(path).is_file() and is_standard_stream(Path(path)))
    else:
        is_same = resolve(path) == resolve(output)
    if is_same:
        raise UsageError(f"{output}: the rejected rows cannot go there too; give another --rejects")
    if not is_url(path):
        check_name(Path(path), "--rejects")


def check_job(inputs: Sequence[str], output: str, read: ReadOptions, write: WriteOptions) -> None:
    """Refuse, before the first of several jobs begins, what a later one would refuse.

    :raises UsageError: for options that do not fit together.
    :raises DataError: for a file that does not begin as one that can be scored.
    """
    files = [inspect_input(name) for name in inputs]  # first: a folder's name may tell no format
    _check_heads(files, _setup(inputs, output, read, write))


def _check_heads(files: Sequence[InputFile], setup: Setup) -> None:
    """Look at the beginning of each file: columns that do not fit must not end a run after hours.

    What cannot be read twice is left alone: standard input, even if it is a file, and pipes; so are URLs.
    """
    read = get_format(setup.format).reader()
    first: Head | None = None
    knows_first = True
    for number, file in enumerate(files, start=1):
        if file.name == STANDARD or file.size is None or is_url(file.name):
            knows_first &= first is not None
            continue
        with Source(file) as source:
            cursor = Cursor()
            cursor.open(source)
            chunks = read(source, setup, cursor, first, is_last=number == len(files))
            head = next((chunk.head for chunk in islice(chunks, _HEAD_CHUNKS) if chunk.head), None)
        if knows_first:  # the others have to be as the first one, whose head another one may not stand for
            first = first or head


def _setup(inputs: Sequence[str], output: str, read: ReadOptions, write: WriteOptions) -> Setup:
    if not inputs:
        raise UsageError("no input; give a file, or - for standard input")
    formats = {
        read.format or ("lines" if name == STANDARD else format_of(name, "--input-format")) for name in inputs
    }
    if len(formats) > 1:
        what = "say --input-format, without which - is lines" if STANDARD in inputs else "give -o DIR/"
        raise UsageError(
            f"inputs of several formats ({', '.join(sorted(formats))}) do not fit one output; {what}"
        )
    (form,) = formats
    check_options(read, form, inputs[0])
    if compression_of(output) not in ("", *WRITABLE):
        raise UsageError(f"{output}: output is compressed with {' or '.join(WRITABLE)} only")
    has_own = write.format or (output != STANDARD and suffix_of(output))
    output_form = (write.format or format_of(output, "--output-format")) if has_own else form
    get_format(output_form)
    if write.prefix and output_form == "lines":
        raise UsageError(f"--prefix means nothing for lines output, which has no names of columns: {output}")
    return Setup(read, () if output_form == "lines" else write.names, form, output_form)


def refuse_inputs(files: Sequence[InputFile], paths: Sequence[str]) -> None:
    """Refuse to write a file that is read, under whatever name.

    :raises OutputError: naming both.
    """
    names = {file.name: file.name for file in files if file.name != STANDARD}
    identities = {file.identity: file.name for file in files if file.identity}
    for path in paths:
        try:
            status = os.fstat(sys.stdout.fileno()) if path == STANDARD else Path(path).stat()
            identity = (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
        except (OSError, AttributeError):  # no such file yet; standard output closed or replaced
            identity = None
        name = names.get(path) or (identity and identities.get(identity))
        if name:
            raise OutputError(f"{path} is the input {name}; give another name")


def _libraries(output: str, setup: Setup) -> dict[str, str]:
    """Name the versions that the bytes of the output depend on."""
    libraries = {}
    if compression_of(output) == ".gz":
        libraries["zlib"] = zlib.ZLIB_RUNTIME_VERSION
    if compression_of(output) == ".zst" or "parquet" in (setup.format, setup.output_format):
        libraries["pyarrow"] = _version("pyarrow")
    if "jsonl" in (setup.format, setup.output_format) or (setup.format == "parquet" and setup.converts):
        libraries["orjson"] = _version("orjson")
    return libraries


def _version(library: str) -> str:
    from importlib.metadata import version  # not before it is needed: a third of numpy's import

    return version(library)


def _open_output(
    name: str,
    rejects: str | None,
    fingerprint: Mapping[str, Any],
    *,
    appends: bool,
    resume: bool,
    overwrite: bool,
) -> Output:
    """Open what the output's name means; for the parameters see `FileOutput`."""
    named = Path(name)
    if name != STANDARD and not is_url(name) and not is_special(name):
        path = resolve(named)
        if not path.parent.is_dir():
            raise OutputError(f"{name}: there is no folder {path.parent}")
        if rejects and (is_url(rejects) or is_special(rejects)):
            raise UsageError(f"{rejects}: beside a file, the rejected rows go to a file too")
        return FileOutput(path, rejects, fingerprint, appends=appends, resume=resume, overwrite=overwrite)
    if resume:
        raise UsageError(f"{name}: only a run that writes a file can be resumed; leave out --resume")
    if is_url(name):
        if not overwrite:
            refuse_existing(name)
        rejects = rejects or default_rejects(name)
        sink: Stream | RemoteFile = RemoteFile(name)
    else:
        sink = Stream.standard_output() if name == STANDARD else Stream.device(named)
    try:
        return StreamOutput(sink, rejects, overwrite=overwrite)
    except BaseException:
        sink.discard()
        raise
