"""An interrupted run, whatever interrupted it, goes on to the same bytes."""

import errno
import gzip
import itertools
import json
import logging
import os
import random
import signal
import stat
import time
from functools import partial
from pathlib import Path

import pytest

from sentcli.errors import DataError, OutputError, ResumeError
from sentcli.runs.ledger import Journal
from sentcli.runs.opening import open_job
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

OPERATIONS = ("write", "fsync", "replace", "unlink", "open", "ftruncate")
ROWS, LINES = 60, 130


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", 25)
    monkeypatch.setattr("sentcli.tables.parquet_file.CHUNK_ROWS", 25)


@pytest.fixture
def case(tmp_path, run, request):
    """Give input, output, options and the expected bytes for `INPUT>OUTPUT`, two suffixes."""
    source, target = request.param.split(">")
    csv = tmp_path / "first.csv"
    bad = {30, 31, 57}
    csv.write_text(
        "id,text\n" + "".join(f"{n}\n" if n in bad else f"{n},{'y' * (n % 9)}\n" for n in range(ROWS))
    )
    path = tmp_path / f"in{source}"
    if source != ".csv":
        # Its own columns, so that the run below has room for others; lines have no names for them.
        options = {"write": WriteOptions(prefix="" if source.startswith(".txt") else "p"), "overwrite": True}
        run(csv, tmp_path / f"in{source.removesuffix('.gz')}", **options)
        if source.endswith(".gz"):
            path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
        elif source == ".jsonl":
            path.write_bytes(path.read_bytes().replace(b'{"id":"50"', b'bad\n{"id":"50"'))
    else:
        csv.rename(path)
    for name in ("whole", "out"):
        (tmp_path / name).mkdir()
    read = ReadOptions(text_column="text") if not source.startswith(".txt") else ReadOptions()
    run(path, tmp_path / "whole" / f"out{target}", read=read, commit_seconds=0)
    expected = {file.name: file.read_bytes() for file in (tmp_path / "whole").iterdir()}
    return path, tmp_path / "out" / f"out{target}", read, expected


CASES = [
    ".csv>.csv",
    ".csv>.csv.gz",
    ".csv>.parquet",
    ".jsonl>.jsonl",
    ".txt.gz>.txt.zst",
    ".parquet>.parquet",
]
each_case = pytest.mark.parametrize("case", CASES, indirect=True)


def die_at(number, monkeypatch):
    """Let the process die at its k-th call into the system; of a write, half of the bytes come through."""
    count = itertools.count(1)
    for name in OPERATIONS:
        monkeypatch.setattr(os, name, partial(_count_down, count, number, getattr(os, name)))


def _count_down(count, number, real, *args, **options):
    if next(count) == number:
        if real.__name__ == "write":
            real(args[0], args[1][: len(args[1]) // 2])
        os._exit(9)
    return real(*args, **options)


def in_child(work):
    """Run something in a forked process and give its exit status."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@each_case
def test_killed_at_any_call_it_goes_on_to_the_same_bytes(case, run, monkeypatch):
    source, output, read, expected = case
    for number in itertools.count(1):
        with monkeypatch.context() as patch:

            def work(number=number, patch=patch):
                die_at(number, patch)
                run(source, output, read=read, commit_seconds=0)

            status = in_child(work)
        assert status in (0, 9)
        if output.exists():
            assert output.read_bytes() == expected[output.name]
        if status == 0:
            break
        # Files that have their final names may be replaced: they are this run's.
        run(source, output, read=read, commit_seconds=0, resume=True, overwrite=True)
        assert contents(output.parent) == expected
        for path in output.parent.iterdir():
            path.unlink()
    assert number > 40


@each_case
def test_killed_again_and_again(case, run, monkeypatch):
    source, output, read, expected = case
    for budget in itertools.count(20, 7):
        with monkeypatch.context() as patch:

            def work(budget=budget, patch=patch):
                die_at(budget, patch)
                run(source, output, read=read, commit_seconds=0, resume=True, overwrite=True)

            if in_child(work) == 0:
                break
    assert contents(output.parent) == expected


@each_case
def test_killed_at_random_moments(case, run, scored):
    source, output, read, expected = case

    def work():
        with open_job(
            [str(source)], str(output), read=read, commit_seconds=0, resume=True, overwrite=True
        ) as job:
            for chunk in job:
                time.sleep(0.002)
                job.write(chunk, *scored(chunk.texts))
            job.finish()

    for _ in range(6):
        child = os.fork()
        if not child:
            try:
                work()
            finally:
                os._exit(0)
        time.sleep(random.Random(_).random() * 0.03)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    run(source, output, read=read, resume=True, overwrite=True)
    assert contents(output.parent) == expected


@each_case
def test_nothing_is_scored_twice(case, scored):
    source, output, read, expected = case
    options = {"read": read, "commit_seconds": 0}
    done = 0
    with open_job([str(source)], str(output), **options) as job:
        for chunk in itertools.islice(job, 2):
            job.notes["seen"] = job.notes.get("seen", 0) + len(chunk.texts)
            job.write(chunk, *scored(chunk.texts))
            done += len(chunk.texts)
    assert job.resumable
    with open_job([str(source)], str(output), resume=True, **options) as job:
        assert (job.resumed_rows, job.notes) == (done, {"seen": done})
        for chunk in job:
            job.write(chunk, *scored(chunk.texts))
            done += len(chunk.texts)
        job.finish()
    assert job.rows == done
    assert contents(output.parent) == expected


def fail_at(number, name, code, monkeypatch):
    """Let the k-th call of one kind fail, and all of its kind after it."""
    count = itertools.count(1)
    real = getattr(os, name)

    def call(*args, **options):
        if next(count) >= number:
            raise OSError(code, os.strerror(code), *map(str, args[:1]))
        return real(*args, **options)

    monkeypatch.setattr(os, name, call)


@each_case
@pytest.mark.parametrize(
    ("name", "code"),
    [("write", errno.ENOSPC), ("write", errno.EDQUOT), ("fsync", errno.EIO), ("replace", errno.EIO)],
)
def test_any_call_may_fail(case, run, monkeypatch, name, code):
    source, output, read, expected = case
    for number in itertools.count(1):
        output.write_bytes(b"old")
        message = None
        with monkeypatch.context() as patch:
            fail_at(number, name, code, patch)
            try:
                run(source, output, read=read, commit_seconds=0, overwrite=True)
            except OutputError as error:
                message = str(error)
        if message is None:
            break
        assert os.strerror(code) in message
        assert str(output.parent) in message
        if name != "fsync":  # the last fsync, that of the folder, comes after the renaming
            assert output.read_bytes() == b"old"
        run(source, output, read=read, commit_seconds=0, resume=True, overwrite=True)
        assert contents(output.parent) == expected
    assert number > 5
    assert contents(output.parent) == expected


def test_a_file_system_that_cannot_sync_folders_is_as_good_as_any(run, tmp_path, monkeypatch, scored):
    (tmp_path / "in.txt").write_bytes(b"x\n" * LINES)
    run(tmp_path / "in.txt", tmp_path / "whole.txt")

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fsync)
    interrupted(tmp_path / "in.txt", tmp_path / "out.txt", scored)
    assert run(tmp_path / "in.txt", tmp_path / "out.txt", resume=True).resumed_rows == 75
    assert (tmp_path / "out.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_a_signal_while_the_journal_is_written_leaves_no_draft_of_it(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise KeyboardInterrupt

    journal = Journal(tmp_path / "out.txt")
    journal.save({"rows": 1})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(KeyboardInterrupt):
            journal.save({"rows": 2})
    assert journal.load() == {"rows": 1}
    assert len([*tmp_path.iterdir()]) == 1


def test_a_run_over_a_read_only_file_goes_on_and_leaves_one(run, tmp_path, scored):
    (tmp_path / "in.txt").write_bytes(b"x\n" * LINES)
    output = tmp_path / "out.txt"
    output.write_bytes(b"old")
    output.chmod(0o440)
    interrupted(tmp_path / "in.txt", output, scored, overwrite=True)
    # To the superuser, who may run this, it would be open whatever its mode.
    assert stat.S_IMODE((tmp_path / ".out.txt.sentcli-part").stat().st_mode) == 0o640
    assert run(tmp_path / "in.txt", output, resume=True, overwrite=True).resumed_rows == 75
    assert stat.S_IMODE(output.stat().st_mode) == 0o440


def test_what_could_not_be_made_durable_is_not_gone_on_with(run, tmp_path, monkeypatch):
    """After a failed fsync the next one may succeed, though the bytes are lost."""
    (tmp_path / "in.txt").write_bytes(b"x\n" * LINES)
    calls = itertools.count(1)

    def fsync(descriptor):
        if next(calls) == 4:  # the first of the second commit
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="Input/output error"):
        run(tmp_path / "in.txt", tmp_path / "out.txt", commit_seconds=0)
    assert run(tmp_path / "in.txt", tmp_path / "out.txt", resume=True).resumed_rows == 25


def interrupted(source, output, scored, chunks=3, **options):
    """Leave a job after some chunks."""
    names = [source] if isinstance(source, (str, Path)) else source
    with open_job([str(name) for name in names], str(output), commit_seconds=0, **options) as job:
        for _, chunk in zip(range(chunks), job, strict=False):
            job.write(chunk, *scored(chunk.texts))


@pytest.fixture
def lines(tmp_path, scored):
    """Give an input and the output of an interrupted run."""
    (tmp_path / "in.txt").write_bytes(b"".join(b"%03d\n" % number for number in range(LINES)))
    output = tmp_path / "out.txt"
    interrupted(tmp_path / "in.txt", output, scored, fingerprint={"model": "a", "options": {"batch": [1, 2]}})
    return tmp_path / "in.txt", output


FINGERPRINT = {"model": "a", "options": {"batch": (1, 2)}}


def journal_of(output):
    return output.with_name(f".{output.name}.sentcli-journal")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"fingerprint": {"model": "b", "options": {"batch": [1, 2]}}}, "model"),
        ({"fingerprint": {"model": "a", "options": {"batch": [2, 2]}}}, r"options\.batch"),
        ({"fingerprint": {"model": "a"}}, r"options"),
        ({"read": ReadOptions(max_row_bytes=1000)}, r"read\.max_row_bytes"),
        ({"write": WriteOptions(format="csv")}, r"formats, write\.format"),
        ({"rejects": RejectOptions(path="other.jsonl")}, "rejects"),
    ],
)
def test_what_changed_is_named_and_refused(lines, run, options, what):
    before = contents(lines[1].parent)
    with pytest.raises(OutputError, match=f"cannot resume: {what} changed since"):
        run(*lines, resume=True, **{"fingerprint": FINGERPRINT, **options})
    assert contents(lines[1].parent) == before


SUFFIXES = {"sentcli": "txt", "pyarrow": "parquet", "orjson": "jsonl", "zlib": "txt.gz"}


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("sentcli.runs.opening.__version__", "9.9", "sentcli"),
        ("importlib.metadata.version", lambda package: "9.9", r"libraries\.pyarrow"),
        ("importlib.metadata.version", lambda package: "9.9", r"libraries\.orjson"),
        ("zlib.ZLIB_RUNTIME_VERSION", "9.9", r"libraries\.zlib"),
    ],
)
def test_another_version_is_refused(tmp_path, run, scored, monkeypatch, name, value, what):
    (tmp_path / "in.txt").write_bytes(b"x\n" * LINES)
    output = tmp_path / f"out.{SUFFIXES[what.rpartition('.')[2]]}"
    interrupted(tmp_path / "in.txt", output, scored)
    monkeypatch.setattr(name, value)
    with pytest.raises(OutputError, match=f"cannot resume: {what} changed since"):
        run(tmp_path / "in.txt", output, resume=True)


def test_a_change_in_what_was_read_is_refused(lines, run):
    source, output = lines
    data, status = source.read_bytes(), source.stat()
    source.write_bytes(data.replace(b"001", b"xxx"))
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))  # the same size and time
    with pytest.raises(ResumeError, match=r"in\.txt was changed after the interrupted run"):
        run(source, output, resume=True, fingerprint=FINGERPRINT)
    source.write_bytes(data[:40])
    with pytest.raises(ResumeError, match=r"in\.txt was changed after the interrupted run"):
        run(source, output, resume=True, fingerprint=FINGERPRINT)


@pytest.mark.parametrize("change", [lambda data: data.replace(b"129", b"xxx"), lambda data: data + b"more\n"])
def test_a_change_in_what_comes_later_does_no_harm(lines, run, tmp_path, change):
    source, output = lines
    source.write_bytes(change(source.read_bytes()))
    job = run(source, output, resume=True, fingerprint=FINGERPRINT)
    assert job.resumed_rows == 75
    run(source, tmp_path / "whole.txt")
    assert output.read_bytes() == (tmp_path / "whole.txt").read_bytes()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_input_that_has_more_rows_where_it_ended_is_refused(run, scored, tmp_path, suffix):
    names = [tmp_path / "a.csv", tmp_path / "b.csv"]
    names[0].write_text("text\n" + "x\n" * 40)
    names[1].write_text("text\ny\n")
    output = tmp_path / f"out{suffix}"
    interrupted(names, output, scored, chunks=2)  # of 25 rows and 15
    with names[0].open("a") as file:
        file.write("z\n" * 30)
    with pytest.raises(ResumeError, match=r"a\.csv was changed after the interrupted run"):
        run(names, output, resume=True)


def test_rejects_that_were_begun_after_the_last_commit_are_given_up(run, scored, tmp_path):
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("id,text\n" + "1,x\n" * 60 + "bad\n" + "1,x\n" * 30)
    with open_job([str(source)], str(output), commit_seconds=0) as job:
        chunks = iter(job)
        for number in range(3):
            job._commit_seconds = 1000 * (number // 2)
            chunk = next(chunks)
            job.write(chunk, *scored(chunk.texts))
        job._is_settled = False  # as if it were killed here
    assert (tmp_path / ".out.csv.rejects.jsonl.sentcli-part").exists()
    source.write_text("id,text\n" + "1,x\n" * 90)
    run(source, output, resume=True)
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.csv"}


@pytest.fixture
def several(tmp_path, scored):
    """Give three inputs and the output of a run that was interrupted in the second."""
    names = [tmp_path / f"{name}.txt" for name in "abc"]
    for path in names:
        path.write_bytes(b"".join(b"%03d\n" % number for number in range(LINES)))
    interrupted(names, tmp_path / "out.txt", scored, chunks=8)
    return names, tmp_path / "out.txt"


def test_an_input_that_was_read_to_its_end_has_to_stay_as_it_was(several, run):
    names, output = several
    with names[0].open("ab") as file:
        file.write(b"more\n")
    with pytest.raises(ResumeError, match=r"out\.txt: .*inputs\..*a\.txt\.mtime_ns, inputs\..*size changed"):
        run(names, output, resume=True)


@pytest.mark.parametrize("change", ["mend", "leave out", "add", "rename"])
def test_inputs_that_come_later_may_be_others(several, run, tmp_path, change):
    names, output = several
    later = tmp_path / "d.txt"
    later.write_bytes(b"d\n" * LINES)
    if change == "mend":
        names[2].write_bytes(b"mended\n")
    else:
        new = {"leave out": [later], "add": [names[2], later], "rename": [later, names[2]]}
        names = [*names[:2], *new[change]]
    run(names, output, resume=True)
    run(names, tmp_path / "whole.txt")
    assert output.read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_the_input_in_progress_does_not_become_the_last(several, run):
    """A last row without an end gets one only where another input follows."""
    names, output = several
    with pytest.raises(ResumeError, match="cannot resume: order changed since"):
        run(names[:2], output, resume=True)


def test_of_a_complete_run_all_inputs_have_to_be_the_same(several, run, monkeypatch):
    names, output = several

    def stop(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sentcli.files.storage.Part.publish", stop)
        with pytest.raises(KeyboardInterrupt):
            run(names, output, resume=True)
    data = names[2].read_bytes()
    names[2].write_bytes(data + b"more\n")
    with pytest.raises(ResumeError, match=r"inputs\..*c\.txt\.mtime_ns"):
        run(names, output, resume=True)


def test_a_damaged_input_can_be_mended(tmp_path, run, scored):
    names = [tmp_path / "a.txt", tmp_path / "b.txt.gz"]
    data = b"".join(b"%03d" % number * 10_000 + b"\n" for number in range(LINES))
    names[0].write_bytes(data)
    names[1].write_bytes(gzip.compress(data)[:-8])
    with pytest.raises(DataError, match=r"b\.txt\.gz: cannot be read"):
        interrupted(names, tmp_path / "out.txt", scored, chunks=100)
    names[1].write_bytes(gzip.compress(data))
    assert run(names, tmp_path / "out.txt", resume=True).resumed_rows >= LINES
    run(names, tmp_path / "whole.txt")
    assert (tmp_path / "out.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_what_was_written_after_the_last_commit_is_kept_in_order(lines, scored):
    """Ctrl-C and an input that turns out to be damaged lose nothing of a run that could be gone on with."""
    source, output = lines
    with (  # noqa: PT012
        pytest.raises(KeyboardInterrupt),
        open_job(
            [str(source)], str(output), resume=True, fingerprint=FINGERPRINT, commit_seconds=1000
        ) as job,
    ):
        job.notes = {"seen": 1}
        job.write(next(iter(job)), *scored(["x"] * 25))
        assert (job.rows, job.kept_rows) == (100, 75)
        job.notes = {"seen": 2}  # of the chunk that is not written any more
        raise KeyboardInterrupt
    with open_job([str(source)], str(output), resume=True, fingerprint=FINGERPRINT) as job:
        assert (job.resumed_rows, job.kept_rows, job.notes) == (100, 100, {"seen": 1})


def test_another_order_of_the_inputs_is_refused(tmp_path, run, scored):
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    for path in (first, second):
        path.write_bytes(b"x\n" * LINES)
    interrupted([first, second], tmp_path / "out.txt", scored)
    with pytest.raises(OutputError, match="cannot resume: order changed since"):
        run([second, first], tmp_path / "out.txt", resume=True)


@pytest.fixture
def pipe(monkeypatch):
    """Put a pipe with some bytes in the place of standard input, once and again."""

    def pipe(data, *, pauses=False):
        read_end, write_end = os.pipe()
        os.write(write_end, data)
        if pauses:
            held.append(write_end)
        else:
            os.close(write_end)
        monkeypatch.setattr("sys.stdin", os.fdopen(read_end))

    held = []
    yield pipe
    for descriptor in held:
        os.close(descriptor)


def test_a_pipe_that_gives_less_than_before_is_refused(tmp_path, run, scored, pipe):
    data = b"".join(b"%03d\n" % number for number in range(LINES))
    pipe(data)
    interrupted("-", tmp_path / "out.txt", scored)
    pipe(data[:40])
    with pytest.raises(OutputError, match="- was changed after the interrupted run"):
        run("-", tmp_path / "out.txt", resume=True)
    pipe(data)
    job = run("-", tmp_path / "out.txt", resume=True)
    assert (job.resumed_rows, job.rows) == (75, LINES)
    assert (tmp_path / "out.txt").read_bytes().count(b"\n") == LINES


def test_where_a_pipe_paused_there_is_nothing_to_go_on_from(tmp_path, run, scored, pipe):
    data = b"".join(b"%03d\n" % number for number in range(LINES))
    pipe(data)
    run("-", tmp_path / "whole.txt.gz")
    pipe(data[: 4 * 40], pauses=True)
    interrupted("-", tmp_path / "out.txt.gz", scored, chunks=2)  # 25 rows, and the 15 before the pause
    pipe(data)
    assert run("-", tmp_path / "out.txt.gz", resume=True).resumed_rows == 25
    assert (tmp_path / "out.txt.gz").read_bytes() == (tmp_path / "whole.txt.gz").read_bytes()


def test_what_is_behind_the_durable_bytes_is_cut_off(lines, run, tmp_path):
    source, output = lines
    run(source, tmp_path / "whole.txt")
    with output.with_name(f".{output.name}.sentcli-part").open("ab") as file:
        file.write(b"\0" * 10_000)  # more than the run has yet to write
    run(source, output, resume=True, fingerprint=FINGERPRINT)
    assert output.read_bytes() == (tmp_path / "whole.txt").read_bytes()


@pytest.mark.parametrize("change", ["byte", "shorter", "gone"])
def test_a_changed_part_is_refused(lines, run, change):
    source, output = lines
    part = output.with_name(f".{output.name}.sentcli-part")
    if change == "byte":
        part.write_bytes(part.read_bytes().replace(b"even", b"EVEN", 1).replace(b"odd", b"ODD", 1))
    elif change == "shorter":
        part.write_bytes(part.read_bytes()[:-1])
    else:
        part.unlink()
    with pytest.raises(ResumeError, match="is gone" if change == "gone" else "was changed after the interr"):
        run(source, output, resume=True, fingerprint=FINGERPRINT)
    assert not output.exists()


def test_a_link_in_place_of_a_part_is_not_followed(lines, run, tmp_path):
    source, output = lines
    precious = output.with_name(f".{output.name}.sentcli-part").rename(tmp_path / "precious")
    output.with_name(f".{output.name}.sentcli-part").symlink_to(precious)
    before = precious.read_bytes()
    with pytest.raises(OutputError, match="Too many levels of symbolic links"):
        run(source, output, resume=True, fingerprint=FINGERPRINT)
    assert precious.read_bytes() == before


def test_a_damaged_journal_is_an_error_or_does_no_harm(lines, run, tmp_path):
    source, output = lines
    path = journal_of(output)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    whole = before[path]
    run(source, tmp_path / "whole.txt", fingerprint=FINGERPRINT)
    damaged = [whole[:length] for length in range(0, len(whole), 17)]
    damaged += [whole[:n] + bytes([whole[n] ^ 1 << n % 8]) + whole[n + 1 :] for n in range(0, len(whole), 11)]
    damaged += [b"null", b"[]", b'{"version":2,"sha256":"","state":1}', b"[" * 100_000, b"\xff"]
    for content in damaged:
        for file, data in before.items():
            file.write_bytes(data)
        output.unlink(missing_ok=True)
        path.write_bytes(content)
        message = ""
        try:
            run(source, output, fingerprint=FINGERPRINT, resume=True)
        except OutputError as error:
            message = str(error)
        if message:
            assert "is damaged; start over without --resume" in message
            assert not output.exists()
        else:
            assert output.read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_a_journal_of_another_version_is_refused(lines, run):
    path = journal_of(lines[1])
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"version": 2', b'"version": 1'))
    assert path.read_bytes() != content
    with pytest.raises(OutputError, match="start over without --resume"):
        run(*lines, resume=True, fingerprint=FINGERPRINT)


def test_a_missing_journal_starts_over_and_says_so(lines, run, caplog):
    source, output = lines
    journal_of(output).unlink()
    job = run(source, output, resume=True)
    assert job.resumed_rows == 0
    assert "no journal of an interrupted run; starting over" in caplog.text
    assert sorted(path.name for path in output.parent.iterdir()) == ["in.txt", "out.txt"]


def test_without_resume_an_interrupted_run_is_given_up(lines, run, caplog):
    source, output = lines
    assert run(source, output).resumed_rows == 0
    assert "an interrupted run is given up; --resume would have gone on" in caplog.text
    assert sorted(path.name for path in output.parent.iterdir()) == ["in.txt", "out.txt"]


def test_a_run_that_was_given_up_cannot_be_gone_on_with(lines, scored):
    source, output = lines
    interrupted(source, output, scored, chunks=0)
    assert [path.name for path in output.parent.iterdir()] == ["in.txt"]


def test_resuming_is_logged(lines, run, caplog):
    with caplog.at_level(logging.INFO):
        run(*lines, resume=True, fingerprint=FINGERPRINT)
    assert "resuming after 75 rows and 0 rejected ones" in caplog.text


def test_a_run_that_only_lacked_its_renaming(lines, run, monkeypatch):
    source, output = lines
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing_for(".sentcli-part"))
        with pytest.raises(OutputError, match="Input/output error"):
            run(source, output, fingerprint=FINGERPRINT, resume=True)
    assert json.loads(journal_of(output).read_bytes())["state"]["complete"]
    output.write_bytes(b"of somebody else")
    with pytest.raises(OutputError, match="exists; give another name or --overwrite"):
        run(source, output, fingerprint=FINGERPRINT, resume=True)
    assert output.read_bytes() == b"of somebody else"
    job = run(source, output, fingerprint=FINGERPRINT, resume=True, overwrite=True)
    assert job.rows == LINES
    assert output.read_bytes().count(b"\n") == LINES


def failing_for(suffix):
    real = Path.replace

    def replace(self, target):
        if self.name.endswith(suffix):
            raise OSError(errno.EIO, "Input/output error")
        return real(self, target)

    return replace


def test_a_file_that_is_not_what_was_renamed_is_not_taken_for_it(lines, run, monkeypatch):
    source, output = lines
    with monkeypatch.context() as patch:
        patch.setattr("sentcli.runs.ledger.Journal.remove", lambda self: os._exit(9))
        assert in_child(partial(run, source, output, fingerprint=FINGERPRINT, resume=True)) == 9
    output.write_bytes(output.read_bytes() + b"more")
    with pytest.raises(ResumeError, match="sentcli-part is gone; start over"):
        run(source, output, fingerprint=FINGERPRINT, resume=True)
    assert output.read_bytes().endswith(b"more")


def test_the_order_of_syncs_and_renames(run, tmp_path, monkeypatch):
    calls = []
    names = {}
    real_open, real_replace = os.open, os.replace

    def opening(path, *args, **options):
        descriptor = real_open(path, *args, **options)
        names[descriptor] = Path(path).name
        return descriptor

    def replacing(old, new, **options):
        calls.append(f"rename {Path(new).name}")
        real_replace(old, new, **options)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "replace", replacing)
    monkeypatch.setattr(os, "fsync", lambda descriptor: calls.append(f"sync {names[descriptor]}"))
    (tmp_path / "in.csv").write_bytes(b"id,text\n1\n2,x\n")
    run(tmp_path / "in.csv", tmp_path / "out.csv")
    folder, journal = f"sync {tmp_path.name}", ".out.csv.sentcli-journal"
    assert calls == [
        "sync .out.csv.sentcli-part",
        "sync .out.csv.rejects.jsonl.sentcli-part",
        f"sync {journal}.new", f"rename {journal}", folder,
        "rename out.csv.rejects.jsonl", folder,
        "rename out.csv", folder,
    ]  # fmt: skip
    calls.clear()
    run(tmp_path / "in.csv", "/dev/null", rejects=RejectOptions(path=str(tmp_path / "r.jsonl")))
    assert calls == ["sync .r.jsonl.sentcli-part", "rename r.jsonl", folder]


def test_commits_are_throttled(run, tmp_path, monkeypatch):
    names = []
    real = os.replace

    def replacing(old, new, **options):
        names.append(Path(new).name)
        real(old, new, **options)

    monkeypatch.setattr(os, "replace", replacing)
    (tmp_path / "in.txt").write_bytes(b"x\n" * 1000)
    run(tmp_path / "in.txt", tmp_path / "out.txt", commit_seconds=60)
    assert names == [journal_of(tmp_path / "out.txt").name, "out.txt"]
    names.clear()
    run(tmp_path / "in.txt", tmp_path / "out.txt", commit_seconds=0, overwrite=True)
    assert names == [journal_of(tmp_path / "out.txt").name] * 41 + ["out.txt"]


def test_a_journal_stays_small(tmp_path, scored):
    (tmp_path / "in.txt").write_bytes(b"x\n" * 1000)
    interrupted(tmp_path / "in.txt", tmp_path / "out.txt", scored, chunks=30)
    assert journal_of(tmp_path / "out.txt").stat().st_size < 4000


def test_too_many_rejects_can_be_followed_by_a_resumed_run(run, tmp_path):
    (tmp_path / "in.csv").write_bytes(b"id,text\n" + b"1,x\n" * 100 + b"2\n" * 5)
    with pytest.raises(DataError, match="--max-rejects 1"):
        run(tmp_path / "in.csv", tmp_path / "out.csv", rejects=RejectOptions(limit="1"), commit_seconds=0)
    job = run(tmp_path / "in.csv", tmp_path / "out.csv", rejects=RejectOptions(limit="5"), resume=True)
    assert (job.resumed_rows, job.rows, job.rejected) == (100, 100, 5)


def test_a_strict_run_does_not_go_on_behind_rejected_rows(run, tmp_path, scored):
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(b"id,text\n" + b"2\n" * 5 + b"1,x\n" * 100)
    interrupted(source, output, scored)
    with pytest.raises(DataError, match=r"5 rows were rejected before .*--strict"):
        run(source, output, rejects=RejectOptions(strict=True), resume=True)
    assert run(source, output, resume=True).rejected == 5


@pytest.mark.parametrize("target", ["out.csv", "out.csv.gz", "out.jsonl", "out.parquet"])
def test_lines_before_the_header_stay_where_they_are_when_a_run_goes_on(run, scored, tmp_path, target):
    read = ReadOptions(skip_lines=2)
    source = tmp_path / "in.csv"
    source.write_text('of "today\n\nid,text\n' + "".join(f"{n},{'y' * (n % 9)}\n" for n in range(ROWS)))
    (tmp_path / "whole").mkdir()
    run(source, tmp_path / "whole" / target, read=read)
    output = tmp_path / target

    def interrupted():
        with open_job([str(source)], str(output), read=read, commit_seconds=0) as job:
            job.write(chunk := next(iter(job)), *scored(chunk.texts))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert run(source, output, read=read, resume=True).resumed_rows == 25
    assert output.read_bytes() == (tmp_path / "whole" / target).read_bytes()
