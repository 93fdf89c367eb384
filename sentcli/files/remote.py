"""Files at URLs (s3://, gs://, https://, hf://) through fsspec, which the extra `remote` installs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import IO, Any, cast

from sentcli.errors import DataError, OutputError, SentcliError, missing_extra, requires, without_secrets

_BLOCK = 8 << 20  # bytes held in memory per file; less than s3fs's 50 MiB, and two parts of GCS
_opening = Lock()  # a transaction covers what any thread opens
# What servers call the version of a file, the most exact first.
_VERSIONS = ("ETag", "etag", "blob_id", "mtime", "created")


def is_url(name: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]+://", name) is not None


def as_path(name: str) -> str:
    """Return the path of a file:// URL, so that a file has only one name; return other names unchanged."""
    return name.removeprefix("file://")


def open_input(url: str) -> IO[bytes]:
    """Open a remote file for reading."""
    with _translated(url, DataError) as (files, path):
        return cast(IO[bytes], _RemoteInput(url, files.open(path, "rb", block_size=_BLOCK)))


def inspect(url: str) -> tuple[int | None, str | None]:
    """Return the size and the version of a remote file; None for what the server does not report."""
    with _translated(url, DataError) as (files, path):
        info = files.info(path)
    version = next((str(info[name]) for name in _VERSIONS if info.get(name)), None)
    return None if info["size"] is None else int(info["size"]), version


def list_folder(url: str) -> dict[str, int]:
    """Return the size of each file below a folder, by its URL; one request lists a thousand."""
    infos: dict[str, Any] = {}
    with _translated(url, OutputError, skip_instance_cache=True) as (files, path):  # a cache may be old
        start = len(path.rstrip("/")) + 1
        with suppress(FileNotFoundError):
            infos = files.find(path, detail=True)
    return {url + name[start:]: info["size"] for name, info in infos.items() if len(name) > start}


def read(url: str) -> bytes:
    """Return the content of a small remote file, empty if it does not exist."""
    with _translated(url, OutputError) as (files, path), suppress(FileNotFoundError):
        return cast(bytes, files.cat_file(path, start=0))  # Without `start`, s3fs asks for the size first.
    return b""


def exists(url: str) -> bool:
    """Return whether a remote file exists."""
    with _translated(url, OutputError) as (files, path):
        return bool(files.exists(path))


def remove(url: str) -> None:
    """Remove a remote file, if there is one."""
    with _translated(url, OutputError) as (files, path):
        if files.exists(path):
            files.rm_file(path)


def expand(pattern: str) -> list[str]:
    """List the remote files that match a pattern with `*`, sorted."""
    with _translated(pattern, DataError) as (files, path):
        files.invalidate_cache()  # filled by an earlier run in this process
        head = pattern.removesuffix(path.lstrip("/"))  # the protocol as it is spelled
        names = files.glob(path)
        bucket = head and path.partition("/")[0]
        if not names and bucket and not files.exists(bucket):
            raise FileNotFoundError(f"there is no {head}{bucket}")
        return sorted(head + name.lstrip("/") for name in names)


class _RemoteInput:
    """A remote file whose `read` raises DataError."""

    def __init__(self, url: str, file: Any) -> None:
        self._url = url
        self._file = file

    def read(self, size: int = -1) -> bytes:
        with _translated(self._url, DataError):
            return self._file.read(size)  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class RemoteFile:
    """An output at a URL; it becomes visible when it is complete."""

    def __init__(self, url: str) -> None:
        self.size = 0
        self._url = url
        self._is_public = False
        with _translated(url, OutputError) as (files, path), _opening, files.transaction:
            self._file = files.open(path, "wb", block_size=_BLOCK)
            files.transaction.files.clear()  # the file is invisible until it is committed, apart from others

    def write(self, data: bytes) -> None:
        with _translated(self._url, OutputError):
            self._file.write(data)
        self.size += len(data)

    def publish(self) -> None:
        """Send the rest and make the file visible."""
        with _translated(self._url, OutputError):
            self._file.close()
            self._file.commit()
        self._is_public = True

    def discard(self) -> None:
        """Remove what was sent; do nothing after `publish`."""
        if self._is_public:
            return
        with suppress(AttributeError):  # files in memory cannot be closed
            self._file.closed = True  # or fsspec sends the rest when Python deletes the object
        with _translated(self._url, OutputError):
            self._file.discard()


@contextmanager
def _translated(url: str, kind: type[SentcliError], **options: Any) -> Iterator[tuple[Any, str]]:
    """Yield the file system and the path of a URL, and turn errors of the block into errors of one line."""
    with requires("remote"):
        import fsspec
    try:
        yield fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        raise missing_extra(without_secrets(f"{url}: {error}"), "remote") from error
    except Exception as error:  # every backend of fsspec has other errors
        raise kind(without_secrets(f"{url}: {_reason(error, url)}")) from error


def _reason(error: BaseException, url: str) -> str:
    """Return the reason of an error: over HTTP, fsspec's message is the URL and only the cause says more."""
    while str(error) in ("", url) and error.__cause__:
        error = error.__cause__
    status = getattr(error, "status", None)
    return f"status {status}" if status else str(error) or type(error).__name__
