"""Fixtures for tests of runs: jobs with an invented scorer."""

from jobs import convert, no_fsync, run, small_chunks  # noqa: F401
from object_store import _server, memory, s3, store  # noqa: F401
