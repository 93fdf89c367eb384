import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import invented
import pytest
from commands import invoke
from score_tables import TEXTS, read, write_all, write_csv

from sentcli import __version__
from sentcli.scoring.scorer import Scorer

pytestmark = pytest.mark.usefixtures("in_a_folder")


@pytest.fixture
def expected(trained):
    """The label and the score, as they are written, of each text."""
    with Scorer(trained, workers=1) as scorer:
        scores = scorer.score(TEXTS)
    return [
        ("", "") if label is None else (label, f"{score:.6f}")
        for label, score in zip(scores.labels, scores.scores, strict=True)
    ]


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


def test_rows_on_stdout_need_no_folder(trained, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    result = invoke("score", "--model", trained.path, stdin="a warm film")
    assert result.stdout.startswith("positive\t")


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


def test_the_same_command_makes_what_is_missing_in_a_folder(score):
    write_csv("a.csv", ["a warm film"])
    score("*.csv", "-o", "out/")
    write_csv("b.csv", ["a warm film", "a cold one"])
    result = score("*.csv", "-o", "out/", "--summary", "s.json")
    assert result.stderr.splitlines()[0] == "out/: 1 output already finished, left unchanged"
    assert len(read("out/b.csv")) == 2
    told = json.loads(Path("s.json").read_text())
    assert (told["skipped"], told["rows"], told["scored"]) == (1, 3, 2)
    score("*.csv", "-o", "out/", "--summary", "s.json")
    told = json.loads(Path("s.json").read_text())
    assert (told["skipped"], told["rows"], told["scored"]) == (2, 3, 0)


def test_an_input_that_fails_does_not_stop_the_others_of_a_folder(score):
    write_csv("a.csv", ["a warm film"])
    Path("b.csv").write_text("a,b\n1,2\n")
    Path("c.jsonl").write_text('{"text": "a cold film"}\nno JSON\n')
    command = ("[abc].*", "-o", "out/", "-q")
    of_one, of_all = score(*command, "--summary", "s.json", code=1).stderr.splitlines()
    assert of_one.startswith("b.csv: which column is the text?")
    assert of_all.startswith("Error: 1 output failed, for the reasons above; ")
    assert of_all.endswith("; fix these, then run the same command again")
    told = json.loads(Path("s.json").read_text())
    assert (told["failed"], told["rows"]) == (1, 2)
    write_csv("b.csv", ["a film"])
    for _ in range(2):  # the exit code tells of rejected rows of outputs that were finished before, too
        assert score(*command, code=3).stderr == ""
    assert len(read("out/b.csv")) == 1


def test_a_finished_output_is_left_alone_without_overwrite(score, refuse):
    write_csv("r.csv")
    score("r.csv", "-o", "o.csv")
    before = Path("o.csv").stat()
    failure = refuse("r.csv", "-o", "o.csv")
    assert (failure.code, failure.message) == (
        *(1, "Error: o.csv exists; give another name, or replace it with --overwrite\n"),
    )
    assert Path("o.csv").stat() == before


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


def test_what_is_too_close_to_call_is_labeled_uncertain(score):
    Path("r.txt").write_text("a warm film\nevening\n\n")
    plain = [line.split("\t") for line in score("r.txt").stdout.splitlines()]
    middle = float(plain[1][1])
    low, high = f"{middle - 0.01:.4f}", f"{middle + 0.01:.4f}"
    found = score("r.txt", "--uncertain", low, high, "--summary", "s.json")
    rows = [line.split("\t") for line in found.stdout.splitlines()]
    assert [row[1:] for row in rows] == [row[1:] for row in plain]
    assert [row[0] for row in rows] == ["positive", "uncertain", ""]
    assert "uncertain 50.0%" in found.stderr
    summary = json.loads(Path("s.json").read_text("utf-8"))
    assert summary["uncertain"] == [float(low), float(high)]
    assert summary["labels"] == {"positive": 1, "uncertain": 1}


# What is told.


def test_the_summary_is_told_on_stderr(score):
    write_csv("r.csv")
    lines = score("r.csv").stderr.splitlines()
    assert lines[0].startswith("5 rows, 1 blank, ")
    assert lines[0].endswith("% of the words unknown to the model, texts in 'review'")
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
    assert found["text_columns"] == ["review"]
    assert found["inputs"] == [
        {"path": "r.csv", "size": Path("r.csv").stat().st_size, "mtime_ns": Path("r.csv").stat().st_mtime_ns}
    ]
    assert (found["sentcli"], found["model"], found["model_sha256"], found["backend"]) == (
        __version__,
        "trained",
        trained.digest,
        "onnx",
    )
    assert found["runtime"] == f"onnxruntime {version('onnxruntime')}"
    for name in ("numpy", "onnxruntime", "orjson", "pyarrow"):
        assert found[name] == version(name)
    assert (found["python"], found["command"]) == (platform.python_version(), sys.argv[1:])
    assert found["options"]["inputs"] == ["r.csv"]
    assert found["options"]["model"] == str(trained.path)
    assert (found["options"]["prefix"], found["options"]["max_row_bytes"]) == (None, 16 << 20)
    assert 0 <= found["unknown"] <= found["tokens"]
    assert found["seconds"] > 0
    assert found["rows_per_second"] > 0


def test_a_summary_may_go_to_a_pipe(score):
    """As in `--summary >(jq .rows)`."""
    write_csv("r.csv")
    read_end, write_end = os.pipe()
    score("r.csv", "-o", "o.csv", "--summary", f"/dev/fd/{write_end}")
    os.close(write_end)
    with os.fdopen(read_end) as file:
        assert json.load(file)["rows"] == 5


@pytest.mark.parametrize(
    ("first", "form"),
    [
        ("id,review,stars", "csv"),
        ('"ID";"Text"', "csv"),
        ("review", "csv"),
        ("text\tlabel, or so", "tsv"),
        ('{"text": "a warm film"}', "jsonl"),
        ("a warm film, to review again", None),
        ("{a warm film}", None),
    ],
)
def test_a_table_that_is_taken_for_lines_is_told_of(score, first, form):
    result = score(stdin=f"{first}\nreview\n")
    assert len(result.stdout.splitlines()) == 2
    assert ("begins like a table" in result.stderr) == (form is not None)
    assert form is None or f"try --input-format {form}\n" in result.stderr
    assert "texts in" not in result.stderr
    assert "begins" not in score("--input-format", "lines", stdin=f"{first}\n").stderr
    Path("r.txt").write_text(f"{first}\n")
    told = f"r.txt is read as one review per line, but begins like a table; try --input-format {form}\n"
    assert (told in score("r.txt").stderr) == (form is not None)
    assert "begins" not in score("r.txt", "--input-format", "lines").stderr


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
