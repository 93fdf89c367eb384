"""Documents: a row for each file."""

import gzip
import json

import pyarrow.parquet as pq
import pytest
from jobs import ParityScorer, read_chunks

from sentcli.errors import InterruptedRunError
from sentcli.runs import ledger
from sentcli.tables.options import ReadOptions

DOCUMENTS = ReadOptions(format="documents")


@pytest.fixture
def put(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def put(**files):
        for name, data in files.items():
            (tmp_path / f"{name}.txt").write_bytes(data)
        return [f"{name}.txt" for name in files]

    return put


def test_each_file_is_a_row_of_its_name_and_text(put, run, tmp_path):
    names = put(a=b"one\ntwo, \r\n\n", b=b"\xef\xbb\xbfx", c=b"")
    (tmp_path / "d.eml.gz").write_bytes(gzip.compress(b"xx"))
    rows = [["a.txt", "one\ntwo, "], ["b.txt", "x"], ["c.txt", ""], ["d.eml.gz", "xx"]]
    for suffix in (".csv", ".jsonl", ".parquet", ".xlsx", ".txt"):
        summary = run([*names, "d.eml.gz"], f"out{suffix}", read=DOCUMENTS)
        assert (summary.rows, summary.blank, summary.text_columns) == (4, 1, ["text"])
    assert (tmp_path / "out.csv").read_bytes() == (
        b'name,text,sentiment,sentiment_score\na.txt,"one\ntwo, ",odd,0.285714\nb.txt,x,odd,0.142857\n'
        b"c.txt,,,\nd.eml.gz,xx,even,0.285714\n"
    )
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [[row["name"], row["text"]] for row in found] == rows
    assert pq.read_table("out.parquet").select(["name", "text"]).to_pylist() == found_rows(rows)
    assert (tmp_path / "out.txt").read_bytes().splitlines()[1] == b"odd\t0.142857\tx"


def found_rows(rows):
    return [dict(zip(("name", "text"), row, strict=True)) for row in rows]


def test_without_a_suffix_the_output_is_csv(put, run, tmp_path):
    run(put(a=b"x"), "out", read=DOCUMENTS)
    assert (tmp_path / "out").read_bytes() == b"name,text,sentiment,sentiment_score\na.txt,x,odd,0.142857\n"


@pytest.mark.parametrize("options", [{"drop": ("text",)}, {"keep": ("name",)}])
def test_the_texts_may_be_dropped(put, run, tmp_path, options):
    run(put(a=b"x"), "out.csv", read=ReadOptions("documents", **options))
    assert (tmp_path / "out.csv").read_bytes() == b"name,sentiment,sentiment_score\na.txt,odd,0.142857\n"


def test_only_blank_documents_are_rows_too(put, run):
    assert run(put(a=b"", b=b"", c=b""), "out.csv", read=DOCUMENTS).rows == 3


def test_a_file_that_is_no_text_is_rejected_by_its_name(put, run, rejects):
    summary = run(
        put(a=b"x", b=b"\x89PNG\x81\xff\xfe\xfa", c=b"y" * 101),
        "out.csv",
        read=ReadOptions("documents", max_row_bytes=100),
    )
    assert (summary.rows, summary.rejected) == (1, 2)
    assert [(found["input"], found["line"], found["reason"]) for found in rejects()] == [
        ("b.txt", 1, "byte 0x89 at offset 0 is not utf-8; is it another --encoding?"),
        ("c.txt", 1, "longer than 100 bytes; try a higher --max-row-bytes"),
    ]


@pytest.mark.parametrize("encoding", ["cp1252", "auto", None])
def test_an_encoding_holds_for_all_of_them_or_is_found_for_each(put, run, tmp_path, caplog, encoding):
    names = put(a=b"caf\xe9 noir", b=b"x") + (put(c="é".encode("utf-16")) if encoding != "cp1252" else [])
    run(names, "out.jsonl", read=ReadOptions("documents", encoding=encoding))
    texts = [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert texts == ["café noir", "x", "é"][: len(names)]
    said = ["1 document read as cp1252", "1 document read as utf-16"]
    assert caplog.messages == ([] if encoding == "cp1252" else said)


def test_a_named_encoding_has_no_other_hint(put, run, rejects):
    run(put(a=b"\x81"), "out.csv", read=ReadOptions("documents", encoding="cp1252"))
    assert rejects()[0]["reason"] == "byte 0x81 at offset 0 is not cp1252"


def test_a_chunk_holds_many_of_them_and_the_progress_grows(put):
    names = put(**{f"n{number:03}": b"x" * 10 for number in range(700)})
    chunks = [*read_chunks(*names, output="out.csv", read=DOCUMENTS)]
    assert [len(chunk.texts) for chunk in chunks] == [512, 188]
    assert [chunk.position.progress for chunk in chunks] == [5120, 7000]
    few = read_chunks(*names, output="out.csv", read=ReadOptions("documents", limit=3))
    assert [len(chunk.texts) for chunk in few] == [3]


@pytest.mark.usefixtures("small_chunks")
def test_a_stopped_run_continues_with_the_same_bytes(put, run, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "COMMIT_SECONDS", 0)
    names = put(**{f"n{number:04}": b"x" * (number % 5) for number in range(1500)})
    run(names, "whole.csv", read=DOCUMENTS)
    with pytest.raises(InterruptedRunError, match="the same command continues"):
        run(names, "out.csv", read=DOCUMENTS, scorer=ParityScorer(stop_after=2))
    scorer = ParityScorer()
    run(names, "out.csv", read=DOCUMENTS, scorer=scorer)
    assert scorer.scored < 1000
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_document_that_is_too_long_for_a_cell_is_rejected(put, run, rejects):
    names = put(a=b"x", b=b"y" * 32_768)
    assert run(names, "out.xlsx", read=DOCUMENTS).rejected == 1
    (found,) = rejects()
    assert (found["input"], found["line"]) == ("b.txt", 1)
    assert found["reason"] == "32,768 characters in a cell, Excel holds 32,767; try -o OUT.csv"
