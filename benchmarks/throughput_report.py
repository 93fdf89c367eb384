"""Turn what `throughput.py` measured into ratios, a table, the frontier, and the part of docs/speed.md."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine

Record = dict[str, Any]  # one system in `throughput.json`

OURS = "sentcli"  # the key of the default
BEGIN, END = "<!-- throughput -->", "<!-- end of throughput -->"
PICTURE = "../benchmarks/results/throughput.png"  # as docs/speed.md links it

# What the project claims: name, key of the other system, lowest ratio that supports the claim.
CLAIMS = (
    ("fastText, which works on one core", "fasttext", 1.0),
    ("fastText with a process per core", "fasttext-pool", 1.0),
    ("TF-IDF and logistic regression, on one core", "tfidf", 2.0),
    ("TF-IDF and logistic regression with a process per core", "tfidf-pool", 2.0),
    ("DistilBERT at 256 tokens in PyTorch", "distilbert-torch", 1000.0),
    ("DistilBERT at 512 tokens in PyTorch, as in publications", "distilbert-torch-512", 1000.0),
    ("DistilBERT at 256 tokens in onnxruntime", "distilbert-onnx", 1000.0),
    ("the same model in a tutorial's loop", "tutorial", 10.0),
    ("the same model as a graph of LSTM operators", "lstm", 1.0),
    ("itself with `--workers 1`", "sentcli-1", 1.8),
)


@dataclass(frozen=True)
class Ratio:
    """Reviews/s of sentcli against those of another system, round by round."""

    key: str
    against: str
    needed: float
    median: float
    lowest: float
    highest: float

    @property
    def reached(self) -> bool:
        return self.median >= self.needed

    def __str__(self) -> str:
        return f"{_rate(self.median)} ({_rate(self.lowest)} to {_rate(self.highest)})"


def ratios(result: dict[str, Any]) -> list[Ratio]:
    """Return the ratio of each claim whose systems both ran; each round gives one value."""
    speeds = {record["key"]: record["pipeline"] for record in result["systems"]}
    found = []
    for against, key, needed in CLAIMS:
        if OURS in speeds and key in speeds:
            rounds = [ours / other for ours, other in zip(speeds[OURS], speeds[key], strict=True)]
            found.append(Ratio(key, against, needed, statistics.median(rounds), min(rounds), max(rounds)))
    return found


def speed(record: Record) -> float:
    return statistics.median(record["pipeline"])


def accuracy(record: Record) -> float:
    """Return the accuracy to compare by: the measured one, or the best that was published."""
    return float(max(record["published"]) if record["published"] else record["accuracy"])


def frontier(records: Sequence[Record]) -> list[Record]:
    """Return the systems that no other system beats in both speed and accuracy, the slowest first."""
    best: list[Record] = []
    for record in sorted(records, key=lambda record: (-speed(record), -accuracy(record))):
        if not best or accuracy(record) > accuracy(best[-1]):
            best.append(record)
    return best[::-1]


def better_peers(result: dict[str, Any]) -> list[str]:
    """Return the titles of the peers that are both faster and more accurate than sentcli by default."""
    ours = next((record for record in result["systems"] if record["key"] == OURS), None)
    if ours is None:
        return []
    return [
        record["title"]
        for record in result["systems"]
        if record["is_peer"] and speed(record) > speed(ours) and accuracy(record) > accuracy(ours)
    ]


def table(result: dict[str, Any]) -> str:
    """Return the systems as a Markdown table, the fastest first."""
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


def summary_lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield the ratios of the claims, and the systems that were left out."""
    yield "\nCSV to CSV, times as fast as (lowest to highest round):"
    for ratio in ratios(result):
        missed = "" if ratio.reached else f", needed {ratio.needed:,.4g}: NOT reached"
        yield f"  {ratio.against}: {ratio}{missed}"
    yield f"  peers both faster and more accurate: {', '.join(better_peers(result)) or 'none'}"
    for out in result["left_out"]:
        yield f"  left out: {out['title']}: {out['reason']}"


def docs_block(result: dict[str, Any]) -> str:
    """Return the part of docs/speed.md from marker to marker."""
    data, settings = result["dataset"], result["settings"]
    where = (
        f"Measured on {data['name']}, split {data['split']}, {data['rows']:,} reviews, on "
        f"{machine.in_a_line(result['machine'])}. Each figure is the median of {settings['repeats']} rounds "
        f"of one run, with the lowest and the highest in brackets; in a round each system scores the file "
        f"{settings['times']} times, and the middle time counts. Peers learned from the train split. "
        "DistilBERT has random weights here, so its accuracy is the published one (hollow points). Memory is "
        "that of the reviews that were timed."
    )
    lines = [f"- {ratio} times as fast as {ratio.against}" for ratio in ratios(result)]
    parts = [f"![accuracy against reviews per second, with the frontier]({PICTURE})", where]
    parts += ["sentcli is, from CSV to CSV:", "\n".join(lines), table(result)]
    return "\n".join([BEGIN, "\n\n".join(parts), END])


def write_docs(path: Path, result: dict[str, Any]) -> None:
    """Replace the part of a page between the markers.

    :raises ValueError: when the page lacks the markers.
    """
    before, found, rest = path.read_text("utf-8").partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"{path} has no {BEGIN} ... {END}")
    path.write_text(before + docs_block(result) + after, "utf-8")


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
