"""A server of S3 on this machine, and fsspec's file system in memory, as the place of a test."""

import logging
import re
import uuid

import pytest

_KEYS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
_REQUEST = re.compile(r'"(?:\x1b\[[0-9;]*m)*([A-Z]+) (\S+) HTTP')


class Store:
    """A place for files at URLs.

    :param files: fsspec's file system.
    :param root: the URL of the place, with a slash at the end.
    """

    def __init__(self, files, root):
        self.files = files
        self.root = root

    def __getitem__(self, name):
        return self.files.cat_file(self.root + name)

    def __setitem__(self, name, data):
        self.files.pipe_file(self.root + name, data)

    def __delitem__(self, name):
        self.files.rm_file(self.root + name)

    def names(self, folder):
        """Return the names of all files below a folder; the folder ends in a slash."""
        self.files.invalidate_cache()
        start = len(self.files._strip_protocol(self.root + folder)) + 1
        return [name[start:] for name in self.files.find(self.root + folder)]

    def content(self, folder):
        """Return the files below a folder whose names have no dot at the start."""
        return {name: self[folder + name] for name in self.names(folder) if name[0] != "."}


class _Requests(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        if found := _REQUEST.search(record.getMessage()):
            self.lines.append(" ".join(found.groups()))


@pytest.fixture(scope="session")
def _server():
    server = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    logger, requests = logging.getLogger("werkzeug"), _Requests()
    logger.addHandler(requests)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    server = server.ThreadedMotoServer("127.0.0.1", 0, verbose=True)
    server.start()
    host, port = server.get_host_and_port()
    settings = {**_KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        files = s3fs.S3FileSystem(skip_instance_cache=True)
        files.mkdir(f"bucket-{uuid.uuid4()}")  # reads the settings
    yield settings, files, requests.lines
    server.stop()


@pytest.fixture
def s3(_server, monkeypatch):
    """Return an empty bucket; `requests` holds what was asked of it, such as `HEAD /bucket/name`."""
    settings, files, requests = _server
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{uuid.uuid4()}"
    files.mkdir(bucket)
    store = Store(files, f"s3://{bucket}/")
    store.requests = requests
    requests.clear()
    return store


@pytest.fixture
def memory():
    """Return an empty file system in memory."""
    files = pytest.importorskip("fsspec").filesystem("memory")
    files.store.clear()
    yield Store(files, "memory://")
    files.store.clear()


@pytest.fixture(params=["memory", "s3"])
def store(request):
    return request.getfixturevalue(request.param)
