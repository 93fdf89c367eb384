import errno
import io
import json
import logging
import os
import select
import stat
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from sentcli.errors import DataError, OutputError, RejectsError, SentcliError, UsageError
from sentcli.files import storage
from sentcli.files.storage import Part, create, is_standard_output, is_standard_stream
from sentcli.runs.opening import open_job
from sentcli.tables.chunk import CHUNK_BYTES, CHUNK_ROWS
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

HEADER, ADDED = b"id,text\n", b"id,text,sentiment,sentiment_score\n"
HEADERS = {"txt": b"", "csv": b"text\n"}  # by a format whose rows come one by one, and one of many together
X = b",odd,0.142857"  # of the text "x"
FIELDS = b',"sentiment":"odd","sentiment_score":0.142857}'


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def source(tmp_path):
    (tmp_path / "in.csv").write_bytes(HEADER + b"1,x\n2\n3,x\n4\n")
    return tmp_path / "in.csv"


def test_what_a_job_tells(run, source, tmp_path):
    job = run(source, tmp_path / "out.csv")
    assert (job.rows, job.rejected, job.resumed_rows) == (2, 2, 0)
    assert job.text_column == "text"
    assert job.total_bytes == source.stat().st_size
    assert job.inputs == [
        {"path": str(source), "size": source.stat().st_size, "mtime_ns": source.stat().st_mtime_ns}
    ]
    assert job.rejects_path == str(tmp_path / "out.csv.rejects.jsonl")
    assert not job.resumable
    assert names(tmp_path) == ["in.csv", "out.csv", "out.csv.rejects.jsonl"]


def test_reading_and_writing_in_different_threads(tmp_path, scored):
    (tmp_path / "in.txt").write_bytes(b"x\n" * 20_000)
    with open_job([str(tmp_path / "in.txt")], str(tmp_path / "out.txt")) as job:
        chunks = []
        reader = threading.Thread(target=lambda: chunks.extend(job))
        reader.start()
        reader.join()
        for chunk in chunks:
            job.write(chunk, *scored(chunk.texts))
        job.finish()
    assert (tmp_path / "out.txt").read_bytes() == b"odd\t0.142857\tx\n" * 20_000


@pytest.mark.parametrize("suffix", HEADERS)
@pytest.mark.parametrize("line", [b"x\n", b"x" * 5000 + b"\n", b"x" * 1_000_000 + b"\n"])
def test_chunks_are_bounded_by_rows_and_bytes(tmp_path, line, suffix):
    count = min(20_000, 50_000_000 // len(line))
    (tmp_path / f"in.{suffix}").write_bytes(HEADERS[suffix] + line * count)
    with open_job([str(tmp_path / f"in.{suffix}")], str(tmp_path / "out")) as job:
        chunks = list(job)
    assert sum(len(chunk.texts) for chunk in chunks) == count
    assert max(len(chunk.texts) for chunk in chunks) == min(CHUNK_ROWS, -(-CHUNK_BYTES // len(line)))
    assert all(chunk.size < CHUNK_BYTES + len(line) for chunk in chunks)


@pytest.mark.parametrize("suffix", HEADERS)
def test_chunks_begin_small_and_grow_with_what_was_read(tmp_path, suffix):
    """So that scoring begins early; what was read, not the input at hand, says how large they are."""
    for number, rows in enumerate((1500, 12_000)):
        (tmp_path / f"{number}.{suffix}").write_bytes(HEADERS[suffix] + b"x\n" * rows)
    inputs = [str(tmp_path / f"{number}.{suffix}") for number in range(2)]
    with open_job(inputs, str(tmp_path / "out")) as job:
        sizes = [len(chunk.texts) for chunk in job]
    assert sizes == [512, 512, 476, 1500, 3000, 4096, 3404]


def test_a_chunk_of_rejects_is_bounded_too(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b'{"text":"x"}\n' + b"bad\n" * 10_000)
    with open_job([str(tmp_path / "in.jsonl")], str(tmp_path / "out.jsonl")) as job:
        assert max(len(chunk.rejects) for chunk in job) <= CHUNK_ROWS


def test_several_inputs_become_one_output(run, tmp_path):
    for name, data in {
        "a.csv": HEADER + b"1,x\n2,x",
        "b.csv": b'\xef\xbb\xbf"id","text"\r\n3,x\r\n4,x',
        "c.csv": HEADER,
        "d.csv": b"",
        "e.csv": HEADER + b"5,x\r",
        "f.csv": HEADER + b"6\n7,x",
    }.items():
        (tmp_path / name).write_bytes(data)
    job = run([tmp_path / f"{letter}.csv" for letter in "abcdef"], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == ADDED + b"".join(
        [b"1,x", X, b"\n2,x", X, b"\n3,x", X, b"\r\n4,x", X, b"\r\n5,x", X, b"\r7,x", X]
    )
    entry = json.loads((tmp_path / "out.csv.rejects.jsonl").read_bytes())
    assert (entry["input"], entry["line"], entry["offset"]) == (str(tmp_path / "f.csv"), 2, 8)
    assert (job.rows, job.rejected) == (6, 1)


@pytest.mark.parametrize(
    ("suffix", "first", "second", "out"),
    [
        (".txt", b"x", b"x", b"odd\t0.142857\tx\nodd\t0.142857\tx"),
        (".txt", b"x\r\nx", b"x", b"odd\t0.142857\tx\r\nodd\t0.142857\tx\r\nodd\t0.142857\tx"),
        (".jsonl", b'{"text":"x"}', b'{"text":"x"}', b"\n".join([b'{"text":"x"' + FIELDS] * 2)),
    ],
)
def test_a_last_line_without_an_end_gets_one_before_the_next_input(run, tmp_path, suffix, first, second, out):
    (tmp_path / f"a{suffix}").write_bytes(first)
    (tmp_path / f"b{suffix}").write_bytes(second)
    run([tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"], tmp_path / f"out{suffix}")
    assert (tmp_path / f"out{suffix}").read_bytes() == out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_inputs_with_other_columns_do_not_fit_one_output(run, tmp_path, suffix):
    for name, column in (("a", "id"), ("b", "di")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({column: "1", "text": "x"}))
        run(tmp_path / f"{name}.jsonl", tmp_path / f"{name}{suffix}", write=WriteOptions(prefix=column))
    options = {"read": ReadOptions(text_column="text"), "write": WriteOptions(prefix="2")}
    with pytest.raises(DataError, match=rf"b\{suffix}: not the .* of the first input"):
        run([tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"], tmp_path / f"out{suffix}", **options)
    run([tmp_path / f"a{suffix}"] * 2, tmp_path / f"out{suffix}", **options)


def test_later_json_inputs_follow_the_first(run, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"a":"1","text":"x"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"text":"x","a":"2"}\n{"text":"x","b":"2"}\n')
    run([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path / "out.csv")
    assert (
        tmp_path / "out.csv"
    ).read_bytes() == b"a,text,sentiment,sentiment_score\n1,x" + X + b"\n2,x" + X + b"\n"


def test_the_texts_of_later_json_inputs_are_where_those_of_the_first_are(run, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"review":"x"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"text":"a title","review":"xx"}\n')
    run([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [row["sentiment"] for row in rows] == ["odd", "even"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inputs": []}, UsageError, "no input"),
        ({"inputs": ["a.csv", "b.jsonl"]}, UsageError, r"several formats \(csv, jsonl\) .*give -o DIR/"),
        ({"inputs": ["a.csv", "-"]}, UsageError, r"several formats \(csv, lines\) .*say --input-format"),
        ({"inputs": ["a.dat"]}, UsageError, "what format is .dat.*--input-format"),
        ({"inputs": ["a.xlsx"]}, UsageError, "a.xlsx: .xlsx is no format here; .* CSV"),
        ({"inputs": ["a.csv.zip"]}, UsageError, "a.csv.zip: .zip is an archive .* the file that is in it"),
        ({"inputs": ["a.feather.gz"]}, UsageError, ".feather is no format here; .* Parquet"),
        ({"inputs": ["a"]}, UsageError, "what format is this.*--input-format"),
        ({"output": "o.dat"}, UsageError, "what format is .dat.*--output-format"),
        ({"output": "o.ods"}, UsageError, "o.ods: .ods is no format here; .* CSV"),
        ({"read": ReadOptions(format="xml")}, UsageError, "no format 'xml'; the formats are csv, tsv"),
        ({"write": WriteOptions(format="xml")}, UsageError, "no format 'xml'"),
        ({"output": "o.csv.bz2"}, UsageError, "compressed with .gz or .zst only"),
        ({"rejects": RejectOptions(path="o.csv")}, UsageError, "cannot go there too"),
        ({"rejects": RejectOptions(path="memory://o")}, UsageError, "go to a file too"),
        ({"output": "-", "resume": True}, UsageError, "leave out --resume"),
        ({"output": "none/o.csv"}, OutputError, "no folder .*none"),
        (
            {"inputs": ["a.jsonl"], "read": ReadOptions(delimiter=";")},
            UsageError,
            "--delimiter means nothing",
        ),
        ({"inputs": ["a.jsonl"], "read": ReadOptions(header=False)}, UsageError, "--no-header means nothing"),
        (
            {"inputs": ["a.jsonl"], "read": ReadOptions(skip_lines=1)},
            UsageError,
            "--skip-lines means nothing",
        ),
        (
            {"inputs": ["a.jsonl"], "read": ReadOptions(encoding="ascii")},
            UsageError,
            "--encoding means nothing",
        ),
        (
            {"inputs": ["a.txt"], "read": ReadOptions(text_column="x")},
            UsageError,
            "--text-column means nothing for lines",
        ),
        (
            {"output": "o.txt", "write": WriteOptions(prefix="my_")},
            UsageError,
            "--prefix means nothing for lines output",
        ),
        ({"output": "x" * 250}, OutputError, "File name too long"),
    ],
)
def test_what_does_not_fit_is_refused(run, tmp_path, monkeypatch, options, error, message):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.jsonl", "a.jsonl", "a.txt", "a.dat", "a.xlsx", "a.feather.gz", "a.csv.zip", "a"):
        (tmp_path / name).write_bytes(b"text\n")
    before = names(tmp_path)
    with pytest.raises(error, match=message):
        run(**{"inputs": "a.csv", "output": "o.csv", **options})
    assert names(tmp_path) == before


@pytest.mark.parametrize(
    "options",
    [
        *({"delimiter": value} for value in ("", ",,", "\n", '"')),
        *({"quotechar": value} for value in ("''", "\r")),
        {"delimiter": "'", "quotechar": "'"},
        {"max_row_bytes": 0},
        {"max_row_bytes": 1 << 31},
    ],
)
def test_reading_options_outside_their_range(options):
    with pytest.raises(UsageError, match=r"--(delimiter|quotechar|max-row-bytes)"):
        ReadOptions(**options)


def test_a_prefix_that_no_file_could_hold_is_refused():
    with pytest.raises(UsageError, match=r"--prefix is .*has to be UTF-8"):
        WriteOptions(prefix="\udcff")


def test_an_explicit_format_wins_over_the_suffix(run, tmp_path):
    (tmp_path / "in.csv").write_bytes(b"x,y\n")
    options = {"read": ReadOptions(format="lines"), "write": WriteOptions(format="jsonl")}
    run(tmp_path / "in.csv", tmp_path / "out.parquet", **options)
    assert json.loads((tmp_path / "out.parquet").read_bytes())["text"] == "x,y"


SUFFIXES = {
    "csv": (".csv", ".CSV"),
    "tsv": (".tsv", ".tab", ".TAB"),
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq", ".Pq"),
    "lines": (".txt", ".lines"),
}


@pytest.mark.parametrize(("form", "suffix"), [(form, name) for form in SUFFIXES for name in SUFFIXES[form]])
def test_a_suffix_names_the_format(run, source, tmp_path, form, suffix):
    run(source, tmp_path / "named", write=WriteOptions(format=form))
    run(source, tmp_path / f"out{suffix}")
    assert (tmp_path / f"out{suffix}").read_bytes() == (tmp_path / "named").read_bytes()
    options = {"read": ReadOptions(text_column=None if form == "lines" else "text")}
    options["write"] = WriteOptions(prefix="again_", format="jsonl")
    run(tmp_path / f"out{suffix}", tmp_path / "again.jsonl", **options)
    assert (tmp_path / "again.jsonl").read_bytes().count(b"again_sentiment_score") == 2


def test_an_output_without_a_suffix_has_the_format_of_the_input(run, source, tmp_path):
    run(source, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == ADDED + b"1,x" + X + b"\n3,x" + X + b"\n"


@pytest.mark.parametrize("name", ["out.csv", "out.csv.rejects.jsonl"])
def test_a_file_that_is_a_mount_is_refused_before_the_first_row(source, run, tmp_path, monkeypatch, name):
    """As `mount --bind` makes it, and a container that is given a single file; here the system is played."""
    folder = tmp_path / "a b"
    folder.mkdir()
    mounted = str(folder / name).replace(" ", r"\040")
    table = tmp_path / "mountinfo"
    table.write_text(
        f"22 1 254:0 / / rw - ext4 /dev/vda rw\n42 22 254:0 /x {mounted} rw - ext4 /dev/vda rw\n"
    )
    monkeypatch.setattr(storage, "_MOUNTS", table)
    with pytest.raises(OutputError, match=rf"{name} is mounted as a single file .* mount its folder"):
        run(source, folder / "out.csv", overwrite=True)
    assert list(folder.iterdir()) == []
    run(source, tmp_path / "out.csv")
    monkeypatch.setattr(storage, "_MOUNTS", tmp_path / "none")  # no Linux
    run(source, folder / "out.csv")


@pytest.mark.parametrize("name", ["out.csv", "out.csv.rejects.jsonl"])
def test_a_file_that_came_meanwhile_is_not_lost(source, scored, run, tmp_path, name):
    mine = tmp_path / name
    with open_job([str(source)], str(tmp_path / "out.csv"), commit_seconds=0) as job:
        for chunk in job:
            job.write(chunk, *scored(chunk.texts))
        mine.write_text("mine")
        with pytest.raises(OutputError, match=rf"{name} exists; give another name or --overwrite"):
            job.finish()
    assert mine.read_text() == "mine"
    with pytest.raises(OutputError, match=f"{name} exists"):
        run(source, tmp_path / "out.csv", resume=True)
    mine.unlink()
    assert run(source, tmp_path / "out.csv", resume=True).resumed_rows > 0


def test_an_output_that_its_own_glob_finds_is_told_of_as_an_input(source, run, tmp_path):
    run(source, tmp_path / "all.csv")
    with pytest.raises(OutputError, match=r"all\.csv is the input .*all\.csv; give another name"):
        run([tmp_path / "all.csv", source], tmp_path / "all.csv", overwrite=True)


@pytest.mark.parametrize("kind", ["part", "ledger", "journal", "lock"])
@pytest.mark.parametrize("output", ["out.csv", "out.csv.rejects.jsonl"])
def test_a_file_that_the_run_would_write_is_no_input(source, run, tmp_path, output, kind):
    hidden = source.rename(tmp_path / f".{output}.sentcli-{kind}")
    before = hidden.read_bytes()
    with pytest.raises(OutputError, match=rf"sentcli-{kind} is the input .*sentcli-{kind}; give another"):
        run(hidden, tmp_path / "out.csv", read=ReadOptions(format="csv"))
    assert hidden.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="needs a system that takes the hint")
def test_the_disk_is_told_once_of_what_was_written(tmp_path, monkeypatch):
    told = []

    def tell(descriptor, start, size, advice):
        told.append((start, size, os.fstat(descriptor).st_size >= start + size))
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr("os.posix_fadvise", tell)
    monkeypatch.setattr("sentcli.files.storage._HANDED_OVER", 10)
    part = Part(tmp_path / "out")
    part.create()
    for data in (b"x" * 9, b"y", b"z", b"x" * 28, b"y"):
        part.write(data)
    part.publish()
    assert told == [(0, 10, True), (10, 20, True), (30, 10, True)]
    assert (tmp_path / "out").read_bytes() == b"x" * 9 + b"yz" + b"x" * 28 + b"y"


def test_a_part_that_was_closed_writes_nowhere(tmp_path):
    part = Part(tmp_path / "out")
    part.create()
    part.close()
    with (tmp_path / "another").open("wb") as file:  # gets the number of the descriptor
        with pytest.raises(OutputError, match="Bad file descriptor"):
            part.write(b"x")
        assert file.fileno() >= 0
    assert (tmp_path / "another").read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "is_output"),
    [("/dev/stdout", True), ("/dev/fd/1", True), ("/dev/stderr", False), ("/dev/fd/11", False), ("1", False)],
)
def test_names_of_standard_output(name, is_output):
    assert is_standard_output(name) == is_output


def test_rejects_of_an_earlier_run_do_not_stay_beside_rows_on_standard_output(run, tmp_path, capfdbinary):
    (tmp_path / "in.txt").write_bytes(b"x\n")
    (tmp_path / "r.jsonl").write_text("old")
    rejects = RejectOptions(path=str(tmp_path / "r.jsonl"))
    with pytest.raises(OutputError, match="exists"):
        run(tmp_path / "in.txt", "-", rejects=rejects)
    assert (tmp_path / "r.jsonl").exists()
    run(tmp_path / "in.txt", "-", rejects=rejects, overwrite=True)
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize(
    ("data", "outcome"), [(b"x\n", nullcontext()), (b"x\n\xff\n", pytest.raises(OutputError, match="exists"))]
)
def test_a_rejects_file_that_came_meanwhile_stays(scored, tmp_path, capfdbinary, data, outcome):
    (tmp_path / "in.txt").write_bytes(data)
    rejects = RejectOptions(path=str(tmp_path / "r.jsonl"))
    with open_job([str(tmp_path / "in.txt")], "-", rejects=rejects) as job, outcome:
        for chunk in job:
            job.write(chunk, *scored(chunk.texts))
        (tmp_path / "r.jsonl").write_text("mine")
        job.finish()
    assert names(tmp_path) == ["in.txt", "r.jsonl"]
    assert (tmp_path / "r.jsonl").read_text() == "mine"


def test_existing_files_need_overwrite(run, source, tmp_path):
    for name in ("out.csv", "out.csv.rejects.jsonl"):
        (tmp_path / name).write_bytes(b"old")
        with pytest.raises(OutputError, match=rf"{name} exists; give another name or --overwrite"):
            open_job([str(source)], str(tmp_path / "out.csv"))  # before a row is scored
        assert (tmp_path / name).read_bytes() == b"old"
        if name == "out.csv":
            (tmp_path / name).unlink()
    run(source, tmp_path / "out.csv", overwrite=True)
    assert names(tmp_path) == ["in.csv", "out.csv", "out.csv.rejects.jsonl"]


def open_files():
    return len([*Path("/proc/self/fd").iterdir()]) if sys.platform == "linux" else 0


def test_an_output_whose_mode_cannot_be_set_leaves_nothing(source, tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_bytes(b"old")

    def refuse(descriptor, mode):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "fchmod", refuse)
    before = open_files()
    with pytest.raises(OutputError, match="not permitted"):
        open_job([str(source)], str(tmp_path / "out.csv"), overwrite=True)
    assert names(tmp_path) == ["in.csv", "out.csv"]
    assert open_files() == before


def test_rejects_of_an_earlier_run_go_with_it(run, source, tmp_path):
    run(source, tmp_path / "out.csv")
    source.write_bytes(HEADER + b"1,x\n")
    run(source, tmp_path / "out.csv", overwrite=True)
    assert names(tmp_path) == ["in.csv", "out.csv"]


def test_a_failed_run_leaves_nothing_and_the_old_files_stay(source, tmp_path, run):
    run(source, tmp_path / "out.csv")
    old = (tmp_path / "out.csv").read_bytes()

    def fail():
        with open_job([str(source)], str(tmp_path / "out.csv"), overwrite=True, commit_seconds=60) as job:
            for chunk in job:
                job.write(chunk, ["a"] * len(chunk.texts), [0.5] * len(chunk.texts))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "out.csv").read_bytes() == old
    assert names(tmp_path) == ["in.csv", "out.csv", "out.csv.rejects.jsonl"]


def test_the_law_is_checked(source, tmp_path):
    with open_job([str(source)], str(tmp_path / "out.csv")) as job:
        with pytest.raises(SentcliError, match="not read to their end"):
            job.finish()
        (chunk,) = job
        with pytest.raises(SentcliError, match="0 and 0 written; the output is not kept"):
            job.finish()
        with pytest.raises(SentcliError, match="2 rows and 2 rejected ones were read, but 1 and 2 written"):
            job.write(chunk, ["a"], [0.5])
    assert names(tmp_path) == ["in.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strict": True}, r"in.csv: line 3: 1 field instead of 2 \(--strict\)"),
        ({"limit": "1"}, "in.csv: 2 of 4 rows rejected, more than --max-rejects 1"),
        ({"limit": "0"}, "in.csv: 2 of 4 rows rejected, more than --max-rejects 0"),
        ({"limit": "49.9%"}, "in.csv: 2 of 4 rows rejected, more than --max-rejects 49.9%"),
        ({"limit": "2"}, None),
        ({"limit": "50%"}, None),
    ],
)
def test_too_many_rejects_stop_the_run(run, source, tmp_path, options, message):
    if message is None:
        run(source, tmp_path / "out.csv", rejects=RejectOptions(**options))
        assert (tmp_path / "out.csv").exists()
        return
    with pytest.raises(DataError, match=message):
        run(source, tmp_path / "out.csv", rejects=RejectOptions(**options))
    assert names(tmp_path) == ["in.csv"]


def test_a_share_of_rejects_stops_a_long_run_early_but_not_at_its_first_rows(run, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b"bad\n" * 100 + b'{"text":"x"}\n' * 9_000 + b"bad\n" * 30_000)
    with pytest.raises(DataError, match="of 12288 rows rejected, more than --max-rejects 10%"):
        run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", rejects=RejectOptions(limit="10%"))


def test_a_number_of_rejects_stops_a_run_at_once(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b"bad\n" + b'{"text":"x"}\n' * 1000)
    rejects = RejectOptions(limit="0")
    with open_job([str(tmp_path / "in.jsonl")], str(tmp_path / "out.jsonl"), rejects=rejects) as job:
        chunk = next(iter(job))
        with pytest.raises(RejectsError, match="1 of 512 rows rejected"):
            job.write(chunk, ["a"] * len(chunk.texts), [0.5] * len(chunk.texts))


@pytest.mark.parametrize("limit", ["", "x", "-1", "1.5", "%", "1e3", "1000%", "5 %"])
def test_limits_that_are_none(limit):
    with pytest.raises(UsageError, match="--max-rejects"):
        RejectOptions(limit=limit)


def test_rejects_can_have_a_file_of_their_own(run, source, tmp_path):
    (tmp_path / "bad").mkdir()
    job = run(source, tmp_path / "out.csv", rejects=RejectOptions(path=str(tmp_path / "bad" / "r.jsonl")))
    assert len((tmp_path / "bad" / "r.jsonl").read_bytes().splitlines()) == 2
    assert (names(tmp_path), names(tmp_path / "bad")) == (["bad", "in.csv", "out.csv"], ["r.jsonl"])
    assert job.rejects_path == str(tmp_path / "bad" / "r.jsonl")
    for path, message in (("r.jsonl.gz", "not compressed"), ("-", "the name of a file")):
        with pytest.raises(UsageError, match=message):
            RejectOptions(path=path)


def test_a_device_is_not_replaced_by_rejects(run, source, tmp_path, capfdbinary):
    pipe = RejectOptions(path=str(tmp_path / "pipe"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="go to a file too"):
        run(source, tmp_path / "out.csv", rejects=pipe, overwrite=True)
    got = []
    reader = threading.Thread(target=lambda: got.extend((tmp_path / "pipe").read_bytes().splitlines()))
    reader.start()
    run(source, "-", rejects=pipe)
    reader.join()
    assert [json.loads(line)["line"] for line in got] == [3, 5]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == ["in.csv", "pipe"]


def test_rejects_through_a_link_go_to_its_target(run, source, tmp_path, capfdbinary):
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "r.jsonl").symlink_to("old")
    for output in ("-", tmp_path / "out.csv"):
        run(source, output, rejects=RejectOptions(path=str(tmp_path / "r.jsonl")), overwrite=True)
        assert (tmp_path / "r.jsonl").is_symlink()
        assert len((tmp_path / "old").read_bytes().splitlines()) == 2
        (tmp_path / "old").write_bytes(b"old")


@pytest.mark.parametrize(
    ("suffix", "start", "bad"),
    [
        (".csv", HEADER, b"1\n"),
        (".csv", HEADER, b"1," + b"y" * 150 + b"\n"),
        (".jsonl", b'{"text":"x"}\n', b"bad\n"),
        (".txt", b"x\n", b"\xff\n"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_rejected_row_is_where_its_offset_says_and_counts_once(run, tmp_path, suffix, start, bad, mark):
    data = mark + start + bad + start
    (tmp_path / f"in{suffix}").write_bytes(data)
    job = run(tmp_path / f"in{suffix}", tmp_path / "out", read=ReadOptions(max_row_bytes=100))
    entries = [json.loads(line) for line in (tmp_path / "out.rejects.jsonl").read_bytes().splitlines()]
    entry = entries[0]
    assert data[entry["offset"] :].startswith(bad[:100])
    assert entry["line"] == 2
    assert (job.rows, job.rejected) == (1 if suffix == ".csv" else 2, 1)


def test_rejects_are_ascii_whatever_the_row_holds(run, tmp_path):
    (tmp_path / "in.jsonl").write_bytes(b'{"text":"x"}\n' + "\x1b[2J\x7f\u202e\x9b\n".encode())
    run(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    line = (tmp_path / "out.jsonl.rejects.jsonl").read_bytes()
    assert line.isascii()
    assert all(byte == 10 or 32 <= byte < 127 for byte in line)
    assert json.loads(line)["raw"] == "\x1b[2J\x7f\u202e\x9b\n"


def test_standard_output_and_error(run, source, capfdbinary):
    job = run(source, "-")
    out, error = capfdbinary.readouterr()
    assert out == ADDED + b"1,x" + X + b"\n3,x" + X + b"\n"
    assert [json.loads(line)["line"] for line in error.splitlines()] == [3, 5]
    assert job.rejects_path is None
    assert not job.resumable


def test_standard_output_that_is_no_file(run, source, monkeypatch):
    fake = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", fake)
    run(source, "-")
    assert fake.buffer.getvalue() == ADDED + b"1,x" + X + b"\n3,x" + X + b"\n"


def test_standard_streams_that_are_closed(run, source, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="standard output is closed"):
        run(source, "-")
    monkeypatch.undo()
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(OutputError, match="standard error is closed"):
        run(source, "-")


def test_a_stream_of_many_chunks(run, tmp_path, capfdbinary):
    (tmp_path / "in.csv").write_bytes(HEADER + (b"1,x\n" * 5000 + b"2\n") * 3)
    run(tmp_path / "in.csv", "-", commit_seconds=0)
    out, error = capfdbinary.readouterr()
    assert out == ADDED + (b"1,x" + X + b"\n") * 15_000
    assert error.count(b"\n") == 3


def test_rejects_of_a_stream_in_a_file(run, source, tmp_path, capfdbinary):
    options = RejectOptions(path=str(tmp_path / "r.jsonl"))
    run(source, "-", rejects=options)
    assert len((tmp_path / "r.jsonl").read_bytes().splitlines()) == 2
    with pytest.raises(OutputError, match=r"r\.jsonl exists"):
        run(source, "-", rejects=options)
    (tmp_path / "r.jsonl").unlink()
    source.write_bytes(source.read_bytes() + b"5,x\n" * 5000 + b"6\n")
    with pytest.raises(DataError, match="--max-rejects"):
        run(source, "-", rejects=RejectOptions(path=str(tmp_path / "r.jsonl"), limit="2"))
    assert names(tmp_path) == ["in.csv"]


def test_a_device_as_output(run, source, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    source.write_bytes(HEADER + b"1,x\n")
    run(source, tmp_path / "pipe")
    reader.join()
    assert got == [ADDED + b"1,x" + X + b"\n"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd")
def test_a_descriptor_as_output(run, source, tmp_path):
    source.write_bytes(HEADER + b"1,x\n")
    read_end, write_end = os.pipe()
    run(source, f"/dev/fd/{write_end}")
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        assert file.read() == ADDED + b"1,x" + X + b"\n"
    assert names(tmp_path) == ["in.csv"]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd")
def test_a_descriptor_of_a_file_is_written_where_it_stands(run, source, tmp_path):
    with (tmp_path / "all").open("wb", buffering=0) as file:
        file.write(b"before\n")
        run(source, f"/dev/fd/{file.fileno()}")
        file.write(b"after\n")
    run(source, tmp_path / "out.csv")
    expected = b"before\n" + (tmp_path / "out.csv").read_bytes() + b"after\n"
    assert (tmp_path / "all").read_bytes() == expected


def test_a_stream_without_a_rejected_row_has_nothing_to_overwrite(run, tmp_path, capfdbinary):
    (tmp_path / "in.csv").write_bytes(HEADER + b"1,x\n")
    run(tmp_path / "in.csv", "-", overwrite=True)
    written = capfdbinary.readouterr()
    assert (written.out.count(b"\n"), written.err) == (2, b"")
    assert names(tmp_path) == ["in.csv"]


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_where_a_standard_stream_leads_to(tmp_path, monkeypatch, stream):
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("")
    with (tmp_path / "a").open() as file:
        monkeypatch.setattr(f"sys.{stream}", file)
        assert is_standard_stream(tmp_path / "a")
        assert not is_standard_stream(tmp_path / "b")
    monkeypatch.setattr(f"sys.{stream}", None)
    assert not is_standard_stream(tmp_path / "a")


@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/fd/1"])
def test_rejects_among_the_rows_are_refused(run, source, tmp_path, monkeypatch, output):
    with (tmp_path / "rows").open("w") as file:
        monkeypatch.setattr("sys.stdout", file)
        for rejects in ("/dev/stdout", "/dev/fd/1", str(tmp_path / "rows")):
            with pytest.raises(UsageError, match="the rejected rows cannot go there too"):
                run(source, output, rejects=RejectOptions(path=rejects), overwrite=True)
    assert (tmp_path / "rows").read_text() == ""


@pytest.mark.parametrize("output", ["-", "out.csv"])
def test_a_place_where_rejects_cannot_go_is_refused_before_the_first_row(run, source, tmp_path, output):
    output = output if output == "-" else tmp_path / output
    for rejects, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "r.jsonl", r"no folder .*no$")):
        with pytest.raises(OutputError, match=message):
            run(source, output, rejects=RejectOptions(path=str(rejects)))
    assert names(tmp_path) == ["in.csv"]


def test_rejects_of_several_inputs_are_not_those_of_the_last(run, source, tmp_path):
    (tmp_path / "good.csv").write_bytes(source.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(DataError, match=r"^2 inputs, up to .*in\.csv: 2 of 4 rows rejected, more than"):
        run([tmp_path / "good.csv", source], tmp_path / "out.csv", rejects=RejectOptions(limit="1"))


def test_standard_output_by_its_name(run, source, tmp_path, capfdbinary):
    run(source, "/dev/stdout")
    run(source, tmp_path / "out.csv")
    assert capfdbinary.readouterr().out == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize("name", ["-", "/dev/fd/{}"])
def test_a_file_that_says_only_when_it_is_closed_that_it_is_not_kept(
    run, source, tmp_path, monkeypatch, name
):
    """As files of NFS do over a quota, and those of a bucket that is mounted."""
    close = os.close
    with (tmp_path / "out.csv").open("w") as file:

        def closing(descriptor):
            is_output = os.path.samestat(os.fstat(descriptor), os.fstat(file.fileno()))
            close(descriptor)
            if is_output:
                raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(os, "close", closing)
        with pytest.raises(OutputError, match=r"(standard output|/dev/fd/\d+): Disk quota exceeded"):
            run(source, name.format(file.fileno()))


def test_nor_does_such_a_file_get_its_name(run, source, tmp_path, monkeypatch):
    close, output, part = os.close, tmp_path / "out.csv", tmp_path / ".out.csv.sentcli-part"
    output.write_bytes(b"old")
    output.chmod(0o440)

    def closing(descriptor):
        paths = [path for path in (output, part) if path.exists()]
        is_output = any(os.path.samestat(os.fstat(descriptor), path.stat()) for path in paths)
        close(descriptor)
        if is_output:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", closing)
        with pytest.raises(OutputError, match=r"out\.csv: Disk quota exceeded"):
            run(source, output, overwrite=True)
    assert output.read_bytes() == b"old"
    assert stat.S_IMODE(part.stat().st_mode) == 0o640  # for the run that goes on
    assert run(source, output, resume=True, overwrite=True).resumed_rows == 2
    assert output.read_bytes().startswith(ADDED)
    assert names(tmp_path) == ["in.csv", "out.csv", "out.csv.rejects.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_device(run, source):
    with pytest.raises(OutputError, match="/dev/full: No space left on device"):
        run(source, "/dev/full")


def test_a_closed_pipe_is_let_through(run, source, monkeypatch):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with pytest.raises(BrokenPipeError):
            run(source, "-")


def test_a_full_pipe_that_does_not_block(run, tmp_path, monkeypatch):
    (tmp_path / "in.txt").write_bytes(b"x\n" * 50_000)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    got = []
    reader = threading.Thread(target=lambda: got.append(os.fdopen(read_end, "rb").read()))
    wait = select.select

    def read_from_now_on(*arguments):
        if reader.ident is None:
            reader.start()
        return wait(*arguments)

    monkeypatch.setattr(select, "select", read_from_now_on)
    with os.fdopen(write_end, "w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        run(tmp_path / "in.txt", "-")
    reader.join()
    assert got == [b"odd\t0.142857\tx\n" * 50_000]


def test_files_get_the_mode_that_the_umask_leaves(run, source, tmp_path):
    mask = os.umask(0o027)
    try:
        run(source, tmp_path / "out.csv")
    finally:
        os.umask(mask)
    for name in ("out.csv", "out.csv.rejects.jsonl"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640


def test_a_private_file_stays_private_when_it_is_replaced(run, source, tmp_path):
    output = tmp_path / "out.csv"
    output.touch(0o600)
    run(source, output, overwrite=True)
    assert output.stat().st_mode & 0o777 == 0o600
    assert output.stat().st_size > 0


def test_links_that_lead_in_a_circle_are_an_error(run, source, tmp_path):
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    with pytest.raises(OutputError, match=r"loop\.csv: its links lead in a circle"):
        run(source, tmp_path / "loop.csv")
    with pytest.raises(OutputError, match=r"loop\.csv: its links lead in a circle"):
        run(source, tmp_path / "out.csv", rejects=RejectOptions(path=str(tmp_path / "loop.csv")))


def test_a_writer_that_cannot_begin_leaves_nothing(run, source, tmp_path, monkeypatch):
    def broken(self, setup):
        raise UsageError("no such writer")

    monkeypatch.setattr("sentcli.tables.csv.Writer.__init__", broken)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UsageError, match="no such writer"):
        run(source, tmp_path / "out.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_output_through_a_link_goes_to_its_target(run, source, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "real" / "file.csv")
    run(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").is_symlink()
    assert names(tmp_path / "real") == ["file.csv", "file.csv.rejects.jsonl"]


@pytest.mark.parametrize("kind", ["part", "journal", "journal.new", "lock"])
def test_a_link_under_a_temporary_name_is_not_followed(run, source, tmp_path, kind):
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (tmp_path / f".out.csv.sentcli-{kind}").symlink_to(precious)
    refused = pytest.raises(OutputError, match="Too many levels of symbolic links")
    with refused if kind == "lock" else nullcontext():
        run(source, tmp_path / "out.csv")
    assert precious.read_bytes() == b"precious"


def test_a_link_that_comes_back_under_a_temporary_name_is_not_followed(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (tmp_path / "temporary").symlink_to(precious)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # somebody was quicker
    with pytest.raises(FileExistsError):
        create(tmp_path / "temporary")
    assert precious.read_text() == "keep"


def test_short_writes_change_nothing(run, source, tmp_path, monkeypatch):
    run(source, tmp_path / "whole.csv")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    run(source, tmp_path / "short.csv")
    assert (tmp_path / "short.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_nothing_is_logged_in_an_ordinary_run(run, source, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        run(source, tmp_path / "out.csv")
    assert not caplog.records


@pytest.mark.parametrize("names", [("-", "b.txt"), ("b.txt", "-"), ("b.txt", "-", "b.txt")])
def test_looking_at_the_inputs_first_takes_nothing_from_standard_input(run, tmp_path, monkeypatch, names):
    """A file there can be read once only, though it has a size."""
    (tmp_path / "a.txt").write_bytes(b"a\n" * 3)
    (tmp_path / "b.txt").write_bytes(b"b\n")
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "a.txt").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        run(names, tmp_path / "out.txt")
    texts = [line.split(b"\t")[-1] for line in (tmp_path / "out.txt").read_bytes().splitlines()]
    assert texts == [text for name in names for text in ([b"a"] * 3 if name == "-" else [b"b"])]


def test_where_the_first_input_cannot_be_looked_at_the_second_does_not_stand_for_it(
    run, tmp_path, monkeypatch
):
    (tmp_path / "a.jsonl").write_text('{"review":"x"}\n')
    (tmp_path / "b.jsonl").write_text('{"text":"title","review":"xx"}\n')
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "a.jsonl").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        job = run(["-", "b.jsonl", "a.jsonl"], "out.jsonl", read=ReadOptions(format="jsonl"))
    assert (job.rows, job.rejected) == (3, 0)


def test_a_bad_input_is_found_before_the_output_is_begun(run, tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text\nx\n")
    (tmp_path / "b.csv").write_bytes(b"foo,bar\n1,2\n")
    before = {*tmp_path.iterdir()}
    with pytest.raises(DataError, match=r"b\.csv: which column is the text\?"):
        run([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "out.csv")
    assert {*tmp_path.iterdir()} == before


def test_the_last_input_is_looked_at_as_the_last(run, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x\n")
    (tmp_path / "b.txt").write_bytes(
        b"y" * 100
    )  # as long as may be, with no line end, which none is added to
    job = run(
        [tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "out.txt", read=ReadOptions(max_row_bytes=100)
    )
    assert (job.rows, job.rejected) == (2, 0)
