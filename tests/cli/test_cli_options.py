import logging
import os
import pty
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest
from commands import fail, invoke, parse

from sentcli.cli.command import log_to_stderr
from sentcli.cli.score import ScoreOptions
from sentcli.config import DEFAULT_DATASET, NOTE, settable
from sentcli.scoring.extras import Extras
from sentcli.scoring.scorer import Scorer
from sentcli.tables.options import ReadOptions, RejectOptions, WriteOptions

NO_FOLDER = "--output {}: name the new folder itself"
NO_VALUE = "Invalid value for '{}': it is empty; give a value, or omit it"
NO_OPTION = "No such option '{}'. Did you mean '{}'?"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        *(
            ("train --dataset no.csv -o " + name, NO_FOLDER.format(Path(name)))
            for name in [".", "..", "/", "a/.."]
        ),
        ("export nothing -o ''", NO_FOLDER.format(".")),
        ("evaluate ''", NO_VALUE.format("[MODEL]")),
        ("evaluate --report ''", NO_VALUE.format("--report")),
        ("evaluate --against ''", NO_VALUE.format("--against")),
        ("score --model ''", NO_VALUE.format("--model")),
        ("export ''", NO_VALUE.format("[MODEL]")),
        ("train --config ''", NO_VALUE.format("--config")),
        ("score --summary ''", NO_VALUE.format("--summary")),
        ("score --report ''", NO_VALUE.format("--report")),
        ("score a.csv --sep ;", NO_OPTION.format("--sep", "--delimiter")),
        ("score a.csv --force", NO_OPTION.format("--force", "--overwrite")),
        ("evaluate --column=text", NO_OPTION.format("--column", "--text-column")),
        ("score --overwrit", NO_OPTION.format("--overwrit", "--overwrite")),
        ("export --threads", "No such option '--threads'; "),
        ("trian", "No such command 'trian'. Did you mean 'train'?"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_before_anything_is_read(line, message):
    failure = fail(*shlex.split(line), stdin="warm\n")
    assert failure.code == 2
    assert message in failure.message


def test_every_setting_of_training_is_an_option_or_a_key_with_its_default():
    parameters = parse("sentcli train").params
    for setting in settable():
        is_auto = setting.metadata.get("auto")
        assert parameters[setting.name] == (None if is_auto else setting.default)


def test_the_help_is_short_and_in_groups():
    shown = invoke("train", "--help").stdout
    assert shown.index("Examples:") < shown.index("Data:") < shown.index("Model:") < shown.index("Training:")
    options = re.findall(r"^  (?:-\w, )?--[\w-]+", shown, re.MULTILINE)
    assert len(options) <= 32
    assert not {"--pooling", "--license"} & {option.split()[-1] for option in options}
    words = " ".join(shown.split())
    for text in (f"[default: {DEFAULT_DATASET}]", "[default: auto]", "[default: 128]"):
        assert text in words
    for command, most in (("evaluate", 28), ("score", 54)):
        assert len(re.findall("^  -", invoke(command, "--help").stdout, re.MULTILINE)) <= most


def test_the_help_of_score_begins_with_what_people_use_most():
    options = invoke("score", "--help").stdout.partition("Examples:")[2]
    shown = re.findall(r"^  (?:-\w, )?(--[\w-]+)", options, re.MULTILINE)
    first = ["--text-column", "--text", "--limit", "--output", "--output-format", "--overwrite", "--neutral"]
    assert set(first) <= set(shown[:13])
    assert shown[:5] == first[:5]


def test_what_runs_get_by_name_has_an_option_of_that_name():
    names = {field.name for field in fields(ScoreOptions)}
    for kind, rest in (
        (ReadOptions, {"header", "watched"}),
        (WriteOptions, {"format", "width"}),
        (RejectOptions, {"path", "limit"}),
        (Extras, set()),
        (Scorer, {"extras"}),
    ):
        assert signature(kind).parameters.keys() - names <= rest


def test_frequent_options_have_short_names():
    short, long = (
        parse(f"sentcli score a.csv {line}").params
        for line in ("-c review -f jsonl -q", "--text-column review --output-format jsonl --quiet")
    )
    assert short == long


@pytest.mark.parametrize(
    ("quiet", "shown"), [(False, ["info", "warning", "note", "error"]), (True, ["note", "error"])]
)
def test_the_log_goes_to_stderr_once_per_line(capsys, quiet, shown):
    for _ in range(3):
        log_to_stderr(quiet=quiet)
    logger = logging.getLogger("sentcli")
    logger.debug("debug")
    logger.info("info")
    logger.warning("%s", "warning")
    logger.log(NOTE, "note")
    logger.error("error")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == shown


def test_the_log_is_escaped_and_a_closed_stderr_is_no_error(capsys, monkeypatch):
    log_to_stderr(quiet=False)
    logging.getLogger("sentcli").info("classes: %s", "\x1b[2J\n\u202e")
    assert capsys.readouterr().err == r"classes: \x1b[2J\n\u202e" + "\n"
    monkeypatch.setattr("sys.stderr", None)
    logging.getLogger("sentcli").error("nobody hears it")


def test_bash_completes_commands_and_names_of_files(tmp_path):
    (tmp_path / "reviews.csv").touch()
    ours, its = pty.openpty()  # bash completes at a terminal only
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=tmp_path,
        start_new_session=True,
        env={**os.environ, "PATH": path, "TERM": "dumb", "INPUTRC": os.devnull},
    )
    # The script calls the program; the line that it has completed calls the function.
    os.write(ours, b'eval "$(_SENTCLI_COMPLETE=bash_source sentcli)"; sentcli() { echo "<$*>" > said; }\n')
    os.write(ours, b"sentcli sco\trev\t\nexit\n")
    assert shell.wait(60) == 0
    assert (tmp_path / "said").read_text() == "<score reviews.csv>\n"
