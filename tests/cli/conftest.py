"""`sentcli score` with the trained model, in a folder of its own."""

from contextlib import ExitStack, nullcontext

import pytest
from commands import fail, invoke
from processes import start_anew


@pytest.fixture(autouse=True)
def _buffered(monkeypatch):
    """Standard streams are buffered, as users have them, and fail late."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    """Names in messages are short, and nothing is written elsewhere."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def score(trained):
    """Run a command that has to end with the exit code that is given."""

    def score(*arguments, stdin=None, code=0):
        result = invoke("score", "--model", trained.path, *arguments, stdin=stdin)
        assert result.exit_code == code, result.output
        return result

    return score


@pytest.fixture
def refuse(trained):
    """Run a command that has to fail cleanly."""

    def refuse(*arguments, stdin=None):
        return fail("score", "--model", trained.path, *arguments, stdin=stdin)

    return refuse


@pytest.fixture
def start(trained, tmp_path):
    """Start a real process."""

    def start(*arguments, **options):
        process = start_anew(tmp_path, "--model", trained.path, *arguments, **options)
        for stream in (process.stdin, process.stdout, process.stderr):
            streams.push(stream or nullcontext())
        return process

    with ExitStack() as streams:
        yield start
