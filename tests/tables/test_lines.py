import bz2
import gzip
import json
import lzma
import re

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import ParityScorer, read_chunks, run_job

from sentcli.errors import DataError
from sentcli.tables.options import ReadOptions, WriteOptions


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b""),
        (b"x", b"odd\t0.142857\tx"),
        (b"x\r\nx\n", b"odd\t0.142857\tx\r\nodd\t0.142857\tx\n"),
        (b"\n  \n", b"\t\t\n\t\t  \n"),
        (b"a\tb\n", b"odd\t0.428571\ta\tb\n"),
        (b"a\rb\n", b"odd\t0.428571\ta\rb\n"),
        (b"\xef\xbb\xbfx\n", b"\xef\xbb\xbfodd\t0.142857\tx\n"),
        (b"\xef\xbb\xbf" + b"\n" * 600 + b"x\n", b"\xef\xbb\xbf" + b"\t\t\n" * 600 + b"odd\t0.142857\tx\n"),
        ("\x0b\u2028x\n".encode(), "odd\t0.428571\t\x0b\u2028x\n".encode()),
    ],
)
def test_shapes(convert, data, expected):
    assert convert(data, "in.txt") == expected


@pytest.mark.parametrize("name", ["in.txt", "in.csv"])
def test_lines_for_a_terminal_are_aligned_and_cut(convert, caplog, name):
    texts = ["x", "", "a \x1b[2m\t\tword", "a long text " * 9]
    lines = [f'"{text}"' if name == "in.csv" else text for text in texts]
    data = "\n".join([*(["text"] if name == "in.csv" else []), *lines, ""]).encode("utf-8-sig")
    shown = convert(data, name, ".txt", write=WriteOptions("lines", width=40)).decode().splitlines()
    assert shown[:3] == [
        "odd   0.142857  x",
        f"{'':16}",
        r"even  0.714286  a \x1b[2m word",
    ]
    assert shown[3] == "even  0.428571  a long text a long text…"
    told = ["new columns and the start of each text; whole rows: --output-format csv"]
    assert caplog.messages == (told if name == "in.csv" else [])


def test_bytes_of_another_encoding(convert, rejects):
    read = ReadOptions(encoding="utf-8")
    assert convert(b"x\na\xf1o\n", "in.txt", read=read) == b"odd\t0.142857\tx\n"
    assert rejects()[0]["reason"] == "byte 0xf1 at offset 3 is not utf-8"
    assert rejects()[0]["raw_base64"] == "YfFvCg=="
    assert (rejects()[0]["line"], rejects()[0]["offset"]) == (2, 2)
    assert convert(b"a\xf1o\n", "in.txt") == b"odd\t0.428571\ta\xf1o\n"


@pytest.mark.parametrize("target", [".txt", ".csv"])
def test_many_lines_are_read_as_one_by_one(convert, rejects, monkeypatch, target):
    lines = [b"", b"x\r", b"\xc3\xa9x", b" ", b"a,b"]
    alone = [convert(line + b"\n", "in.txt", f".one{target}") for line in lines]
    header = b"text,sentiment,sentiment_score\n" if target == ".csv" else b""
    expected = header + b"".join(out.removeprefix(header) for out in alone) * 10
    data = b"\n".join([*lines * 10, b""])
    assert convert(data, "in.txt", target) == expected
    with_bad = data * 9 + b"\xff\n" + data * 9
    monkeypatch.setattr("sentcli.files.source._BLOCK", 200)
    assert convert(with_bad, "in.txt", target) == header + expected.removeprefix(header) * 18
    assert [(entry["line"], entry["offset"]) for entry in rejects()] == [(451, 9 * len(data))]
    encoded = data.decode().encode("latin-1")
    assert convert(encoded, "in.txt", target, read=ReadOptions(encoding="latin-1")) == (
        expected if target == ".csv" else expected.decode().encode("latin-1")
    )


def test_wide_encodings_keep_their_mark(convert):
    data = "\ufeffx\r\ny\u0a0d\n".encode("utf-16-be")  # U+0A0D holds both bytes of line ends
    expected = "\ufeffodd\t0.142857\tx\r\neven\t0.285714\ty\u0a0d\n".encode("utf-16-be")
    assert convert(data, "in.txt", read=ReadOptions(encoding="utf-16")) == expected


@pytest.fixture
def files(tmp_path):
    """Write inputs of several byte orders; gives their paths by their names."""
    contents = {
        "little": "\ufeffx\n".encode("utf-16-le"),
        "big": "\ufeffx\n".encode("utf-16-be"),
        "more": "\ufeffxx\n".encode("utf-16-be"),
        "empty": b"",
    }
    for name, data in contents.items():
        (tmp_path / f"{name}.txt").write_bytes(data)
    return {name: tmp_path / f"{name}.txt" for name in contents}


def test_inputs_of_another_byte_order_do_not_fit_one_output(run, files, tmp_path):
    options = ReadOptions(encoding="utf-16")
    with pytest.raises(
        DataError, match=r"big\.txt: the encoding is utf-16-be, not that of the first input, utf-16-le"
    ):
        run([files["little"], files["big"]], tmp_path / "out.txt", read=options)
    assert not (tmp_path / "out.txt").exists()


def test_inputs_of_one_byte_order_keep_the_first_mark_alone(run, files, tmp_path):
    options = ReadOptions(encoding="utf-16")
    names = ("empty", "big", "empty", "more", "empty")  # an empty input has no byte order
    run([files[name] for name in names], tmp_path / "out.txt", read=options)
    expected = "\ufeffodd\t0.142857\tx\neven\t0.285714\txx\n".encode("utf-16-be")
    assert (tmp_path / "out.txt").read_bytes() == expected


def test_an_output_of_another_format_takes_any_byte_order(run, files, tmp_path):
    run([files["little"], files["more"]], tmp_path / "out.jsonl", read=ReadOptions(encoding="utf-16"))
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [row["text"] for row in rows] == ["x", "xx"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n")), max_size=8),
    st.sampled_from(["utf-8", "utf-16-le", "utf-32-be"]),
    st.integers(1, 20),
)
def test_any_text_comes_back(convert, lines, encoding, block):
    data = "".join(f"{line}\n" for line in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentcli.files.source._BLOCK", block)
        out = convert(data.encode(encoding), "in.txt", read=ReadOptions(encoding=encoding)).decode(encoding)
    written = "".join(f"{line.split(chr(9), 2)[-1]}\n" for line in out.split("\n")[:-1])
    assert out.startswith("\ufeff") == data.startswith("\ufeff")
    assert written == data.removeprefix("\ufeff")


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (bz2.compress(b"x\n"), ".bz2"),
        (bz2.compress(b"x\n", 1), ".bz2"),
        (bz2.compress(b""), ".bz2"),
        (lzma.compress(b"x\n"), ".xz"),
        (b"PK\x03\x04rest", ".zip"),
    ],
)
def test_compressed_bytes_under_another_name_are_refused(convert, data, kind, suffix):
    hint = f"its first bytes are those of {kind}; rename it to end in {kind}"
    with pytest.raises(DataError, match=re.escape(f"in.{suffix}: {hint}")):
        convert(data, f"in.{suffix}")


@pytest.mark.parametrize("compress", [gzip.compress, pa.Codec("zstd").compress])
def test_compressed_bytes_under_another_name_are_decompressed(convert, compress):
    data = b'{"text": "x"}\n' * 9
    assert convert(bytes(compress(data)), "in.jsonl") == convert(data, "a.jsonl")
    with pytest.raises(DataError, match=r"in\.csv: it is compressed twice; decompress it once"):
        convert(gzip.compress(bytes(compress(data))), "in.csv")


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("unit", [16, 32])
def test_a_byte_order_mark_of_two_or_four_bytes_decides_on_the_encoding(convert, unit, order):
    data = "\ufeffgood\n".encode(f"utf-{unit}-{order}")
    with pytest.raises(DataError, match=rf"in\.jsonl: .* mark of utf-{unit}; try: iconv -f utf-{unit} -t "):
        convert(data, "in.jsonl")
    for encoding in (None, f"utf-{unit}", f"utf-{unit}-{order}", "latin-1"):
        assert convert(data, "in.txt", read=ReadOptions(encoding=encoding))
    scored = "\ufeffgood,sentiment,sentiment_score\n".encode(f"utf-{unit}-{order}")
    assert convert(data, "in.csv") == scored


def test_text_that_begins_as_bzip2_may_is_text(convert):
    for data in (b"BZh9 is my name\n", b"BZh9\n", b"BZh"):
        assert convert(data, "in.txt").endswith(data)


def test_a_table_written_as_lines_is_warned_of(convert, caplog):
    assert convert(b"id,text\n1,x\n", target=".txt") == b"odd\t0.142857\tx\n"
    assert "lines hold only the new columns and the text; other columns are left out" in caplog.text
    caplog.clear()
    convert(b"x\n", "in.txt", target=".txt")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"id\ttext\tstars\n1\tfine\t5\n", "tsv"),
        (b'id;"Text"\n1;fine\n', "csv --delimiter ';'"),
        (b"A fine text, and long\n", None),
    ],
)
def test_a_file_of_lines_that_begins_like_a_table_is_told_of(convert, caplog, data, form):
    """As spreadsheets write `Text (Tab delimited)`."""
    convert(data, "in.txt")
    told = f"if it is, add --input-format {form}; it is read as one review per line"
    assert (told in caplog.text) == (form is not None) == bool(caplog.text)
    caplog.clear()
    convert(data, "in.txt", read=ReadOptions(format="lines"))
    assert caplog.text == ""


def test_a_label_stays_on_its_line(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"x\nyy\n")
    scorer = ParityScorer(given_labels=("d", "a\tb\r\nc"))
    run_job(tmp_path / "in.txt", tmp_path / "out.txt", scorer=scorer)
    assert (tmp_path / "out.txt").read_bytes() == b"a b c\t0.142857\tx\nd\t0.285714\tyy\n"


def test_in_an_encoding_that_was_said_a_text_may_begin_like_gzip(convert):
    data = "\u8b1f\n".encode("utf-16-le")
    assert data.startswith(b"\x1f\x8b")
    out = convert(data, "in.txt", read=ReadOptions(encoding="utf-16-le"))
    assert out.decode("utf-16-le") == "odd\t0.142857\t\u8b1f\n"


def test_the_texts_of_a_waiting_chunk_are_read_again(tmp_path):
    (tmp_path / "in.txt").write_bytes(b"x\nxx\n")
    (chunk,) = read_chunks(tmp_path / "in.txt")
    assert (chunk.parsed, chunk.cells(0)) == (None, ["x", "xx"])
