import gzip
import json

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import read_chunks, write_to_pipe
from xxhash import xxh3_128

from sentcli.errors import DataError
from sentcli.tables import chunk, survey
from sentcli.tables.options import ReadOptions, WriteOptions

MARK = b"\xef\xbb\xbf"
FIELDS = b',"sentiment":"odd","sentiment_score":0.142857}'  # of the text "x"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b'{"text":"x"}', b'{"text":"x"' + FIELDS),
        (b'{"text":"x"}\r\n', b'{"text":"x"' + FIELDS + b"\r\n"),
        (b'\xef\xbb\xbf{"text":"x"}\n', b'\xef\xbb\xbf{"text":"x"' + FIELDS + b"\n"),
        (b' {"text" : "x" } \n', b' {"text" : "x" ' + FIELDS + b" \n"),
        (b'{"a":1,"a":2,"text":"x"}\n', b'{"a":1,"a":2,"text":"x"' + FIELDS + b"\n"),
        (b'\n{"text":"x"}\n \n\n', b'\n{"text":"x"' + FIELDS + b"\n \n\n"),
        (b'{"text":"x","n":' + b"1" * 40 + b"}\n", b'{"text":"x","n":' + b"1" * 40 + FIELDS + b"\n"),
        (b'{"text":"x","n":-0,"m":1.50}\n', b'{"text":"x","n":-0,"m":1.50' + FIELDS + b"\n"),
        (b'{"text":\r"x"}\n', b'{"text":\r"x"' + FIELDS + b"\n"),
        (b'{"text":"\\u0078"}\n', b'{"text":"\\u0078"' + FIELDS + b"\n"),
        (
            b'{"id":"x","text":null}\n{"id":"x","text":"x"}\n',
            b'{"id":"x","text":null,"sentiment":null,"sentiment_score":null}\n{"id":"x","text":"x"'
            + FIELDS
            + b"\n",
        ),
        (b'{"text":null}\n', b'{"text":null,"sentiment":null,"sentiment_score":null}\n'),
        (b'{"text":" "}\n', b'{"text":" ","sentiment":null,"sentiment_score":null}\n'),
    ],
)
def test_a_record_goes_out_as_it_came_in(convert, data, expected):
    assert convert(data, "in.jsonl") == expected


@pytest.mark.parametrize("before", [b"\n" * 600, b"bad\n" + b"\n" * 600, b"bad\n" * 600 + b"\n"])
def test_the_byte_order_mark_stays_in_front(convert, before):
    out = convert(MARK + before + b'{"text":"x"}\n', "in.jsonl")
    assert out == MARK + before.replace(b"bad\n", b"") + b'{"text":"x"' + FIELDS + b"\n"


@pytest.mark.parametrize("first", [MARK + b'{"text":"x"}\n', MARK + b"\n", b"\n", b"bad\n", b""])
def test_a_byte_order_mark_does_not_get_between_the_inputs(run, tmp_path, first):
    contents = {"a.jsonl": first, "b.jsonl": MARK + b'\n{"text":"xx"}\n'}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    run([tmp_path / name for name in contents], tmp_path / "out.jsonl")
    rows = first.removeprefix(MARK).replace(b"bad\n", b"").replace(b"}", FIELDS)
    expected = MARK + rows + b'\n{"text":"xx"'
    assert (tmp_path / "out.jsonl").read_bytes().startswith(expected)
    *_, last = read_chunks(*(tmp_path / name for name in contents))
    assert last.position.xxh3 == xxh3_128(b"".join(contents.values())).hexdigest()


@pytest.mark.parametrize("data", [b'[{"text":"x"}]\n', b'[\n  {"text":"x"}\n]\n', b'{\n  "text": "x"\n}\n'])
def test_a_document_is_read_as_one(convert, data):
    assert json.loads(convert(data, "in.jsonl")) == {
        "text": "x",
        "sentiment": "odd",
        "sentiment_score": 0.142857,
    }


def test_a_first_line_that_is_cut_off_is_rejected_alone(convert, rejects):
    assert convert(b'{\n{"text":"x"}\n', "in.jsonl").count(b"\n") == 1
    assert [found["line"] for found in rejects()] == [1]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"x", "not JSON: "),
        (b'{"n":NaN,"text":"x"', "not JSON: "),
        (b'{"n":NaN,"text":"\xff"}', "byte 0xff at offset 30 is not utf-8"),
        (b"NaN", "null, not an object"),
        (b'{"text":"x"', "not JSON: "),
        (b'{"text":"x"} 1', "not JSON: "),
        (b'{"text":1e400}', "not JSON: "),
        (b'{"text":' + b"9" * 5000 + b"}", "not JSON: "),
        (b'{"text":"\\ud800"}', "not JSON: "),
        (b"[" * 100_000, "not JSON: "),
        (b'\xef\xbb\xbf{"text":"x"}', "not JSON: "),
        (b'{"text":"\xff"}', "byte 0xff at offset 22 is not utf-8"),
        (b'["x"]', "an array, not an object"),
        (b'"x"', "a string, not an object"),
        (b"1", "a number, not an object"),
        (b"1.5", "a number, not an object"),
        (b"true", "a boolean, not an object"),
        (b"null", "null, not an object"),
        (b"{}", "an object without keys"),
        (b'{"text":1}', "'text' is a number, not a string"),
        (b'{"text":{"a":1}}', "'text' is an object, not a string"),
        (b'{"text":"x","sentiment":1}', "there is a 'sentiment' already; try --prefix"),
        (b'{"text":"x","Sentiment_Score":1}', "there is a 'Sentiment_Score' already; try --prefix"),
    ],
)
def test_a_bad_record_is_rejected_and_its_neighbours_are_scored(convert, rejects, bad, reason):
    out = convert(b'{"text":"x"}\n' + bad + b'\n{"text":"x"}\n', "in.jsonl")
    assert out == (b'{"text":"x"' + FIELDS + b"\n") * 2
    (found,) = rejects()
    assert found["reason"].startswith(reason)
    assert (found["line"], found["offset"]) == (2, 13)
    if "raw" in found:
        assert found["raw"].encode() == bad + b"\n"


def test_bad_records_before_the_first_good_one(convert, rejects):
    out = convert(b'{}\n[1]\n"x"\nx\n{"a":1,"text":"x"}\n', "in.jsonl")
    assert out == b'{"a":1,"text":"x"' + FIELDS + b"\n"
    reasons = [entry["reason"] for entry in rejects()]
    assert reasons[:3] == ["an object without keys", "an array, not an object", "a string, not an object"]
    assert len(reasons) == 4


@pytest.mark.parametrize(
    ("record", "column"),
    [
        (b'{"a":{"b":{"c":"x"}}}', "a.b.c"),
        (b'{"a.b":"x","a":{"b":"yy"}}', "a.b"),
        (b'{"a":{"b":"x"},"a.c":1}', "a.b"),
    ],
)
def test_nested_text(convert, record, column):
    out = convert(record, "in.jsonl", read=ReadOptions(text_column=column))
    assert out == record[:-1] + FIELDS


def test_a_path_through_what_is_no_object(convert, rejects):
    data = b'{"a":{"b":"x"}}\n{"a":"x"}\n{"a":{"c":1}}\n'
    assert convert(data, "in.jsonl", read=ReadOptions(text_column="a.b")).count(FIELDS) == 1
    assert rejects() == []


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b'{"a":"x","b":"y"}', {}, "which column is the text.*the columns are 'a', 'b'"),
        (b'{"a":"x","text":"y"}', {"text_column": "c"}, "no column 'c'; the columns are 'a', 'text'"),
        (b'{"a":"x","text":"y"}', {"text_column": ""}, "no column ''; the columns are 'a', 'text'"),
        (b'{"Text":"x","TEXT":"y","body":"z"}', {}, "which column is the text"),
        (b'{"a":"x"}\n' * 1001 + b'{"c":"x"}', {"text_column": "c"}, "no column 'c'; the columns are 'a'"),
        (
            b'{"title":"x","review":5}',
            {},
            "the column 'review' is a number, not a string; try another --text-column",
        ),
        (b'{"title":"x","text":["x"]}', {}, "the column 'text' is an array, not a string"),
        (b'{"text":true,"n":1}', {}, "'text' is a boolean, not a string; .*the columns are 'text', 'n'"),
        (b'{"text":"x","Sentiment":1}', {}, "a column 'Sentiment' already; try --prefix"),
    ],
)
def test_columns_that_do_not_fit(convert, data, options, message):
    with pytest.raises(DataError, match=message):
        convert(data, "in.jsonl", read=ReadOptions(**options))


@pytest.mark.parametrize(
    ("record", "options"),
    [
        (b'{"text":"x","review":5}', {}),  # the more usual name decides
        (b'{"text":5,"title":"x"}', {"text_column": "title"}),
        (b'{"content":null,"review":"x"}', {}),
        (b'{"text":true,"review":"x"}', {}),
    ],
)
def test_a_usual_name_that_need_not_be_a_string(convert, record, options):
    assert convert(record, "in.jsonl", read=ReadOptions(**options)) == record[:-1] + FIELDS


def test_the_only_string_of_the_first_records_is_the_text_and_is_named(convert, caplog):
    data = b'{"m":"x","n":1}\n{"m":"x","n":2}\n'
    assert convert(data, "in.jsonl").count(FIELDS) == 2
    assert "texts taken from 'm', the only column of strings" in caplog.text
    caplog.clear()
    convert(data, "in.jsonl", read=ReadOptions(text_column="m"))
    convert(b'{"Text":"x","n":1}\n', "in.jsonl")
    assert caplog.text == ""


@pytest.mark.parametrize(("before", "is_seen"), [(1, True), (999, True), (1000, False)])
def test_a_usual_name_among_the_first_records_is_the_text(convert, before, is_seen):
    data = b'{"m":"x","n":1}\n' * before + b'{"m":"x","text":"yy"}\n'
    out = convert(data, "in.jsonl")
    assert out.count(b"\n") == before + 1
    assert out.count(b'"sentiment":null') == (before if is_seen else 0)


ROWS_WITHOUT_A_TEXT = b"""\
{"id":1.50,"text":"x","n":NaN,"more":[Infinity, -Infinity,"NaN \\"NaN"]}
{"id":2}
{"id":3,"text":NaN}
{"Text":"x"}
"""


@pytest.mark.parametrize("is_array", [False, True])
def test_a_record_without_a_text_is_a_row_and_nan_is_null(convert, rejects, is_array):
    lines = ROWS_WITHOUT_A_TEXT.splitlines()
    data = b"[%b]" % b",\n".join(lines) if is_array else ROWS_WITHOUT_A_TEXT
    name = "in.json" if is_array else "in.jsonl"
    blank = b',"sentiment":null,"sentiment_score":null}'
    expected = [line[:-1] + (blank if number else FIELDS) for number, line in enumerate(lines)]
    assert convert(data, name, ".jsonl").splitlines() == expected
    table = convert(data, name, ".csv").splitlines()
    assert table[1] == b'1.50,x,,"[null,null,""NaN \\""NaN""]",,odd,0.142857'
    assert table[2:] == [b"2,,,,,,", b"3,,,,,,", b",,,,x,,"]
    assert rejects() == []


def test_many_records_are_read_as_one_by_one(convert, rejects):
    some = [b'{"text":"x"}', b"", b'{"text":null}', b"[]", b'{"text":"ab"} ']
    alone = [convert(line + b"\n", "in.jsonl") for line in some]
    lines = [line for line in some for _ in range(40)]
    assert convert(b"\n".join([*lines, b""]), "in.jsonl") == b"".join(out * 40 for out in alone)
    assert [entry["line"] for entry in rejects()] == [*range(121, 161)]


def test_the_first_text_of_a_column_of_a_usual_name_may_be_missing(convert):
    data = b'{"id":1,"Text":null}\n{"id":2,"Text":"x"}\n'
    assert convert(data, "in.jsonl").splitlines()[1] == b'{"id":2,"Text":"x"' + FIELDS


def test_the_text_may_come_late(convert, rejects):
    out = convert(b'{"a":"x"}\n' * 999 + b'{"c":"x"}\n', "in.jsonl", read=ReadOptions(text_column="c"))
    assert out.splitlines()[-1] == b'{"c":"x"' + FIELDS
    assert (out.count(b"\n"), rejects()) == (1000, [])


def test_a_prefix_makes_room(convert):
    out = convert(b'{"text":"x","sentiment":1}', "in.jsonl", write=WriteOptions(prefix='"%b'))
    assert out == b'{"text":"x","sentiment":1,"\\"%bsentiment":"odd","\\"%bsentiment_score":0.142857}'


OPTIONAL = b'{"a":1,"text":"x"}\n{"a":2,"text":"x","vote":"3"}\n{"text":"x","image":["u"]}\n'
TABLE = b'a,text,vote,image,sentiment,sentiment_score\n1,x,,%b\n2,x,3,%b\n,x,,"[""u""]"%b\n' % (
    *(b",odd,0.142857", b",odd,0.142857", b",odd,0.142857"),
)


@pytest.mark.parametrize(
    ("name", "write"), [("in.jsonl", bytes), ("in.jsonl.gz", gzip.compress)], ids=["plain", "compressed"]
)
def test_the_columns_of_a_table_are_the_keys_of_all_records(convert, tmp_path, name, write):
    assert convert(write(OPTIONAL), name, ".csv") == TABLE
    assert convert(write(OPTIONAL), name, ".tsv").startswith(b"a\ttext\tvote\timage\tsentiment\t")
    convert(write(OPTIONAL), name, ".parquet")
    assert [row["vote"] for row in pq.read_table(tmp_path / "out.parquet").to_pylist()] == [None, "3", None]


def test_the_text_column_is_still_that_of_the_first_record(convert):
    out = convert(b'{"review":"x"}\n{"text":"yy"}\n{"review":"x","text":"yy"}\n', "in.jsonl", ".csv")
    assert out.splitlines()[1:] == [b"x,,odd,0.142857", b",yy,,", b"x,yy,odd,0.142857"]


def test_records_that_cannot_be_rows_give_keys_only_if_they_can_be_read(convert, rejects):
    data = b'{"text":"x"}\n{"a":\n[]\n\n{"b":"%b"}\n{"c":1}' % (b"y" * 30)
    out = convert(data, "in.jsonl", ".csv", read=ReadOptions(max_row_bytes=30))
    assert out.startswith(b"text,c,sentiment,")
    assert len(rejects()) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"text":"x"}\n{"text":"x","SENTIMENT":1}\n', "a column 'SENTIMENT' already; try --prefix"),
        (
            b'{"text":"x"}\n' + json.dumps(dict.fromkeys(range(1000))).encode(),
            "than 1,000 keys; write JSON Lines: -o OUT.jsonl",
        ),
    ],
)
def test_keys_that_cannot_be_columns(convert, data, message):
    with pytest.raises(DataError, match=message):
        convert(data, "in.jsonl", ".csv")


def test_a_later_block_that_begins_like_an_array_is_a_bad_record(convert, rejects):
    """The blocks of a pipe and of a file have 512 KiB."""
    line = b'{"text":"%b"}\n' % (b"x" * ((1 << 19) - 12))
    assert len(line) == 1 << 19
    assert convert(line + b'[{"text":"x"}]\n', "in.jsonl", ".csv").count(b"\n") == 2
    assert [found["reason"] for found in rejects()] == ["an array, not an object"]


def test_an_empty_pipe_has_no_columns(run, tmp_path):
    write_to_pipe(tmp_path / "in.jsonl")
    assert run(tmp_path / "in.jsonl", tmp_path / "out.csv").rows == 0


@pytest.mark.parametrize("pauses", [1, 3])
@pytest.mark.parametrize("most", [1, 2, 3, 10_000])
@pytest.mark.parametrize("limit", ["_AHEAD_ROWS", "_AHEAD_BYTES"])
def test_of_a_pipe_the_first_records_give_the_columns(
    run, tmp_path, monkeypatch, caplog, limit, most, pauses
):
    """However it pauses, the columns are the same."""
    lines = OPTIONAL.splitlines(keepends=True)
    caplog.set_level("INFO")
    size = len(b"".join(lines[:most]))
    monkeypatch.setattr(survey, limit, most if limit == "_AHEAD_ROWS" else size)
    if limit == "_AHEAD_BYTES":
        monkeypatch.setattr(chunk, "CHUNK_BYTES", size)
    write_to_pipe(tmp_path / "in.jsonl", *([OPTIONAL] if pauses == 1 else lines), pause=0.15)
    run(tmp_path / "in.jsonl", tmp_path / "out.csv")
    columns, *rows = (tmp_path / "out.csv").read_text().splitlines()
    assert columns == ",".join(["a", "text", "vote", "image"][: most + 1]) + ",sentiment,sentiment_score"
    assert len(rows) == min(most, 3)
    assert "lines give the columns; or name them: --keep" in caplog.text
    assert ("is not among the columns; try --keep a,text," in caplog.text) == (most < 3)


def test_of_a_pipe_with_named_columns_nothing_is_awaited(run, tmp_path, caplog):
    write_to_pipe(tmp_path / "in.jsonl", OPTIONAL[:20], OPTIONAL[20:], pause=0.15)
    run(tmp_path / "in.jsonl", tmp_path / "out.csv", read=ReadOptions(keep=("a", "text", "vote", "image")))
    assert (tmp_path / "out.csv").read_bytes() == TABLE
    assert caplog.text == ""


TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
NUMBER = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3), max_size=5),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_any_record_is_scored_and_nothing_else_changes(convert, records, ascii_only, indent):
    records = [record | {"text": str(record.get("a", ""))} for record in records]
    lines = [json.dumps(record, ensure_ascii=ascii_only, indent=indent) for record in records]
    lines = [line.replace("\n", " \r ") for line in lines]
    out = convert("".join(f"{line}\n" for line in lines).encode(), "in.jsonl")
    found = [json.loads(line) for line in out.decode().split("\n")[:-1]]
    for record, line, written in zip(records, lines, found, strict=True):
        assert written.pop("sentiment_score") is None or record["text"].strip()
        assert (written.pop("sentiment") is None) == (not record["text"].strip())
        assert written == record
        assert line.rstrip()[:-1] in out.decode()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_keep_the_law(run, tmp_path, before, after):
    good = b'{"text":"x"}\n'
    data = good + before + b"\n" + good + after
    (tmp_path / "in.jsonl").write_bytes(data)
    job = run(tmp_path / "in.jsonl", tmp_path / "out.jsonl", overwrite=True)
    written = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert written.count(b'{"text":"x"' + FIELDS) == 2
    assert job.rows + job.rejected == sum(bool(line.strip()) for line in data.split(b"\n"))
