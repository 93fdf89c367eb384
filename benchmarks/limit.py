"""How far sentcli is from what the machine can do, and where the rest goes, in one run.

    python benchmarks/limit.py
    python benchmarks/limit.py --dataset reviews.csv --rows 5000 --hidden 32

Measured are models of these sizes, and one of the shape of the model in the box, which reads phrases. They
have random weights and its vocabulary: fit for speed alone. Figures of one core are the processor's seconds,
so other work on the machine hardly moves them; those of the whole machine are seconds on the clock, and want
a machine that is idle: in each round they are the middle one of five turns. Everything takes turns, in
rounds.
"""

import argparse
import csv
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import machine
from ending import run
from limit_graphs import function_seconds, product_rate, profile
from limit_pipeline import LockProbe, Parts, Shape, check_probe, hand_over, make_bundle, run_bare, timed
from limit_report import arithmetic, count_gates, cpu, must_show, report
from systems.ours import score_csv

import sentcli
from sentcli.config import DEFAULT_DATASET, GATES
from sentcli.evaluation.datasets import load_split
from sentcli.evaluation.metrics_file import read_metrics
from sentcli.model.bundle import ONNX, Bundle, default_bundle_path, load_bundle
from sentcli.scoring.cores import usable_cores
from sentcli.scoring.scorer import Scorer

RESULTS = Path(__file__).parent / "results"
_PROFILED = 6  # batches: every node of every step is an event
_PROBED = 1.0  # seconds, at least: the probe looks 2,000 times a second
# Other work on the machine makes a single turn of a second up to a tenth longer, or several in a row.
_ON_THE_CLOCK = frozenset({"bare folded", "whole pipeline", "whole pipeline, one worker"})
_TURNS = 5
_PEAK = (512, 1024, 1024)  # rows and widths of products that nothing but arithmetic holds up


def measure(box: Bundle, shape: Shape, source: Path, folder: Path, repeats: int) -> dict[str, Any]:
    """Measure everything about one model."""
    of_gates = {
        gates: make_bundle(folder / gates, box, replace(shape, gates=gates), "folded") for gates in GATES
    }
    folded = of_gates[shape.gates]
    portable = make_bundle(folder / "portable", box, shape, "portable")
    quantized = make_bundle(folder / "int8", box, shape, "folded", "int8")
    target, cores = folder / "scored.csv", usable_cores()
    parts, lstm, int8 = (Parts(bundle, source, target) for bundle in (folded, portable, quantized))
    backends = {gates: Parts(bundle, source, target).backend for gates, bundle in of_gates.items()}
    batches = parts.batches()
    with (
        sentcli.load(folded.path) as scorer,
        sentcli.load(folded.path, workers=1) as single,
        Scorer(folded, processes=2) as commander,
    ):
        every = max(1, len(batches) // 8)
        work = {
            "bare folded": lambda: run_bare(parts.backend, batches, cores),
            "bare folded, one core": lambda: run_bare(parts.backend, batches, 1),
            "bare folded, int8, one core": lambda: run_bare(int8.backend, batches, 1),
            **{
                f"bare folded, {gates} gates, one core": partial(run_bare, backend, batches, 1)
                for gates, backend in backends.items()
            },
            "bare LSTM operators": lambda: run_bare(lstm.backend, batches, cores),
            "bare LSTM operators, one core": lambda: run_bare(lstm.backend, batches, 1),
            "whole pipeline": lambda: score_csv(scorer, source, target),
            "whole pipeline, one worker": lambda: score_csv(single, source, target),
            # The other processes' seconds are not this one's.
            "whole pipeline, two processes": lambda: score_csv(commander, source, target),
            "reading": parts.reading,
            "reading and encoding": parts.encoding,
            "all but the model": parts.rest,
        }
        run_bare(parts.backend, batches[::every], cores)  # warm
        run_bare(lstm.backend, batches[::every], cores)
        run_bare(int8.backend, batches[::every], 1)
        for backend in backends.values():
            run_bare(backend, batches[::every], 1)
        score_csv(scorer, source, target)
        score_csv(single, source, target)
        hand_over(commander, source, target)
        seconds: dict[str, list[tuple[float, float]]] = defaultdict(list)
        locked = []
        for _ in range(repeats):
            turns: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for turn in range(_TURNS):
                for name, job in work.items():
                    if turn == 0 or name in _ON_THE_CLOCK:
                        target.unlink(missing_ok=True)  # to replace 30 MB takes the system some ms
                        turns[name].append(timed(job))
            for name, of_turns in turns.items():
                seconds[name].append(statistics.median_low(of_turns))
            locked.append(seconds_under_the_lock(parts))
    reviews = sum(len(lengths) for _, lengths in batches)
    few = batches[:: max(1, len(batches) // _PROFILED)]
    bare = min(timed(lambda: run_bare(parts.backend, few, 1))[1] for _ in range(3))
    tokens = sum(int(lengths.sum()) for _, lengths in batches)
    return {
        **asdict(shape),
        "cores": cores,
        "embedding": folded.config.model.embedding_dim,
        "reviews": reviews,
        "tokens": tokens,
        "steps": sum(ids.size for ids, _ in batches),
        "rows_a_batch": statistics.median(len(ids) for ids, _ in batches),
        "seconds": dict(seconds),
        "locked_us": [second / reviews * 1e6 for second in locked],
        "nodes": profile(folded.path / ONNX, few) | {"all": bare},
    }


def seconds_under_the_lock(parts: Parts) -> float:
    """Give how long a thread holds the interpreter lock while the pipeline does all but the model's part."""
    times = []
    with LockProbe() as probe:
        while sum(clock for clock, _ in times) < _PROBED:
            times.append(timed(parts.rest))
    clock, processor = (sum(column) for column in zip(*times, strict=True))
    # No more than the processor's seconds: a holder that has to wait for a core is other work's doing.
    return min(probe.share * clock, processor) / len(times)


def limits(found: dict[str, Any]) -> dict[str, float]:
    """Give tokens/s a core: what products allow, what products and gate functions do, what was reached."""
    rows, hidden, gates = int(found["rows_a_batch"]), found["hidden"], count_gates(found)
    rate = product_rate(rows, hidden, gates * hidden)
    functions = function_seconds(rows, hidden, sigmoids=gates - 1)
    counted = arithmetic(found)
    product = counted["recurrent product"] / rate
    inputs = counted["input product, which folding leaves out"] / rate
    reached = found["tokens"] / cpu(found, "bare folded, one core")
    return {
        "product FLOP/s": rate,
        "products alone": 1 / product,
        "products alone, not folded": 1 / (product + inputs),
        "products and gate functions": 1 / (product + 2 * functions / rows),
        "reached": reached,
    }


def main() -> None:
    """Measure, print the tables, write them and the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default=DEFAULT_DATASET, help="as for sentcli evaluate")
    parser.add_argument("--split", default="test")
    parser.add_argument("--text-column")
    parser.add_argument("--label-column")
    parser.add_argument("--rows", type=int, help="only so many reviews")
    parser.add_argument("--hidden", type=int, nargs="*", default=[32, 64], help="beside the box")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for limit.json and limit.md")
    options = parser.parse_args()

    ran_on = machine.describe(("sentcli", "numpy", "onnxruntime", "pyarrow"))  # before this is at work itself
    if warning := machine.busy(ran_on):
        print(warning, file=sys.stderr)
    texts = load_split(options.dataset, options.split, options.text_column, options.label_column).texts
    box = load_bundle(default_bundle_path())
    shapes = [Shape(f"hidden {hidden}", hidden) for hidden in options.hidden]
    gates = read_metrics(box)["training"]["gates"]
    shapes.append(Shape("the model in the box", box.config.model.hidden_size, gates, phrases=True))
    ran_on["peak_flops_a_core"] = product_rate(*_PEAK)
    ran_on["probe"] = check_probe()
    sizes = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "reviews.csv")
        with source.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text"])
            every = max(1, len(texts) // (options.rows or len(texts)))
            writer.writerows([text] for text in texts[::every][: options.rows])
        for number, shape in enumerate(shapes):
            found = measure(box, shape, source, Path(name, f"{number}"), options.repeats)
            sizes.append(found | {"limits": limits(found)})
    lines = [machine.in_a_line(ran_on)]
    lines.append(
        f"Products of 512 x 1,024 by 1,024 x 1,024: {ran_on['peak_flops_a_core'] / 1e9:.1f} GFLOP/s a core."
    )
    lines.append(
        "The probe of the lock: {:.0%} of a loop in Python, {:.0%} of a sleep.".format(*ran_on["probe"])
    )
    lines += [line for found in sizes for line in report(found)]
    lines += ["\n## Promised\n", *(f"- {line}" for found in sizes for line in must_show(found))]
    options.results.mkdir(parents=True, exist_ok=True)
    result = {"machine": ran_on, "repeats": options.repeats, "sizes": sizes}
    (options.results / "limit.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    (options.results / "limit.md").write_text("\n".join(lines) + "\n", "utf-8")
    print(*lines, sep="\n")


if __name__ == "__main__":
    run(main)
