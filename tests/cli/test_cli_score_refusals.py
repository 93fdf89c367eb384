import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from score_tables import write_csv

from sentcli.errors import OutputError
from sentcli.files.atomic import AtomicFile

pytestmark = pytest.mark.usefixtures("in_a_folder")


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("nothing.csv",), 1, ["nothing.csv", "No such file"]),
        (("r.csv", "--text-column", "body"), 1, ["r.csv", "'body'", "'id', 'review'"]),
        (("r.csv", "-c", "id", "-c", "review"), 2, ["give --text-column id,review; ", "--prefix id_, then"]),
        (("r.csv", "-o", "my page.html"), 2, ["for a page, give --report 'my page.html'"]),
        (("r.csv", "--summary", "r.csv", "--overwrite"), 2, ["--summary", "r.csv"]),
        (("r.csv", "--ray", "local"), 2, ["--ray makes an output of each file", "-o FOLDER/"]),
        (("r.csv", "--neutral", "0.6,0.4"), 2, ["--neutral 0.6,0.4", "from 0 to 1", "such as 0.3,0.7"]),
        (("r.csv", "--neutral=0.3 0.7"), 2, ["--neutral=0.3 0.7", "type --neutral=0.3,0.7"]),
        (("r.csv", "--backend", "torchscript"), 1, ["model.torchscript.pt", "sentcli export"]),
        (("r.csv", "--precision", "bf16"), 2, ["--precision bf16", "--backend torch"]),
        pytest.param(
            *(("r.csv", "--precision", "fp16", "--backend", "torch", "--device", "cpu"), 2, ["fp16", "CUDA"]),
            marks=pytest.mark.skipif(not find_spec("torch"), reason="needs PyTorch"),
        ),
        (("r.csv", "--model", "nothing"), 1, ["nothing", "no such model"]),
        (("r.csv", "--model", "r.csv"), 1, ["r.csv: not a file of a model folder", "manifest.json"]),
        (("bad.jsonl", "--max-rejects", "0"), 1, ["--max-rejects 0", "bad.jsonl, line 2: not JSON"]),
        (("great movie",), 2, ["no such file; if this is a text: sentcli score --text 'great movie'"]),
        (("x " * 3000,), 2, ["no such file; if this is a text: sentcli score --text ..."]),
        (("two words", "--text", "warm"), 2, ["--text is scored in place of INPUTS"]),
        (("r.csv", "--documents", "--input-format", "csv"), 2, ["--documents and --input-format"]),
        (("my reviews.csv",), 1, ["my reviews.csv: No such file or directory"]),
        (("great.movie", "--input-format", "csv"), 1, ["great.movie: No such file or directory"]),
    ],
)
def test_a_command_that_cannot_run_is_refused_by_name_and_changes_no_file(refuse, arguments, code, named):
    write_csv("r.csv")
    Path("bad.jsonl").write_text('{"text": "warm"}\nno JSON\n')
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    failure = refuse("--quiet", *arguments, stdin="warm")
    assert failure.code == code
    for part in named:
        assert part in failure.message
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


def test_standard_input_at_a_terminal_is_refused(refuse, monkeypatch):
    monkeypatch.setattr("sentcli.cli.score.is_terminal", lambda stream: True)
    assert "pipe text to stdin" in refuse().message


@pytest.mark.parametrize("options", [("--overwrite",), ()])
def test_a_summary_that_cannot_be_written_leaves_the_old_one(score, refuse, monkeypatch, options):
    write_csv("r.csv")
    if options:
        Path("s.json").write_text("old")
    whole = AtomicFile.write

    def full(part, data):
        if part.target.name == "s.json":
            raise OutputError("s.json: No space left on device")
        whole(part, data)

    monkeypatch.setattr(AtomicFile, "write", full)
    command = ("r.csv", "-o", "o.csv", "-q", "--summary", "s.json", *options)
    kept = "what was scored so far is kept, and the same command continues"
    assert refuse(*command).message == f"Error: o.csv: s.json: No space left on device; {kept}\n"
    assert Path("s.json").exists() == bool(options)
    output = Path("o.csv").read_bytes()
    monkeypatch.setattr(AtomicFile, "write", whole)
    score(*command)
    assert json.loads(Path("s.json").read_bytes())["scored"] == (5 if options else 0)
    assert Path("o.csv").read_bytes() == output
    assert {path.name for path in Path().iterdir()} == {"r.csv", "o.csv", "s.json"}


@pytest.mark.linux
def test_a_summary_of_a_folder_that_cannot_be_written_is_an_error(score):
    write_csv("r.csv")
    Path("bad.csv").write_text("no,column\nof,texts\n")
    result = score("*.csv", "-o", "out/", "-q", "--summary", "/dev/full", code=1)
    assert result.stderr.splitlines()[-1] == "Error: /dev/full: No space left on device"


def test_the_name_of_a_file_may_look_like_a_text(score):
    Path("two words").write_text("text\na warm film\n")
    score("two words", "--input-format", "csv")
