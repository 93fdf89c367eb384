"""JSON documents as pandas, DuckDB, jq and web services write them."""

import gzip
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import read_chunks, run_job, write_to_pipe

from sentcli.errors import DataError
from sentcli.tables.options import ReadOptions, WriteOptions

MARK = b"\xef\xbb\xbf"
RECORDS = [
    {"id": 1, "text": 'x [{"a": 1}] \\" {'},
    {"id": 2, "text": None, "more": {"a": [{"b": []}]}},
    {"text": "é", "id": 3},
]
LABELS = [
    {"sentiment": "odd", "sentiment_score": 0.428571},
    {"sentiment": None, "sentiment_score": None},
    {"sentiment": "odd", "sentiment_score": 0.142857},
]
SCORED = [record | label for record, label in zip(RECORDS, LABELS, strict=True)]
ARRAY = json.dumps(RECORDS).encode()


@pytest.mark.parametrize(
    "data",
    [
        ARRAY,
        MARK + ARRAY,
        json.dumps(RECORDS, indent=2, ensure_ascii=False).encode(),
        json.dumps(RECORDS, indent="\t").replace("\n", "\r\n").encode(),
        b"[" + b",\n".join(json.dumps(record).encode() for record in RECORDS) + b"]\n",  # DuckDB
        b"\n".join(json.dumps(record, indent=2).encode() for record in RECORDS),  # jq
        json.dumps(RECORDS[:1]).encode() + b"\n" + json.dumps(RECORDS[1:]).encode(),  # pages of a service
    ],
)
@pytest.mark.parametrize("target", [".json", ".jsonl", ".csv", ".parquet"])
def test_records_of_a_document(convert, tmp_path, caplog, data, target):
    out = convert(data, "in.json", target)
    if target == ".json":
        assert orjson.loads(out) == SCORED
        assert len(out.splitlines()) == len(RECORDS) + 2
    elif target == ".jsonl":
        assert [*map(orjson.loads, out.removeprefix(MARK).splitlines())] == SCORED
    elif target == ".csv":
        assert out.splitlines()[2] == b'2,,"{""a"":[{""b"":[]}]}",,'
    else:
        assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [1, 2, 3]
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["in.jsonl", "in.json"])
def test_values_are_written_as_they_were_read(convert, name):
    data = b'[\n{"text":"\\u0078", "n" :1.50,"n":1E5, "t":"a\\\\\\"\\n"}\n]'
    record = data[2:-3] + b',"sentiment":"odd","sentiment_score":0.142857}\n'
    assert convert(data, name, ".jsonl") == record
    assert convert(data, name, ".json") == b"[\n" + record + b"]\n"


def test_one_object_per_line_stays_so(convert, rejects):
    data = b'{"text":"x"}\n{"text"\n\n{"text":"xx"}\n'
    out = convert(data, "in.json")
    (found,) = rejects()
    assert out == convert(data, "in.jsonl")
    assert (found["line"], found["offset"]) == (2, 13)
    assert convert(data[:13], "in.json").count(b"\n") == 1
    assert orjson.loads(convert(data, "in.jsonl", ".json"))[1]["text"] == "xx"
    assert orjson.loads(convert(b"text\nx\n", target=".json"))[0]["sentiment"] == "odd"


def test_a_record_with_an_array_is_no_wrapper(convert):
    record = {"text": "x", "photos": [{"url": "a"}]}
    for indent in (None, 1):
        out = convert(json.dumps(record, indent=indent).encode(), "in.json", ".jsonl")
        assert orjson.loads(out)["sentiment"] == "odd"


def test_a_bad_record_costs_no_other(convert, rejects):
    out = convert(
        b'[{"text":"x"},{"text":nan},{"text":"\xff"},3,"a, b",{"text":"a\nb"},null,{"text":"xx"}]', "in.json"
    )
    assert [record["text"] for record in orjson.loads(out)] == ["x", "xx"]
    assert [(found["line"], found["offset"], found["reason"].split(",")[0]) for found in rejects()] == [
        (2, None, "not JSON: invalid literal"),
        (3, None, "byte 0xff at offset 9 is not utf-8"),
        (4, None, "a number"),
        (5, None, "a string"),
        (6, None, "not JSON: unexpected control character in string"),
        (7, None, "null"),
    ]


@pytest.mark.parametrize("end", [b"", b',{"text"', b',{"text":"', b",", b',"', b",4"])
def test_a_document_that_is_cut_off_has_one_reject(convert, rejects, end):
    assert len(orjson.loads(convert(b'[{"text":"x"}' + end, "in.json"))) == 1
    assert len(rejects()) == 1


WRAPPED = [{"text": "x"}, {"text": "xx"}]
WRAPPERS = {
    ".reviews": {"n": 1, "title": "Reviews of my shop", "pages": [{"n": 1}], "reviews": WRAPPED},
    '.data."a-b".edges': {"data": {"a-b": {"edges": WRAPPED, "pages": [{"n": 1}]}}},
    "[.[]]": {"k 1": WRAPPED[0], "k 2": WRAPPED[1]},
    "[(first(.[])": {"id": {"0": 5, "1": 6}, "text": {"0": "x", "1": "xx"}},
}


@pytest.mark.parametrize("path", WRAPPERS)
@pytest.mark.parametrize("name", ["my in.json", "in.json.gz", "in.json.zst", "in.jsonl", "my in.zip/a.json"])
def test_an_object_around_the_records_is_refused_with_a_command(tmp_path, monkeypatch, path, name):
    monkeypatch.chdir(tmp_path)
    compress = {"z": gzip.compress, "t": pa.Codec("zstd").compress}.get(name[-1], bytes)
    Path(name.removesuffix(".zip/a.json")).write_bytes(compress(json.dumps(WRAPPERS[path]).encode()))
    if name.endswith(".zip/a.json"):
        with zipfile.ZipFile("my in.zip", "w") as archive:
            archive.write("my in", "a.json")
    with pytest.raises(
        DataError, match="the file is one object, not records: if it is a record itself"
    ) as error:
        run_job(name, "out.json")
    *programs, rest = re.search("if not, try: (.*)", str(error.value))[1].split(" | sentcli score ")
    assert rest == "--input-format json -o OUT.json"
    assert path in programs[0]
    if all(map(shutil.which, ("jq", "zstd", "unzip"))):
        Path("records").write_bytes(subprocess.check_output(programs[0], shell=True))
        run_job("records", "OUT.json", read=ReadOptions(format="json"))
        assert [record["sentiment"] for record in orjson.loads(Path("OUT.json").read_bytes())] == [
            "odd",
            "even",
        ]


@pytest.mark.parametrize(
    "document",
    [
        {"n": 1, "title": "Reviews of my shop", "tags": ["a"], "reviews": WRAPPED, "next": None},
        {"data": {"reviews": WRAPPED, "tags": []}, "next": None},
        {"data": {"a-b": {"edges": [{"node": record} for record in WRAPPED]}}},
        {"text": WRAPPED, "more": "[{"},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["in.json", "in.jsonl"])
def test_of_an_object_around_one_array_the_records_are_those_of_the_array(
    convert, caplog, document, indent, name
):
    caplog.set_level("INFO")
    out = convert(b"\xef\xbb\xbf" + json.dumps(document, indent=indent).encode(), name, "out.jsonl")
    records = [orjson.loads(line) for line in out.removeprefix(b"\xef\xbb\xbf").splitlines()]
    assert [record.pop("sentiment") for record in records] == ["odd", "even"]
    assert [record.get("node", record).get("text") for record in records] == ["x", "xx"]
    assert "what is around it is left out" in caplog.text
    columns = convert(json.dumps(document, indent=indent).encode(), name, "out.csv").splitlines()
    assert len(columns) == 3


def test_the_array_of_an_object_may_be_longer_than_what_decides(convert, rejects):
    records = [{"text": "x" * (number % 9)} for number in range(100_000)]
    data = json.dumps({"n": 1, "reviews": records, "m": [1, "]"]}, indent=1).encode()
    assert len(orjson.loads(convert(data, "in.json", "out.json"))) == 100_000
    assert len(orjson.loads(convert(data[:-100], "in.json", "out.json"))) < 100_000
    assert len(rejects()) == 1
    with pytest.raises(DataError, match="several arrays of objects; write one to a file: jq "):
        convert(data[:-1] + b',"replies": [{"text": "y"}]}', "in.json", "out.json")


def test_a_text_in_an_inner_object_and_a_description_are_asked_for(convert):
    described = ("It broke after a day", "It does not start", "Where is my order")
    records = [{"description": text, "rating": {"comment": "a great help"}} for text in described]
    with pytest.raises(DataError, match="which column is the text"):
        convert(json.dumps({"tickets": records}).encode(), "in.json")


def test_of_an_object_without_lists_or_records_the_column_is_asked_for(convert):
    for data in (b'{"a":"x","b":"y"}', b'{"a":{},"b":{}}', b'{"a":{"n":1},"b":2}', b'{"a":1,"b":[[1]]}'):
        with pytest.raises(DataError, match="the columns are 'a', 'b'"):
            convert(data, "in.json")


@pytest.mark.parametrize(
    "data",
    [
        b'{"reviews":[],"next":null}',
        b'{"reviews":[],"next":"https://example.org/?page=2"}\n',
        b'\xef\xbb\xbf{\n "data": {"comments": []},\n "meta": {"total": 0, "tags": []}\n}\n',
    ],
)
@pytest.mark.parametrize("options", [{}, {"text_column": "text"}])
def test_an_empty_page_of_a_service_has_no_rows(run, tmp_path, data, options):
    for name in ("in.json", "in.jsonl"):
        (tmp_path / name).write_bytes(data)
        for target, out in (
            (".json", b"[]\n"),
            (".csv", b""),
            (".jsonl", data[:3] if data[0] == 0xEF else b""),
        ):
            summary = run(
                tmp_path / name, tmp_path / f"out{target}", overwrite=True, read=ReadOptions(**options)
            )
            assert (summary.rows, summary.rejected) == (0, 0)
            assert (tmp_path / f"out{target}").read_bytes() == out


@pytest.mark.parametrize("rest", [b"x", b"[1]", b'{"a":1}', b"\n" * (2 << 20) + b"x"])
def test_what_is_beside_an_empty_page_is_not_passed_over(convert, rest):
    for data in (b'{"pages":[]}\n' + rest, rest + b'\n{"pages":[]}'):
        with pytest.raises(DataError, match=r"try another --text-column|which column is the text"):
            convert(data, "in.jsonl")


def test_a_page_without_rows_among_others(run, tmp_path):
    (tmp_path / "1.json").write_bytes(b'{"reviews":[]}')
    (tmp_path / "2.json").write_bytes(b'[{"text":"x"}]')
    for names in (("1", "2"), ("2", "1")):
        inputs = [tmp_path / f"{name}.json" for name in names]
        assert run(inputs, tmp_path / "out.json", overwrite=True).rows == 1


@pytest.mark.parametrize(
    "record", [{"text": "x"}, {"text": None}, {"text": "-"}, {"m": "a b c"}, {"data": {"body": "1"}}]
)
def test_a_record_with_an_empty_list_is_no_empty_page(convert, record):
    for name in ("in.json", "in.jsonl"):
        (out,) = convert(json.dumps({"photos": [], **record}).encode(), name, ".jsonl").splitlines()
        assert "sentiment" in orjson.loads(out)


@pytest.mark.parametrize(("data", "expected"), [(b"", b"[]\n"), (b"[]", b"[]\n"), (b" [ ]\n", b"[]\n")])
def test_no_records(convert, data, expected):
    assert convert(data, "in.json") == expected


def test_a_large_array_is_read_piece_by_piece(tmp_path):
    rows = [{"id": n, "text": "x" * 400} for n in range(4000)]
    (tmp_path / "in.json").write_bytes(json.dumps(rows, indent=1).encode())
    reader = read_chunks(tmp_path / "in.json", output="out.json", read=ReadOptions(max_row_bytes=1000))
    assert sum(len(chunk.texts) for chunk in reader) == 4000


def test_long_records(convert, rejects):
    options = ReadOptions(max_row_bytes=1000)
    data = json.dumps([{"text": "x"}, {"text": "y" * 2000}, {"text": "x"}]).encode()
    assert len(orjson.loads(convert(data, "in.json", read=options))) == 2
    assert rejects()[0]["reason"] == "longer than 1000 bytes; try a higher --max-row-bytes"
    data = json.dumps([{"text": "y" * 1_300_000}, {"text": "x"}]).encode()
    assert len(orjson.loads(convert(data, "in.json", read=ReadOptions(max_row_bytes=100_000)))) == 1
    with pytest.raises(DataError, match="a record of more than 1600 bytes; is this JSON"):
        convert(b'[{"text":"' + b"x" * (1 << 20), "in.json", read=ReadOptions(max_row_bytes=100))


def test_records_across_blocks(convert):
    rows = [{"text": "x" * (n * 37 % 3000), "n": {"a": [n]}} for n in range(1500)]
    rows += [{"text": "x" * (5 << 19), "n": 1}, {"text": "x", "n": 2}]
    assert len(json.dumps(rows)) > 3 * (1 << 19)
    out = convert(json.dumps(rows, indent=3).encode(), "in.json", ".jsonl")
    assert [{key: orjson.loads(line)[key] for key in ("text", "n")} for line in out.splitlines()] == rows


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('a"\\[]{}, \n'), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("ab{", max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.fixed_dictionaries({"text": st.just("x"), "v": VALUE}), min_size=1, max_size=4),
    st.integers(0, 2),
)
def test_any_values_are_kept(convert, records, indent):
    out = convert(json.dumps(records, indent=indent or None).encode(), "in.json")
    assert [{key: each[key] for key in ("text", "v")} for each in orjson.loads(out)] == records


def test_several_documents_and_a_limit(run, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_bytes(ARRAY)
    run([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "out.json", read=ReadOptions(limit=5))
    assert [record["id"] for record in orjson.loads((tmp_path / "out.json").read_bytes())] == [1, 2, 3, 1, 2]


def test_an_array_in_a_pipe_without_a_format(tmp_path):
    """As `duckdb -json` writes it."""
    from sentcli.tables.sniff import sniff

    assert sniff(ARRAY, ReadOptions()).read.format == "json"
    assert sniff(ARRAY[1:], ReadOptions()).read.format == "jsonl"
    options = {"read": ReadOptions(format="json"), "write": WriteOptions(prefix="new_")}
    run_job(write_to_pipe(tmp_path / "pipe", ARRAY), tmp_path / "out.csv", **options)
    assert (tmp_path / "out.csv").read_text().startswith("id,text,more,new_sentiment,")


def test_a_record_longer_than_the_sample_is_no_envelope(convert, monkeypatch):
    monkeypatch.setattr("sentcli.tables.json_header.SAMPLE_SIZE", 8)
    monkeypatch.setattr("sentcli.files.source._BLOCK", 8)
    assert b'"sentiment":"odd"' in convert(b'{\n"text": "x"}', "in.json", ".jsonl")
