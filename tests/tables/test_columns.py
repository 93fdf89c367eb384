"""`--keep` and `--drop`: the output has some columns of the input, with their values as they were."""

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_xlsx import cells_of, workbook

from sentcli.errors import DataError, UsageError
from sentcli.tables.options import ReadOptions, WriteOptions

DROP = ReadOptions(drop=("email", "text"))
KEEP = ReadOptions(keep=("b c", "id"))
FIELDS = {"id": 1, "email": "a@b", "text": "x", "b c": "y"}
CSV = b'"id",email,text,b c\n007,a@b,x,"y\n,""z"\n\n8,,xx,\n'


@pytest.mark.parametrize("read", [DROP, KEEP])
def test_csv_keeps_the_values_of_other_columns(convert, read):
    assert convert(CSV, read=read) == (
        b'id,b c,sentiment,sentiment_score\n007,"y\n,""z",odd,0.142857\n8,,even,0.285714\n'
    )
    assert convert(CSV, target=".jsonl", read=read).splitlines()[1] == (
        b'{"id":"8","b c":"","sentiment":"even","sentiment_score":0.285714}'
    )


def test_csv_keeps_its_dialect(convert):
    text = "\ufeffid;email;text\r\n1;a@b;x\r\n2;'c;d';'é;'"
    read = ReadOptions(delimiter=";", quotechar="'", encoding="utf-16", drop=("email",))
    out = convert(text.encode("utf-16-be"), read=read).decode("utf-16-be")
    assert out == "\ufeffid;text;sentiment;sentiment_score\r\n1;x;odd;0.142857\r\n2;'é;';even;0.285714\r\n"
    assert convert(b"1,x\n2,xx\n", read=ReadOptions(header=False, drop=("2",), text_column="2")) == (
        b"1,odd,0.142857\n2,even,0.285714\n"
    )


def test_records_of_json_keep_their_digits(convert, rejects):
    data = (
        b'{"id": 1.50, "email": "a@b", "text": "x", "b c": [1E5, NaN, {"email": 0.10}]}\n'
        b'{"text":"xx"}\n\n{"text":"x","id":1,"id":2}\n{"text":"x","id":null,"email":"c"}'
    )
    out = convert(data, "in.jsonl", read=DROP)
    assert out == (
        b'{"id":1.50,"b c":[1E5,NaN,{"email":0.10}],"sentiment":"odd","sentiment_score":0.142857}\n'
        b'{"id":null,"sentiment":"even","sentiment_score":0.285714}\n\n'
        b'{"id":null,"sentiment":"odd","sentiment_score":0.142857}\n'
    )
    (found,) = rejects()
    assert found["reason"] == "a key occurs twice"
    assert b"email" in convert(data, "in.jsonl", read=ReadOptions(keep=("email",)))
    lines = convert(data, "in.jsonl", ".csv", read=DROP).splitlines()
    assert lines[:2] == [
        b"id,b c,sentiment,sentiment_score",
        b'1.50,"[1E5,null,{""email"":0.10}]",odd,0.142857',
    ]


def test_parquet_keeps_types_and_metadata(run, tmp_path):
    schema = pa.schema(
        [
            ("id", pa.decimal128(21, 2)),
            ("email", pa.string()),
            ("text", pa.string()),
            ("b c", pa.list_(pa.int8())),
        ],
        {"k": "v"},
    )
    table = pa.table(
        [pa.array([1, 2]).cast(schema.types[0]), ["a", "b"], ["x", "xx"], [[1], None]], schema=schema
    )
    pq.write_table(table, tmp_path / "in.parquet")
    table = pq.read_table(tmp_path / "in.parquet")
    for read in (DROP, KEEP):
        run(tmp_path / "in.parquet", tmp_path / "out.parquet", read=read, overwrite=True)
        out = pq.read_table(tmp_path / "out.parquet")
        assert out.select([0, 1]).equals(table.select([0, 3]), check_metadata=True)
        assert out["sentiment"].to_pylist() == ["odd", "even"]
    run(tmp_path / "in.parquet", tmp_path / "out.csv", read=DROP)
    assert (tmp_path / "out.csv").read_bytes().splitlines()[1] == b"1.00,[1],odd,0.142857"


def test_workbooks_keep_cells_and_titles(convert):
    sheet = workbook(A=[["A title", None, None], ["id", "text", "ok"], [1.5, "x", True], ["2", "xx", None]])
    out = convert(sheet, "in.xlsx", read=ReadOptions(drop=("text",), skip_lines=1))
    assert [row[:4] for row in cells_of(out)] == [
        ["A title", "", "", ""],
        ["id", "ok", "sentiment", "sentiment_score"],
        [1.5, True, "odd", 0.142857],
        ["2", "", "even", 0.285714],
    ]
    convert(sheet, "in.xlsx", ".csv", read=ReadOptions(keep=("ok",), skip_lines=1))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
def test_what_was_scored_is_scored_again(convert, tmp_path, suffix):
    out = convert(b"id,text\n1,x\n", target=suffix)
    again = convert(out, "in" + suffix, read=ReadOptions(drop=("sentiment", "sentiment_score")))
    assert again == out or suffix in (".parquet", ".xlsx")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("read", "message"),
    [
        (ReadOptions(drop=("id", "e")), "no column 'e'; the columns are 'id', 'text'; try another --drop"),
        (ReadOptions(keep=("ID",)), "no column 'ID'; the columns are 'id', 'text'; try another --keep"),
        (
            ReadOptions(drop=("id", "text")),
            "no column is left; the columns are 'id', 'text'; try --keep with one",
        ),
    ],
)
def test_unknown_names_are_refused(convert, suffix, read, message):
    data = b"id,text\n1,x\n" if suffix == ".csv" else b'{"id":1,"text":"x"}\n'
    with pytest.raises(DataError, match=message):
        convert(data, "in" + suffix, read=read)
    assert convert(b"", "in" + suffix, read=read) == b""


def test_a_key_that_only_a_late_record_has_is_known(convert):
    records = [{"id": number, "text": "x"} for number in range(3000)]
    records[-1]["email"] = "a@b"
    data = b"".join(orjson.dumps(record) + b"\n" for record in records)
    assert b"a@b" not in convert(data, "in.jsonl", read=ReadOptions(drop=("email",)))


def test_types_are_those_of_the_columns_that_are_kept(convert, tmp_path, caplog):
    for suffix, data in (
        (".csv", b"n,m,text\n1,1,x\n2,z,x\n"),
        (".jsonl", b'{"n":1,"m":1,"text":"x"}\n{"text":"x","m":"z"}'),
    ):
        convert(data, "in" + suffix, ".parquet", read=ReadOptions(drop=("m", "text")))
        assert [*map(str, pq.read_schema(tmp_path / "out.parquet").types)] == ["int64", "string", "double"]
    assert caplog.text == ""


LINES = 'id,text,sentiment,sentiment_score\n1,"é;,",odd,0.428571\n'


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (
            WriteOptions(output_delimiter=";"),
            'id;text;sentiment;sentiment_score\n1;"é;,";odd;0.428571\n'.encode(),
        ),
        (
            WriteOptions(output_delimiter=r"\t", output_encoding="cp1252"),
            "id\ttext\tsentiment\tsentiment_score\n1\té;,\todd\t0.428571\n".encode("cp1252"),
        ),
        (WriteOptions(output_encoding="utf-8-sig"), LINES.encode("utf-8-sig")),
        (WriteOptions(output_encoding="utf-16"), LINES.encode("utf-16")),
    ],
)
@pytest.mark.parametrize("source", ["in.csv", "in.jsonl", "in.parquet"])
def test_the_dialect_of_the_output(convert, tmp_path, source, write, expected):
    data = 'id,text\n1,"é;,"\n' if source == "in.csv" else '{"id":1,"text":"é;,"}\n'
    data = data.encode()
    if source == "in.parquet":
        pq.write_table(pa.table({"id": [1], "text": ["é;,"]}), tmp_path / "table.parquet")
        data = (tmp_path / "table.parquet").read_bytes()
    assert convert(data, source, ".csv", write=write) == expected


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx", ".txt"])
def test_a_character_that_the_encoding_does_not_have_costs_one_row(convert, rejects, tmp_path, suffix):
    texts = ["x", "\u65e5", "é"]
    pq.write_table(pa.table({"text": texts}), tmp_path / "table.parquet")
    data = {
        ".csv": "\n".join(["text", *texts]).encode(),
        ".jsonl": "\n".join(f'{{"text":"{text}"}}' for text in texts).encode(),
        ".parquet": (tmp_path / "table.parquet").read_bytes(),
        ".xlsx": workbook(A=[["text"], *([text] for text in texts)]),
        ".txt": "\n".join(texts).encode(),
    }[suffix]
    read = ReadOptions(format="lines") if suffix == ".txt" else None
    out = convert(data, "in" + suffix, ".csv", read=read, write=WriteOptions(output_encoding="cp1252"))
    assert [line.split(b",")[0] for line in out.splitlines()] == [b"text", b"x", b"\xe9"]
    (found,) = rejects()
    assert found["reason"] == "'\u65e5' is not in cp1252; try --output-encoding utf-8"
    dropped = ReadOptions(drop=("text",))
    if suffix == ".csv":
        data = b"id," + data.replace(b"\n", b"\n1,")
        out = convert(data, read=dropped, write=WriteOptions(output_encoding="cp1252"))
        assert out.count(b"\n") == 4


def test_a_delimiter_that_quotes_is_refused(convert):
    with pytest.raises(UsageError, match="--output-delimiter '\"' also quotes or escapes"):
        convert(b"text\nx\n", write=WriteOptions(output_delimiter='"'))
    with pytest.raises(UsageError, match="--output-delimiter is ';;'; it has to be one character"):
        WriteOptions(output_delimiter=";;")
    with pytest.raises(UsageError, match="--output-encoding 'klingon' is not one"):
        WriteOptions(output_encoding="klingon")
