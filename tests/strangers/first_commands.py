"""Type the first command for each file of `people_files`, and what its messages propose; say what came of it.

`python tests/strangers/first_commands.py [NAME...]` prints a line for each file, and the counts.
"""

import csv
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
from people_files import EXAMPLES, Example
from workbooks import read_workbook

import sentcli
from sentcli.cli import main

RIGHT, ASKED, REFUSED, WRONG, SKIPPED = "right", "asked", "refused", "WRONG", "skipped"
_NEW = ("sentiment", "sentiment_score")
_REJECTED = 3
_PROGRAMS = (
    *("sentcli", "sqlite3", "duckdb", "python", "unzip", "tar", "bzip2", "xz", "jq", "mv", "zstd"),
    "pdftotext",
    "sed",
)
_OPTION = re.compile(r"""(?<!\S)(--?[a-z][a-z-]*)(?:[ =]('[^']*'|"[^"]*"|[^\s;]+))?""")
_PROPOSING = re.compile(
    r"\b(try|add|type|give|with|needs|for those:|another one:|whole rows:|such as) $", re.IGNORECASE
)
_DOES = re.compile(" (leaves|adds|keeps|reads|says|makes) ")
_CHAIN = re.compile("|,? ?(or|and|to|else|or only)")
_TO_REPLACE = ("NAME", "FILE", "N", "with", "in")

Labels = Mapping[str, str | None]  # of texts


@dataclass(frozen=True)
class Outcome:
    """What came of the first command for a file.

    :param kind: RIGHT; ASKED: a command that a message proposes is right, or cannot be run here; REFUSED:
        with a message, but without such a command; WRONG: another result, without a word.
    :param command: what was typed last.
    :param message: what standard error said to the first command.
    """

    kind: str
    command: str
    message: str = ""
    why: str = ""


@dataclass(frozen=True)
class Done:
    code: int
    error: str


def shell(command: str, folder: Path, timeout: float = 120) -> Done:
    """Run a line in a shell that finds this `sentcli` and this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{command}"],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stderr.decode(errors="replace"))


# What messages propose


def proposals(message: str, command: str) -> Iterator[str]:
    """Yield each command that a message proposes: whole ones, and options for the one before."""
    for line in message.splitlines():
        whole = re.search(rf"(?<=: )((?:{'|'.join(_PROGRAMS)}) .*)$", line)
        if whole:
            yield whole[1]
        else:
            for options in _options(line, _called(command)):
                before = command
                if options.startswith("--text-column"):  # in place of another one
                    before = re.sub(r" (-c|--text-column) \S+", "", command)
                yield f"{before} {options}"


def _called(command: str) -> click.Command:
    """Return the command of sentcli in a line."""
    name = re.findall(r"(?:^|[|&] *)sentcli (\w+)", command)[-1]
    found = main.get_command(click.Context(main), name)
    assert found, name
    return found


def _options(line: str, command: click.Command) -> Iterator[str]:
    """Yield the options that a message proposes: those without a word between them as one.

    One without the value that it needs, or with one to replace, such as NAME, is no proposal.
    """
    known = {name: parameter for parameter in command.params for name in parameter.opts}
    found, end = "", 0
    for match in _OPTION.finditer(line):
        parameter, between = known.get(match[1]), line[end : match.start()].strip()
        if not isinstance(parameter, click.Option):
            continue
        takes = not parameter.is_flag
        if match[1] == "--neutral":  # with or without a value
            takes = match[2] is not None and match[2][0].isdigit()
        is_proposed = _PROPOSING.search(line[: match.start()]) or _DOES.match(line, match.end(1 + takes))
        if not (is_proposed or (found and _CHAIN.fullmatch(between))):
            continue
        value = _trimmed(match[2] or "NAME") if takes else ""
        if value in _TO_REPLACE:
            continue
        if found and between not in ("", "and"):
            yield found
            found = ""
        found = f"{found} {match[1]} {value}".strip()
        end = match.start(2) + len(value) if takes else match.end(1)
    if found:
        yield found


def _trimmed(value: str) -> str:
    """Return a value without the punctuation of the sentence after it."""
    return value if value[0] in "\"'" or len(value) == 1 else value.rstrip(",.:?")


def is_there(command: str) -> bool:
    """Return whether all programs of a pipe are installed, with the packages that Python needs."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&<>")
    lexer.whitespace_split = True
    words = ["|", *lexer]
    programs = {word for before, word in pairwise(words) if before in ("|", "&&")} - {"sentcli", "python"}
    packages = re.findall(r"\w+", " ".join(re.findall(r"import ([\w, ]+)", command)))
    return all(map(shutil.which, programs)) and all(map(find_spec, packages))


def is_well_formed(command: str, folder: Path) -> bool:
    """Return whether a command that cannot be run names files that exist, with closed quotes."""
    words = shlex.split(command)
    return any((folder / name).exists() for word in words for name in re.findall(r"[\w./-]+", word))


# Outputs


def read_output(path: Path, example: Example) -> list[dict[str, Any]]:
    """Return the rows of an output as a program of its owner would read them."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.name[0] != ".")
        return [row for file in files if "rejects" not in file.name for row in read_output(file, example)]
    suffixes = [suffix for suffix in path.suffixes if suffix not in (".gz", ".zst")]
    if suffixes[-1] == ".parquet":
        return pq.ParquetFile(path).read().to_pylist()  # type: ignore[no-any-return]
    if suffixes[-1] == ".xlsx":
        return read_workbook(path)
    data = path.read_bytes()
    if len(suffixes) < len(path.suffixes):
        codec = "gzip" if path.suffix == ".gz" else "zstd"
        with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
            data = stream.read()
    if suffixes[-1] in (".json", ".jsonl"):
        text = data.decode()
        return json.loads(text) if text.startswith("[") else [*map(json.loads, text.splitlines())]
    return _read_csv(data, suffixes[-1], example)


def _read_csv(data: bytes, suffix: str, example: Example) -> list[dict[str, Any]]:
    dialect = dict(example.dialect)
    encoding = dialect.pop("encoding", "utf-8")
    has_header = dialect.pop("header", "yes")
    try:
        text = data.decode(encoding if data[:2] == b"\xff\xfe" or encoding != "utf-16" else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig")
    text = text.removeprefix("sep=;\n")
    dialect.setdefault("delimiter", "\t" if suffix == ".tsv" else ",")
    records = [*csv.reader(text.splitlines(keepends=True), **dialect)]
    count = len(records[0]) - len(_NEW)
    names = records[0] if has_header else [*map(str, range(1, count + 1)), *_NEW]
    return [dict(zip(names, record, strict=True)) for record in records[1 if has_header else 0 :]]


def _plain(value: Any) -> Any:
    """Return a value as it is compared: 5.0 is 5, a blank cell is an empty one, NaN is null."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value


def check(output: Path, example: Example, labels: Labels) -> str:
    """Return what is wrong with an output; empty if nothing is."""
    try:
        rows = read_output(output, example)
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        return f"cannot be read: {error!r:.100}"
    if len(rows) != len(example.rows):
        return f"{len(rows)} rows, not {len(example.rows)}"
    if "12 formulas" in example.said:
        rows = [{key: row[key] for key in row if key != "total"} for row in rows]
    for place, (row, wanted) in enumerate(zip(rows, example.rows, strict=True)):
        for name in wanted:
            if name not in row and _plain(wanted[name]) is not None:
                return f"row {place + 1}: no column {name!r}; {[*row]}"
            if _plain(row.get(name)) != _plain(wanted[name]):
                return f"row {place + 1}: {name} is {row.get(name)!r:.60}, not {wanted[name]!r:.60}"
    return _check_scores(rows, example, labels)


def _check_scores(rows: Sequence[Mapping[str, Any]], example: Example, labels: Labels) -> str:
    for place, (row, text) in enumerate(zip(rows, example.texts, strict=True)):
        label = labels[text]
        found = row.get("sentiment") or None
        if "sentiment" not in row or found != label:
            return f"row {place + 1}: the label is {found!r}, not {label!r}"
    return ""


# One file


def try_example(example: Example, folder: Path, labels: Labels) -> Outcome:
    """Type the first command for a file, and then what the message proposes."""
    if example.needs and not find_spec(example.needs):
        return Outcome(SKIPPED, "")
    command = f"sentcli score {shlex.quote(example.name)} -o {example.output}"
    example.make(folder / example.name)
    done = shell(command, folder)
    is_said = not example.said or re.search(example.said, done.error, re.DOTALL) is not None
    codes = (0, _REJECTED) if example.said else (0,)
    wrong = check(folder / example.output, example, labels) if done.code in codes else "not scored"
    if "12 formulas" in example.said:
        wrong = "" if is_said and done.code == _REJECTED else wrong or "formulas are not said"
    elif not wrong and not is_said:
        wrong = f"nothing said of {example.said}"
    if not wrong:
        return Outcome(RIGHT, command, done.error)
    reasons = [wrong]
    for proposal in [*proposals(done.error, command)]:
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            again = Path(name, "again")
            shutil.copytree(folder, again, symlinks=True)
            if why := try_proposal(proposal, again, example, labels):
                reasons.append(f"{proposal}: {why}")
            else:
                return Outcome(ASKED, proposal, done.error)
    return Outcome(REFUSED if done.code else WRONG, command, done.error, "\n".join(reasons))


def try_proposal(proposal: str, folder: Path, example: Example, labels: Labels, *, more: bool = True) -> str:
    """Return why a proposed command does not lead to the right output; empty if it does.

    :param more: whether to type what the message of this command proposes, too.
    """
    if not is_there(proposal):
        return "" if is_well_formed(proposal, folder) else "it names no file that exists"
    before = {*folder.iterdir()}
    done = shell(proposal, folder)
    if done.code and "--overwrite" in done.error:
        done = shell(f"{proposal} --overwrite", folder)
    if done.code not in (0, _REJECTED):
        return f"exit code {done.code}: {done.error.strip()[-200:]}"
    output = re.search(r"-o (\S+)", proposal)
    if output is None:  # it made a file that is to be scored
        made = [path for path in folder.iterdir() if path not in before]
        if len(made) != 1:
            return f"it made {len(made)} files"
        then = f"sentcli score {made[0].name} -o scored{made[0].suffix}"
        return try_proposal(then, folder, example, labels)
    wrong = check(folder / shlex.split(output[1])[0], example, labels)
    for further in [*proposals(done.error, proposal)] if wrong and more else []:
        if not try_proposal(further, folder, example, labels, more=False):
            return ""
    return wrong


def try_all(folder: Path, names: Sequence[str] = ()) -> Iterator[tuple[Example, Outcome]]:
    """Try all examples, or those of these names, each in a folder of its own."""
    chosen = [example for example in EXAMPLES if not names or {example.name, example.title} & {*names}]
    texts = sorted({text for example in chosen for text in example.texts})
    with sentcli.load() as scorer:
        labels = dict(zip(texts, scorer.score(texts).labels, strict=True))

    def try_one(example: Example) -> Outcome:
        own = folder / f"of-{example.name}"
        own.mkdir()
        return try_example(example, own, labels)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from zip(chosen, pool.map(try_one, chosen), strict=True)


def is_as_wanted(example: Example, outcome: Outcome) -> bool:
    """Return whether the first command was right, or asked where it has to."""
    return outcome.kind == RIGHT or (example.asks and outcome.kind == ASKED)


def describe(example: Example, outcome: Outcome) -> str:
    """Return a line for an outcome, and what was said and wrong below it."""
    lines = [f"{outcome.kind:8}{'*' if example.asks else ' '}{example.title}: {outcome.command}"]
    if outcome.kind not in (RIGHT, SKIPPED):
        lines += [f"{'':9}  {line:.300}" for line in f"{outcome.message}{outcome.why}".splitlines()]
    return "\n".join(lines)


def show(names: Sequence[str]) -> None:
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for example, outcome in try_all(Path(folder), names):
            counts[outcome.kind] += 1
            counts["as wanted (* may ask)"] += is_as_wanted(example, outcome)
            sys.stdout.write(describe(example, outcome) + "\n")
    sys.stdout.write(", ".join(f"{count} {kind}" for kind, count in counts.items()) + "\n")


if __name__ == "__main__":
    show(sys.argv[1:])
