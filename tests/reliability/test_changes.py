"""What changed between a run that was interrupted and the one that goes on; runs that meet each other."""

import hashlib
import json
import os
import shutil
import signal
import time

import pytest
from workload import DONE, PRIVATE, files, finished, remove_results, rows_done, write_table

from sentcli.errors import OutputError
from sentcli.runs.ledger import Journal

FORMS = ("csv", "parquet")


def interrupted(folder, score, form):
    """Kill a run that has committed rows; the results of a whole one are given back."""
    write_table(folder, form, 400)
    complete = finished(folder, score, form)
    assert score(f"in.{form}", "-o", f"out.{form}", "-q", fail_at=45).wait() == -signal.SIGKILL
    assert 0 < rows_done(folder, form) < 300
    return complete


def check_refused(run, *names):
    assert run.wait() == 1
    (line,) = run.error.splitlines()
    assert line.startswith("Error: ")
    for name in names:
        assert name in line


def rewrite(path, data):
    """Change a file that keeps its size and its times."""
    status = path.stat()
    assert len(data) == status.st_size
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("form", FORMS)
def test_an_input_that_was_edited_in_secret(folder, score, form):
    interrupted(folder, score, form)
    path = folder / f"in.{form}"
    data = path.read_bytes()
    place = data.index(b"film", len(data) // 20)
    rewrite(path, data[:place] + b"fiim" + data[place + 4 :])
    run = score(f"in.{form}", "-o", f"out.{form}", "--resume", "-q")
    check_refused(run, f"in.{form}", "changed after the interrupted run")
    assert not (folder / f"out.{form}").exists()


def test_an_input_that_grew_is_read_to_its_new_end(folder, score):
    interrupted(folder, score, "csv")
    with (folder / "in.csv").open("ab") as file:
        file.write(b"401,word1\n")
    run = score("in.csv", "-o", "out.csv", "--resume", "-q")
    assert run.wait() == DONE["csv"], run.error
    resumed = files(folder)
    remove_results(folder)
    assert score("in.csv", "-o", "out.csv", "-q").wait() == DONE["csv"]
    assert resumed == files(folder)


def test_a_parquet_file_that_was_written_anew(folder, score):
    interrupted(folder, score, "parquet")
    write_table(folder, "parquet", 401)
    run = score("in.parquet", "-o", "out.parquet", "--resume", "-q")
    check_refused(run, "in.parquet was changed after the interrupted run")


def test_an_output_that_was_touched(folder, score):
    interrupted(folder, score, "csv")
    part = folder / f".out.csv{PRIVATE}part"
    part.write_bytes(part.read_bytes().replace(b"negative", b"positive", 1))
    run = score("in.csv", "-o", "out.csv", "--resume", "-q")
    check_refused(run, part.name, "changed after the interrupted run")


def test_an_output_that_is_gone(folder, score):
    interrupted(folder, score, "csv")
    (folder / f".out.csv{PRIVATE}part").unlink()
    run = score("in.csv", "-o", "out.csv", "--resume", "-q")
    check_refused(run, f".out.csv{PRIVATE}part", "is gone; start over without --resume")


@pytest.mark.parametrize(
    ("arguments", "name"), [(("--prefix", "x_"), "prefix"), (("--max-row-bytes", "5000"), "max_row_bytes")]
)
def test_other_options(folder, score, arguments, name):
    interrupted(folder, score, "csv")
    run = score("in.csv", "-o", "out.csv", "--resume", "-q", *arguments)
    check_refused(run, name, "changed since the interrupted run")


def test_another_model(folder, score, trained, tmp_path):
    interrupted(folder, score, "csv")
    other = tmp_path / "other"
    shutil.copytree(trained.path, other)
    manifest = json.loads((other / "manifest.json").read_bytes())
    (other / "vocab.txt").write_bytes((other / "vocab.txt").read_bytes().replace(b"film\n", b"fiim\n"))
    manifest["sha256"]["vocab.txt"] = hashlib.sha256((other / "vocab.txt").read_bytes()).hexdigest()
    (other / "manifest.json").write_text(json.dumps(manifest))
    run = score("in.csv", "-o", "out.csv", "--resume", "-q", bundle=other)
    check_refused(run, "model changed since the interrupted run")


def test_without_a_journal_a_run_starts_over_and_says_so(folder, score):
    complete = interrupted(folder, score, "csv")
    (folder / f".out.csv{PRIVATE}journal").unlink()
    run = score("in.csv", "-o", "out.csv", "--resume")
    assert run.wait() == DONE["csv"]
    assert "starting over" in run.error
    assert files(folder) == complete


def test_a_damaged_journal_is_found(folder, score):
    """Every length and many bytes, read in this process; what a run makes of it is tested below."""
    interrupted(folder, score, "csv")
    path = folder / f".out.csv{PRIVATE}journal"
    whole, state = path.read_bytes(), Journal(folder / "out.csv").load()
    damaged = [whole[:length] for length in range(len(whole))]
    damaged += [
        whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        for place in range(0, len(whole), 8)
    ]
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            found = Journal(folder / "out.csv").load()
        except OutputError:
            refused += 1
        else:
            assert found == state
    assert refused > 0.8 * len(damaged)  # the others changed white space


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_run_with_a_damaged_journal(folder, score, kept):
    complete = interrupted(folder, score, "csv")
    journal = folder / f".out.csv{PRIVATE}journal"
    journal.write_bytes(journal.read_bytes()[: int(kept * journal.stat().st_size)])
    check_refused(score("in.csv", "-o", "out.csv", "--resume", "-q"), journal.name, "damaged")
    assert score("in.csv", "-o", "out.csv").wait() == DONE["csv"]
    assert files(folder) == complete


@pytest.mark.parametrize("form", FORMS)
def test_two_runs_at_once(folder, score, form):
    write_table(folder, form, 2000)
    complete = finished(folder, score, form)
    for pause in (0, 0.01, 0.05):
        first = score(f"in.{form}", "-o", f"out.{form}", "-q")
        time.sleep(pause)
        second = score(f"in.{form}", "-o", f"out.{form}", "-q")
        started = time.monotonic()
        loser, winner = sorted((first, second), key=lambda run: run.wait())
        if DONE[form] == 0:
            loser, winner = winner, loser
        assert (winner.wait(), loser.wait()) == (DONE[form], 1)
        assert time.monotonic() - started < 10
        assert "another run of sentcli is writing it" in loser.error or "exists" in loser.error
        assert files(folder) == complete
        remove_results(folder)


def test_a_second_run_stops_at_once(folder, score):
    write_table(folder, "csv", 60)
    os.mkfifo(folder / "pipe.csv")
    first = score("pipe.csv", "-o", "out.csv")
    with (folder / "pipe.csv").open("wb") as pipe:
        while not (folder / f".out.csv{PRIVATE}part").exists():
            time.sleep(0.01)
        started = time.monotonic()
        check_refused(score("in.csv", "-o", "out.csv"), "another run of sentcli is writing it")
        assert time.monotonic() - started < 10
        pipe.write(b"text\nword1\n")
    assert first.wait() == 0
    assert (folder / "out.csv").read_bytes().startswith(b"text,sentiment,sentiment_score\nword1,")


def test_eight_runs_to_eight_outputs(folder, score):
    write_table(folder, "csv", 500)
    complete = finished(folder, score, "csv")
    runs = [score("in.csv", "-o", f"out.{number}.csv", "-q") for number in range(8)]
    assert {run.wait() for run in runs} == {DONE["csv"]}
    for number in range(8):
        assert (folder / f"out.{number}.csv").read_bytes() == complete["out.csv"]
    assert len(files(folder)) == 17
    assert not list(folder.glob(f".*{PRIVATE}*"))


@pytest.mark.parametrize("kind", ["path", "dotted path", "symbolic link", "hard link", "rejects", "summary"])
def test_the_input_is_no_output(folder, score, kind):
    write_table(folder, "csv", 60)
    before = hashlib.sha256((folder / "in.csv").read_bytes()).hexdigest()
    output = {"path": "in.csv", "dotted path": "./../work/in.csv"}.get(kind, "out.csv")
    if kind == "symbolic link":
        (folder / "out.csv").symlink_to("in.csv")
    elif kind == "hard link":
        (folder / "out.csv").hardlink_to(folder / "in.csv")
    extra = {"rejects": ("--rejects", "in.csv"), "summary": ("--summary", "in.csv")}.get(kind, ())
    run = score("in.csv", "-o", output, "--overwrite", *extra)
    assert run.wait() in (1, 2)
    assert "in.csv" in run.error
    assert hashlib.sha256((folder / "in.csv").read_bytes()).hexdigest() == before
    assert {path.name for path in folder.iterdir()} <= {"in.csv", "out.csv"}
