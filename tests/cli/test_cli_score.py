import csv
import json
import os
import platform
import shutil
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import xlsxwriter
from commands import invoke
from score_tables import TEXTS, read, write_csv

from sentcli import __version__
from sentcli.model.bundle import write_config, write_manifest

pytestmark = pytest.mark.usefixtures("in_a_folder")


def test_rows_on_stdout_need_no_folder(trained, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    result = invoke("score", "--model", trained.path, stdin="a warm film")
    assert result.stdout.startswith("positive\t")


def test_lines_are_written_with_label_and_score_before_them(score):
    stdout = score(stdin="a warm film\n\na dull film").stdout
    rows = [line.split("\t") for line in stdout.split("\n")]
    assert [row[0] for row in rows] == ["positive", "", "negative"]
    assert [row[2] for row in rows] == ["a warm film", "", "a dull film"]
    assert 0 < float(rows[2][1]) < 0.5 < float(rows[0][1]) < 1
    assert all(len(row[1]) in (0, 8) for row in rows)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_named_format_is_read_from_stdin_as_from_a_file(score, form):
    write_csv("first.csv")
    score("first.csv", "-o", f"r.{form}", "--prefix", "first_")
    options = ("--input-format", form, "--text-column", "review")
    score(f"r.{form}", *options, "-o", f"file.{form}")
    result = score("-", *options, "-o", f"pipe.{form}", stdin=Path(f"r.{form}").read_bytes())
    assert result.stdout == ""
    assert Path(f"pipe.{form}").read_bytes() == Path(f"file.{form}").read_bytes()


def test_formulas_without_a_value_have_the_exit_code_of_rejected_rows(score):
    with xlsxwriter.Workbook("form.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["n", "text"])
        sheet.write_row(1, 0, ["=1+1", "warm"])
    result = score("form.xlsx", "-o", "o.csv", "-q", "--summary", "s.json", code=3)
    assert result.stderr.startswith(
        "form.xlsx: 1 formula without a value, the first in A2, read as 0 or empty; "
    )
    assert json.loads(Path("s.json").read_text())["formulas_without_value"] == 1
    score("form.xlsx", "-o", "out/", "-q", code=3)
    result = score("form.xlsx", "-o", "out/", "-q", code=3)
    assert result.stderr == "out/form.xlsx is finished: 1 formula without a value\n"


def test_an_input_that_fails_does_not_stop_the_others_of_a_folder(score):
    write_csv("a.csv", ["a warm film"])
    Path("b.csv").write_text("a,b\n1,2\n")
    Path("c.jsonl").write_text('{"text": "a warm film"}\nno JSON\n')
    command = ("[abc].*", "-o", "out/", "-q")
    of_one, of_row, of_all = score(*command, "--summary", "s.json", code=1).stderr.splitlines()
    assert of_row.startswith("1 row rejected: not JSON")
    assert of_one.startswith("b.csv: which column is the text?")
    assert of_all.startswith("Error: 1 output failed, for the reasons above; ")
    assert of_all.endswith("; fix these, then run the same command again")
    told = json.loads(Path("s.json").read_text())
    assert (told["failed"], told["rows"]) == (1, 2)
    write_csv("b.csv", ["a film"])
    for _ in range(2):  # finished outputs with rejected rows count for the exit code
        said = "out/c.jsonl is finished: 1 row rejected; see out/c.jsonl.rejects.jsonl\n"
        assert score(*command, code=3).stderr == said
    assert len(read("out/b.csv")) == 1
    assert score(*command, "--update").stderr == ""  # what an earlier night rejected was said then
    Path("c.jsonl").write_text('{"text": "a warm film"}\nno JSON\nno JSON\n')
    done = score("[abc].*", "-o", "out/", "--update", "--summary", "s.json", code=3)
    assert "2 rows rejected" in done.stderr
    assert "out/: 3 rows, 2 rejected" in done.stderr
    write_csv("b.csv", ["a film", "a film"])
    done = score("[abc].*", "-o", "out/", "--update", "--summary", "s.json")
    assert "rejected" not in done.stderr
    told = json.loads(Path("s.json").read_text())
    assert (told["rejected"], told["rejected_before"]) == (0, 2)


def test_probabilities_are_added_for_each_label(score):
    write_csv("r.csv", ["a warm film"])
    (row,) = csv.DictReader(score("r.csv", "--probabilities").stdout.splitlines())
    assert row["probability_positive"] == row["sentiment_score"]
    assert float(row["probability_negative"]) == pytest.approx(1 - float(row["sentiment_score"]), abs=2e-6)
    quick = score("--probabilities", stdin="a warm film")
    assert quick.stdout.split("\t") == ["positive", *[*row.values()][-3:], "a warm film"]
    assert "sentiment, sentiment_score, probability_negative, probability_positive, text" in quick.stderr


@pytest.fixture
def middle(score):
    """The score of the second text of r.txt, the one that is neither positive nor negative."""
    Path("r.txt").write_text("a warm film\nevening\n\n")
    return float(score("r.txt").stdout.splitlines()[1].split("\t")[1])


def test_scores_within_the_band_are_labeled_neutral(score, middle):
    low, high = round(middle - 0.01, 4), round(middle + 0.01, 4)
    plain = [line.split("\t") for line in score("r.txt").stdout.splitlines()]
    for option in ([f"--neutral={low},{high}"], ["--neutral", f"{low},{high}"]):
        found = score("r.txt", *option, "--summary", "s.json", "--overwrite")
        rows = [line.split("\t") for line in found.stdout.splitlines()]
        assert [row[1:] for row in rows] == [row[1:] for row in plain]
        assert [row[0] for row in rows] == ["positive", "neutral", ""]
        assert "neutral (50.0%)" in found.stderr
        summary = json.loads(Path("s.json").read_text("utf-8"))
        assert summary["neutral"] == summary["options"]["neutral"] == [low, high]
        assert summary["labels"] == {"positive": 1, "neutral": 1}


@pytest.mark.parametrize(
    "words",
    [
        ("--neutral", "r.txt"),
        ("r.txt", "--neutral"),
        ("--neutral", "-q", "r.txt"),
        ("--neutral=model", "r.txt"),
    ],
)
def test_without_a_value_the_band_of_the_model_counts(trained, score, middle, tmp_path, words):
    model = shutil.copytree(trained.path, tmp_path / "banded")
    write_config(model, replace(trained.config, neutral=(middle - 0.01, middle + 0.01)))
    write_manifest(model)
    rows = invoke("score", "--model", model, *words).stdout.splitlines()
    assert [row.split("\t")[0] for row in rows] == ["positive", "neutral", ""]


def test_quiet_writes_nothing_to_stderr_but_that_rows_were_rejected(score):
    write_csv("r.csv", TEXTS[:1])
    Path("bad.jsonl").write_text('{"text": "warm"}\nno JSON\n')
    assert score("r.csv", "-o", "o.csv", "-q").output == ""
    (line,) = score("bad.jsonl", "-o", "o.jsonl", "-q", code=3).stderr.splitlines()
    assert line.startswith("1 row rejected: not JSON")
    assert line.endswith("; see o.jsonl.rejects.jsonl")


def test_the_summary_as_json_has_the_counts_and_the_conditions(score, trained):
    write_csv("r.csv")
    score("r.csv", "-o", "o.csv", "--summary", "s.json")
    found = json.loads(Path("s.json").read_text("utf-8"))
    status = Path("r.csv").stat()
    expected = {"rows": 5, "rejected": 0, "blank": 1, "scored": 5, "text_columns": ["review"]}
    expected["inputs"] = [{"path": "r.csv", "size": status.st_size, "mtime_ns": status.st_mtime_ns}]
    expected |= {"sentcli": __version__, "model": "trained", "model_sha256": trained.digest}
    expected |= {name: version(name) for name in ("numpy", "onnxruntime", "orjson", "pyarrow")}
    expected |= {"backend": "onnx", "runtime": f"onnxruntime {version('onnxruntime')}"}
    expected |= {"python": platform.python_version(), "command": sys.argv[1:]}
    assert {name: found[name] for name in expected} == expected
    options = {"inputs": ["r.csv"], "model": str(trained.path), "prefix": None, "max_row_bytes": 16 << 20}
    assert {name: found["options"][name] for name in options} == options
    assert (sum(found["labels"].values()), found["no_known_word"]) == (3, 1)
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


def test_a_text_on_the_command_line_is_scored_as_a_line_of_stdin(score):
    by_pipe = score(stdin="a warm, wonderful film").stdout
    assert score("--text", "a warm, wonderful film").stdout == f"{by_pipe}\n"
    assert score("--text", "a warm,\r\nwonderful film", "-q").stdout == f"{by_pipe}\n"
    assert score("--text", "").stdout == "\t\t\n"
    several = score("--text", "a warm, wonderful film", "--text", "a dull film", "--text", "").stdout
    assert [line.split("\t")[2] for line in several.splitlines()] == [
        "a warm, wonderful film",
        "a dull film",
        "",
    ]
    assert several.startswith(f"{by_pipe}\n")
    score("--text", "a warm film", "-o", "o.jsonl", "--summary", "s.json")
    assert json.loads(Path("o.jsonl").read_text())["text"] == "a warm film"
    assert json.loads(Path("s.json").read_text())["rows"] == 1


def test_a_table_on_stdin_is_read_as_one_and_said(score, refuse):
    write_csv("r.csv")
    table = Path("r.csv").read_text()
    result = score(stdin=table)
    assert result.stdout == score("r.csv").stdout
    assert result.stderr.startswith(
        "standard input looks like CSV with the columns id, review: read as such\n"
    )
    assert score("-q", "--null-unknown", "0.3", stdin=table).stderr == ""
    few = ("-q", "--null-unknown", "0.3", "--text-column", "said")
    doubtful = score(*few, stdin="said\tby\nit works\tan\nit broke\tbo\n")
    assert doubtful.stderr.endswith("read as such; if it is lines of text, add --input-format lines\n")
    jsonl = score("-q", stdin='{"text": "a warm film"}\n')
    assert json.loads(jsonl.stdout)["sentiment"] == "positive"
    assert jsonl.stderr == ""


@pytest.mark.usefixtures("torch")  # for a small vocabulary
def test_rows_in_another_language_are_warned_of_even_if_quiet(score):
    write_csv("r.csv", ["ein warm Essen", *["a warm film"] * 19])
    (line,) = score("r.csv", "-o", "o.csv", "-q").stderr.splitlines()
    assert line.startswith("1 of 20 rows are perhaps in another language: more than 30% of the words")
