import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from sentcli.errors import DataError, OutputError
from sentcli.training import glove_download
from sentcli.training.glove import load_glove
from sentcli.training.glove_download import ARCHIVES, GLOVE_DIMS, Archive, download

NUMBERS = np.random.default_rng(0).normal(size=(300, 25)).astype(np.float32)


def archive_bytes() -> bytes:
    rows = "".join(f"w{n} {' '.join(map(str, row))}\n" for n, row in enumerate(NUMBERS.tolist()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("glove.test.25d.txt", rows)
    return buffer.getvalue()


CONTENT = archive_bytes()


@dataclass
class Host:
    """A web server whose n-th answer breaks off after `breaks[n]` bytes; it notes what Range is asked for."""

    content: bytes = CONTENT
    ranges: bool = True
    status: int = 200
    breaks: list[int] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        body = self.content[start:]
        status = self.status if start == 0 else 206 if body else 416
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.end_headers()
        request.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)
        request.close_connection = True


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Host]]:
    """Two hosts in place of the real ones, and an archive `test` with their checksum."""
    hosts, servers = [Host(), Host()], []
    for host in hosts:

        class Handler(BaseHTTPRequestHandler):
            served = host

            def do_GET(self) -> None:
                self.served.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        host.url = f"http://127.0.0.1:{server.server_port}"
        servers.append(server)
    monkeypatch.setattr(glove_download, "HOSTS", tuple(host.url for host in hosts))
    monkeypatch.setattr(glove_download, "_CHUNK", 1000)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    archive = Archive("glove.test.zip", hashlib.sha256(CONTENT).hexdigest(), (25,))
    monkeypatch.setitem(ARCHIVES, "test", archive)
    monkeypatch.setitem(GLOVE_DIMS, "test.25d", 25)
    yield hosts
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SENTCLI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_downloaded_once_and_read(hosts: list[Host], cache: Path) -> None:
    words = ("<pad>", "<unk>", "w7", "w299")
    for _ in range(2):
        matrix, coverage = load_glove("test.25d", words, 25, {}, seed=1)
        np.testing.assert_array_equal(matrix[2:], NUMBERS[[7, 299]])
    assert coverage.types_covered == 2
    assert hosts[0].asked == [None]
    assert hosts[1].asked == []
    assert [file.name for file in cache.iterdir()] == ["glove.test.zip"]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hosts: list[Host], cache: Path) -> None:
    hosts[0].breaks = [10_000, 5_000]
    assert download("test.25d").read_bytes() == CONTENT
    assert hosts[0].asked == [None, "bytes=10000-", "bytes=15000-"]
    assert hosts[1].asked == []


def test_the_next_run_goes_on(hosts: list[Host], cache: Path) -> None:
    hosts[0].breaks = [10_000, 0]
    hosts[1].breaks = [0]
    with pytest.raises(DataError, match=r"cannot be downloaded .*; the same command goes on"):
        download("test.25d")
    assert (cache / "glove.test.zip.part").stat().st_size == 10_000
    assert download("test.25d").read_bytes() == CONTENT
    assert hosts[0].asked == [None, "bytes=10000-", "bytes=10000-"]


def test_the_second_host_goes_on_where_the_first_broke(hosts: list[Host], cache: Path) -> None:
    hosts[0].breaks = [10_000, 0]
    assert download("test.25d").read_bytes() == CONTENT
    assert hosts[1].asked == ["bytes=10000-"]


def test_a_host_without_ranges_sends_it_all_again(hosts: list[Host], cache: Path) -> None:
    hosts[0].ranges = False
    hosts[0].breaks = [10_000]
    assert download("test.25d").read_bytes() == CONTENT
    assert hosts[0].asked == [None, "bytes=10000-"]
    assert hosts[1].asked == []


def test_a_whole_part_is_not_sent_again(hosts: list[Host], cache: Path) -> None:
    cache.mkdir()
    (cache / "glove.test.zip.part").write_bytes(CONTENT)
    assert download("test.25d").read_bytes() == CONTENT
    assert hosts[0].asked == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("status", [404, 503])
def test_the_second_host_serves_when_the_first_is_down(hosts: list[Host], cache: Path, status: int) -> None:
    hosts[0].status = status
    assert download("test.25d").read_bytes() == CONTENT


def test_the_second_host_serves_when_the_first_does_not_answer(
    hosts: list[Host], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glove_download, "HOSTS", ("http://127.0.0.1:9", hosts[1].url))
    assert download("test.25d").read_bytes() == CONTENT


def test_a_wrong_file_is_refused(hosts: list[Host], cache: Path) -> None:
    hosts[0].content = CONTENT[:-1] + b"x"
    hosts[1].status = 503
    with pytest.raises(DataError, match=r"the file has another checksum and was deleted; .*status 503"):
        download("test.25d")
    assert list(cache.iterdir()) == []
    hosts[1].status = 200
    assert download("test.25d").read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_replaced(hosts: list[Host], cache: Path) -> None:
    path = download("test.25d")
    path.write_bytes(CONTENT[:1000])
    assert download("test.25d").read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written(hosts: list[Host], cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="SENTCLI_CACHE can name another folder"):
        download("test.25d")


def test_the_cache_is_the_folder_of_the_platform(
    hosts: list[Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SENTCLI_CACHE", raising=False)
    monkeypatch.setattr(glove_download.platformdirs, "user_cache_dir", lambda name, **_: str(tmp_path / name))
    assert download("test.25d") == tmp_path / "sentcli" / "glove.test.zip"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_is_shown_on_a_terminal_only(
    hosts: list[Host], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stderr, quiet, shown in (
        (Terminal(), False, True),
        (Terminal(), True, False),
        (io.StringIO(), False, False),
    ):
        monkeypatch.setattr("sys.stderr", stderr)
        hosts[0].breaks = [10_000]
        download("test.25d", quiet=quiet).unlink()
        assert ("glove.test.zip: 100%" in stderr.getvalue()) == shown
        assert bool(stderr.getvalue()) == shown


def test_every_name_has_its_archive() -> None:
    for name, dim in GLOVE_DIMS.items():
        archive = ARCHIVES[name.rpartition(".")[0]]
        assert dim in archive.dims
        assert name.endswith(f".{dim}d")
        assert len(archive.sha256) == 64
    assert {"6B.50d", "6B.100d", "6B.200d", "6B.300d", "42B.300d", "840B.300d"} <= GLOVE_DIMS.keys()


def test_who_comes_second_waits_and_finds_it_in_the_cache(hosts, cache):
    """Teachers that are trained side by side want the same vectors at the same time."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: download("test.25d", quiet=True), range(2))
    assert first == second
    assert first.read_bytes() == CONTENT
    assert hosts[0].asked == [None]
