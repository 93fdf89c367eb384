"""Fixtures for tests of runs: jobs with an invented scorer."""

from jobs import convert, no_fsync, run  # noqa: F401
