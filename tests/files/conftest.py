"""Fixtures for tests of inputs and outputs: jobs with an invented scorer."""

from jobs import convert, no_fsync, run  # noqa: F401
