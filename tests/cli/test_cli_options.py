import io
import logging
from dataclasses import dataclass, fields
from pathlib import Path

import click
import pytest
from commands import fail, invoke, parse

from sentcli import backends
from sentcli.cli import options
from sentcli.config import DEFAULT_DATASET, ModelConfig, TextConfig, TrainConfig
from sentcli.training.defaults import AUTO

# What the data decides, or what nobody should have to think about.
NO_OPTIONS = {"tokenizer", "vocab_size", "num_classes", "warmup"}


@dataclass(frozen=True)
class Settings:
    needed: int
    size: int = 4
    share: float = 0.5
    kind: str = "a"


def made_of(names, **choices):
    """Run a command that has options for these fields, and give what it gets."""

    def run(arguments):
        @click.command()
        @options.settings_options(Settings, {name: (f"--{name}", "Help.") for name in names}, choices)
        def command(**values):
            return values

        return command.main(arguments, standalone_mode=False)

    return run


def test_an_option_of_a_field_has_its_default_and_its_type():
    run = made_of(["size", "share", "kind"])
    assert run([]) == {"size": 4, "share": 0.5, "kind": "a"}
    assert run(["--size", "7", "--share", "1e-3", "--kind", "b"]) == {"size": 7, "share": 0.001, "kind": "b"}
    with pytest.raises(click.BadParameter, match="not a valid integer"):
        run(["--size", "x"])


def test_an_option_of_a_field_may_be_a_choice():
    run = made_of(["kind"], kind=("a", "b"))
    assert run(["--kind", "b"]) == {"kind": "b"}
    with pytest.raises(click.BadParameter, match="'c' is not one of 'a', 'b'"):
        run(["--kind", "c"])


@pytest.mark.parametrize("choices", [{}, {"kind": ("a", "b")}])
def test_an_option_of_a_field_may_be_left_to_something_else(choices):
    @click.command()
    @options.settings_options(
        Settings, {"size": ("--size", "Help."), "kind": ("--kind", "Help.")}, choices, auto=("size", "kind")
    )
    def command(**values):
        return values

    def run(*arguments):
        return command.main(arguments, standalone_mode=False)

    assert run() == run("--size", "auto", "--kind", "auto") == {"size": None, "kind": None}
    assert run("--size", "7", "--kind", "b") == {"size": 7, "kind": "b"}
    with pytest.raises(click.BadParameter, match="not a valid integer"):
        run("--size", "x")
    if choices:
        with pytest.raises(click.BadParameter, match="'c' is not one of 'a', 'b', 'auto'"):
            run("--kind", "c")
    shown = command.get_help(click.Context(command, show_default=True))
    assert shown.count("[default: auto]") == 2


@pytest.mark.parametrize("line", [["train", "--dataset", "nothing.csv"], ["export", "nothing"]])
@pytest.mark.parametrize("output", [".", "..", "/", "", "a/.."])
def test_a_new_folder_without_a_name_of_its_own_is_refused_before_anything_is_read(line, output):
    failure = fail(*line, "-o", output)
    assert failure.code == 2
    assert f"--output {Path(output)}: name the new folder itself" in failure.message


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (["evaluate", ""], "[MODEL]"),
        (["evaluate", "--plots", ""], "--plots"),
        (["evaluate", "--against", ""], "--against"),
        (["score", "--model", ""], "--model"),
        (["score", "--summary", ""], "--summary"),
        (["export", ""], "[MODEL]"),
        (["train", "--pseudo-labels", ""], "--pseudo-labels"),
        (["train", "--config", ""], "--config"),
    ],
)
def test_a_variable_that_was_never_set_is_no_path(line, name):
    failure = fail(*line, stdin="warm\n")
    assert failure.code == 2
    assert f"Invalid value for '{name}': it is empty; give a path, or leave it out" in failure.message


def test_a_field_without_a_default_makes_no_option():
    with pytest.raises(TypeError, match="needed of Settings has no default"):
        made_of(["needed"])([])


def test_every_setting_of_training_is_an_option_with_the_settings_own_default():
    parameters = parse("sentcli train").params
    for settings in (TextConfig, ModelConfig, TrainConfig):
        for field in fields(settings):
            assert (field.name in parameters) != (field.name in NO_OPTIONS), field.name
            if field.name in parameters:
                assert parameters[field.name] == (None if field.name in AUTO else field.default)


def test_the_help_shows_the_defaults():
    shown = " ".join(invoke("train", "--help").stdout.split())
    for text in (f"[default: {DEFAULT_DATASET}]", "[default: auto]", "[default: 128]", "[default: max+mean]"):
        assert text in shown


def test_shared_options_are_the_same_everywhere():
    shared = {
        "text_column": ("train", "evaluate", "score"),
        "label_column": ("train", "evaluate"),
        "dataset": ("train", "evaluate"),
        "backend": ("evaluate", "score"),
        "workers": ("evaluate", "score"),
        "overwrite": ("train", "evaluate", "export", "score"),
        "quiet": ("train", "evaluate", "export", "score"),
        "model": ("evaluate", "export"),
    }
    for name, commands in shared.items():
        found = [
            parameter.to_info_dict()
            for command in commands
            for parameter in parse(f"sentcli {command}").command.params
            if parameter.name == name
        ]
        assert len(found) == len(commands)
        assert all(facts == found[0] for facts in found), name


def test_the_backends_are_those_that_there_are():
    assert options.BACKENDS == backends.BACKENDS


@pytest.mark.parametrize(("quiet", "shown"), [(False, ["info", "warning", "error"]), (True, ["error"])])
def test_what_the_library_says_goes_to_stderr(capsys, quiet, shown):
    options.log_to_stderr(quiet=quiet)
    logger = logging.getLogger("sentcli")
    logger.debug("debug")
    logger.info("info")
    logger.warning("%s", "warning")
    logger.error("error")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == shown


def test_a_line_is_said_once_however_often_the_command_line_is_used(capsys):
    for _ in range(3):
        options.log_to_stderr(quiet=False)
    logging.getLogger("sentcli").info("once")
    assert capsys.readouterr().err == "once\n"


def test_what_the_library_says_does_nothing_to_a_terminal(capsys):
    options.log_to_stderr(quiet=False)
    logging.getLogger("sentcli").info("classes: %s", "\x1b[2J\n\u202e")
    assert capsys.readouterr().err == r"classes: \x1b[2J\n\u202e" + "\n"


def test_without_a_stderr_the_library_says_nothing(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    options.log_to_stderr(quiet=False)
    logging.getLogger("sentcli").error("nobody hears it")


def test_a_closed_stream_is_no_terminal():
    assert not options.is_terminal(None)
    assert not options.is_terminal(io.StringIO())
