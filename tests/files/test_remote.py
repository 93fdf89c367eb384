import gzip
import http.server
import io
import json
import sys
import tempfile
import threading
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentcli.errors import DataError, MissingExtraError, OutputError, ResumeError
from sentcli.files import remote
from sentcli.files.sink import Target
from sentcli.runs.plan import plan_outputs
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

fsspec = pytest.importorskip("fsspec")
PREFIX = WriteOptions(prefix="2")
CSV = b"id,text\n1,x\n2\n3,x\n"
OUT = b"id,text,sentiment,sentiment_score\n1,x,odd,0.142857\n3,x,odd,0.142857\n"


@pytest.fixture
def memory():
    """Return fsspec's file system in memory, empty."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


@pytest.fixture
def server(tmp_path):
    """Serve `tmp_path / "www"` on 127.0.0.1; return the address."""
    (tmp_path / "www").mkdir()
    handler = partial(QuietHandler, directory=tmp_path / "www")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; a file whose name holds `cut` ends in the middle, as when a connection breaks."""

    def copyfile(self, source, outputfile):
        data = source.read()
        outputfile.write(data[: len(data) // 2] if "cut" in self.path else data)

    def log_message(self, *args):
        pass


def test_from_memory_to_memory(run, memory):
    memory.pipe("/in/a.csv", CSV)
    summary = run("memory://in/a.csv", "memory://out/b.csv")
    assert memory.cat("/out/b.csv") == OUT
    assert b'"memory://in/a.csv", "line": 3' in memory.cat("/out/b.csv.rejects.jsonl")
    facts = {"path": "memory://in/a.csv", "size": len(CSV), "mtime_ns": None}
    assert summary.inputs == [{**facts, "version": str(memory.created("/in/a.csv"))}]
    with pytest.raises(OutputError, match=r"b\.csv exists"):
        run("memory://in/a.csv", "memory://out/b.csv")
    run("memory://in/a.csv", "memory://out/b.csv", overwrite=True)
    assert memory.exists("/out/b.csv.rejects.jsonl")
    memory.pipe("/in/a.csv", CSV.replace(b"2\n", b""))
    for _ in range(2):  # with rejects of an earlier run, and without
        run("memory://in/a.csv", "memory://out/b.csv", overwrite=True)
        assert sorted(memory.store) == ["/in/a.csv", "/out/b.csv"]


def test_a_rejects_file_that_exists_leaves_no_temporary_file(run, memory, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    memory.pipe("/in/a.csv", CSV)
    (tmp_path / "r.jsonl").write_text("mine")
    with pytest.raises(OutputError, match=r"r\.jsonl exists"):
        run("memory://in/a.csv", "memory://out/b.csv", rejects=RejectOptions(str(tmp_path / "r.jsonl")))
    assert [*(tmp_path / "temporary").iterdir()] == []
    assert sorted(memory.store) == ["/in/a.csv"]


def test_compressed_and_parquet_both_ways(run, memory, tmp_path):
    memory.pipe("/in/a.csv.gz", gzip.compress(CSV))
    run("memory://in/a.csv.gz", "memory://out/b.parquet")
    run("memory://out/b.parquet", tmp_path / "b.csv", read=ReadOptions(text_column="text"), write=PREFIX)
    assert (tmp_path / "b.csv").read_bytes().endswith(b"\n3,x,odd,0.142857,odd,0.142857\n")


def test_a_failed_run_publishes_nothing(run, memory):
    memory.pipe("/in/a.csv", CSV)
    with pytest.raises(DataError):
        run("memory://in/a.csv", "memory://out/b.csv", rejects=RejectOptions(limit="0"))
    memory.pipe("/in/a.csv", CSV + b"1,x\n" * 5000 + b"2\n")
    with pytest.raises(DataError):
        run("memory://in/a.csv", "memory://out/b.csv", rejects=RejectOptions(limit="1"))
    assert sorted(memory.store) == ["/in/a.csv"]


def test_input_and_output_are_not_the_same(run, memory):
    memory.pipe("/a.csv", CSV)
    with pytest.raises(OutputError, match="is the input"):
        run("memory://a.csv", "memory://a.csv", overwrite=True)
    assert memory.cat("/a.csv") == CSV


def test_globs(memory):
    for name in ("b", "a"):
        memory.pipe(f"/in/{name}.csv", CSV)

    def plan(inputs, output):
        pairs, _ = plan_outputs(inputs, Target(output), ReadOptions())
        return [(files, target.name) for files, target in pairs]

    assert plan(["memory://in/*.csv"], "-") == [(["memory://in/a.csv", "memory://in/b.csv"], "-")]
    with pytest.raises(DataError, match="no such files"):
        plan(["memory://in/*.jsonl"], "-")
    memory.pipe("/in/day=1/a.csv", CSV)
    assert plan(["memory://in/**/*.csv"], "memory://out/") == [
        (["memory://in/a.csv"], "memory://out/a.csv"),
        (["memory://in/b.csv"], "memory://out/b.csv"),
        (["memory://in/day=1/a.csv"], "memory://out/day=1/a.csv"),
    ]
    memory.pipe("/out/in/a.csv", CSV)
    with pytest.raises(OutputError, match=r"memory://out/in/a\.csv is the input memory://out/in/a\.csv"):
        plan(["memory://*/**/*.csv"], "memory://out/")


def test_from_a_web_server(run, server, tmp_path):
    pytest.importorskip("aiohttp")
    (tmp_path / "www" / "a.csv.gz").write_bytes(gzip.compress(CSV))
    run(f"{server}/a.csv.gz?version=2", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == OUT
    with pytest.raises(DataError, match=r"none\.csv: status 404$"):
        run(f"{server}/none.csv", tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"a\.csv: Cannot connect to host 127\.0\.0\.1"):
        run("http://127.0.0.1:9/a.csv", tmp_path / "none.csv")
    with pytest.raises(OutputError, match=r"out\.csv: "):
        run(tmp_path / "out.csv", f"{server}/out.csv", write=PREFIX, overwrite=True)


def test_passwords_and_signatures_are_in_no_file_and_no_message(run, server, tmp_path, caplog):
    pytest.importorskip("aiohttp")
    caplog.set_level("INFO")
    (tmp_path / "www" / "a.csv").write_bytes(CSV)
    url = f"{server.replace('://', '://user:secret@')}/a.csv?X-Amz-Signature=secret"
    (tmp_path / "out").mkdir()
    summary = run(url, tmp_path / "out" / "a.csv", in_folder=True)
    assert "secret" not in json.dumps(summary.to_json())
    assert summary.inputs[0]["path"] == f"{server}/a.csv?..."
    with pytest.raises(DataError) as caught:
        run(url.replace("a.csv", "none.csv"), tmp_path / "none.csv")
    assert str(caught.value) == f"{server}/none.csv?...: status 404"
    assert not [path for path in (tmp_path / "out").iterdir() if b"secret" in path.read_bytes()]
    assert len([*(tmp_path / "out").iterdir()]) == 3
    assert "secret" not in caplog.text
    with pytest.raises(ResumeError, match="the input changed since"):
        run(url.replace("Signature=secret", "Signature=other"), tmp_path / "out" / "a.csv", in_folder=True)


@pytest.mark.parametrize("name", ["cut.csv", "cut.csv.gz", "cut.csv.zst", "cut.parquet"])
def test_a_connection_that_breaks_is_an_error_and_leaves_no_output(run, server, tmp_path, name):
    pytest.importorskip("aiohttp")
    data = CSV + b"".join(b"%d,%d\n" % (row, row * row) for row in range(20_000))
    compress = {"gz": gzip.compress, "zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True)}
    if name.endswith("parquet"):
        buffer = io.BytesIO()
        pq.write_table(pa.table({"text": [str(row) for row in range(20_000)]}), buffer)
        data = buffer.getvalue()
    (tmp_path / "www" / name).write_bytes(compress.get(name.rpartition(".")[2], bytes)(data))
    with pytest.raises(DataError, match=rf"{name}: "):
        run(f"{server}/{name}", tmp_path / "new.csv")
    assert not (tmp_path / "new.csv").exists()


def test_an_unknown_protocol_is_refused(run, tmp_path):
    with pytest.raises(DataError, match=r"nonsense://a\.csv: Protocol not known"):
        run("nonsense://a.csv", tmp_path / "out.csv")


def test_a_missing_fsspec_is_named_with_the_extra(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[remote\]"):
        run("memory://a.csv", tmp_path / "out.csv")


def test_a_missing_package_of_a_protocol_is_named_with_the_extra(run, tmp_path, monkeypatch):
    def missing(url, **options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"s3://b/a\.csv: Install s3fs .*\[remote\]"):
        run("s3://b/a.csv", tmp_path / "out.csv")


def test_what_is_not_there_need_not_be_removed(memory):
    remote.remove("memory://none.csv")
