"""Compare the memory of `sentcli score` for 10,000,000 and 100,000 rows, for each format and for stdin.

    python benchmarks/memory.py
    python benchmarks/memory.py --words 90 --rows 1000000

Inputs are written to a temporary folder that needs about 2 GB; the rows of standard input are generated
while they are read. The figure is the peak memory of the process (VmHWM): Linux only.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ending import run

FORMATS = ("csv", "jsonl", "parquet", "stdin")
FEW = 100_000
LIMIT = 1.1  # the most that memory may grow by
LEDGER_LIMIT = 16  # bytes per row, as an average
_BYTES_A_ROW = 200  # upper bound for input, output and temporary files together; more for each word
_BYTES_A_WORD = 20
_BLOCK = 10_000
_OPENINGS = (
    "What a film",
    "The story was",
    "My sister found it",
    "Never before was I so",
    "In the end it is",
)
_PLOT = "it's the {}th time (or so) that I saw a plot like this, and still it moves me."
_FILLING = " ".join(_PLOT.format(number % 977) for number in range(10_000)).split()
_VERDICTS = ("warm and clever.", "dull, and loud!", "a joy", "tired from the first scene on", "fine")


@dataclass(frozen=True)
class Rows:
    """Invented reviews.

    :param words: mean words per text (each has a half to twice as many); 0: short texts.
    """

    count: int
    words: int

    def blocks(self) -> Iterator[tuple[int, list[str]]]:
        """Yield blocks: the number of the first row, and the texts. A number always has the same text."""
        for start in range(0, self.count, _BLOCK):
            yield start, list(map(self._text, range(start, min(start + _BLOCK, self.count))))

    def _text(self, row: int) -> str:
        short = f"{_OPENINGS[row % 5]} {_VERDICTS[row * 7 // 5 % 5]} {row}"
        if not self.words:
            return short
        first = row * 31 % len(_FILLING)
        words = self.words * (3 + row * 7 // 11 % 8) // 6
        return f"{short} {' '.join(_FILLING[first : first + words])}"


def write_input(path: Path, form: str, rows: Rows) -> None:
    """Write the rows as a file of a format."""
    if form == "parquet":
        write_parquet(path, rows)
        return
    with path.open("w", encoding="utf-8") as file:
        if form == "csv":
            file.write("id,text\n")
        for start, block in rows.blocks():
            if form == "csv":
                file.writelines(f'{row},"{text}"\n' for row, text in enumerate(block, start))
            else:
                file.writelines(f'{{"id":{row},"text":"{text}"}}\n' for row, text in enumerate(block, start))


def write_parquet(path: Path, rows: Rows) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start, block in rows.blocks():
            ids = range(start, start + len(block))
            writer.write_table(pa.table({"id": ids, "text": block}, schema), row_group_size=1 << 20)


def feed(pipe: IO[bytes], rows: Rows) -> None:
    with suppress(BrokenPipeError), pipe:  # the process reports its own error
        for _, block in rows.blocks():
            pipe.write(("\n".join(block) + "\n").encode())


def measure(form: str, rows: Rows, options: list[str], folder: Path) -> dict[str, Any]:
    """Score these rows and watch the process.

    :param options: further options of `sentcli score`.
    :returns: MiB, seconds, rows a second, most open files, largest ledger in bytes.
    """
    output = folder / ("out.txt" if form == "stdin" else f"out.{form}")
    source = folder / f"in.{form}"
    if form != "stdin":
        write_input(source, form, rows)
    command = [sys.executable, "-m", "sentcli", "score", "-" if form == "stdin" else str(source)]
    command += ["-o", str(output), "-q", *options]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE if form == "stdin" else subprocess.DEVNULL)
    if process.stdin:
        threading.Thread(target=feed, args=(process.stdin, rows)).start()
    seen = watch(process, folder / f".{output.name}.sentcli-ledger")
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"sentcli ended with {process.returncode}")
    for file in folder.iterdir():
        file.unlink()
    return {
        "format": form,
        "rows": rows.count,
        "words": rows.words,
        **seen,
        "seconds": seconds,
        "rows_per_second": rows.count / seconds,
    }


def watch(process: subprocess.Popen[bytes], ledger: Path) -> dict[str, float]:
    """Return the peak figures of a process, sampled until it ends."""
    seen = {"mib": 0.0, "open_files": 0, "ledger_bytes": 0}
    proc = Path("/proc", str(process.pid))
    while process.poll() is None:
        try:
            status = (proc / "status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            seen["mib"] = int(peak.split()[1]) / 1024
            seen["open_files"] = max(seen["open_files"], len(list((proc / "fd").iterdir())))
            seen["ledger_bytes"] = max(seen["ledger_bytes"], ledger.stat().st_size)
        except (OSError, StopIteration):  # no ledger yet, or the process has just ended
            pass
        time.sleep(0.05)
    return seen


def main() -> None:
    """Print a table; exit with 1 when memory grows by more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument(
        "--words", type=int, default=0, help="words of a text on average; by default short texts"
    )
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--model", type=Path, help="a model folder; by default the one in the box")
    parser.add_argument("--workers", type=int, help="threads that score; by default one for each usable core")
    parser.add_argument("--folder", help="where there is room for the files")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    options = ["--model", str(arguments.model)] if arguments.model else []
    options += ["--workers", str(arguments.workers)] if arguments.workers else []
    needed = arguments.rows * (_BYTES_A_ROW + arguments.words * _BYTES_A_WORD)
    results = []
    good = True
    print(f"{'format':8} {'rows':>11} {'MiB':>7} {'ratio':>6} {'rows/s':>9} {'files':>6} {'ledger':>11}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        if shutil.disk_usage(name).free < needed:
            sys.exit(f"{name} has no room for {needed / 1e9:.1f} GB; give --folder")
        for form in arguments.format:
            few, many = (
                measure(form, Rows(count, arguments.words), options, Path(name))
                for count in (FEW, arguments.rows)
            )
            many["ratio"], few["ratio"] = many["mib"] / few["mib"], 1.0
            for found in (few, many):
                print(
                    f"{form:8} {found['rows']:11,} {found['mib']:7.1f} {found['ratio']:6.3f} "
                    f"{found['rows_per_second']:9,.0f} {found['open_files']:6} {found['ledger_bytes']:11,}",
                    flush=True,
                )
            good &= many["ratio"] <= LIMIT and many["ledger_bytes"] <= LEDGER_LIMIT * many["rows"]
            good &= many["open_files"] <= few["open_files"] + 2  # a short run may end between two samples
            results += [few, many]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    sys.exit(not good)


if __name__ == "__main__":
    run(main)
