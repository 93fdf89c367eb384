"""The published archives of GloVe vectors, downloaded once."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import platformdirs
import pooch
import requests

from sentcli.errors import DataError, OutputError
from sentcli.scoring.progress import progress_bar

_log = logging.getLogger("sentcli")

# The third is the mirror that the authors of GloVe point to while Stanford's hosts are down.
HOSTS = (
    "https://nlp.stanford.edu/data",
    "https://downloads.cs.stanford.edu/nlp/data",
    "https://huggingface.co/stanfordnlp/glove/resolve/main",
)


@dataclass(frozen=True)
class Archive:
    """A published file of vectors. The SHA-256 are those of the lists of torchtext and of Embeddings.jl."""

    file: str
    sha256: str
    dims: tuple[int, ...]


ARCHIVES = {
    "6B": Archive(
        "glove.6B.zip",
        "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
        (50, 100, 200, 300),
    ),
    "42B": Archive(
        "glove.42B.300d.zip",
        "03d5d7fa28e58762ace4b85fb71fe86a345ef0b5ff39f5390c14869da0fc1970",
        (300,),
    ),
    "840B": Archive(
        "glove.840B.300d.zip",
        "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f",
        (300,),
    ),
    "twitter.27B": Archive(
        "glove.twitter.27B.zip",
        "792af52f795d1a32c9842a3240f5f3fe5e941a8ff6df5eb0f9d668092ebc019c",
        (25, 50, 100, 200),
    ),
}
GLOVE_DIMS = {f"{corpus}.{dim}d": dim for corpus, archive in ARCHIVES.items() for dim in archive.dims}

_CHUNK = 1 << 16  # bytes written at once
_TIMEOUT = (10, 60)  # seconds to connect, and between two pieces


def download(name: str, *, quiet: bool = False) -> Path:
    """Give the archive that has these vectors: from the cache, else from the first host that sends it whole.

    The cache is the platform's folder for it, or `SENTCLI_CACHE`.

    :param name: one of `GLOVE_DIMS`.
    :param quiet: without a progress bar.
    :raises DataError: when no host has sent a file of the right checksum.
    :raises OutputError: when the cache cannot be written.
    """
    archive = ARCHIVES[name.rpartition(".")[0]]
    folder = Path(os.environ.get("SENTCLI_CACHE") or platformdirs.user_cache_dir("sentcli", appauthor=False))
    downloader = partial(_resume, folder / f"{archive.file}.part", quiet)
    pooch.get_logger().setLevel(logging.WARNING)
    problems = []
    for host in HOSTS:
        url = f"{host}/{archive.file}"
        try:
            with _turn(folder):
                return Path(pooch.retrieve(url, archive.sha256, archive.file, folder, downloader=downloader))
        except requests.RequestException as error:
            status = error.response is not None and f"status {error.response.status_code}"
            problems.append(f"{host}: {status or type(error).__name__}")
        except ValueError:  # from pooch
            problems.append(f"{host}: the file has another checksum and was deleted")
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{folder}: {reason}; SENTCLI_CACHE can name another folder") from error
        _log.info("%s", problems[-1])
    raise DataError(
        f"{archive.file} cannot be downloaded ({'; '.join(problems):.600}); the same command goes on "
        f"where this one stopped, --glove can name a file, and --glove none does without"
    )


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Wait for another training that downloads to the folder: what it leaves there is then found."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # and so the lock


def _resume(part: Path, quiet: bool, url: str, output: str, _: object) -> None:
    """Download for pooch, which has no resume: what arrives is kept in `part`, also for another host or run.

    A connection that breaks is taken up again as long as each brings something new.
    """
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, before, quiet)
            break
        except requests.RequestException:
            if not part.exists() or part.stat().st_size <= before:
                raise
    part.replace(output)  # pooch checks the SHA-256 there, and removes what is wrong


def _receive(url: str, part: Path, start: int, quiet: bool) -> None:
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == 416:  # nothing after `start`: it is all here, or of another file
            return
        response.raise_for_status()
        resumed = response.status_code == 206
        start = start if resumed else 0
        total = start + int(response.headers.get("Content-Length", 0))
        with (
            part.open("ab" if resumed else "wb") as file,
            progress_bar(
                quiet=quiet,
                leave=True,
                desc=part.stem,
                total=total or None,
                initial=start,
                unit="B",
                unit_scale=True,
            ) as bar,
        ):
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
