import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
import time

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jobs import ParityScorer, read_chunks, run_job

from sentcli.errors import DataError, OutputError, UsageError
from sentcli.tables.line_reader import PAUSE
from sentcli.tables.options import ReadOptions, WriteOptions

HEADER = b"id,text\n"
ADDED = b"id,text,sentiment,sentiment_score\n"
ODD, EVEN = b",odd,0.142857", b",even,0.285714"  # of the texts "x" and "xx"


def test_other_columns_come_back_to_the_byte(convert):
    values = ["001", "1.0", "+1", "-0", "NA", "null", "TRUE", "1e5", "2024-01-01", "1" * 40, "nul\0", " x  "]
    out = convert(HEADER + b"".join(value.encode() + b",xx\n" for value in values))
    assert out == ADDED + b"".join(value.encode() + b",xx" + EVEN + b"\n" for value in values)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b"\xef\xbb\xbf", b"\xef\xbb\xbf"),
        (b"\r\n\n", b"\r\n\n"),
        (b"id,text", b"id,text,sentiment,sentiment_score"),
        (HEADER, ADDED),
        (b"\xef\xbb\xbf" + HEADER + b"1,x\n", b"\xef\xbb\xbf" + ADDED + b"1,x" + ODD + b"\n"),
        (b'\xef\xbb\xbf"id",text\n1,x', b'\xef\xbb\xbf"id",text,sentiment,sentiment_score\n1,x' + ODD),
        (b"text\r\nx\r\n", b"text,sentiment,sentiment_score\r\nx" + ODD + b"\r\n"),
        (b"text\rx\r", b"text,sentiment,sentiment_score\rx" + ODD + b"\r"),
        (HEADER + b"1,x\r2,x\r\n3,x", ADDED + b"1,x" + ODD + b"\r2,x" + ODD + b"\r\n3,x" + ODD),
        (HEADER + b"1,\n2,  \n", ADDED + b"1,,,\n2,  ,,\n"),
        (
            b"\n\ntext\n\nx\n\n\nx\n\n",
            b"\n\ntext,sentiment,sentiment_score\n\nx" + ODD + b"\n\n\nx" + ODD + b"\n\n",
        ),
        (
            b"\xef\xbb\xbf" + b"\n" * 600 + b"text\nx\n",
            b"\xef\xbb\xbf" + b"\n" * 600 + b"text,sentiment,sentiment_score\nx" + ODD + b"\n",
        ),
        (HEADER + b'1,"x\nx"\n', ADDED + b'1,"x\nx",odd,0.428571\n'),
        (HEADER + b'1,"a ""b"""\n', ADDED + b'1,"a ""b""",odd,0.714286\n'),
        (b"id,id,text\n1,2,x\n", b"id,id,text,sentiment,sentiment_score\n1,2,x" + ODD + b"\n"),
        (HEADER + b'1,5" pipe\n', ADDED + b'1,5" pipe,odd,0.000000\n'),
        (HEADER + b"1,nul\0\n", ADDED + b"1,nul\0,even,0.571429\n"),
    ],
)
def test_shapes(convert, data, expected):
    assert convert(data) == expected


def test_ten_thousand_columns(convert):
    names = ",".join(f"c{number}" for number in range(9999)) + ",text"
    row = "1," * 9999 + "x"
    out = convert(f"{names}\n{row}\n".encode()).decode()
    assert out == f"{names},sentiment,sentiment_score\n{row},odd,0.142857\n"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"1\n", "1 field instead of 2"),
        (b"1,2,3\n", "3 fields instead of 2"),
        (b'1,"a"b\n', "text after a closing quote"),
        (b"1,\xff\n", "byte 0xff at offset 18 is not utf-8; is it another --encoding?"),
        (b'1,"a\n\xc3"\n', "byte 0xc3 at offset 21 is not utf-8; is it another --encoding?"),
        (b"1," + b"y" * 200 + b"\n", "longer than 100 bytes; try a higher --max-row-bytes"),
        (b"1," + b"y" * 99 + b"\n", "longer than 100 bytes; try a higher --max-row-bytes"),
        (b'1,"\n', "a quote is not closed within the 100 bytes of --max-row-bytes"),
        (b'1,"' + b"y\n" * 60 + b'"\n', "a quote is not closed within the 100 bytes of --max-row-bytes"),
    ],
)
def test_a_bad_record_is_rejected_and_its_neighbours_are_scored(convert, rejects, bad, reason):
    after = b"".join(b"%d,xx\n" % number for number in range(100, 140))
    out = convert(HEADER + b"1,x\n2,x\n" + bad + after, read=ReadOptions(max_row_bytes=100))
    assert out.startswith(ADDED + b"1,x" + ODD + b"\n2,x" + ODD + b"\n")
    assert out.count(EVEN) == 40
    found = rejects()
    assert (found[0]["line"], found[0]["offset"], found[0]["reason"]) == (4, 16, reason)
    if b"\xff" in bad or b"\xc3" in bad:
        assert list(found[0])[-1] == "raw_base64"
    else:
        assert "".join(entry["raw"] for entry in found).encode() == bad
    offsets = [entry["offset"] for entry in found]
    assert all((HEADER + b"1,x\n2,x\n" + bad)[offset:] for offset in offsets)


def test_a_quote_that_is_never_closed_costs_one_line(convert, rejects):
    rows = b"".join(b"%d,xx\n" % number for number in range(5000))
    out = convert(HEADER + b'0,"open\n' + rows)
    assert out.count(EVEN) == 5000
    (found,) = rejects()
    assert (found["line"], found["raw"], found["reason"]) == (2, '0,"open\n', "a quote is not closed")


@pytest.mark.parametrize("long", [b"y" * 200_000, b'"%b"' % (b"y" * 200_000), b'"%b\n"' % (b"y" * 199_999)])
def test_a_field_may_be_longer_than_the_csv_module_takes_by_itself(convert, long):
    out = convert(HEADER + long + b",x\n1," + long + b"\n")
    assert out.startswith(ADDED + long + b",x" + ODD + b"\n1," + long + b",even,")


def test_an_open_quote_holds_up_no_more_than_the_limit(tmp_path, monkeypatch):
    """The rows behind it are given before the rest is read, not at the end of a file of any size."""
    monkeypatch.setattr("sentcli.files.source._BLOCK", 500)
    monkeypatch.setattr("sentcli.tables.chunk.CHUNK_ROWS", 1)
    (tmp_path / "in.csv").write_bytes(HEADER + b'1,"open\n' + b"2,x\n" * 25_000)
    options = ReadOptions(max_row_bytes=2000, text_column="text")
    first = next(iter(read_chunks(tmp_path / "in.csv", read=options)))
    assert [reject.reason for reject in first.rejects] == [
        "a quote is not closed within the 2000 bytes of --max-row-bytes"
    ]
    assert first.position.progress < 3 * 2000


def test_a_line_longer_than_the_limit_is_rejected_once_with_all_its_bytes(convert, rejects):
    long = b'1,"' + bytes(range(32, 127)) * 4 + b"\n"
    out = convert(HEADER + b"1,x\n" + long + b"2,x\n", read=ReadOptions(max_row_bytes=100))
    assert out == ADDED + b"1,x" + ODD + b"\n2,x" + ODD + b"\n"
    assert "".join(entry["raw"] for entry in rejects()).encode() == long
    assert {entry["line"] for entry in rejects()} == {3}


def test_lines_are_counted_as_an_editor_counts_them(convert, rejects):
    convert(b'text,"i\nd"\n"a\nb\r\nc",1\n2\n\n3,"x\ny",z\n4\n')
    assert [entry["line"] for entry in rejects()] == [6, 8, 10]


def test_an_open_quote_before_an_overlong_line(convert, rejects):
    out = convert(HEADER + b'1,"x\n' + b"y" * 150 + b"\n2,x\n", read=ReadOptions(max_row_bytes=100))
    assert out == ADDED + b"2,x" + ODD + b"\n"
    assert [entry["line"] for entry in rejects()] == [2, 3]


_READ = """
import sys
from sentcli.files.source import Source, inspect_input
from sentcli.tables.chunk import Cursor
from sentcli.tables.csv import read
from sentcli.tables.open import open_table
from sentcli.tables.options import ReadOptions

rows = rejects = 0
with Source(inspect_input(sys.argv[1])) as source:
    table = open_table(source, ReadOptions(format="csv", max_row_bytes=6 << 20))
    cursor = Cursor()
    cursor.open(source)
    for chunk in read(source, table, cursor):
        rows += len(chunk.texts)
        rejects += len(chunk.rejects)
print(rows, rejects, open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.linux
def test_an_open_quote_before_many_short_rows_takes_little_memory(tmp_path):
    path = tmp_path / "in.csv"
    path.write_bytes(HEADER + b'1,"good\n' + b"1,bad\n" * 1_100_000)  # longer than the limit of a row
    result = subprocess.run([sys.executable, "-c", _READ, path], capture_output=True, check=True)
    rows, rejects, kibibytes = map(int, result.stdout.split())
    assert (rows, rejects) == (1_100_000, 1)
    assert kibibytes < 160 << 10


def test_a_header_whose_quote_stays_open_is_not_read_to_the_end(convert, monkeypatch):
    monkeypatch.setattr("sentcli.tables.csv_header._MOST_LINES", 2)
    monkeypatch.setattr("sentcli.files.source._BLOCK", 14)
    with pytest.raises(DataError, match="the first record cannot be read: a quote is not closed"):
        convert(b'id,"text\n1,x\n2,y\n3",z\n')


def test_quotes_made_to_be_scanned_again_and_again_end_in_an_error(convert):
    started = time.monotonic()
    with pytest.raises(DataError, match="too many quotes are not closed"):
        convert(b"text\n" + b'",a",",\n' * 100_000, read=ReadOptions(max_row_bytes=1000))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        *(
            (data, r"; is it another --encoding[,?]")
            for data in (b"id,\xff\n" + b"1,x\n" * 20, b'id,"a"b\n1,x\n', b'"\n')
        ),
        (b"y" * 200 + b"\n1,x\n", "; try a higher --max-row-bytes$"),
    ],
)
def test_a_header_that_cannot_be_read_is_an_error(convert, data, hint):
    with pytest.raises(DataError, match=f"the first record cannot be read: [^;]*{hint}"):
        convert(data, read=ReadOptions(max_row_bytes=100))


@pytest.mark.parametrize("encoding", ["utf-16", "cp037"])
def test_an_encoding_in_which_the_whole_file_is_the_header_is_refused(convert, encoding):
    data = b"review,id\n" + b"good,1\n" * 4
    for has_header in (True, False):
        with pytest.raises(DataError, match="all of it would be the first record; is it another --encoding"):
            convert(data, read=ReadOptions(encoding=encoding, header=has_header))
    header = "review,id".encode(encoding)
    assert convert(header, read=ReadOptions(encoding=encoding)).startswith(header)


def test_the_other_byte_order_is_told_and_a_header_alone_is_none(convert):
    marked = "\ufefftext\nx\n".encode("utf-16-le")
    with pytest.raises(DataError, match="in utf-16-be all of it would be the first record"):
        convert(marked, read=ReadOptions(encoding="utf-16-be"))
    name = "\ufeff上映".encode("utf-16-le")  # which has the byte of a line feed
    assert convert(name, read=ReadOptions(encoding="utf-16")).startswith(name)


@pytest.mark.parametrize("encoding", ["iso2022_jp", "iso2022_kr", "hz", "utf-7", "raw_unicode_escape"])
def test_encodings_whose_lines_cannot_be_read_alone_are_refused(convert, encoding):
    data = "text\n한국어\n" if encoding == "iso2022_kr" else "text\n日本\n"
    with pytest.raises(
        UsageError, match=r"--encoding .*lines cannot be read alone; convert the file to UTF-8"
    ):
        convert(data.encode(encoding), read=ReadOptions(encoding=encoding))


def test_a_quote_may_be_the_delimiter_where_nothing_is_quoted(convert):
    out = convert(b'id"text\n1"xx\n', read=ReadOptions(delimiter='"', quotechar="", text_column="text"))
    assert out.splitlines()[1] == b'1"xx"even"0.285714'


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-be", "utf-32", "cp500", "gb18030"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings(convert, encoding, end):
    text = "これは" if encoding in ("gb18030",) else "año"
    lines = ["id,text", f'1,"{text}{end}z"', f"2,{text}", ""]
    data = end.join(lines).encode(encoding)
    length = len(text) + len(end) + 1
    label = ("even", "odd")[length % 2]
    expected = [
        "id,text,sentiment,sentiment_score",
        f'1,"{text}{end}z",{label},{length % 7 / 7:.6f}',
        f"2,{text},odd,{3 / 7:.6f}",
        "",
    ]
    assert convert(data, read=ReadOptions(encoding=encoding)) == end.join(expected).encode(encoding)


def test_a_byte_of_a_character_is_no_delimiter(convert):
    data = "id|text\n1|ポポ\n".encode("shift_jis")  # the second byte of the letter is that of |
    out = convert(data, read=ReadOptions(encoding="shift_jis", delimiter="|"))
    assert out.decode("shift_jis").splitlines()[1] == "1|ポポ|even|0.285714"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_texts_keep_their_order_where_some_lie_in_blocks_and_others_do_not(tmp_path, encoding):
    kinds = ['"{} of\ntwo lines"', "plain {}", "é {}", '"quoted, {}"', "{}", ""]
    # Each kind alone, and many of one kind together.
    fields = [kinds[number % 6 if number % 100 < 30 else 1 + number // 100 % 4] for number in range(5000)]
    records = [f"{number},{field.format(number)}\n" for number, field in enumerate(fields)]
    records[::50] = [f"{record}\n" for record in records[::50]]  # blank lines
    data = "".join(["id,text\n", *records]).encode(encoding)
    (tmp_path / "in.csv").write_bytes(data)
    expected = [row[1] for row in csv.reader(io.StringIO(data.decode(encoding))) if row][1:]
    read = ReadOptions(encoding=encoding)
    chunks = read_chunks(tmp_path / "in.csv", read=read)
    assert [text for chunk in chunks for text in chunk.texts] == expected
    run_job(tmp_path / "in.csv", tmp_path / "out.csv", read=read)
    scored = (tmp_path / "out.csv").read_bytes().replace(b",sentiment,sentiment_score", b"")
    assert re.sub(rb",(even|odd|),(0\.[0-9]{6}|)(?=\r?\n|$)", b"", scored) == data


@pytest.mark.parametrize("few", [1, 40])
def test_rows_between_others_come_back_in_their_places(convert, few):
    """Whether they are few, and taken one by one, or many."""
    plain = b"".join(b"%d,xx\n" % number for number in range(few))
    odd = b'7,"x\nx"\n'
    scored, scored_odd = plain.replace(b"\n", EVEN + b"\n"), b'7,"x\nx",odd,0.428571\n'
    assert convert(HEADER + plain + odd + b"\n" + plain + odd + plain) == b"".join(
        [ADDED, scored, scored_odd, b"\n", scored, scored_odd, scored]
    )


@pytest.mark.parametrize("name", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["-le", "-be"])
def test_without_a_mark_a_letter_decides_the_order(convert, name, order):
    data, expected = "text\nxx\n", "text,sentiment,sentiment_score\nxx" + EVEN.decode() + "\n"
    out = convert(data.encode(name + order), read=ReadOptions(encoding=name))
    assert out == expected.encode(name + order)


def test_a_separator_that_numbers_have_is_quoted(convert):
    options = ReadOptions(delimiter=".", text_column="text")
    assert convert(b"id.text\n1.xx\n1.\n", read=options).splitlines()[1:] == [
        b'1.xx.even."0.285714"',
        b"1...",
    ]
    options = ReadOptions(quotechar="0", text_column="text")
    assert convert(b"id,text\n1,xx\n", read=options).splitlines()[1] == b"1,xx,even,000.2857140"
    options = ReadOptions(delimiter=".", quotechar="", text_column="text")
    with pytest.raises(OutputError, match="cannot be written without quotes"):
        convert(b"id.text\n1.xx\n", read=options)


def test_half_a_code_unit_is_rejected(convert, rejects):
    data = "text\nxx\n".encode("utf-16-le")
    out = convert(data + b"\x41", read=ReadOptions(encoding="utf-16-le"))
    assert out == "text,sentiment,sentiment_score\nxx,even,0.285714\n".encode("utf-16-le")
    assert rejects()[0]["reason"] == "byte 0x41 at offset 16 is not utf-16-le"


def test_dialects(convert):
    options = ReadOptions(delimiter=";", quotechar="'", text_column="b;c")
    out = convert(b"a;'b;c'\n1;'x;'\n", read=options, write=WriteOptions(prefix="a;'"))
    assert out == b"a;'b;c';'a;''sentiment';'a;''sentiment_score'\n1;'x;';even;0.285714\n"
    assert convert(b"a\ttext\n1\txx\n", "in.tsv") == (
        b"a\ttext\tsentiment\tsentiment_score\n1\txx\teven\t0.285714\n"
    )
    assert (
        convert(b"a|text\n1|xx\n", read=ReadOptions(delimiter="|")).splitlines()[1] == b"1|xx|even|0.285714"
    )
    tab = ReadOptions(delimiter="\\t")
    assert convert(b"a\ttext\n1\txx\n", read=tab).splitlines()[1] == b"1\txx\teven\t0.285714"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("in.csv", b'id;review;price\n1;"a great; film";0,83\n', "';'"),
        ("in.csv", b"id\treview\r\n1\ta, b\r\n", "'\\t'"),
        ("in.csv", b'review|"a\nb"\nx|1\n\n', "'|'"),
        ("in.csv", b"id;review\n", "';'"),
        ("in.tsv", b"id,review\n1,x\n", ","),
        ("in.tsv", b"id;review\n1;x\n", "';'"),
    ],
)
@pytest.mark.parametrize("text_column", [None, "review"])
def test_a_plain_delimiter_is_taken_and_said(convert, caplog, name, data, said, text_column):
    out = convert(data, name, read=ReadOptions(text_column=text_column))
    assert f"in{name[2:]}: read with --delimiter {said}" in caplog.text
    assert out == convert(data, name, read=ReadOptions(delimiter=said.strip("'")))


@pytest.mark.parametrize("data", [b"a;text\n1;2;3\n", b'a;text\n1;"x\n', b"a;text\nx\n"])
def test_a_doubted_delimiter_is_asked_for(convert, tmp_path, data):
    with pytest.raises(
        DataError, match=r"the columns are 'a;text'; is it another --delimiter\? If not, add "
    ):
        convert(data)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_the_rows_of_a_pipe_decide_on_the_delimiter(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")

    def write():
        with (tmp_path / "pipe.csv").open("wb", buffering=0) as file:
            for line in (b"id;text\n", b"1;x\n"):
                file.write(line)
                time.sleep(2 * PAUSE)

    writer = threading.Thread(target=write)
    writer.start()
    assert [text for chunk in read_chunks(tmp_path / "pipe.csv") for text in chunk.texts] == ["x"]
    writer.join()


@pytest.mark.parametrize("mark", [";", "\t", "|"])
@pytest.mark.parametrize("header", ['"";"id";"text";"stars"', '"1, 2";id;text;"a ""b"""', "a;b;text;d"])
def test_a_delimiter_of_quoted_fields_and_decimal_commas_is_found(convert, caplog, mark, header):
    """As R's `write.csv2` and spreadsheets of countries with decimal commas write them."""
    rows = [f'"{n}";{n};"ab, ""c""{mark}\n{n}";{n},5' for n in range(5)]
    data = "\n".join([header, *rows]).replace(";", mark).encode() + b"\n"
    out = convert(data)
    assert out.count(b"odd") + out.count(b"even") == 5
    assert len(caplog.messages) == 1
    assert "in.csv: read with --delimiter" in caplog.text
    assert convert(data.splitlines(keepends=True)[0]).count(b"\n") == 1


def test_a_bad_row_does_not_hide_the_delimiter(convert, rejects):
    data = b'"id";"text"\n1;"x"\n2;"x" y\n3;"x"\n'
    assert convert(data).count(b"odd") == 2
    assert [entry["line"] for entry in rejects()] == [3]


def test_a_comma_that_divides_the_records_alike_is_the_delimiter(convert, caplog):
    assert convert(b"a;b,text\n1;2,x\n3,x\n").count(b"odd") == 2
    assert caplog.text == ""
    read = ReadOptions(delimiter=",", text_column="a;text")
    assert convert(b"id,a;text\n1,a;x\n2;x,b,c\n", read=read).count(b"odd") == 1
    assert "--delimiter" not in caplog.text


@pytest.mark.parametrize("encoding", [None, "auto"])
def test_delimiter_and_encoding_are_found_and_said(convert, caplog, encoding):
    data = "größe;Text\n1;sch\xf6n\n".encode("cp1252")
    assert convert(data, read=ReadOptions(encoding=encoding)).splitlines()[1] == b"1;sch\xf6n;odd;0.714286"
    assert "in.csv: read as cp1252" in caplog.text
    assert "in.csv: read with --delimiter ';'" in caplog.text


def test_a_row_in_another_encoding_after_the_bytes_that_decide(convert, rejects, monkeypatch):
    monkeypatch.setattr("sentcli.tables.open._AUTO_BYTES", 8)
    monkeypatch.setattr("sentcli.files.source._BLOCK", 8)
    assert convert(b"id,text\n1,x\n2,sch\xf6n\n") == ADDED + b"1,x" + ODD + b"\n"
    assert rejects()[0]["reason"] == "byte 0xf6 at offset 17 is not utf-8; try --encoding cp1252"


@pytest.mark.parametrize("options", [{"delimiter": ","}, {"text_column": "good; bad"}])
def test_a_column_may_be_called_like_several(convert, options):
    out = convert(b"good; bad\nx\n", read=ReadOptions(**options))
    assert out == b"good; bad,sentiment,sentiment_score\nx" + ODD + b"\n"


def test_a_header_that_may_be_a_text_is_told_of(convert, caplog):
    first = b"a great film"
    convert(first + b"\nso bad\n")
    told = "the first line, 'a great film', is taken for the header; if it is a text, add --no-header"
    assert told in caplog.text
    caplog.clear()
    convert(first + b"\nso bad\n", read=ReadOptions(header=False))
    convert(first + b"\nso bad\n", read=ReadOptions(text_column=first.decode()))
    convert(b"Text\na good film\n")
    convert(b"the text of the review,Text\na great film,x\n")
    assert caplog.text == ""


def test_a_text_without_a_header_may_hold_any_delimiter_but_tabs(convert):
    assert convert(b"x; x|x\n", read=ReadOptions(header=False)) == b"x; x|x,even,0.857143\n"
    assert convert(b"1\txx yy zz\n", read=ReadOptions(header=False)) == b"1\txx yy zz\teven\t0.142857\n"


@pytest.mark.parametrize(("name", "quotechar"), [("in.csv", ","), ("in.tsv", "\t")])
def test_a_quotechar_that_is_the_delimiter_is_refused(convert, tmp_path, name, quotechar):
    with pytest.raises(UsageError, match="--delimiter and --quotechar are both"):
        convert(b"text\nx\n", name, read=ReadOptions(quotechar=quotechar))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_comma_may_be_the_quotechar_of_tsv(convert):
    out = convert(b"id\ttext\n1\t,x,\n", "in.tsv", read=ReadOptions(quotechar=","))
    assert out == b"id\ttext\tsentiment\tsentiment_score\n1\t,x,\todd\t0.142857\n"


def test_no_quoting_at_all(convert):
    options = ReadOptions(quotechar="")
    assert convert(b'id\ttext\n1\t"x\n', "in.tsv", read=options).splitlines()[1] == b'1\t"x\teven\t0.285714'
    with pytest.raises(OutputError, match="cannot be written without quotes"):
        convert(b"text\nx\n", read=options, write=WriteOptions(prefix=","))


def test_inputs_of_another_encoding_do_not_fit_one_output(run, tmp_path):
    for order in ("le", "be"):
        (tmp_path / f"{order}.csv").write_bytes("\ufefftext\nx\n".encode(f"utf-16-{order}"))
    with pytest.raises(DataError, match=r"be\.csv: the encoding is utf-16-be, not that of the first"):
        run(
            [tmp_path / "le.csv", tmp_path / "be.csv"],
            tmp_path / "out.csv",
            read=ReadOptions(encoding="utf-16"),
        )
    assert not (tmp_path / "out.csv").exists()


def test_of_several_inputs_the_encoding_is_that_of_the_first_or_values_are_written(run, tmp_path):
    texts = {"ascii": "x", "utf-8": "schön", "cp1252": "größer"}
    for encoding, text in texts.items():
        (tmp_path / f"{encoding}.csv").write_bytes(f"text\n{text}\n".encode(encoding))
    names = {name: tmp_path / f"{name}.csv" for name in texts}
    for encoding in ("utf-8", "cp1252"):
        run([names[encoding], names["ascii"]], tmp_path / "out.csv", overwrite=True)
        assert texts[encoding].encode(encoding) in (tmp_path / "out.csv").read_bytes()
    with pytest.raises(
        DataError, match=r"cp1252\.csv: the encoding is cp1252, not .*, utf-8; for an output each"
    ):
        run([names["utf-8"], names["cp1252"]], tmp_path / "out.csv", overwrite=True)
    run([*names.values()], tmp_path / "out.jsonl")
    found = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["text"] for line in found] == [*texts.values()]


def test_blank_lines_alone_do_not_come_between_inputs(run, tmp_path):
    parts = {"a.csv": b"\xef\xbb\xbf\n", "b.csv": b"text\nx\n", "c.csv": b"\xef\xbb\xbf\n"}
    for name, data in parts.items():
        (tmp_path / name).write_bytes(data)
    run([tmp_path / name for name in parts], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b"text,sentiment,sentiment_score\nx" + ODD + b"\n"


@pytest.mark.parametrize("blanks", [0, 1, 2])
def test_rows_that_go_out_in_several_pieces(convert, blanks):
    data, expected = [b"text\n"], [b"text,sentiment,sentiment_score\n"]
    for number in range(1100):
        gap = b"\n" * blanks if number % 256 in (0, 1, 255) else b""
        data.append(gap + b"x" * (number % 2 + 1) + b"\r\n")
        expected.append(gap + b"x" * (number % 2 + 1) + (EVEN if number % 2 else ODD) + b"\r\n")
    assert convert(b"".join(data)) == b"".join(expected)


def test_no_header(convert, rejects):
    options = ReadOptions(header=False, text_column="2")
    assert (
        convert(b"\xef\xbb\xbf1,x\n2,xx\n3\n", read=options)
        == b"\xef\xbb\xbf1,x" + ODD + b"\n2,xx" + EVEN + b"\n"
    )
    assert rejects()[0]["line"] == 3
    assert convert(b"x\n", read=ReadOptions(header=False)) == b"x" + ODD + b"\n"
    as_json = convert(b"1,x\n", target=".jsonl", read=options)
    assert as_json == b'{"1":"1","2":"x","sentiment":"odd","sentiment_score":0.142857}\n'
    assert convert(b"1,x\n", target=".tsv", read=options) == b"1\tx\todd\t0.142857\n"


def test_lines_before_the_header_go_out_as_they_came_in(convert, rejects):
    two = ReadOptions(skip_lines=2)
    preamble = b'\xef\xbb\xbf"Report, \xff\r\n\r\n'
    out = convert(preamble + b"text\nx\n1,2\n", read=two)
    assert out == preamble + b"text,sentiment,sentiment_score\nx" + ODD + b"\n"
    (reject,) = rejects()
    assert (reject["line"], reject["offset"]) == (5, len(preamble) + len(b"text\nx\n"))
    assert convert(preamble + b"text\nx\n", target=".tsv", read=two).startswith(b"text\tsentiment\t")
    bare = ReadOptions(skip_lines=1, header=False)
    assert convert(b"text\nx\n", read=bare) == b"text\nx" + ODD + b"\n"


@pytest.mark.parametrize("block", [1, 2, 5, 11])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_to_skip_may_come_in_pieces(convert, monkeypatch, block, end):
    data = end.join([b'of "x', b"", b"id,text", b"1,x", b'2,"a', b'b"', b""])
    two = ReadOptions(skip_lines=2)
    whole = convert(data, read=two)
    assert whole.startswith(data[: data.index(b"id")] + b"id,text,sentiment")
    monkeypatch.setattr("sentcli.files.source._BLOCK", block)
    assert convert(data, read=two) == whole


@pytest.mark.parametrize("lines", [b"", b"\xef\xbb\xbf", b"\n\n\n"])
def test_a_blank_file_comes_back_as_it_is_whatever_is_to_be_skipped(convert, lines):
    assert convert(lines, read=ReadOptions(skip_lines=2)) == lines


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("lines", [b"text\n", b"text\nx", b"\ntext\n", b"text\n\n"])
def test_rows_are_not_lost_among_the_lines_to_skip(convert, run, tmp_path, lines, header):
    three = ReadOptions(skip_lines=3, header=header)
    with pytest.raises(DataError, match="no header after the lines to skip; try a lower --skip-lines"):
        convert(lines, read=three)
    (tmp_path / "a.csv").write_bytes(b"1\n2\n3\ntext\nx\n")
    (tmp_path / "b.csv").write_bytes(lines)
    with pytest.raises(DataError, match=r"b\.csv: no header after the lines to skip"):
        run([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "o.csv", read=three)


def test_a_preamble_needs_no_rows_behind_it_but_a_header(convert):
    lines = b"of nothing\nso far\n"
    assert convert(lines, read=ReadOptions(skip_lines=2, header=False)) == lines
    assert convert(lines + b"text\n", read=ReadOptions(skip_lines=2)).startswith(lines + b"text,sentiment")
    with pytest.raises(DataError, match="no header after the lines to skip"):
        convert(lines, read=ReadOptions(skip_lines=2))


def test_lines_to_skip_are_those_of_each_input(run, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(f"of {name}\ntext\nx\n")
    run([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "o.csv", read=ReadOptions(skip_lines=1))
    row = b"x" + ODD + b"\n"
    assert (tmp_path / "o.csv").read_bytes() == b"of a\ntext,sentiment,sentiment_score\n" + 2 * row


def test_lines_to_skip_are_bounded(convert):
    with pytest.raises(DataError, match="no header in its first 1000 bytes"):
        convert(501 * b"a\n" + b"text\nx\n", read=ReadOptions(skip_lines=10**9, max_row_bytes=1000))
    with pytest.raises(UsageError, match="--skip-lines is -1; it has to be 0 or more"):
        ReadOptions(skip_lines=-1)


@pytest.mark.parametrize(("delimiter", "options"), [(b";", {}), (b";", {"delimiter": ";"}), (b"\t", {})])
def test_a_spreadsheets_note_of_the_delimiter_is_applied(convert, caplog, delimiter, options):
    data = b"sep=" + delimiter + b"\nn" + delimiter + b"text\n1" + delimiter + b"x\n"
    out = convert(data, read=ReadOptions(**options))
    assert f"in.csv: read with --delimiter {delimiter.decode()!r}" in caplog.text
    assert out == convert(data, read=ReadOptions(skip_lines=1, delimiter=delimiter.decode()))
    assert out.splitlines()[0] == b"sep=" + delimiter
    assert out.splitlines()[2] == delimiter.join([b"1", b"x", b"odd", b"0.142857"])
    assert convert(b"of\n\n" + data, read=ReadOptions(skip_lines=1, **options)) == b"of\n\n" + out
    assert convert(b"sep=" + delimiter + b"\n", read=ReadOptions(**options)) == b"sep=" + delimiter + b"\n"


def test_a_delimiter_that_the_user_names_counts_more_than_a_spreadsheets_note(convert):
    out = convert(b"sep=;\nn,text\n1,x\n", read=ReadOptions(delimiter=","))
    assert out == b"sep=;\nn,text,sentiment,sentiment_score\n1,x" + ODD + b"\n"


def test_a_line_like_a_spreadsheets_note_may_be_a_row(convert):
    assert convert(b"sep=;\n", read=ReadOptions(header=False)) == b"sep=;,odd,0.714286\n"


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        (b"a,b\n", {"text_column": "c"}, "no column 'c'; the columns are 'a', 'b'"),
        (b"text,Sentiment_Score\n", {}, "a column 'Sentiment_Score' already; try --prefix"),
        (b",".join(b"c%d" % n for n in range(30)) + b"\n", {}, "'c19' and 10 more"),
    ],
)
def test_columns_that_do_not_fit(convert, tmp_path, header, options, message):
    with pytest.raises(DataError, match=message):
        convert(header + b"1,x\n", read=ReadOptions(**options))
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        *((f"id,{name}", name) for name in ("text", "review", "content", "comment", "body", "sentence")),
        *(("id,Review", "Review"), ("id, TEXT ", " TEXT "), ("Text,text", "text"), ("review,Text", "Text")),
        *(("review,text", "text"), ("content,review", "review"), ("sentence,body,comment", "comment")),
    ],
)
def test_of_the_usual_names_the_most_usual_is_the_text(convert, columns, text):
    row = ",".join("x" if name == text else "xx" for name in columns.split(","))
    assert convert(f"{columns}\n{row}\n".encode()).endswith(row.encode() + ODD + b"\n")


def test_a_label_that_the_encoding_has_no_bytes_for(convert):
    with pytest.raises(OutputError, match=r"ñsentiment.* cannot be written in ascii"):
        convert(b"text\nx\n", read=ReadOptions(encoding="ascii"), write=WriteOptions(prefix="ñ"))


@pytest.mark.parametrize(("name", "data"), [("in.csv", b"text\nx\n"), ("in.txt", b"x\n")])
def test_a_label_that_cannot_be_written_ends_a_run_before_a_row_has_it(convert, name, data):
    read = ReadOptions(encoding="latin-1")
    assert convert(data, name, read=read, scorer=ParityScorer(given_labels=("é", "odd")))
    with pytest.raises(
        OutputError, match=r"中.*' cannot be written in iso8859-1.*; try --output-format jsonl"
    ):
        convert(data, name, read=read, scorer=ParityScorer(given_labels=("中", "odd")))
    assert convert(data, name, ".jsonl", read=read, scorer=ParityScorer(given_labels=("中", "odd")))


FIELD = st.text(st.characters(codec="utf-8") | st.sampled_from(',;"\n\r\t\0 '), max_size=12)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_table_is_scored_and_nothing_else_changes(convert, data):
    width = data.draw(st.integers(2, 4))
    rows = data.draw(st.lists(st.lists(FIELD, min_size=width, max_size=width), max_size=6))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "utf-8-sig"]))
    # Python's writer quotes both kinds of line breaks only where both end a line.
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    columns = ["text", *(f"c{number}" for number in range(width - 1))]
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator=end, quoting=quoting).writerows([columns, *rows])
    read = ReadOptions(encoding=encoding, text_column="text")
    out = convert(table.getvalue().encode(encoding), read=read).decode(encoding)
    found = list(csv.reader(io.StringIO(out, newline=""), strict=True))
    assert found[0] == [*columns, "sentiment", "sentiment_score"]
    assert [row[:-2] for row in found[1:]] == rows
    assert all((row[-2] == "") == (not row[0].strip()) for row in found[1:])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from([b"a", b'"', b",", b"\n", b"\r", b"\xff", b"\0", b"text", b"\xc3\xb1"]), max_size=40
    )
)
@example([b"a,text,a\n", b",,"])
@example([b"a,a,a\n", b",,"])
def test_any_bytes_keep_the_law(run, tmp_path_factory, pieces):
    folder = tmp_path_factory.mktemp("law")
    data = b"id,text\n" + b"".join(pieces)
    (folder / "in.csv").write_bytes(data)
    job = run(folder / "in.csv", folder / "out.csv", read=ReadOptions(encoding="utf-8"))
    out = (folder / "out.csv").read_bytes()
    assert out.startswith(ADDED)
    assert (folder / "out.csv.rejects.jsonl").exists() == bool(job.rejected)


def test_records_are_found_wherever_blocks_end(convert, monkeypatch):
    rows = [b"1,x\r\n", b'2,"x\r\nx"\r\n', b"\r\n", b'3,"\xc3\xb1""\n"\n', b"4\n", b'5,"a"b\n', b"6,x\r"]
    data = HEADER + b"".join(rows)
    expected = convert(data)
    for size in range(1, 24):
        monkeypatch.setattr("sentcli.files.source._BLOCK", size)
        assert convert(data) == expected


def test_blank_lines_before_the_header_are_not_gathered_without_end(convert):
    limit = ReadOptions(max_row_bytes=1000)
    lead = b"\n" * 1000
    assert (
        convert(lead + b"text\nx\n", read=limit) == lead + b"text,sentiment,sentiment_score\nx" + ODD + b"\n"
    )
    with pytest.raises(DataError, match="no header in its first 1000 bytes"):
        convert(lead + b"\ntext\nx\n", read=limit)


SURVEY = (  # SurveyMonkey: question texts and kinds of answers in two rows, of which the first is the header
    b'Respondent ID,"What did you like,\nand why?"\n,Open-Ended Response\n1,x\n2,xx\n'
)
QUALTRICS = (
    b'ResponseId,Q1\nResponse ID,"What did you like?\nPlease, be specific"\n'
    b'"{""ImportId"":""_recordId""}","{""ImportId"":""QID1_TEXT""}"\n1,x\n2,xx\n'
)


@pytest.mark.parametrize(
    ("data", "column", "skip"), [(SURVEY, "What did you like,\nand why?", 1), (QUALTRICS, "Q1", 2)]
)
def test_rows_after_the_header_are_kept_without_a_score(convert, rejects, caplog, data, column, skip):
    out = convert(data, read=ReadOptions(text_column=column, skip_rows=skip))
    rows = [*csv.reader(io.StringIO(out.decode()))]
    assert [row[:-2] for row in rows] == [*csv.reader(io.StringIO(data.decode()))]
    assert [row[-2] for row in rows] == ["sentiment", *[""] * skip, "odd", "even"]
    assert caplog.text == ""
    out = convert(data, target=".jsonl", read=ReadOptions(text_column=column, skip_rows=skip))
    assert out.count(b"\n") == 2
    assert f"rows after the header that are left out: {skip}, by --skip-rows" in caplog.text
    assert rejects() == []


def test_headers_that_the_output_cannot_hold_are_no_rejects(convert, rejects):
    data = HEADER + "0,Größe\n1,x\n2,é\n".encode()
    read, write = ReadOptions(skip_rows=1), WriteOptions(output_encoding="ascii")
    assert convert(data, read=read, write=write) == ADDED + b"1,x" + ODD + b"\n"
    assert [entry["line"] for entry in rejects()] == [4]


def test_the_second_headers_of_qualtrics_are_known_by_their_ids(convert, caplog):
    known = convert(QUALTRICS, read=ReadOptions(text_column="Q1", skip_rows=2))
    caplog.clear()
    assert convert(QUALTRICS, read=ReadOptions(text_column="Q1")) == known
    assert caplog.messages[0].endswith("2 further headers of a survey: read with --skip-rows 2")
    answer = QUALTRICS.partition(b"2,xx")[0].replace(b"ImportId", b"Id")
    assert convert(answer, read=ReadOptions(text_column="Q1")).count(b"odd") == 1
    assert convert(b"ResponseId,Q1\n1,x\n", read=ReadOptions(text_column="Q1")).endswith(b"1,x" + ODD + b"\n")


@pytest.mark.parametrize("data", [SURVEY, re.sub(rb'"\{.*\n', b"", QUALTRICS)])
def test_a_second_header_of_a_survey_is_known_by_its_words(convert, caplog, data):
    known = convert(data, read=ReadOptions(text_column="2", skip_rows=1))
    assert convert(data, read=ReadOptions(text_column="2")) == known
    assert caplog.messages[0].endswith("1 further header of a survey: read with --skip-rows 1")


def test_skipped_rows_may_have_fewer_fields(convert, rejects):
    out = convert(HEADER + b"units\n\n1,x\n2\n", read=ReadOptions(skip_rows=1))
    assert out == ADDED + b"units\n\n1,x" + ODD + b"\n"
    assert [entry["line"] for entry in rejects()] == [5]


@pytest.mark.parametrize(
    ("data", "options", "skip"),
    [
        (b"Report\nid,text\n1,x\n", {}, 1),
        (b'"Report\nof June"\n\n# export\nid,text\n1,x\n', {}, 4),
        (b"Report,,\n,,\nid,text,n\n1,x,2\n", {}, 2),
        (b'"Report, June",,\nUntil,"May, 3",\nBy Ada,,\nid,text,n\n1,x,2\n', {}, 3),
        (b"Report,Reviews\nUntil,June\nid,text,n\n1,x,2\n", {}, 2),
        (b"a,b\nReport\nid,text\n1,x\n", {"skip_lines": 1}, 2),
        ("Report\nid\ttext\n1\tx\n".encode("utf-16"), {"encoding": "utf-16", "delimiter": "\t"}, 1),
    ],
)
def test_titles_before_a_header_with_a_usual_name_are_skipped(convert, caplog, data, options, skip):
    known = options.get("encoding", "ascii").replace("16", "16-le")
    out = convert(data, read=ReadOptions(**options))
    assert f"in.csv: the header is line {skip + 1}: read with --skip-lines {skip}\n" in caplog.text
    assert out == convert(data, read=ReadOptions(**options | {"skip_lines": skip}))
    doubtful = data.replace("text".encode(known), "words".encode(known))
    message = f"the first line has .* cells?, .* if the header is line {skip + 1}, add --skip-lines {skip}$"
    with pytest.raises(DataError, match=message):
        convert(doubtful, read=ReadOptions(**options))
    assert convert(doubtful, read=ReadOptions(**options, text_column="words")) == out.replace(
        "text".encode(known), "words".encode(known)
    )


@pytest.mark.parametrize(
    "data",
    [
        b"text\nx,y\nx,y\n",  # a comma that lacks its quotes
        b"opinion\nx\nx,y\nx\n",
        b"opinion\nx,y\n",
        b'opinion\n"x"y\n',
        b",text\n1,x\n2,x\n",  # an index, as pandas writes it
    ],
)
def test_a_header_of_one_cell_may_be_the_header(convert, data):
    assert convert(data)


# As MySQL's SELECT INTO OUTFILE and PostgreSQL's COPY write them.
ESCAPED = rb"""id,text,note
1,"a \"good\", film",\N
2,"a\
b\nc",\t\\n
3,a\,b,x
4,\N,x
"""


def test_escaped_characters(convert, rejects):
    options = ReadOptions(escapechar="\\")
    out = convert(ESCAPED, read=options)
    assert re.sub(rb",(even|odd)?,(0\.\d+)?(?=\n)", b"", out) == ESCAPED.replace(
        b"note", b"note,sentiment,sentiment_score"
    )
    assert rejects() == []
    records = [*map(orjson.loads, convert(ESCAPED, target=".jsonl", read=options).splitlines())]
    assert [[record["text"], record["note"]] for record in records] == [
        ['a "good", film', ""],
        ["a\nb\nc", "\t\\n"],
        ["a,b", "x"],
        ["", "x"],
    ]


def test_escapes_without_the_option_are_rejected_with_it_named(convert, rejects):
    convert(ESCAPED)
    assert rejects()[0]["reason"] == "text after a closing quote; try --escapechar '\\'"


def test_another_escapechar_escapes_no_letters(convert):
    options = ReadOptions(escapechar="^", quotechar="'")
    out = convert(b"text\n'^'^n^^\\n'\n", target=".jsonl", read=options)
    assert orjson.loads(out)["text"] == "'n^\\n"
    out = convert(b"text\nx\n", read=options, write=WriteOptions(prefix="^'"))
    assert out.startswith(b"text,'^^''sentiment','^^''sentiment_score'\n")


def test_a_record_that_stays_open_for_long(convert, monkeypatch):
    monkeypatch.setattr("sentcli.tables.csv._SLICE", 8)
    monkeypatch.setattr("sentcli.files.source._BLOCK", 16)
    data = HEADER + b'1,"' + b"xx\n" * 40 + b'"\n2,x\n'
    assert convert(data).endswith(b'\n",even,0.142857\n2,x' + ODD + b"\n")
