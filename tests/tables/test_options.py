"""Options of tables, and the formats that have them."""

import re
import shlex
import sqlite3
from contextlib import closing

import pytest

from sentcli.errors import UsageError
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions
from sentcli.tables.registry import FORMATS, SUFFIXES, check_options, format_of, get_format, suffix_of


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (ReadOptions, {"delimiter": ",,"}, "--delimiter is ',,'"),
        (ReadOptions, {"delimiter": "\n"}, "--delimiter is"),
        (ReadOptions, {"quotechar": "''"}, '--quotechar is "'),
        (ReadOptions, {"quotechar": "\r"}, "--quotechar is"),
        (ReadOptions, {"escapechar": "^^"}, r"--escapechar is .\^\^.; it has to be one character"),
        (ReadOptions, {"escapechar": ";", "delimiter": ";"}, "--escapechar ';' is also the --delimiter"),
        (ReadOptions, {"header": False, "skip_rows": 1}, "with --no-header, use --skip-lines"),
        (ReadOptions, {"encoding": "unicode_escape"}, "not one of Python's text encodings"),
        (ReadOptions, {"encoding": "a\0b"}, "not one of Python's text encodings"),
        (ReadOptions, {"delimiter": '"'}, "--delimiter and --quotechar are both"),
        (ReadOptions, {"max_row_bytes": 0}, "--max-row-bytes is 0"),
        (ReadOptions, {"max_row_bytes": 1 << 31}, "--max-row-bytes is 2147483648"),
        (ReadOptions, {"skip_lines": -1}, "--skip-lines is -1"),
        (ReadOptions, {"encoding": "rot13"}, "--encoding 'rot13' is not one of Python's text encodings"),
        (WriteOptions, {"prefix": "\ud800"}, r"--prefix '\\ud800': it has"),
        (RejectOptions, {"path": "-"}, "--rejects takes the name of a file"),
        (RejectOptions, {"path": "a.gz"}, "--rejects 'a.gz': rejected rows are not compressed"),
        (RejectOptions, {"limit": "many"}, "--max-rejects is 'many'"),
    ],
)
def test_an_invalid_value_is_refused_by_the_name_of_its_option(kind, options, message):
    with pytest.raises(UsageError, match=message):
        kind(**options)


@pytest.mark.parametrize(
    ("limit", "rejected", "is_exceeded"),
    [(None, 100, False), ("0", 1, True), ("5", 5, False), ("0.5%", 1, True), ("1%", 1, False)],
)
def test_too_many_rejects(limit, rejected, is_exceeded):
    assert RejectOptions(limit=limit).exceeded(rejected, 100) == is_exceeded


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"), ("A.TSV.GZ", "tsv"), ("a.tab", "tsv"), ("a.ndjson.zst", "jsonl"),
        ("a.pq", "parquet"), ("s3://b/a.parquet", "parquet"), ("https://h/a.txt.gz?x=1.csv", "lines"),
    ],
)  # fmt: skip
def test_a_suffix_tells_the_format(name, form):
    assert format_of(name, "input_format") == form
    assert suffix_of(name) in SUFFIXES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a.xls",
            "a.xls: .xls is not a supported format; try: sentcli score a.xls --input-format xlsx -o OUT.xlsx",
        ),
        ("my a.zip", "; an archive is read on disk, try: sentcli score NAME.zip -o OUT/"),
        ("a.tar.gz", "a.tar.gz: .tar is not a supported format; try: tar -xOf a.tar.gz | sentcli score"),
        ("a.db", """try: sqlite3 -header -csv a.db 'SELECT * FROM "TABLE"' | sentcli score"""),
        (
            "a.duckdb",
            "duckdb a.duckdb -c \"EXPORT DATABASE 'OUT' (format parquet)\" && sentcli score OUT -o X",
        ),
        (
            "a b.pkl",
            "pandas.read_pickle(sys.argv[1]).to_parquet(\"OUT.parquet\")' 'a b.pkl' && sentcli score",
        ),
        (
            "a.avro",
            'polars.read_avro(sys.argv[1]).write_parquet("OUT.parquet")\' a.avro && sentcli score OUT',
        ),
        ("a.html", "csv.writer(out).writerows(.*' a.html && sentcli score OUT.csv"),
        ("tweets.js", 'sed "1s/^[^[]*//" tweets.js | sentcli score --input-format json'),
        ("a.csv.zip", ".zip is not a supported format; an archive is read on disk, try: "),
        (
            "a.dat",
            "what format is .dat.*--input-format with one of csv, tsv, jsonl, json, parquet, arrow, orc",
        ),
        ("a", "what format is this.*--input-format"),
    ],
)
def test_a_suffix_of_no_format_is_refused_with_a_way_out(name, message):
    with pytest.raises(UsageError, match=re.escape(message).replace(r"\.\*", ".*")):
        format_of(name, "input_format")
    with pytest.raises(UsageError, match=r"what format .* csv, tsv, jsonl, json, parquet, xlsx, lines$"):
        format_of(name, "output_format")
    assert suffix_of(name) not in SUFFIXES


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b" \n<HTML>", "html.unescape"),
        (b"\xef\xbb\xbf<table>", "html.unescape"),
        (b"id\ttext\n1\tx\n", "--input-format csv -o OUT.csv"),
        (b"<?xml?><Workbook>", "--input-format xlsx"),
        (b"PK\x03\x04" + 26 * b"\0" + b"xl/", "--input-format xlsx"),
        (b"", "--input-format xlsx"),
    ],
)
def test_the_first_bytes_say_what_is_called_a_workbook(tmp_path, content, hint):
    (tmp_path / "a.xls").write_bytes(content)
    with pytest.raises(UsageError, match=hint):
        format_of(str(tmp_path / "a.xls"), "input_format")


@pytest.mark.parametrize(
    ("tables", "table"),
    [
        ({"users": "id", "a b": "id, review_text", "reviews": "id, text"}, "a b"),
        ({'q"': "id", "z": "id"}, 'q"'),
        ({"only": "notes"}, "only"),
    ],
)
def test_the_command_for_sqlite_names_a_table_that_exists(tmp_path, tables, table):
    path = tmp_path / "my shop?.sqlite"
    with closing(sqlite3.connect(path)) as database:
        for name, columns in tables.items():
            database.execute(f"CREATE TABLE {quoted(name)} ({columns})")
        before = path.read_bytes()
    with pytest.raises(UsageError) as error:
        format_of(str(path), "input_format")
    program, *words, bar, sentcli, _, _, _, _, _ = shlex.split(str(error.value).partition("try: ")[2])
    assert (program, words[:2], bar, sentcli) == ("sqlite3", ["-header", "-csv"], "|", "sentcli")
    assert words[2:] == [str(path), f"SELECT * FROM {quoted(table)}"]
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as database:
        database.execute(words[-1])


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def test_the_formats_are_listed_for_a_name_of_none():
    with pytest.raises(
        UsageError,
        match="'xml'; the formats are csv, tsv, jsonl, json, parquet, arrow, orc, xlsx, lines, mail",
    ):
        get_format("xml")
    assert [get_format(name).suffixes[0] for name in FORMATS[:-1]] == [
        ".csv",
        ".tsv",
        ".jsonl",
        ".json",
        ".parquet",
        ".arrow",
        ".orc",
        ".xlsx",
        ".txt",
        ".mbox",
    ]
    assert get_format(FORMATS[-1]).suffixes == ()  # documents


@pytest.mark.parametrize(
    ("form", "options", "flag"),
    [
        ("jsonl", {"delimiter": ";"}, "delimiter"),
        ("parquet", {"encoding": "latin-1"}, "encoding"),
        ("lines", {"text_column": "a"}, "text-column"),
        ("jsonl", {"header": False}, "no-header"),
    ],
)
def test_an_option_that_a_format_does_not_have_is_refused(form, options, flag):
    with pytest.raises(UsageError, match=f"--{flag} does not apply to {form} input, such as a.x"):
        check_options(ReadOptions(format=form, **options), "a.x")
    check_options(ReadOptions(max_row_bytes=5, format=form), "a.x")


def test_each_label_has_a_column_for_its_probability():
    write = WriteOptions(prefix="new_")
    assert [column.name for column in write.columns(["Bad", "good, 1"])] == [
        *("new_sentiment", "new_sentiment_score", "new_probability_Bad", "new_probability_good, 1"),
    ]
    with pytest.raises(UsageError, match="only in case, which SQL ignores: the labels are no, No, yes"):
        write.columns(["no", "No", "yes"])


def test_messages_for_python_name_its_arguments(monkeypatch):
    monkeypatch.setattr("sentcli.errors._flags", False)
    with pytest.raises(UsageError, match=r"^delimiter is ',,'; it has to be one character"):
        ReadOptions(delimiter=",,")
    with pytest.raises(UsageError, match=r"^a.dat: what format is .dat\? Add read.format with one of csv, "):
        format_of("a.dat", "input_format")
