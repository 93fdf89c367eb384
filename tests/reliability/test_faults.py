"""Each call to the disk of each command fails, or is the last one; then the same command completes the work.

All calls, in place of the sample that each commit draws:
`SENTCLI_WHOLE=1 .venv-dev/bin/python -m pytest -n 2 tests/reliability/test_faults.py`.
"""

import json
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from invented import reviews, write_csv
from processes import ON_DISK, Run
from sampling import drawn
from workload import OUTPUTS, write_table

pytestmark = [pytest.mark.slow, pytest.mark.linux]

POINTS = 2  # of each command and kind of fault
# Of a summary: what depends on which run did the work.
_VARYING = ("scored", "skipped", "rejected", "rejected_before", "seconds", "rows_per_second")
_NUMBERS = re.compile(rb"[0-9a-f]{64}|\d[\d.,:e+-]*")


@dataclass(frozen=True)
class Command:
    """A command that writes files named `out`.

    :param make: writes the inputs into a folder, with a function that runs a command there.
    :param needs: a package.
    :param varies: whether the figures in its files differ from run to run, as those of seconds.
    """

    line: str
    make: Callable
    needs: str = "sentcli"
    varies: bool = False


def table(form):
    return lambda trial: write_table(trial.work, form, 60)


def two_tables(trial):
    (trial.work / "in").mkdir()
    for number, form in enumerate(("csv", "parquet")):
        write_table(trial.work, form, 30).rename(trial.work / "in" / f"{number}.{form}")


def archive(trial):
    data = write_table(trial.work, "csv", 30)
    with zipfile.ZipFile(trial.work / "in.zip", "w") as made:
        for name in ("a.csv", "b/c.csv"):
            made.write(data, name)


def old_output(trial):
    write_table(trial.work, "csv", 60)
    for name in ("out.csv", "out.csv.rejects.jsonl"):
        (trial.work / name).write_bytes(b"old")


def changed(trial):
    two_tables(trial)
    assert trial.start("score in -o out/ -q --model MODEL").wait() == 3
    write_table(trial.work, "csv", 40).rename(trial.work / "in" / "0.csv")


def scored(trial):
    write_table(trial.work, "jsonl", 60)
    assert trial.start("score in.jsonl -o scored.csv -q --model MODEL").wait() == 3


def labeled(trial):
    write_csv(trial.work / "in.csv", [*reviews(60, seed=3), ("", "positive")])


def labeled_and_model(trial):
    labeled(trial)
    shutil.copytree(trial.model, trial.work / "out")


SCORE = "score {} -o {} -q --model MODEL"
PAGES = "--summary out.summary --report out.html"
EXPLAINED = "--explain 2 --sentences --about film=film,movie --unknown-words --neutral 0.3,0.7 --mixed"
TRAIN = (
    "train --dataset in.csv -o out -q --glove none --hidden-size 4 --embedding-dim 5 --max-tokens 20"
    " --min-freq 1 --batch-size 16 --device cpu --threads 1 --validation-share 0.2 --epochs 2"
)
COMMANDS = {
    **{form: Command(SCORE.format(f"in.{form}", f"out.{form}"), table(form)) for form in OUTPUTS},
    "zstd": Command(SCORE.format("in.csv", "out.jsonl.zst"), table("csv")),
    "explained": Command(f"{SCORE.format('in.jsonl', 'out.parquet')} {EXPLAINED}", table("jsonl")),
    "overwrite": Command(f"{SCORE.format('in.csv', 'out.csv')} --overwrite", old_output),
    "rejects": Command(f"{SCORE.format('in.csv', 'out.csv')} --rejects out.bad", table("csv")),
    "summary": Command(f"{SCORE.format('in.jsonl', 'out.jsonl')} --summary out.summary", table("jsonl")),
    "page": Command(f"{SCORE.format('in.csv', 'out.csv')} --report out.html", table("csv")),
    "both": Command(f"{SCORE.format('in.orc', 'out.parquet')} {PAGES}", table("orc")),
    "folder": Command(f"{SCORE.format('in', 'out/')} --summary out.summary", two_tables),
    "update": Command(f"{SCORE.format('in', 'out/')} --update --summary out.summary", changed),
    "zip": Command(SCORE.format("in.zip", "out/"), archive),
    "report": Command("report scored.csv -o out.html -q --model MODEL", scored),
    "evaluate": Command(
        "evaluate MODEL --dataset in.csv --predictions out.csv --report out.html --overwrite",
        labeled,
        "sklearn",
    ),
    "card": Command("evaluate out --dataset in.csv --card -q", labeled_and_model, "torch", varies=True),
    "train": Command(TRAIN, labeled, "torch", varies=True),
    "export": Command("export MODEL -o out -q --graph folded", lambda trial: None, "torch"),
}


class Trial:
    """A command in a folder of its own, and what it writes without a fault."""

    def __init__(self, command, model, work):
        pytest.importorskip(command.needs)
        self.command, self.work = command, work
        self.model, self._clean, self._calls = model, work.with_name("clean"), work.with_name("calls")
        work.mkdir()
        command.make(self)
        work.rename(self._clean)
        self.before = self.begin()
        run = self.run(calls=self._calls)
        self.code, self.lines = run.wait(), run.error.splitlines()
        assert self.code in (0, 3), run.error
        self.complete = self.files()
        self.calls = [line.split()[0] for line in self._calls.read_text().splitlines()]

    def begin(self):
        """Let the folder have the inputs alone; return its files."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self._clean, self.work)
        return self.files()

    def start(self, line, **conditions):
        command, *arguments = line.replace("MODEL", str(self.model)).split()
        return Run(self.work, *arguments, command=command, chunk_rows=25, **conditions)

    def run(self, **conditions):
        return self.start(self.command.line, **conditions)

    def files(self):
        """Return the files in the folder with what does not vary of them: of hidden ones, the name."""
        paths = [path.relative_to(self.work) for path in self.work.rglob("*") if not path.is_dir()]
        return {str(path): self._content(path) for path in paths}

    def _content(self, path):
        if is_hidden(str(path)):
            return b""
        data = (self.work / path).read_bytes()
        if path.name == "out.summary" and data.endswith(b"}\n"):
            return {name: value for name, value in json.loads(data).items() if name not in _VARYING}
        is_text = path.suffix not in (".bin", ".onnx", ".txt")
        return _NUMBERS.sub(b"0", data) if self.command.varies and is_text else data

    def check_partial(self):
        """Check that each file is that of before or the complete one."""
        files = self.files()
        # A model folder that is replaced waits beside the new one while both are renamed.
        gone = {name for name in self.before if name in self.complete and name not in files}
        assert all(f".out.sentcli-old/{name.removeprefix('out/')}" in files for name in gone), (
            f"{gone} are gone"
        )
        for name in filter(lambda name: not is_hidden(name), files):
            assert files[name] in (self.before.get(name), self.complete.get(name)), f"{name} is not complete"

    def check_error(self, run, number):
        """Check that a run did all of its work, or said in a line what was in the way."""
        code, lines = run.wait(), [line for line in run.error.splitlines() if line not in self.lines]
        if code == self.code:
            assert not lines
        else:
            assert code in (1, 2), run.error
            (line,) = lines
            assert line.startswith("Error: ")
            assert os.strerror(number) in line
            assert re.search(r"\bout\b", line), line

    def check_completed(self):
        """Check that the same command makes what is missing, and removes what the other run left."""
        run, kept = self.run(), ()
        code = run.wait()
        if (
            "exists; give another name" in run.error
        ):  # it was complete, with nothing left to do but to clear up
            kept = ("-lock", "history.csv", "model.safetensors", "run.json")
        else:
            codes = (self.code, 0) if "--update" in self.command.line else (self.code,)
            assert code in codes, run.error
        files = self.files()
        names = sorted({*files} | {*self.complete})
        differing = [name for name in names if files.get(name) != self.complete.get(name)]
        assert all(is_hidden(name) and name.endswith(kept) for name in differing), f"{differing} differ"


def is_hidden(name):
    return re.search(r"(^|/)\.", name)


@pytest.fixture
def trial(request, trained, tmp_path):
    return Trial(COMMANDS[request.param], trained.path, tmp_path / "work")


every_command = pytest.mark.parametrize("trial", COMMANDS, indirect=True)


@every_command
def test_killed_at_a_call_to_the_disk(trial, request):
    def check(call):
        assert trial.run(fail_at=call).wait() == -signal.SIGKILL
        trial.check_partial()
        trial.check_completed()

    check_points(trial, check, range(1, len(trial.calls) + 1), request.node.name)


@every_command
def test_after_a_failed_call_to_the_disk(trial, request):
    """Every second fault is one of this call alone, and every second one lasts."""

    def check(call):
        name, lasts = trial.calls[call - 1], call % 2
        number = ON_DISK[name][call // 2 % len(ON_DISK[name])]
        run = trial.run(fail_at=call, fail_with=number, fail_on=lasts)
        trial.check_error(run, number)
        trial.check_partial()
        trial.check_completed()

    check_points(trial, check, range(1, len(trial.calls) + 1), request.node.name)


def check_points(trial, check, points, name):
    """Check all points, or some of them, and name those at which the promise does not hold."""
    faults = []
    for point in drawn(points, POINTS, name):
        trial.begin()
        try:
            check(point)
        except AssertionError as fault:
            faults.append(f"call {point}, {trial.calls[point - 1]}: {fault}".partition("\n")[0])
    assert not faults, "\n".join(faults)
