"""A fault of one input or one output is one line and one failed file; the other outputs are made."""

import io
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from jobs import ParityScorer, run_job, score_files
from xlsxwriter import Workbook

from sentcli.errors import OutputError, RefusedOutputError
from sentcli.files import atomic
from sentcli.tables import xlsx

CSV = b"id,text\n1,x\n2,xx\n"


def members(*names):
    """Return a zip archive of files with these names."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return data.getvalue()


def claims_much():
    """Return an Arrow stream of some hundred bytes whose compressed column says that it has gigabytes."""
    data = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    batch = pa.record_batch({"text": ["good film " * 30] * 10})
    with pa.ipc.new_stream(data, batch.schema, options=options) as stream:
        stream.write(batch)
    frame = b"\x04\x22\x4d\x18"  # of LZ4, after the size of its content
    size = (3000).to_bytes(8, "little")
    assert data.getvalue().count(size + frame) == 1
    return data.getvalue().replace(size + frame, (1 << 62).to_bytes(8, "little") + frame)


def in_the_last_column():
    data = io.BytesIO()
    book = Workbook(data)
    sheet = book.add_worksheet()
    for number, cells in enumerate([["id", "text"], [1, "good"]]):
        sheet.write_row(number, 0, cells)
    sheet.write(0, 16_383, "far")
    book.close()
    return data.getvalue()


FAULTS = {
    "arrow": ("m.arrow", claims_much(), "m.arrow: it needs more memory than there is"),
    "last column": ("m.xlsx", in_the_last_column(), "Excel has no room for row 1, column 16,385"),
    "no archive": ("m.zip", b"PK\x03\x04", "m.zip: cannot be read: File is not a zip file"),
    "empty archive": ("m.zip", members(), "m.zip: it has no files"),
    "upwards": ("m.zip", members("../m.csv"), "the output folder cannot hold such a name"),
    "long name": ("m.zip", members("m" * 300 + ".csv"), "File name too long"),
    "longer with its suffix": ("m" * 245 + ".csv", CSV, "File name too long"),
    "long folder": ("m.zip", members("m" * 300 + "/m.csv"), "File name too long"),
}


@pytest.mark.parametrize(("name", "data", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_one_input(tmp_path, monkeypatch, caplog, name, data, message):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for other in ("a.csv", "z.csv"):
        Path("in", other).write_bytes(CSV)
    Path("in", name).write_bytes(data)
    for done in (0, 2):
        caplog.clear()
        summary = score_files(ParityScorer(), ["in"], "out/")
        assert (summary.failed, summary.rows, summary.skipped) == (1, 4, done)
        errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert len(errors) == 1
        assert message in errors[0]
        assert "m" in errors[0]
    left = {".a.csv.sentcli-done", ".z.csv.sentcli-done", "a.csv", "z.csv"}
    assert {file.name for file in Path("out").rglob("*") if not file.is_dir()} == left


@pytest.mark.parametrize("place", ["out/m.csv", "out/m.csv.rejects.jsonl"])
def test_a_folder_in_the_place_of_an_output(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path(place).mkdir(parents=True)
    for name in ("a.csv", "m.csv", "z.csv"):
        Path("in", name).write_bytes(CSV + b"3\n")
    assert score_files(ParityScorer(), ["in"], "out/").failed == 1
    assert not list(Path("out").glob(".m*"))


def test_a_file_in_the_place_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.csv", "in/m/b.csv", "out/m"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(CSV)
    summary = score_files(ParityScorer(), ["in"], "out/")
    assert (summary.failed, summary.rows) == (1, 2)


def test_too_little_memory_for_the_scores_is_one_failed_output(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "m.csv"):
        Path(name).write_bytes(CSV + b"3,\n" * (name == "m.csv"))

    class Scorer(ParityScorer):
        def stream(self, chunks):
            for chunk, scores in super().stream(chunks):
                if len(chunk.texts) > 2:
                    raise MemoryError
                yield chunk, scores

    summary = score_files(Scorer(), ["a.csv", "m.csv"], "out/")
    assert (summary.failed, summary.rows) == (1, 2)
    assert "out/m.csv: out of memory; try fewer workers" in caplog.text
    with pytest.raises(RefusedOutputError, match="out of memory"):
        run_job("m.csv", "m2.csv", scorer=Scorer())


@pytest.mark.parametrize("when", ["begin", "encode", "close"])
def test_a_full_disk_under_a_workbook_is_one_error(tmp_path, monkeypatch, when):
    """XlsxWriter has temporary files of its own, and an error of its own for the end."""
    (tmp_path / "in.csv").write_bytes(CSV)
    full = OSError(28, os.strerror(28))

    def fail(*_):
        raise full

    if when == "close":
        monkeypatch.setattr("xlsxwriter.packager.Packager._create_package", fail)
    else:
        monkeypatch.setattr(xlsx.Writer, "_write" if when == "begin" else "encode", fail)
    with pytest.raises(OutputError, match=r"out\.xlsx: No space left on device"):
        run_job(tmp_path / "in.csv", tmp_path / "out.xlsx")
    assert [file.name for file in tmp_path.iterdir()] == ["in.csv"]
    assert not issubclass(OutputError, RefusedOutputError)
    assert 28 not in atomic._REFUSALS
