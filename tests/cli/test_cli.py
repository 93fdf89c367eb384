import re
import signal
import subprocess
import sys

import click
import pytest
from commands import fail, invoke, parse

from sentcli import __version__
from sentcli.cli import main
from sentcli.errors import DataError, InterruptedRunError, StopRequested, UsageError, printable

GROUP = main.make_context("sentcli", ["score"])
COMMANDS = ("train", "evaluate", "export", "score", "explain", "report")


def raising(monkeypatch, error):
    """Let `sentcli score` fail with an error."""

    def fail_to_load(path):
        raise error

    monkeypatch.setattr("sentcli.scoring.scorer.load_bundle", fail_to_load)
    return invoke("score", "--model", "m", stdin="warm\n")


def test_the_help_lists_the_commands_in_the_order_of_use():
    result = invoke("--help")
    assert (result.exit_code, result.stderr) == (0, "")
    listed = result.stdout.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [tuple(line.split(maxsplit=1)) for line in listed] == [
        (name, main.get_command(GROUP, name).help.partition("\n")[0]) for name in COMMANDS
    ]


@pytest.mark.parametrize("name", [None, *COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_examples_of_every_help_can_be_parsed(name, flag):
    result = invoke(*filter(None, [name]), flag)
    assert result.exit_code == 0, result.output
    lines = re.findall("^ +(sentcli .*)", result.stdout, re.MULTILINE)
    assert lines
    for line in lines:
        assert parse(line).info_name == name or name is None


def test_the_exit_codes_of_scoring_are_in_its_help():
    described = invoke("score", "--help").stdout.partition("Exit codes:\n")[2].partition("\n\n")[0]
    codes = [int(code) for line in described.splitlines() for code in line[:17].replace(",", " ").split()]
    assert codes == [0, 1, 2, 3, 130, 143, 129, 141]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_explained(name):
    command = main.get_command(GROUP, name)
    for parameter in command.params:
        assert isinstance(parameter, click.Option) or parameter.name.upper() in command.help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_stands_once_in_the_help(name):
    shown = invoke(name, "--help").stdout.rpartition("Examples:")[2]
    listed = re.findall(r"^  (?:-\w, )?(--[\w-]+)", shown, re.MULTILINE)
    options = [each for each in main.get_command(GROUP, name).params if isinstance(each, click.Option)]
    names = [next(opt for opt in each.opts if opt.startswith("--")) for each in options if not each.hidden]
    assert sorted(listed) == sorted([*names, "--help"])


def test_the_version_is_that_of_the_package():
    assert invoke("--version").stdout == invoke("-V").stdout == f"sentcli {__version__}\n"


def test_a_file_in_the_place_of_a_command_gets_the_command():
    result = invoke("my reviews.csv", "-q")
    assert result.exit_code == 2
    assert result.stderr.endswith("a command is missing; try: sentcli score 'my reviews.csv' -q\n")


def test_without_a_command_three_commands_and_the_places_of_help_go_to_stderr():
    result = invoke()
    assert (result.exit_code, result.stdout) == (2, "")
    lines = re.findall("^  (sentcli .*)", result.stderr, re.MULTILINE)
    assert [parse(line).info_name for line in lines] == ["score", "score", "explain"]
    for line in ("sentcli score --help", "sentcli --help"):
        assert line in result.stderr
        assert invoke(*line.split()[1:]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "named", "hint"),
    [
        (["scorn"], "'scorn'", "sentcli --help"),
        (["--scorn"], "--scorn", "sentcli --help"),
        (["score", "--scorn"], "--scorn", "sentcli score --help"),
        (["score", "--workers", "0"], "--workers", "sentcli score --help"),
        (["score", "--input-format", "xls"], "'xls'", "sentcli score --help"),
        (["evaluate", "a", "b"], "b", "sentcli evaluate --help"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_option(arguments, named, hint):
    failure = fail(*arguments)
    assert failure.code == 2
    assert named in failure.message
    assert failure.message.endswith((f"; see {hint}\n", f"? See {hint}\n"))


LINE = "Error: what, where, what to try\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("what, where, what to try"), 1, LINE),
        (UsageError("what, where, what to try"), 2, LINE),
        (InterruptedRunError("what, where, what to try", signal.SIGTERM), 143, LINE),
        (PermissionError(13, "Permission denied", "/a/file"), 1, "Error: /a/file: Permission denied\n"),
        (OSError(28, "No space left on device"), 1, "Error: No space left on device\n"),
        (EOFError("of x"), 1, "Error: an input ends too early, as a damaged file does: of x\n"),
        (KeyboardInterrupt(), 130, ""),
        (StopRequested(signal.SIGTERM), 143, ""),
        (StopRequested(signal.SIGHUP), 129, ""),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
    ],
)
def test_an_error_is_a_line_on_stderr_and_an_exit_code(monkeypatch, error, code, line):
    result = raising(monkeypatch, error)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line)


@pytest.mark.parametrize(
    ("arguments", "loader", "advice"),
    [
        (("score", "--model", "m"), "scoring.scorer", "try fewer --workers"),
        (("export", "m", "-o", "n"), "cli.export", "close other programs, then try again"),
    ],
)
@pytest.mark.parametrize(
    ("error", "what"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("can't start new thread"), "cannot start another thread"),
    ],
)
def test_a_lack_of_memory_or_threads_is_one_line_with_advice(
    monkeypatch, arguments, loader, advice, error, what
):
    def need_too_much(path):
        raise error

    monkeypatch.setattr(f"sentcli.{loader}.load_bundle", need_too_much)
    failure = fail(*arguments, stdin="warm\n")
    assert (failure.code, failure.message) == (1, f"Error: {what}; {advice}\n")


@pytest.mark.parametrize("error", [ZeroDivisionError(), RuntimeError("oops"), ImportError("oops")])
def test_a_programming_error_is_not_hidden(monkeypatch, error):
    assert raising(monkeypatch, error).exception is error


def test_control_characters_of_a_message_are_escaped(monkeypatch):
    result = raising(monkeypatch, DataError("\x1b[31mred\x07\u202egnp\u2066.exe\n\r\x9b\x00end"))
    assert result.stderr == r"Error: \x1b[31mred\x07\u202egnp\u2066.exe\n\r\x9b\x00end" + "\n"


def test_printable_text_stays_as_it_is():
    for text in ("", "plain", "Zoë 電影 🎬", "a\\b 'c'", "100 %"):
        assert printable(text) == text
    assert printable("caf\udce9.csv") == r"caf\udce9.csv"
    assert printable("line\u2028two") == r"line\u2028two"


def test_a_message_does_not_flood_the_terminal(monkeypatch):
    assert len(raising(monkeypatch, DataError("x" * 100_000)).stderr) < 2100


@pytest.mark.parametrize(
    ("extra", "package", "line"),
    [("train", "torch", ["train", "-o", "m"]), ("evaluate", "jinja2", ["evaluate", "--dataset", "x.csv"])],
)
def test_a_missing_extra_is_named_with_the_pip_command(extra, package, line):
    code = f"import sys; sys.modules[{package!r}] = None; from sentcli.cli import main; main({line!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert re.search(rf"try: pip install .*\[{extra}\]", result.stderr)


@pytest.mark.linux
def test_no_file_gets_the_number_of_a_standard_stream_that_was_closed():
    code = (
        "import contextlib, os, sys\n"
        "for number in (0, 2): os.close(number)\n"
        "from sentcli.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['score', '--help'])\n"
        "print(os.open(os.devnull, os.O_RDONLY) > 2, os.readlink('/proc/self/fd/2'), flush=True); os._exit(0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.splitlines()[-1] == "True /dev/null"


@pytest.mark.parametrize(
    "redirection", ["2>&-", pytest.param("2>/dev/full", marks=pytest.mark.linux), ">&-", "<&-"]
)
@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["score", "--max-rejects", "x"], 2)])
def test_closed_or_full_streams_change_no_exit_code(arguments, code, redirection):
    command = f'"$0" -m sentcli "$@" {redirection}'
    result = subprocess.run(
        ["sh", "-c", command, sys.executable, *arguments], capture_output=True, check=False
    )
    assert result.returncode == code
    assert b"Traceback" not in result.stderr


@pytest.mark.linux
def test_help_that_cannot_be_written_is_a_failure():
    command = ["sh", "-c", '"$0" -m sentcli --help >/dev/full', sys.executable]
    result = subprocess.run(command, capture_output=True, check=False)
    assert (result.returncode, result.stderr) == (1, b"Error: No space left on device\n")


def test_a_reader_that_closes_stdout_ends_the_program_without_a_message():
    command = [sys.executable, "-m", "sentcli", "score", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    with process.stderr:
        assert (process.wait(timeout=120), process.stderr.read()) == (141, b"")
