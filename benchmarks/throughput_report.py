"""Turn what `throughput.py` measured into ratios, tables, and the parts of README and docs/speed.md."""

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SEEN = (
    " The included model continues from one that learned the unseen reviews: sentcli's accuracy on these is"
    " that of a model which the recipe makes without them."
)
Record = dict[str, Any]  # one tool in `throughput.json`

OURS = "sentcli"  # the key of the default
CORE_HOUR = 0.05  # dollars, as in docs/cluster.md

# What a service asks for a million texts: its name, the price, the dollars by the lengths of the texts, the
# source. A small language model reads 60 tokens of prompt and one token for 4.3 characters, and writes 5.
_TOKENS = 1 / 4.3
SERVICES = (
    (
        "Amazon Comprehend",
        "$0.0001 for 100 characters, at least 300 a text; half of it beyond 10 million units, from memory",
        lambda of: _tiers(of["units_100"], ((10, 100.0), (float("inf"), 50.0))),
        "cloudzero.com, 2026; aws.amazon.com/comprehend/pricing",
    ),
    (
        "Google Natural Language",
        "$1 for 1,000 units of 1,000 characters up to a million, then $0.50",
        lambda of: _tiers(of["units_1000"], ((0.005, 0.0), (1, 1000.0), (5, 500.0), (float("inf"), 250.0))),
        "cloud.google.com/natural-language/pricing, read on 1 December 2026",
    ),
    (
        "Azure AI Language",
        "$1 for 1,000 records of 1,000 characters up to 500,000, then $0.75, from memory; to be retired",
        lambda of: _tiers(of["units_1000"], ((0.5, 1000.0), (float("inf"), 750.0))),
        "azureglossary.com, 23 May 2026, for the retirement",
    ),
    (
        "gemini-3.1-flash-lite, batch",
        "$0.125 and $0.75 for a million tokens read and written",
        lambda of: _model(of, 0.125, 0.75),
        "modelpedia.dev, 22 March 2026",
    ),
    (
        "gpt-5.4-nano, batch",
        "$0.10 and $0.625 for a million tokens read and written",
        lambda of: _model(of, 0.10, 0.625),
        "tokenmix.ai, 4 June 2026",
    ),
    (
        "gpt-5-nano, batch",
        "$0.025 and $0.20 for a million tokens read and written, without its thinking",
        lambda of: _model(of, 0.025, 0.20),
        "swfte.com, 15 May 2026",
    ),
)


def _tiers(units: float, tiers: Sequence[tuple[float, float]]) -> float:
    """Return the dollars of so many million units.

    :param tiers: the end of each tier in million units, and the dollars of a million within it.
    """
    dollars, begin = 0.0, 0.0
    for end, price in tiers:
        dollars += max(min(units, end) - begin, 0) * price
        begin = end
    return dollars


def _model(lengths: dict[str, float], read: float, written: float) -> float:
    return (60 + lengths["characters"] * _TOKENS) * read + 5 * written


def rates(record: Record, task: str) -> list[float]:
    """Return the rows per second of each round, without the time of a file of one row in this round."""
    seconds = record["seconds"]
    pairs = zip(seconds[task], seconds["start"], strict=True)
    return [record["rows"][task] / (taken - start) for taken, start in pairs]


def rate(record: Record, task: str = "reviews") -> float:
    return statistics.median(rates(record, task))


def dollars(record: Record) -> float:
    """Return the price of a million reviews on as many cores as the tool occupies."""
    return record["cores"] * 1e6 / rate(record) / 3600 * CORE_HOUR


def accuracy(record: Record, sets: Iterable[str], training: str = "mix") -> float:
    """Return the mean of the balanced accuracies on data sets."""
    return statistics.mean(record["accuracy"][training][name]["balanced_accuracy"] for name in sets)


def _variance(record: Record, sets: Sequence[str]) -> float:
    """Return the variance of `accuracy`, from the number of texts of each data set."""
    figures = [record["accuracy"]["mix"][name] for name in sets]
    values = [(figure["balanced_accuracy"], figure["texts"]) for figure in figures]
    return sum(share * (1 - share) / texts for share, texts in values) / len(sets) ** 2


def ratios(ours: Record, other: Record, task: str = "reviews") -> list[float]:
    """Return how many times as fast as another tool sentcli is, round by round."""
    pairs = zip(rates(ours, task), rates(other, task), strict=True)
    return [mine / theirs for mine, theirs in pairs]


class Report:
    """The figures of a run as Markdown, the most accurate tool first."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result
        self.reviews, self.sentences = result["data"]["reviews"], result["data"]["sentences"]
        self.records: list[Record] = sorted(result["systems"], key=rate, reverse=True)
        (self.ours,) = (record for record in self.records if record["key"] == OURS)
        self.by_accuracy = sorted(self.records, key=lambda record: -accuracy(record, self.reviews))

    @property
    def faster(self) -> list[Record]:
        """The tools of others that are faster than sentcli."""
        return [
            record
            for record in self.records
            if rate(record) > rate(self.ours) and not record["key"].startswith(OURS)
        ]

    def measured(self) -> str:
        """Return what was measured, and on what."""
        on = self.result["machine"]
        where = f"on {on['cores']} cores of an {on['processor']}"
        return f"Measured at commit {self.result['commit']}, with the model of that commit, {where}."

    def speed_page(self) -> str:
        """Return the part of docs/speed.md."""
        parts = [
            "![accuracy and speed of the tools](../benchmarks/results/throughput-light.svg)",
            self.measured(),
            self.conditions(),
            self.table(),
            *self.left_out(),
            "A service costs more, for a million reviews of IMDb's lengths:",
            self.services(),
            f"Trained on IMDb alone and with {len(self.result['data']['learned'])} sources more, these have:",
            self.accuracies(),
        ]
        return "\n\n".join(parts)

    def conditions(self) -> str:
        """Return how the tools were measured."""
        seen = SEEN if self.result["has_unseen_model"] else ""
        lines = (
            f"""
*Reviews/s*: IMDb's test reviews from CSV to CSV in a new process, without the time for one row; the median of
{self.result["rounds"]} rounds in which the tools took turns. *Short rows*: single sentences of them.
""",
            "*Times as fast*: the speed of sentcli over that of the tool, with its lowest and highest round.",
            f"""
*IMDb*, *unseen reviews*, *unseen sentences*: balanced accuracy on the test split, on sources that no tool
learned from ({", ".join(self.reviews)}), and on sentences of electronics reviews, critics and tweets.{seen}
""",
            """
All tools learned from IMDb's train split and the reviews of [the recipe](models.md), up to as many of each
source as sentcli; no other tool got sentcli's written sentences, word vectors or teacher.
""",
            f"""
*Dollars*: for a million reviews on the cores that a tool uses, at {CORE_HOUR} USD for a core and an hour.
*Calibration*: the expected calibration error on IMDb.
""",
        )
        return "\n".join(f"- {' '.join(line.split())}" for line in lines)

    def _lost(self, other: Record, sets: Iterable[str]) -> float:
        return 100 * (accuracy(self.ours, sets) - accuracy(other, sets))

    def _is_better(self, other: Record) -> bool:
        """Return whether a tool is more accurate on unseen reviews, by a z-test at 5 %."""
        variance = sum(_variance(record, self.reviews) for record in (self.ours, other))
        return self._lost(other, self.reviews) < -100 * 1.96 * math.sqrt(variance)

    def table(self) -> str:
        header = [
            "system",
            "uses",
            "IMDb",
            "unseen reviews",
            "unseen sentences",
            "reviews/s",
            "times as fast",
        ]
        header += ["short rows/s", "start, s", "MiB", "model, MB", "calibration", "dollars"]
        rows = []
        for record in self.by_accuracy:
            cells = [_bold(record, record["title"]), record["how"] + _sample(record)]
            cells += [f"{accuracy(record, sets):.3f}" for sets in (["imdb"], self.reviews, self.sentences)]
            cells += [_number(rate(record)), _spread(ratios(self.ours, record))]
            cells += [_number(rate(record, "short")), f"{statistics.median(record['seconds']['start']):.2f}"]
            cells += [f"{record['memory_mib']:,}", f"{record['size_mb']:,.0f}"]
            calibration = record["accuracy"]["mix"]["imdb"]["calibration_error"]
            rows.append([*cells, f"{calibration:.3f}", f"{dollars(record):.4f}"])
        return table(header, 2, rows)

    def accuracies(self) -> str:
        """Return the accuracy of each trained model, by what it learned from."""
        rows, seen = [], {OURS}
        for record in self.by_accuracy:
            name = record["model"] or record["key"].partition("-")[0]
            if name in seen or not record["model"]:
                continue
            seen.add(name)
            cells = [record["title"]]
            for sets in (["imdb"], self.reviews, self.sentences):
                cells += [f"{accuracy(record, sets, training):.3f}" for training in ("imdb", "mix")]
            rows.append(cells)
        parts = ("IMDb", "unseen reviews", "unseen sentences")
        header = [f"{part}, {learned}" for part in parts for learned in ("from IMDb", "from all")]
        return table(["system", *header], 1, rows)

    def services(self) -> str:
        lengths = self.result["lengths"]
        own = [f"sentcli, on {self.ours['cores']} cores", f"${CORE_HOUR} for a core and an hour"]
        rows = [[*own, f"{dollars(self.ours):.4f}", "the table above"]]
        rows += [[name, price, f"{of(lengths):,.0f}", source] for name, price, of, source in SERVICES]
        rows[1:] = sorted(rows[1:], key=lambda row: float(row[2].replace(",", "")))
        return table(["service", "price", "dollars", "source and date"], 2, rows)

    def left_out(self) -> list[str]:
        lines = [f"- `{key}`: {reason}" for key, reason in self.result["left_out"].items()]
        return ["\n".join(["Left out:\n", *lines])] if lines else []

    def readme(self) -> str:
        """Return the part of README: how fast sentcli is, what is faster, and the chart."""
        cores, speeds = self.ours["cores"], [rate(self.ours), rate(self.ours, "short")]
        text = f"{'Two' if cores == 2 else cores} cores score {round(speeds[0], -2):,.0f} IMDb reviews or "
        text += f"{round(speeds[1], -3):,.0f} single sentences per second from CSV to CSV. "
        if self.faster:
            lost = sorted(self._lost(record, self.reviews) for record in self.faster)
            text += f"What is faster is {lost[0]:.1f} to {lost[-1]:.1f} points less accurate on reviews of "
            text += "sources that no tool learned from"
        else:
            text += "No tool that we know is faster"
        better = [record["title"] for record in self.records if self._is_better(record)]
        text += f"; {', '.join(dict.fromkeys(better)) or 'no tool'} is measurably more accurate there. "
        text += self.measured()
        return (
            f"{text}\n\n{picture('benchmarks/results/throughput', 'svg', 'accuracy and speed of the tools')}"
        )


def picture(path: str, suffix: str, alternative: str) -> str:
    """Return HTML for a picture that is there in light and dark."""
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{path}-dark.{suffix}">'
        f'<img src="{path}-light.{suffix}" width="640" alt="{alternative}"></picture>'
    )


def pages(result: dict[str, Any]) -> dict[Path, str]:
    """Return README.md and docs/speed.md with these figures between the markers."""
    report = Report(result)
    parts = {ROOT / "README.md": report.readme(), ROOT / "docs" / "speed.md": report.speed_page()}
    return {path: replaced(path.read_text("utf-8"), text) for path, text in parts.items()}


def replaced(page: str, text: str, name: str = "throughput") -> str:
    """Return a page with this text between the markers of this name.

    :raises ValueError: when the page lacks them.
    """
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"no {begin.strip()} ... {end.strip()}")
    return before + begin + text + end + after


def table(header: Sequence[str], texts: int, rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    :param texts: number of first columns that are not numbers.
    """
    marks = ["---" if column < texts else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, marks, *rows])


def _bold(record: Record, text: str) -> str:
    return f"**{text}**" if record["key"] == OURS else text


def _sample(record: Record) -> str:
    rows = record["rows"]["reviews"]
    return f", {rows:,} reviews" if rows < 25_000 else ""


def _spread(values: Sequence[float]) -> str:
    return f"{_number(statistics.median(values))} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
