import os
import signal
import subprocess
import sys

import click
import pytest
from commands import fail, invoke, parse

from sentcli import __version__
from sentcli.cli import main
from sentcli.errors import (
    BundleError,
    DataError,
    InterruptedRunError,
    MissingExtraError,
    OutputError,
    SentcliError,
    StopRequested,
    UsageError,
    printable,
)

GROUP = main.make_context("sentcli", ["score"])
COMMANDS = ("train", "evaluate", "export", "score")


def python(code: str, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def raising(monkeypatch, error):
    """Let `sentcli score` fail with an error, wherever it may come from."""

    def fail_to_load(path):
        raise error

    monkeypatch.setattr("sentcli.cli.score.load_bundle", fail_to_load)
    return invoke("score", "--model", "m", stdin="warm\n")


def test_the_groups_help_lists_the_commands_in_the_order_of_use():
    result = invoke("--help")
    assert result.exit_code == 0
    assert result.stderr == ""
    listed = result.stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_group_says_of_a_command_what_its_own_help_says(name):
    listed = invoke("--help").stdout.partition("Commands:\n")[2].splitlines()
    (line,) = (line for line in listed if line.split()[:1] == [name])
    said = line.split(maxsplit=1)[1]
    assert main.get_command(GROUP, name).help.partition("\n")[0] == said


@pytest.mark.parametrize("name", [None, *COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_help_has_an_example_that_its_command_takes(name, flag):
    result = invoke(*filter(None, [name]), flag)
    assert result.exit_code == 0, result.output
    lines = [
        line.strip() for line in result.stdout.splitlines() if line.startswith(("  sentcli ", "    sentcli "))
    ]
    assert lines
    for line in lines:
        assert parse(line).info_name == name or name is None


def test_the_exit_codes_of_scoring_are_in_its_help():
    described = invoke("score", "--help").stdout.partition("Exit codes:\n")[2].partition("Options:")[0]
    codes = [int(code) for line in described.splitlines() for code in line[:17].replace(",", " ").split()]
    assert codes == [0, 1, 2, 3, 130, 143, 129, 141]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name):
    command = main.get_command(GROUP, name)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
        else:
            assert parameter.name.upper() in command.help


def test_the_version_is_that_of_the_package():
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"sentcli {__version__}\n")


def test_without_a_command_the_help_is_shown_and_nothing_is_done():
    result = invoke()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == invoke("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "named", "hint"),
    [
        (["scorn"], "'scorn'", "sentcli --help"),
        (["--scorn"], "--scorn", "sentcli --help"),
        (["score", "--scorn"], "--scorn", "sentcli score --help"),
        (["score", "--workers", "0"], "--workers", "sentcli score --help"),
        (["score", "--workers", "two"], "'two'", "sentcli score --help"),
        (["score", "--input-format", "xls"], "'xls'", "sentcli score --help"),
        (["train", "--epochs"], "--epochs", "sentcli train --help"),
        (["evaluate", "a", "b"], "b", "sentcli evaluate --help"),
    ],
)
def test_options_that_do_not_exist_get_one_line_that_names_them(arguments, named, hint):
    failure = fail(*arguments)
    assert failure.code == 2
    assert named in failure.message
    assert failure.message.endswith(f"; see {hint}\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SentcliError("what, where, what to try"), 1),
        (DataError("what, where, what to try"), 1),
        (OutputError("what, where, what to try"), 1),
        (BundleError("what, where, what to try"), 1),
        (MissingExtraError("what, where, what to try"), 1),
        (UsageError("what, where, what to try"), 2),
        (InterruptedRunError("what, where, what to try", signal.SIGTERM), 143),
    ],
)
def test_an_error_is_a_line_on_stderr_and_an_exit_code(monkeypatch, error, code):
    result = raising(monkeypatch, error)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "Error: what, where, what to try\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/some/file"), "Error: /some/file: Permission denied\n"),
        (OSError(28, "No space left on device"), "Error: No space left on device\n"),
    ],
)
def test_an_error_of_the_system_that_nobody_thought_of_is_one_line_too(monkeypatch, error, line):
    result = raising(monkeypatch, error)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", line)


@pytest.mark.parametrize(
    ("arguments", "loader", "advice"),
    [
        (("score", "--model", "m"), "score", "try fewer --workers"),
        (("evaluate", "m"), "evaluate", "try fewer --workers"),
        (("export", "m", "-o", "n"), "export", "free some, then try again"),
    ],
)
@pytest.mark.parametrize(
    ("error", "what"),
    [
        (MemoryError(), "memory is short"),
        (RuntimeError("can't start new thread"), "another thread cannot be started"),
        (
            ImportError("lib.so: failed to map segment from shared object"),
            "memory is short, or it is mounted noexec: lib.so: failed to map segment from shared object",
        ),
    ],
)
def test_what_a_machine_is_short_of_is_one_line_too(monkeypatch, arguments, loader, advice, error, what):
    def need_too_much(path):
        raise error

    monkeypatch.setattr(f"sentcli.cli.{loader}.load_bundle", need_too_much)
    failure = fail(*arguments, stdin="warm\n")
    assert (failure.code, failure.message) == (1, f"Error: {what}; {advice}\n")


def test_another_error_of_that_type_is_a_fault_and_not_hidden(monkeypatch):
    assert isinstance(raising(monkeypatch, RuntimeError("oops")).exception, RuntimeError)
    error = ImportError("libx.so: cannot allocate memory in static TLS block")
    assert raising(monkeypatch, error).exception is error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (StopRequested(signal.SIGTERM), 143),
        (StopRequested(signal.SIGHUP), 129),
        (BrokenPipeError(32, "Broken pipe"), 141),
    ],
)
def test_signals_and_closed_pipes_end_without_a_word(monkeypatch, error, code):
    result = raising(monkeypatch, error)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "")


def test_a_mistake_in_the_program_is_not_hidden(monkeypatch):
    assert isinstance(raising(monkeypatch, ZeroDivisionError()).exception, ZeroDivisionError)


def test_what_a_terminal_would_act_on_is_escaped(monkeypatch):
    result = raising(monkeypatch, DataError("\x1b[31mred\x07\u202egnp\u2066.exe\n\r\x9b\x00end"))
    assert result.stderr == r"Error: \x1b[31mred\x07\u202egnp\u2066.exe\n\r\x9b\x00end" + "\n"


def test_printable_text_stays_as_it_is():
    for text in ("", "plain", "Zoë 電影 🎬", "a\\b 'c'", "100 %"):
        assert printable(text) == text
    assert printable("caf\udce9.csv") == r"caf\udce9.csv"
    assert printable("line\u2028two") == r"line\u2028two"


def test_a_message_does_not_flood_the_terminal(monkeypatch):
    assert len(raising(monkeypatch, DataError("x" * 100_000)).stderr) < 2100


def test_the_module_runs_as_a_program():
    command = [sys.executable, "-m", "sentcli", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"sentcli {__version__}\n"


def test_a_shell_can_complete_commands_and_options():
    command = [sys.executable, "-m", "sentcli"]
    asked = {"_SENTCLI_COMPLETE": "bash_complete", "COMP_WORDS": "sentcli score --pre", "COMP_CWORD": "2"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **asked})
    assert result.stdout.split() == ["plain,--prefix", "plain,--precision"]


def test_no_file_gets_the_number_of_a_standard_stream_that_was_closed():
    code = (
        "import contextlib, os, sys\n"
        "for number in (0, 2): os.close(number)\n"
        "from sentcli.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['score', '--help'])\n"
        "print(os.open(os.devnull, os.O_RDONLY) > 2, os.readlink('/proc/self/fd/2'), flush=True); os._exit(0)"
    )
    assert python(code).stdout.splitlines()[-1] == "True /dev/null"


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&-", "<&-"])
@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["--help"], 0), (["scorn"], 2), (["score", "--max-rejects", "x"], 2)]
)
def test_closed_or_full_streams_change_no_exit_code(arguments, code, redirection):
    command = f'"$0" -m sentcli "$@" {redirection}'
    result = subprocess.run(
        ["sh", "-c", command, sys.executable, *arguments], capture_output=True, check=False
    )
    assert result.returncode == code
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"]])
def test_a_result_that_cannot_be_written_is_a_failure(arguments):
    command = '"$0" -m sentcli "$@" >/dev/full'
    result = subprocess.run(
        ["sh", "-c", command, sys.executable, *arguments], capture_output=True, check=False
    )
    assert (result.returncode, result.stderr) == (1, b"Error: No space left on device\n")


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"]])
def test_a_reader_that_is_gone_is_no_failure_to_tell_of(arguments):
    command = [sys.executable, "-m", "sentcli", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert (process.wait(timeout=20), process.stderr.read()) == (141, b"")
