"""Columns of `sentcli score` that say why texts have their scores."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook
from score_tables import read, write_csv

from sentcli.errors import StopRequested
from sentcli.runs.ledger import Ledger

pytestmark = pytest.mark.usefixtures("in_a_folder")


COLUMNS = (
    *("--explain", "2", "--sentences", "--about", "film=film,movie", "--about", "Taste=food, soup"),
    *("--unknown-words", "--neutral", "0.3,0.7", "--mixed", "--probabilities", "--words", "w.csv"),
)


def test_columns_that_explain_are_the_same_in_every_format(score):
    write_csv("r.csv", ["a warm film. Dull and loud.", "", "“wonderful”\tfilms\nand clumsy ones", "warm"])
    Path("w.csv").write_text("phrase,weight\nclumsy,-1.5\n")
    for name in ("o.csv", "o.jsonl", "o.json", "o.parquet", "o.xlsx", "o.txt"):
        score("r.csv", "-o", name, *COLUMNS)
    rows = read("o.csv")
    names = ["sentiment", "sentiment_score", "probability_negative", "probability_positive"]
    names += ["sentiment_unknown", "sentiment_words", "sentiment_sentences"]
    assert list(rows[0])[2:] == [*names, "sentiment_film", "sentiment_Taste"]
    records = [json.loads(line) for line in Path("o.jsonl").read_text("utf-8").splitlines()]
    assert json.loads(Path("o.json").read_text("utf-8")) == records
    table = pq.read_table("o.parquet").to_pylist()
    lines = [line.split("\t") for line in Path("o.txt").read_text("utf-8").splitlines()]
    sheet = CalamineWorkbook.from_path("o.xlsx").get_sheet_by_index(0).to_python()
    for number, (row, record, found) in enumerate(zip(rows, records, table, strict=True)):
        for place, name in enumerate(list(rows[0])[2:]):
            value, is_list = record[name], name in ("sentiment_words", "sentiment_sentences")
            assert (json.loads(row[name] or "null") if is_list else row[name]) == (
                value
                if is_list
                else ""
                if value is None
                else value
                if name == "sentiment"
                else f"{value:.6f}"
            )
            structs = found[name]
            assert value == ([[*item.values()] for item in structs] if is_list and structs else structs)
            assert lines[number][place] == row[name]
            assert sheet[number + 1][place + 2] == (row[name] if is_list or value is None else value)
    text = records[2]["review"]
    assert {phrase for phrase, _ in records[2]["sentiment_words"]} <= {*re.findall(r"\w+", text)} | {"films"}
    assert [text[start:end] for start, end, *_ in records[2]["sentiment_sentences"]] == text.split("\n")
    assert records[1]["sentiment_words"] is None
    assert records[0]["sentiment_Taste"] is None


@pytest.mark.parametrize("options", [COLUMNS, ("--min-score", "0.9")])
@pytest.mark.parametrize("target", ["o.csv", "o.parquet", "o.txt"])
def test_columns_that_explain_continue_after_a_stop(score, target, options, monkeypatch):
    words = ("warm", "dull", "tender", "all right")
    write_csv("r.csv", [f"a warm film number {row}, but {words[row % 4]}" for row in range(300)])
    Path("w.csv").write_text("clumsy,-1.5\n")
    monkeypatch.setattr("sentcli.tables.chunk._FIRST_ROWS", 50)
    monkeypatch.setattr("sentcli.tables.chunk._SMALL_BYTES", 0)
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", 50)
    monkeypatch.setattr("sentcli.runs.ledger.COMMIT_SECONDS", 0)
    score("r.csv", "-o", f"whole-{target}", *options, "--summary", "s.json")
    whole = json.loads(Path("s.json").read_text("utf-8"))
    add, added = Ledger.add, []

    def stop(self, *arguments):
        add(self, *arguments)
        added.append(1)
        if len(added) == 3:
            raise StopRequested(15)

    monkeypatch.setattr(Ledger, "add", stop)
    score("r.csv", "-o", target, *options, code=143)
    assert not Path(target).exists()
    monkeypatch.setattr(Ledger, "add", add)
    changed = score("r.csv", "-o", target, *options, "--about", "x=y", code=1).stderr
    assert "--about changed since the interrupted run" in changed
    found = score("r.csv", "-o", target, *options, "--summary", "t.json")
    assert "continuing after" in found.stderr
    assert Path(target).read_bytes() == Path(f"whole-{target}").read_bytes()
    again = json.loads(Path("t.json").read_text("utf-8"))
    assert again["scored"] < whole["scored"]
    for name in ("labels", "other_language", "too_unknown", "unsure", "tokens"):
        assert again[name] == whole[name]
    assert (whole["unsure"] > 0) == (options is not COLUMNS)


def test_a_row_below_the_least_score_keeps_its_score_and_has_no_label(score):
    write_csv("r.csv", ["warm, tender and wonderful", "a warm film, but dull", ""])
    score("r.csv", "-o", "plain.csv")
    sure, unsure, _ = (row["sentiment_score"] for row in read("plain.csv"))
    least = float(sure) - 0.001
    assert float(unsure) < least
    for name in ("o.csv", "o.jsonl", "o.parquet"):
        told = score("r.csv", "-o", name, "--min-score", least, "--report", f"{name}.html").stderr
        assert "1 positive (100.0%), 1 blank, 1 below min-score" in told
    found = read("o.csv")
    assert [row["sentiment_score"] for row in found] == [sure, unsure, ""]
    assert [row["sentiment"] for row in found] == ["positive", "", ""]
    records = [json.loads(line) for line in Path("o.jsonl").read_text("utf-8").splitlines()]
    assert records == pq.read_table("o.parquet").to_pylist()
    assert [row["sentiment"] for row in records] == ["positive", None, None]
    assert records[1]["sentiment_score"] is not None
    assert "<span>no label</span>" in Path("o.csv.html").read_text("utf-8")


def test_words_of_one_aspect_add_up(score):
    write_csv("r.csv", ["a warm film", "a dull movie", "warm"])
    score("r.csv", "-o", "o.csv", "--about", "f=film", "--about", "f = movie,")
    assert [bool(row["sentiment_f"]) for row in read("o.csv")] == [True, True, False]


def test_lists_fit_an_output_that_has_no_room_for_them(score):
    write_csv("r.csv", ["a warm film 😍"])
    Path("w.csv").write_text("😍,2\n", "utf-8")
    options = ("--explain", "3", "--words", "w.csv")
    score("r.csv", "-o", "o.csv", *options, "--drop", "review", "--output-encoding", "cp1252")
    score("r.csv", "-o", "whole.csv", *options)
    found, whole = (read(name)[0]["sentiment_words"] for name in ("o.csv", "whole.csv"))
    assert "\\ud83d\\ude0d" in found
    assert "😍" in whole
    assert json.loads(found) == json.loads(whole)
    write_csv("long.csv", ["Warm. Dull. " * 2500])
    score("long.csv", "-o", "o.xlsx", "--sentences")
    score("long.csv", "-o", "o.jsonl", "--sentences")
    cell = CalamineWorkbook.from_path("o.xlsx").get_sheet_by_index(0).to_python()[1][-1]
    sentences = json.loads(Path("o.jsonl").read_text("utf-8"))["sentiment_sentences"]
    assert len(json.loads(cell)) > 500
    assert json.loads(cell) == sentences[: len(json.loads(cell))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--about", "price"), "type a name and words: --about price=price,cost,fee"),
        (("--about", "a=, ,"), "type a name and words"),
        (("--words", "none.csv"), "--words none.csv: No such file"),
        (("--null-unknown", "2"), "--null-unknown"),
    ],
)
def test_wrong_options_for_columns_are_refused(score, options, message):
    write_csv("r.csv")
    assert message in score("r.csv", *options, code=2).stderr
