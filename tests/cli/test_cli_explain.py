"""`sentcli explain`."""

import json
import signal
import subprocess
import sys
from subprocess import PIPE

import pytest
from commands import fail, invoke

TEXT = "It isn’t good, but the staff was lovely"
TEAL, ORANGE, UNDERLINED, DIM = "48;5;37m", "48;5;208m", "\x1b[4m", "\x1b[2m"


def explain(*arguments, stdin=None):
    result = invoke("explain", *arguments, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


@pytest.fixture
def at_a_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sentcli.cli.explain.is_terminal", lambda stream: True)


def test_words_and_sentences_of_a_text():
    first, marked, *lines = explain(TEXT).splitlines()
    assert first == "positive 0.831503"
    assert "[-isn’t good], but the staff" in marked
    assert marked.endswith("[+lovely]")
    assert lines[:3] == ["sentences:", "  0.048329  It isn’t good,", "  0.832315  but the staff was lovely"]
    assert lines[3] == "words for positive (+) and against (-):"
    assert [line.split(maxsplit=1)[1] for line in lines[4:6]] == ["lovely", "isn’t good"]
    assert [line.split()[0][0] for line in lines[4:6]] == ["+", "-"]


def test_a_terminal_shows_colors(at_a_terminal):
    marked = explain(TEXT).splitlines()[1]
    before, phrase, after = marked.partition("isn’t good\x1b[0m, ")
    assert phrase
    assert before.endswith(f"{ORANGE}{UNDERLINED}")
    before, lovely, _ = after.partition("lovely\x1b[0m")
    assert lovely
    assert TEAL in before
    assert UNDERLINED not in before.rpartition(TEAL)[2]
    assert f"{DIM}zqxwy\x1b[0m" in explain("a joy, zqxwy")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_where_nobody_wants_it(at_a_terminal, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    shown = explain(f"{TEXT}, zqxwy")
    assert "\x1b" not in shown
    assert "[?zqxwy]" in shown
    assert "unknown to the model: zqxwy" in shown


def test_each_line_of_stdin_is_a_text():
    pages = explain(stdin=b"an absolute joy\r\n\nnot bad\n").split("\n\n")
    assert [page.partition("\n")[0][:8] for page in pages] == ["positive", "no score", "positive"]
    assert pages[::2] == explain("an absolute joy", "not bad").split("\n\n")


def test_a_json_object_per_text():
    lines = explain("--json", TEXT, "N/A").splitlines()
    found, nothing = map(json.loads, lines)
    assert (found["text"], found["label"], found["score"]) == (TEXT, "positive", 0.831503)
    assert [TEXT[start:end] for _, _, start, end in found["words"]] == [word for word, *_ in found["words"]]
    assert (nothing["label"], nothing["words"], nothing["sentences"]) == (None, [], [])
    assert "isn’t good" in lines[0]


def test_a_text_cannot_act_on_the_terminal():
    shown = explain("awful \x1b[2J\u202e service.\nNever\tagain \udce9!")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "service.\n" in shown


def test_bytes_that_are_no_utf8_do_not_end_it():
    assert explain(stdin=b"an absolute joy \xff\n").startswith("positive")


def test_more_than_two_labels(trained_three):
    first, *lines = explain("--model", trained_three.path, "The story was dreadful.").splitlines()
    label = first.split()[0]
    assert label in trained_three.config.labels
    assert f"words for {label} (+) and against (-):" in lines


def test_a_file_is_no_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.txt").write_text("joy\n")
    failure = fail("explain", "r.txt")
    assert failure.code == 2
    assert failure.message == "Error: r.txt is a file; to explain its lines: sentcli explain < r.txt\n"
    assert explain("joy " * 100).startswith("positive")


def test_nothing_to_explain(at_a_terminal):
    failure = fail("explain")
    assert failure.code == 2
    assert "pipe lines to stdin" in failure.message


def test_a_line_is_explained_at_once_and_a_signal_ends_the_wait_for_the_next():
    command = [sys.executable, "-m", "sentcli", "explain"]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        process.stdin.write(b"an absolute joy\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"positive")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT
        assert process.stderr.read() == b""


def test_weights_of_ones_own_are_said(tmp_path):
    (tmp_path / "w.toml").write_text("staff = 1.5\n")
    lines = explain("--words", tmp_path / "w.toml", TEXT).splitlines()
    assert float(lines[0].split()[1]) > 0.95
    assert lines[-1] == "of these by your own words: staff +1.50"
    assert json.loads(explain("--json", "--words", tmp_path / "w.toml", TEXT))["own_words"] == [
        ["staff", 1.5, 23, 28]
    ]
