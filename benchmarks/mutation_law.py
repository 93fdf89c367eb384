"""Check without sentcli's readers that rows in = rows out + rejected, and that nothing else changed."""

import base64
import csv
import gzip
import json
import re
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from mutated_tables import Case

from sentcli.errors import SentcliError
from sentcli.runs.summary import Summary

RESULTS = ["sentiment", "sentiment_score"]
_RESULT = "{0}(?:([a-z0-9]+){0}([01][.][0-9]{{6}})|{0})"  # label and score after delimiters, or neither
_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".zst": lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(),
}


class BrokenLawError(Exception):
    """A result that is not allowed."""


def demand(condition: object, problem: str) -> None:
    if not condition:
        raise BrokenLawError(problem)


def check_error(error: SentcliError, folder: Path, source: Path, output: Path) -> None:
    """Check that an error names the file, is short, and left files only if the run can continue."""
    demand(str(source) in str(error) or str(output) in str(error), f"the message names no file: {error}")
    demand(len(str(error)) < 2000, "the message is long")
    names = {path.name for path in folder.iterdir()} - {source.name}
    if any(name.endswith("-ledger") for name in names):  # a run that can continue
        names = {name for name in names if not name.startswith(".")}
    demand(not names, f"files are left: {names}")


def check_result(case: Case, summary: Summary, output: Path) -> str:
    """Check an output and its rejects against the input.

    :returns: the name of the outcome, for the counts.
    """
    rejects = read_rejects(output.with_name(f"{output.name}.rejects.jsonl"))
    demand(
        len(rejects) == summary.rejected,
        f"{len(rejects)} rejects in the file, {summary.rejected} in the summary",
    )
    if case.form == "parquet":
        check_parquet(case, summary, output)
    elif any(entry["offset"] is None for entry in rejects):  # an array of JSON in place of lines
        demand(summary.rows == 0, "rows of an array that is damaged")
    elif case.output_format == case.form:
        check_text(case, summary, output, rejects)
    else:
        remove_rejects(_DECOMPRESS[case.compression](case.data), rejects)
        rows = count_rows(case, output)
        demand(rows == summary.rows, f"{rows} rows in the output, {summary.rows} in the summary")
    return "scored, some rows rejected" if rejects else "scored"


def read_rejects(path: Path) -> list[dict]:
    if not path.exists():
        return []
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    for entry in entries:
        raw = entry.get("raw")
        entry["bytes"] = base64.b64decode(entry["raw_base64"]) if raw is None else raw.encode()
    return entries


def remove_rejects(data: bytes, rejects: list[dict]) -> bytes:
    """Return the input without its rejected records, which have to be where their offsets say.

    :raises BrokenLawError: if they are elsewhere or out of order.
    """
    kept, place = [], 0
    for entry in rejects:
        start, end = entry["offset"], entry["offset"] + len(entry["bytes"])
        demand(place <= start, f"the reject at {start} comes too late")
        demand(data[start:end] == entry["bytes"], f"the reject at {start} is not what the input has there")
        kept.append(data[place:start])
        place = end
    return b"".join([*kept, data[place:]])


def _encoding_of(data: bytes) -> str:
    try:
        data.decode()
    except UnicodeDecodeError:
        return "cp1252"  # the only other encoding that is taken without a question
    return "utf-8"


def check_text(case: Case, summary: Summary, output: Path, rejects: list[dict]) -> None:
    """Check that each line that is not rejected is the beginning of an output line, in order."""
    kept = remove_rejects(_DECOMPRESS[case.compression](case.data), rejects)
    written = output.read_bytes()
    if case.form == "jsonl":
        blank = check_jsonl(kept, written, summary)
    else:
        encoding = case.options.encoding or _encoding_of(kept)
        blank = check_csv(kept.decode(encoding), written.decode(encoding), case, summary)
    counted = summary.blank + summary.no_known_word
    demand(blank == counted, f"{blank} rows without a label in the output, {counted} in the summary")


def check_jsonl(kept: bytes, written: bytes, summary: Summary) -> int:
    rows = blank = 0
    mark = b"\xef\xbb\xbf"
    demand(kept.startswith(mark) == written.startswith(mark), "a byte order mark came or went")
    kept, written = kept.removeprefix(mark), written.removeprefix(mark)
    for before, after in zip_longest(kept.split(b"\n"), written.split(b"\n")):
        demand(before is not None and after is not None, "not as many lines as there were")
        if before == after:
            demand(not before.strip(), f"a row without a score: {before!r:.200}")
            continue
        end = before.rindex(b"}")
        demand(after.startswith(before[:end]) and after.endswith(before[end:]), f"changed: {before!r:.200}")
        added = json.loads(b"{%b}" % after[end + 1 : len(after) - len(before) + end])
        demand(list(added) == RESULTS, f"other fields: {added}")
        demand((added["sentiment"] is None) == (added["sentiment_score"] is None), "half a result")
        rows += 1
        blank += added["sentiment"] is None
    demand(rows == summary.rows, f"{rows} rows in the output, {summary.rows} in the summary")
    return blank


def check_csv(kept: str, written: str, case: Case, summary: Summary) -> int:
    delimiter = case.options.delimiter or ","
    added = re.compile(_RESULT.format(re.escape(delimiter)))
    rows = blank = heads = 0
    if not written:  # blank lines go with the first record
        kept = kept.strip("\ufeff\r\n")
    for before, after in zip_longest(lines(kept), lines(written)):
        demand(before is not None and after is not None, "not as many lines as there were")
        if before == after:
            continue
        content = before.rstrip("\r\n")
        demand(
            after.startswith(content) and after.endswith(before[len(content) :]), f"changed: {before!r:.200}"
        )
        more = after[len(content) : len(after) - len(before) + len(content)]
        if case.options.header and not heads:
            demand(
                more == f"{delimiter}sentiment{delimiter}sentiment_score", f"another header: {more!r:.200}"
            )
            heads = 1
            continue
        match = added.fullmatch(more)
        demand(match, f"other fields: {more!r:.200}")
        rows += 1
        blank += match is not None and match[1] is None
    demand(rows == summary.rows, f"{rows} rows in the output, {summary.rows} in the summary")
    records = [record for record in parse_csv(written, case) if record]
    titles = next((n for n, record in enumerate(records) if record[-2:] == RESULTS), 0)  # above the header
    demand(
        len(records) == titles + rows + heads,
        f"{len(records)} records in the output instead of {titles + rows + heads}",
    )
    demand(len({*map(len, records[titles:])}) <= 1, "records of several widths in the output")
    return blank


def lines(text: str) -> list[str]:
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def parse_csv(text: str, case: Case) -> list[list[str]]:
    csv.field_size_limit(1 << 30)
    if case.form != "csv":
        return list(csv.reader(lines(text), strict=True))
    options = {"delimiter": case.options.delimiter or ",", "quotechar": case.options.quotechar or '"'}
    if case.output_format != case.form:
        options = {}
    return list(csv.reader(lines(text.removeprefix("\ufeff")), strict=True, **options))


def count_rows(case: Case, output: Path) -> int:
    """Return the number of rows of an output whose format is not that of the input."""
    if case.output_format == "parquet":
        return pq.read_table(output).num_rows
    if case.output_format == "jsonl":
        return len([json.loads(line) for line in output.read_bytes().split(b"\n") if line])
    records = [record for record in parse_csv(output.read_text("utf-8"), case) if record]
    return max(0, len(records) - case.options.header)


def check_parquet(case: Case, summary: Summary, output: Path) -> None:
    """Check rows and values against those that pyarrow reads, if it can read the input."""
    rows = count_rows(case, output)
    demand(rows == summary.rows, f"{rows} rows in the output, {summary.rows} in the summary")
    try:
        before = pq.read_table(pa.BufferReader(case.data), use_threads=False)
    except (pa.ArrowException, OSError):
        return
    demand(before.num_rows == rows + summary.rejected, f"{before.num_rows} rows in the input")
    if case.output_format == "parquet" and not summary.rejected:
        after = pq.read_table(output, use_threads=False)
        demand(after.select(range(before.num_columns)).equals(before), "a column was changed")
