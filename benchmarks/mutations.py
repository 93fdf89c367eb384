"""Score thousands of damaged tables: each is scored or refused, and no row is lost, changed or invented.

    python benchmarks/mutations.py --count 100000

Each case is a small table, damaged in a few places, that goes through `score_files`. The result has to keep
the row law, which is checked here without sentcli's readers, or has to be a SentcliError that leaves no file.
Child processes score some hundred cases each, so that a crash can be reported with its case. The number of a
case is the seed of all its random choices; `--only csv:1234` runs one case.
"""

import argparse
import json
import logging
import mmap
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from ending import run
from mutated_tables import FORMATS, Case
from mutation_law import BrokenLawError, check_error, check_result

from sentcli import load
from sentcli.errors import SentcliError
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.runs.job import JobOptions
from sentcli.runs.run import score_files
from sentcli.scoring.scorer import Scorer

BATCH = 500
SLOW = 10.0  # CPU seconds; a slower case is a failure
_HANGING = 60  # seconds after which a child is killed


def run_case(scorer: Scorer, case: Case, folder: Path) -> tuple[str, float]:
    """Score a case and check the result.

    :returns: the name of the outcome, and the CPU seconds that sentcli took.
    :raises BrokenLawError: for a result that is not allowed.
    """
    source, output = folder / f"in{case.suffix}", folder / f"out.{case.output_format}"
    source.write_bytes(case.data)
    started = time.process_time()
    try:
        summary = score_files(scorer, [str(source)], str(output), JobOptions(read=case.options))
    except SentcliError as error:
        seconds = time.process_time() - started
        check_error(error, folder, source, output)
        return type(error).__name__, seconds
    seconds = time.process_time() - started
    return check_result(case, summary, output), seconds


def run_batch(model: Path, form: str, numbers: range, here: mmap.mmap, answers: int) -> None:
    """Run cases in this process, which ends after them; `here` tells the parent the current case."""
    os.fsync = lambda descriptor: None  # the disk is not tested
    logging.getLogger("sentcli").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name, load(model, workers=1) as scorer:
        counts: Counter[str] = Counter()
        failures, slowest = [], (0.0, 0)
        for number in numbers:
            here[:8] = number.to_bytes(8, "little")
            signal.alarm(_HANGING)
            folder = Path(name, str(number))
            folder.mkdir()
            try:
                outcome, seconds = run_case(scorer, Case(form, number), folder)
                counts[outcome] += 1
                slowest = max(slowest, (seconds, number))
            except BrokenLawError as error:
                failures.append((number, str(error)))
            except BaseException:  # any other exception than a SentcliError is a failure
                failures.append((number, traceback.format_exc(limit=-3)))
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        signal.alarm(0)
    os.write(answers, json.dumps({"counts": counts, "failures": failures, "slowest": slowest}).encode())


def run_children(model: Path, form: str, numbers: range) -> dict:
    """Run cases in child processes, one after the other; a child that dies is a failure of its case."""
    here = mmap.mmap(-1, 8)
    total = {"counts": Counter(), "failures": [], "slowest": [0.0, 0]}
    start = numbers.start
    while start < numbers.stop:
        batch = range(start, min(start + BATCH, numbers.stop))
        read_end, write_end = os.pipe()
        here[:8] = batch.start.to_bytes(8, "little")  # in case it dies before its first case
        child = os.fork()
        if child == 0:
            run_batch(model, form, batch, here, write_end)
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            answer = pipe.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        start = batch.stop
        if code:
            number = int.from_bytes(here[:8], "little")
            failures = [(number, f"the process ended with {code}")]
            total["counts"] += {"cases not counted, before a crash": number - batch.start}
            start = number + 1
        else:
            part = json.loads(answer)
            total["counts"].update(part["counts"])
            failures = part["failures"]
            total["slowest"] = max(total["slowest"], part["slowest"])
        total["failures"] += failures
        for number, problem in failures:
            print(f"FAILURE {form}:{number} {problem}", flush=True)
        print(f"{form} {start:,}", file=sys.stderr)
    return total


def main() -> None:
    """Print the outcomes; exit with 1 if a case is a failure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="cases of each format")
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--model", type=Path, help="a model folder; the smaller, the faster")
    parser.add_argument("--only", metavar="FORMAT:NUMBER", help="run one case and leave its files here")
    arguments = parser.parse_args()
    if arguments.only:
        form, _, number = arguments.only.partition(":")
        case = Case(form, int(number))
        Path(f"in{case.suffix}").write_bytes(case.data)
        print(case)
        arguments.format, arguments.start, arguments.count = [form], int(number), 1
    load_bundle(arguments.model or default_bundle_path())  # report a bad model once, not for each case
    failed = False
    for form in arguments.format:
        numbers = range(arguments.start, arguments.start + arguments.count)
        total = run_children(arguments.model, form, numbers)
        seconds, slowest = total["slowest"]
        print(f"{form}: {arguments.count:,} cases, the slowest took {seconds:.2f} s (number {slowest})")
        for outcome, count in total["counts"].most_common():
            print(f"  {count:9,} {outcome}")
        failed |= bool(total["failures"]) or seconds > SLOW
    sys.exit(int(failed))


if __name__ == "__main__":
    run(main)
