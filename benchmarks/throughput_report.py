"""From what `throughput.py` measured to ratios, table, frontier, and README's part of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine

Record = dict[str, Any]  # what `throughput.json` says of a system

OURS = "sentcli"  # the default, which the claims are about
BEGIN, END = "<!-- throughput -->", "<!-- end of throughput -->"

# What the project claims: title, numerator, denominator, lowest ratio that bears it out.
CLAIMS = (
    ("fastText", OURS, "fasttext", 1.0),
    ("fastText, a process a core", OURS, "fasttext-pool", 1.0),
    ("TF-IDF + logistic regression", OURS, "tfidf", 2.0),
    ("TF-IDF + logistic regression, a process a core", OURS, "tfidf-pool", 2.0),
    ("DistilBERT's shape, PyTorch", OURS, "distilbert-torch", 1000.0),
    ("DistilBERT's shape, 512 tokens, PyTorch", OURS, "distilbert-torch-512", 1000.0),
    ("DistilBERT's shape, onnxruntime", OURS, "distilbert-onnx", 1000.0),
    ("the tutorial loop of the same model", OURS, "tutorial", 10.0),
    ("LSTM operators of the same model", OURS, "lstm", 1.0),
    ("itself with --workers 1", OURS, "sentcli-1", 1.8),
)


@dataclass(frozen=True)
class Ratio:
    """Reviews/s of the whole pipeline against those of another system, round by round."""

    against: str
    needed: float
    median: float
    lowest: float
    highest: float

    @property
    def reached(self) -> bool:
        return self.median >= self.needed


def ratios(result: dict[str, Any]) -> list[Ratio]:
    """Compare those that ran in the same run; each round gives a ratio."""
    speeds = {record["key"]: record["pipeline"] for record in result["systems"]}
    found = []
    for against, first, second, needed in CLAIMS:
        if first in speeds and second in speeds:
            rounds = [one / other for one, other in zip(speeds[first], speeds[second], strict=True)]
            found.append(Ratio(against, needed, statistics.median(rounds), min(rounds), max(rounds)))
    return found


def speed(record: Record) -> float:
    return statistics.median(record["pipeline"])


def accuracy(record: Record) -> float:
    """Give the accuracy to compare by: what was measured, else the best that was published."""
    return float(max(record["published"]) if record["published"] else record["accuracy"])


def frontier(records: Sequence[Record]) -> list[Record]:
    """Give those that no other is as fast as and as accurate as, the slowest first."""
    best: list[Record] = []
    for record in sorted(records, key=lambda record: (-speed(record), -accuracy(record))):
        if not best or accuracy(record) > accuracy(best[-1]):
            best.append(record)
    return best[::-1]


def better_peers(result: dict[str, Any]) -> list[str]:
    """Name the peers that are both faster and more accurate than sentcli as it comes."""
    ours = next((record for record in result["systems"] if record["key"] == OURS), None)
    if ours is None:
        return []
    return [
        record["title"]
        for record in result["systems"]
        if record["is_peer"] and speed(record) > speed(ours) and accuracy(record) > accuracy(ours)
    ]


def table(result: dict[str, Any]) -> str:
    """Write the systems as a Markdown table, the fastest first."""
    lines = [
        "| system | runs on | accuracy | reviews/s, CSV to CSV | reviews/s, texts in memory | peak MiB |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for record in sorted(result["systems"], key=speed, reverse=True):
        name = f"**{record['title']}**" if record["key"] == OURS else record["title"]
        sample = f", on {record['rows']:,} reviews" if record["rows"] < result["dataset"]["rows"] else ""
        cells = [name, record["how"] + sample, _accuracy(record, result["dataset"]["rows"])]
        cells += [_spread(record["pipeline"]), _spread(record["model"]), f"{record['memory_mib']:,}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def summary_lines(result: dict[str, Any]) -> list[str]:
    """Say the ratios that the claims are about, and who was left out."""
    lines = ["", "CSV to CSV, times as fast as (lowest to highest round):"]
    for ratio in ratios(result):
        verdict = "" if ratio.needed == 1 and ratio.reached else f", needed {ratio.needed:,.4g}"
        verdict += "" if ratio.reached else ": NOT reached"
        lines.append(
            f"  {ratio.against}: {ratio.median:,.4g} ({ratio.lowest:,.4g} to {ratio.highest:,.4g}){verdict}"
        )
    lines.append(f"  peers both faster and more accurate: {', '.join(better_peers(result)) or 'none'}")
    lines += [f"  left out: {out['title']}: {out['reason']}" for out in result["left_out"]]
    return lines


def readme_block(result: dict[str, Any]) -> str:
    """Write README's part, from marker to marker."""
    data, settings = result["dataset"], result["settings"]
    where = (
        f"{data['name']}, split {data['split']}, {data['rows']:,} reviews; median of {settings['repeats']} "
        f"rounds of one run, from file to file in each the middle one of {settings['times']} times, lowest "
        f"to highest in brackets, on {machine.in_a_line(result['machine'])}. "
        "Peers learned from the train split. A pool is a process a core, for what works on one core; the "
        "accuracy of a hollow point is one that others published. Memory is that of as many reviews as were "
        "timed."
    )
    return "\n".join(
        [
            BEGIN,
            "![accuracy against reviews a second, with the frontier](benchmarks/results/throughput.png)",
            "",
            where,
            "",
            table(result),
            END,
        ]
    )


def put_into_readme(path: Path, result: dict[str, Any]) -> None:
    """Replace the part between the markers.

    :raises ValueError: when they are not there.
    """
    before, found, rest = path.read_text("utf-8").partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"{path} has no {BEGIN} ... {END}")
    path.write_text(before + readme_block(result) + after, "utf-8")


def _accuracy(record: Record, rows: int) -> str:
    if record["published"]:
        low, high = record["published"]
        return f"{low:.3f} to {high:.3f}, published"
    sample = f" (of {record['accuracy_rows']:,})" if record["accuracy_rows"] < rows else ""
    return f"{record['accuracy']:.4f}{sample}"


def _spread(values: Sequence[float]) -> str:
    return f"{_rate(statistics.median(values))} ({_rate(min(values))} to {_rate(max(values))})"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
