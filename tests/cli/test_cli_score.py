import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import invented
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import fail, invoke
from processes import start_anew

from sentcli import __version__
from sentcli.bundle import load_bundle
from sentcli.scoring import Scorer

TEXTS = ["a warm, wonderful film", "", "dull,\nclumsy and loud", 'a "joy" — gripping', "001"]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    """Names in messages are short, and nothing is written elsewhere."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def score(trained):
    def score(*arguments, stdin=None, code=0):
        result = invoke("score", "--model", trained.path, *arguments, stdin=stdin)
        assert result.exit_code == code, result.output
        return result

    return score


@pytest.fixture
def refuse(trained):
    def refuse(*arguments, stdin=None):
        return fail("score", "--model", trained.path, *arguments, stdin=stdin)

    return refuse


@pytest.fixture
def expected(trained):
    """The label and the score, as they are written, of each text."""
    with Scorer(trained, workers=1) as scorer:
        scores = scorer.score(TEXTS)
    return [
        ("", "") if label is None else (label, f"{score:.6f}")
        for label, score in zip(scores.labels, scores.scores, strict=True)
    ]


def write_csv(path, texts=TEXTS, name="review"):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = [(f"{number:03}", text) for number, text in enumerate(texts)]
        csv.writer(file, lineterminator="\n").writerows([("id", name), *rows])


def write_all():
    """Write the same texts as CSV, JSONL and Parquet."""
    write_csv("r.csv")
    table = {"id": [f"{number:03}" for number in range(len(TEXTS))], "review": TEXTS}
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    Path("r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.table(table), "r.parquet")


def read(path):
    """Give the rows of an output: id, text, label, score as it is written."""
    path = Path(path)
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
    elif path.suffix == ".jsonl":
        rows = [json.loads(line, parse_float=str) for line in path.read_text("utf-8").splitlines()]
    else:
        rows = pq.read_table(path).to_pylist()
    columns = ["id", "review", "sentiment", "sentiment_score"]
    assert all(list(row) == columns for row in rows)
    return [
        (row["id"], row["review"], row["sentiment"] or "", "" if row["sentiment_score"] in (None, "") else f"{float(row['sentiment_score']):.6f}")
        for row in rows
    ]  # fmt: skip


# What comes out.


@pytest.mark.parametrize("source", ["r.csv", "r.jsonl", "r.parquet"])
@pytest.mark.parametrize("target", ["o.csv", "o.jsonl", "o.parquet"])
def test_every_format_becomes_every_format_with_the_same_scores(score, expected, source, target):
    write_all()
    result = score(source, "-o", target)
    assert result.stdout == ""
    rows = [
        (f"{number:03}", text, *pair) for number, (text, pair) in enumerate(zip(TEXTS, expected, strict=True))
    ]
    assert read(target) == rows


def test_a_file_goes_to_stdout_in_its_own_format(score, expected):
    write_csv("r.csv")
    lines = score("r.csv").stdout.splitlines()
    assert lines[0] == "id,review,sentiment,sentiment_score"
    assert lines[1] == f'000,"a warm, wonderful film",{expected[0][0]},{expected[0][1]}'
    assert lines[2] == "001,,,"


def test_lines_come_back_with_label_and_score_before_them(score):
    stdout = score(stdin="a warm film\n\na dull film").stdout
    rows = [line.split("\t") for line in stdout.split("\n")]
    assert [row[0] for row in rows] == ["positive", "", "negative"]
    assert [row[2] for row in rows] == ["a warm film", "", "a dull film"]
    assert 0 < float(rows[2][1]) < 0.5 < float(rows[0][1]) < 1
    assert all(len(row[1]) in (0, 8) for row in rows)


def test_stdin_takes_any_format_that_is_named(score, expected):
    write_all()
    for form in ("csv", "jsonl", "parquet"):
        result = score("-", "--input-format", form, "-o", f"o.{form}", stdin=Path(f"r.{form}").read_bytes())
        assert result.stdout == ""
        assert [row[2:] for row in read(f"o.{form}")] == expected


def test_a_named_format_wins_over_the_suffix(score):
    write_csv("r.txt")
    assert score("r.txt", "--input-format", "csv").stdout.startswith("id,review,sentiment,")
    written = score("r.txt", "--input-format", "csv", "--output-format", "jsonl").stdout
    assert list(json.loads(written.splitlines()[0])) == ["id", "review", "sentiment", "sentiment_score"]


def test_of_three_classes_the_score_is_that_of_the_label(trained_three):
    text = invented.reviews(2, seed=21, labels=invented.THREE)[1][0]
    result = invoke("score", "--model", trained_three.path, stdin=text)
    label, score, _ = result.stdout.split("\t")
    assert label in invented.THREE
    assert float(score) > 1 / 3


def test_the_new_columns_may_have_another_name(score):
    Path("r.csv").write_text("text,sentiment\nwarm,?\n")
    result = score("r.csv", "--prefix", "model_")
    assert result.stdout.startswith(
        "text,sentiment,model_sentiment,model_sentiment_score\nwarm,?,positive,0."
    )


def test_what_the_format_of_the_input_needs_can_be_said(score):
    Path("r.csv").write_bytes("1;'warm; caf\xe9'\n2;dull\n".encode("latin-1"))
    options = ("--delimiter", ";", "--quotechar", "'", "--encoding", "latin-1", "--no-header")
    score("r.csv", *options, "--text-column", "2", "-o", "o.csv")
    lines = Path("o.csv").read_bytes().decode("latin-1").splitlines()
    assert lines[0].startswith("1;'warm; caf\xe9';positive;")
    assert lines[1].startswith("2;dull;negative;")


def test_several_inputs_or_a_glob_go_to_one_output_or_a_folder(score):
    for name in "ab":
        write_csv(f"{name}.csv", [f"a warm film {name}"])
    assert score("b.csv", "a.csv", "-q").stdout.splitlines()[1].startswith("000,a warm film b,")
    score("*.csv", "-o", "out/")
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.csv", "b.csv"]


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_another_backend_gives_the_same_labels(score, backend):
    write_all()
    score("r.csv", "-o", "o.csv")
    score("r.csv", "-o", "p.csv", "--backend", backend, "--device", "cpu")
    for one, other in zip(read("o.csv"), read("p.csv"), strict=True):
        assert one[:3] == other[:3]
        assert float(one[3] or 0) == pytest.approx(float(other[3] or 0), abs=2e-6)


def test_a_model_file_may_be_named_instead_of_its_folder(trained):
    result = invoke("score", "--model", trained.path / "model.safetensors", stdin="a warm film")
    assert (result.exit_code, result.stdout[:9]) == (0, "positive\t")


def test_without_a_model_the_one_in_the_box_is_taken(trained, monkeypatch):
    monkeypatch.setattr("sentcli.cli.score.default_bundle_path", lambda: trained.path)
    assert invoke("score", "-q", stdin="a warm film").stdout.startswith("positive\t")


# What is told.


def test_the_summary_is_told_on_stderr(score):
    write_csv("r.csv")
    lines = score("r.csv").stderr.splitlines()
    assert lines[0].startswith("5 rows, 1 blank, ")
    assert lines[0].endswith("% of the words unknown to the model")
    assert lines[1].startswith("negative ")
    assert "rows/s" in lines[2]
    assert len(lines) == 3


def test_quietly_nothing_is_told(score):
    write_csv("r.csv")
    Path("bad.jsonl").write_text('{"text": "warm"}\nno JSON\n')
    assert score("r.csv", "-o", "o.csv", "-q").output == ""
    assert score("bad.jsonl", "-o", "o.jsonl", "-q", code=3).output == ""


def test_the_summary_as_json_says_what_was_done_and_with_what(score, trained):
    write_csv("r.csv")
    score("r.csv", "-o", "o.csv", "--summary", "s.json")
    found = json.loads(Path("s.json").read_text("utf-8"))
    assert (found["rows"], found["rejected"], found["blank"], found["scored"]) == (5, 0, 1, 5)
    assert sum(found["labels"].values()) == 4
    assert found["inputs"] == [
        {"path": "r.csv", "size": Path("r.csv").stat().st_size, "mtime_ns": Path("r.csv").stat().st_mtime_ns}
    ]
    assert (found["sentcli"], found["model"], found["model_sha256"], found["backend"]) == (
        __version__,
        "trained",
        trained.digest,
        "onnx",
    )
    assert 0 <= found["unknown"] <= found["tokens"]
    assert found["seconds"] > 0
    assert found["rows_per_second"] > 0


def test_a_summary_takes_any_name_of_an_input(score):
    write_csv("caf\udce9.csv")
    score("caf\udce9.csv", "-o", "o.csv", "--summary", "s.json")
    assert json.loads(Path("s.json").read_text("utf-8"))["inputs"][0]["path"] == "caf\udce9.csv"


# What is rejected, and what is refused.


def test_rejected_rows_are_kept_and_counted_and_give_exit_code_3(score):
    Path("r.jsonl").write_text('{"text": "warm"}\nno JSON\n{"text": "dull"}\n')
    result = score("r.jsonl", "-o", "o.jsonl", code=3)
    assert len(Path("o.jsonl").read_text().splitlines()) == 2
    kept = json.loads(Path("o.jsonl.rejects.jsonl").read_text())
    assert (kept["line"], kept["raw"]) == (2, "no JSON\n")
    lines = result.stderr.splitlines()
    assert lines[0].startswith("1 row rejected: see ")
    assert lines[0].endswith("/o.jsonl.rejects.jsonl")
    assert lines[1].startswith("2 rows, 1 rejected, ")


def test_rejected_rows_of_a_stream_go_to_stderr_or_where_they_are_sent(score):
    lines = '{"text": "warm"}\nno JSON\n'
    result = score("--input-format", "jsonl", "-q", stdin=lines, code=3)
    assert json.loads(result.stderr)["raw"] == "no JSON\n"
    assert "no JSON" not in result.stdout
    result = score("--input-format", "jsonl", "-q", "--rejects", "bad.jsonl", stdin=lines, code=3)
    assert result.stderr == ""
    assert json.loads(Path("bad.jsonl").read_text())["raw"] == "no JSON\n"


def test_too_many_rejected_rows_stop_the_run(refuse, score):
    Path("r.jsonl").write_text('{"text": "warm"}\nno\nno\n{"text": "dull"}\n')
    for options, named in ((("--max-rejects", "1"), "--max-rejects 1"), (("--strict",), "line 2")):
        failure = refuse("r.jsonl", "-o", "o.jsonl", "--quiet", *options)
        assert failure.code == 1
        assert named in failure.message
        assert not Path("o.jsonl").exists()
    score("r.jsonl", "-o", "o.jsonl", "--max-rejects", "2", code=3)


def test_what_is_there_already_needs_overwrite(score, refuse):
    write_csv("r.csv")
    for name in ("o.csv", "s.json"):
        Path(name).write_text("mine")
        failure = refuse("r.csv", "-o", "o.csv", "--summary", "s.json")
        assert failure.code == 1
        assert f"{name} exists; give another name or --overwrite" in failure.message
        assert Path(name).read_text() == "mine"
        score("r.csv", "-o", "o.csv", "--summary", "s.json", "--overwrite")


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("nothing.csv",), 1, ["nothing.csv", "No such file"]),
        (("no*.csv",), 1, ["no*.csv", "no such files"]),
        (("r.csv", "--text-column", "body"), 1, ["r.csv", "'body'", "'id', 'review'"]),
        (("two.csv",), 1, ["two.csv", "--text-column", "'a', 'b'"]),
        (("scored.csv",), 1, ["scored.csv", "'sentiment'", "--prefix"]),
        (("r.xls",), 2, ["r.xls", ".xls", "--input-format", "parquet"]),
        (("r.csv", "-o", "o.xls"), 2, ["o.xls", "--output-format"]),
        (("r.csv", "--input-format", "xls"), 2, ["'xls'", "'parquet'", "sentcli score --help"]),
        (("r.csv", "-o", "r.csv"), 1, ["r.csv is the input"]),
        (("r.csv", "-o", "nowhere/o.csv"), 1, ["nowhere"]),
        (("r.csv", "-o", "/dev/full"), 1, ["/dev/full", "No space left"]),
        (("r.csv", "--encoding", "klingon"), 2, ["'klingon'"]),
        (("r.csv", "--max-rejects", "some"), 2, ["--max-rejects", "'some'"]),
        (("r.csv", "--summary", "r.csv", "--overwrite"), 2, ["--summary", "r.csv"]),
        (("r.csv", "--resume"), 2, ["--resume"]),
        (("r.csv", "--workers", "0"), 2, ["--workers"]),
        (("r.csv", "--backend", "torchscript"), 1, ["model.torchscript.pt", "sentcli export"]),
        (("--delimiter", ";"), 2, ["--delimiter", "lines"]),
        (("r.csv", "--model", "nothing"), 1, ["nothing", "no such model"]),
        (("r.csv", "--model", "r.csv"), 1, ["manifest.json"]),
        (("broken.parquet",), 1, ["broken.parquet"]),
        (("folder",), None, ["folder"]),
    ],
)
def test_what_will_not_do_is_refused_by_name(refuse, arguments, code, named):
    write_csv("r.csv")
    write_csv("r.xls")
    Path("two.csv").write_text("a,b\nx,y\n")
    Path("scored.csv").write_text("text,sentiment\nx,y\n")
    Path("broken.parquet").write_bytes(b"PAR1 this is no Parquet PAR1")
    Path("folder").mkdir()
    before = {path.name: path.is_file() and path.read_bytes() for path in Path().iterdir()}
    failure = refuse("--quiet", *arguments, stdin="warm")
    assert failure.code in ((1, 2) if code is None else (code,))
    for part in named:
        assert part in failure.message
    assert {path.name: path.is_file() and path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize(
    "name", ["config.json", "vocab.txt", "model.onnx", "model.safetensors", "manifest.json"]
)
def test_a_damaged_model_is_refused_by_the_name_of_its_file(trained, name):
    copy = Path("copy")
    copy.mkdir()
    for path in trained.path.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    failure = fail("score", "--model", copy, stdin="warm")
    assert failure.code == 1
    if name != "manifest.json":
        assert f"copy/{name}" in failure.message


def test_a_terminal_is_asked_for_a_file(refuse, monkeypatch):
    monkeypatch.setattr("sentcli.cli.score.is_terminal", lambda stream: True)
    failure = refuse()
    assert failure.code == 2
    assert "pipe text to stdin" in failure.message


# Odd files.


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"", []),
        (b"id,review\n", ["id,review,sentiment,sentiment_score"]),
        (b"\xef\xbb\xbfid,review\r\n1,\r\n", ["\ufeffid,review,sentiment,sentiment_score\r", "1,,,\r"]),
    ],
)
def test_odd_tables_are_tables(score, content, rows):
    Path("r.csv").write_bytes(content)
    score("r.csv", "-o", "o.csv")
    assert Path("o.csv").read_bytes().decode().split("\n")[:-1] == rows


def test_a_text_in_another_encoding_is_rejected_with_its_place(score):
    Path("r.csv").write_bytes("id,review\n1,caf\xe9 warm\n2,dull\n".encode("latin-1"))
    result = score("r.csv", "-q", code=3)
    assert json.loads(result.stderr)["reason"] == "byte 0xe9 at offset 15 is not utf-8"
    assert score("r.csv", "-q", "--encoding", "latin-1", "-o", "o.csv").output == ""


# Pipes and signals, in processes of their own.


@pytest.fixture
def start(trained, tmp_path):
    """Start a real `sentcli score`."""

    def start(*arguments, **options):
        return start_anew(tmp_path, "--model", trained.path, *arguments, **options)

    return start


def test_a_slow_pipe_is_answered_line_by_line(start):
    process = start("-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for text in (b"a warm film", b"a dull film"):
        process.stdin.write(text + b"\n")
        process.stdin.flush()
        assert process.stdout.readline().endswith(b"\t" + text + b"\n")
    process.stdin.close()
    assert process.stdout.read() == b""
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("disposition", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_closed_pipe_ends_quietly(start, disposition):
    Path("r.txt").write_text("a warm film\n" * 200_000)
    process = start(
        "r.txt",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, disposition),
        restore_signals=False,
    )
    assert process.stdout.readline().startswith(b"positive\t")
    process.stdout.close()
    started = time.monotonic()
    assert process.wait(timeout=20) == 141
    assert time.monotonic() - started < 5
    assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_run_that_waits_for_input(start, number, code):
    process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"a warm film\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"positive\t")
    started = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=20) == code
    assert time.monotonic() - started < 5
    assert process.stderr.read() == b"Error: stopped after 1 row\n"


def test_under_nohup_a_hangup_ends_nothing(start):
    process = start(
        "-q",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    for _ in range(2):
        process.stdin.write(b"a warm film\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"positive\t")
        process.send_signal(signal.SIGHUP)
    process.stdin.close()
    assert process.wait(timeout=20) == 0


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_bytes(start, score):
    write_csv("r.csv", [text for text, _ in invented.reviews(500, seed=4)] * 100)
    score("r.csv", "-o", "whole.csv", "-q")
    process = start("r.csv", "-o", "o.csv", stderr=subprocess.PIPE)
    journal = Path(".o.csv.sentcli-journal")
    while not journal.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 143
    assert b"o.csv: stopped after " in said
    assert b"--resume goes on from there" in said
    assert not Path("o.csv").exists()
    result = score("r.csv", "-o", "o.csv", "--resume")
    assert result.stderr.startswith("resuming after ")
    assert Path("o.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert sorted(os.listdir()) == ["o.csv", "r.csv", "whole.csv"]


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        ("<&-", 1, b"Error: standard input is closed; give a file\n"),
        (">&-", 1, b"Error: standard output is closed; give a file\n"),
        (">/dev/full", 1, b"Error: standard output: No space left on device\n"),
        ("2>&-", 0, b""),
        ("2>/dev/full", 0, b""),
    ],
)
def test_standard_streams_may_be_closed_or_full(trained, redirection, code, said):
    command = f'echo "a warm film" | "$0" -m sentcli score --model "$1" {redirection}'
    environment = {**os.environ, "PYTHONPATH": str(Path(load_bundle.__code__.co_filename).parents[1])}
    line = ["sh", "-c", command, sys.executable, trained.path]
    result = subprocess.run(line, capture_output=True, check=False, env=environment)
    assert (result.returncode, result.stderr) == (code, said)
    assert result.stdout.startswith(b"positive\t") == (code == 0)
