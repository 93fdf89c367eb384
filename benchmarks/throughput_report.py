"""Turn what `throughput.py` measured into ratios, tables, and the parts of README and docs/speed.md."""

import hashlib
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import machine

from sentcli.model.bundle import default_bundle_path, load_bundle

ROOT = Path(__file__).parents[1]
SEEN = (
    "The model that the included one continues from learned the unseen reviews; sentcli's accuracy on these "
    "is that of a model which the recipe makes from GloVe without them. "
)
SCORING = ("scoring", "text", "backends")  # folders of the package; figures of other code are old
Record = dict[str, Any]  # one tool in `throughput.json`

OURS = "sentcli"  # the key of the default
CORE_HOUR = 0.05  # dollars, as in docs/cluster.md
IN_README = ("sentcli", "nblr", "minilm", "vader")  # with what is faster than sentcli

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


def digest_of_code(model: Path) -> str:
    """Return a digest of the code that scores, and of the files of a model that scores depend on."""
    code = sorted(file for name in SCORING for file in (ROOT / "sentcli" / name).rglob("*.py"))
    parts = [*(path.read_bytes() for path in code), load_bundle(model).digest.encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


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


def ratios(ours: Record, other: Record, task: str = "reviews") -> list[float]:
    """Return how many times as fast as another tool sentcli is, round by round."""
    pairs = zip(rates(ours, task), rates(other, task), strict=True)
    return [mine / theirs for mine, theirs in pairs]


class Report:
    """The figures of a run as Markdown, the fastest tool first."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.result = result
        self.records: list[Record] = sorted(result["systems"], key=rate, reverse=True)
        (self.ours,) = (record for record in self.records if record["key"] == OURS)
        is_old = result["code"] != digest_of_code(default_bundle_path())
        self.age = "The code or the model has changed since these figures were measured. " if is_old else ""
        self.reviews, self.sentences = result["data"]["reviews"], result["data"]["sentences"]

    @property
    def faster(self) -> list[Record]:
        """The tools of others that are faster than sentcli."""
        return [
            each for each in self.records if rate(each) > rate(self.ours) and not each["key"].startswith(OURS)
        ]

    def speed_page(self) -> str:
        """Return the part of docs/speed.md."""
        parts = [
            "![accuracy against reviews per second](../benchmarks/results/throughput.png)",
            self.conditions(),
            self.what_is_faster(),
            self.what_is_slower(),
            self.table(),
            *self.left_out(),
            "A service costs more, for a million reviews of IMDb's lengths:",
            "![dollars for a million reviews](../benchmarks/results/dollars.png)",
            self.services(),
            self.worth_of_data(),
            self.accuracies(),
        ]
        return "\n\n".join(parts)

    def conditions(self) -> str:
        """Return how and on what the tools were measured."""
        result = self.result
        return (
            f"{self.age}Measured at commit {result['commit']} on {machine.in_a_line(result['machine'])}. "
            f"In {result['rounds']} rounds, each tool in turn scores a CSV file of one row, of IMDb's test "
            "reviews and of single sentences of them to a new CSV file, in a new process. A speed is the "
            "median of the rounds, without the time for one row; the lowest and the highest round are in "
            "brackets. All peers learned from IMDb's train split and from the reviews of [the "
            "recipe](models.md), up to as many of each source as sentcli; no peer got sentcli's written "
            "sentences, word vectors or teacher. *Unseen reviews* is the mean balanced accuracy on whole "
            f"sources that no tool learned from ({', '.join(self.reviews)}), *unseen sentences* that on "
            "sentences of electronics reviews, film critics and tweets, which VADER's authors rated. "
            f"{SEEN if result['has_unseen_model'] else ''}The "
            "calibration error is that on IMDb. Dollars are those of the cores that a tool occupies, at "
            f"{CORE_HOUR} USD for a core and an hour."
        )

    def worth_of_data(self) -> str:
        return (
            "What the data are worth: the same peers, trained on IMDb alone and with the reviews of "
            f"{len(self.result['data']['learned'])} more sources. sentcli is trained by its own recipe. "
            "Balanced accuracy:"
        )

    def what_is_faster(self) -> str:
        """Return what is faster than sentcli, and what it costs in accuracy."""
        if not self.faster:
            return "No tool is faster than sentcli."
        lines = [
            f"- {_spread([1 / ratio for ratio in ratios(self.ours, other)])} times as fast: {_name(other)}; "
            f"{self._points(other)}"
            for other in self.faster
        ]
        return "\n".join(["Faster than sentcli, which uses both cores, are:\n", *lines])

    def what_is_slower(self) -> str:
        lines = [
            f"- {_spread(ratios(self.ours, other))} times as fast as {_name(other)}"
            for other in self.records
            if rate(other) <= rate(self.ours) and other is not self.ours
        ]
        return "\n".join(["sentcli is:\n", *lines])

    def _points(self, other: Record) -> str:
        """Return how many points another tool is less accurate."""
        lost = [self._lost(other, sets) for sets in (["imdb"], self.reviews, self.sentences)]
        values = [f"{abs(points):.1f} points {'less' if points > 0 else 'more'}" for points in lost]
        return f"{values[0]} accurate on IMDb, {values[1]} on unseen reviews, {values[2]} on unseen sentences"

    def _lost(self, other: Record, sets: Iterable[str]) -> float:
        return 100 * (accuracy(self.ours, sets) - accuracy(other, sets))

    def table(self) -> str:
        header = ["system", "uses", "IMDb", "unseen reviews", "unseen sentences", "reviews/s", "short rows/s"]
        header += ["first answer, s", "peak MiB", "model, MB", "calibration error", "$ for a million reviews"]
        rows = []
        for record in self.records:
            cells = [_bold(record, record["title"]), record["how"] + _sample(record)]
            cells += [f"{accuracy(record, sets):.3f}" for sets in (["imdb"], self.reviews, self.sentences)]
            cells += [_spread(rates(record, "reviews")), _spread(rates(record, "short"))]
            cells += [f"{statistics.median(record['seconds']['start']):.2f}", f"{record['memory_mib']:,}"]
            calibration = record["accuracy"]["mix"]["imdb"]["calibration_error"]
            cells += [f"{record['size_mb']:,.0f}", f"{calibration:.3f}", f"{dollars(record):.4f}"]
            rows.append(cells)
        return table(header, 2, rows)

    def accuracies(self) -> str:
        """Return the accuracy of each trained model on each data set, by training."""
        sets = ["imdb", *self.reviews, *self.sentences]
        rows, seen = [], set()
        for record in sorted(self.records, key=lambda each: -accuracy(each, self.reviews)):
            name = record["model"] or record["title"]
            if name in seen:
                continue
            seen.add(name)
            for training in record["accuracy"]:
                learned = {"imdb": "IMDb", "mix": "IMDb and reviews"}[training] if record["model"] else "-"
                cells = [_bold(record, record["title"]), learned]
                cells += [f"{accuracy(record, [each], training):.3f}" for each in sets]
                means = (accuracy(record, part, training) for part in (self.reviews, self.sentences))
                rows.append([*cells, *(f"{mean:.3f}" for mean in means)])
        return table(["system", "learned from", *sets, "mean of reviews", "mean of sentences"], 2, rows)

    def services(self) -> str:
        lengths = self.result["lengths"]
        own = [f"sentcli, on {self.ours['cores']} cores", f"${CORE_HOUR} for a core and an hour"]
        rows = [[*own, f"{dollars(self.ours):.4f}", "the table above"]]
        rows += [[name, price, f"{of(lengths):,.0f}", source] for name, price, of, source in SERVICES]
        rows[1:] = sorted(rows[1:], key=lambda row: float(row[2].replace(",", "")))
        return table(["service", "price", "$ for a million reviews", "source and date"], 2, rows)

    def left_out(self) -> list[str]:
        lines = [f"- `{key}`: {reason}" for key, reason in self.result["left_out"].items()]
        return ["\n".join(["Left out:\n", *lines])] if lines else []

    def readme(self) -> str:
        """Return the part of README: what is faster, the fastest way of each model, and what is slower."""
        chosen: dict[str, Record] = {}
        for record in self.records:
            if record in self.faster or record["key"] in IN_README:
                chosen.setdefault(record["model"] or record["key"], record)
        cores, speeds = self.ours["cores"], [rate(self.ours), rate(self.ours, "short")]
        text = f"{'Two' if cores == 2 else cores} cores score {round(speeds[0], -2):,.0f} IMDb reviews per "
        text += f"second from CSV to CSV, or {round(speeds[1], -3):,.0f} single sentences. "
        if others := [each for each in chosen.values() if each in self.faster]:
            lost = sorted(self._lost(each, self.reviews) for each in others)
            *titles, last = [each["title"] for each in others]
            names = f"{', '.join(titles)} and {last}" if titles else last
            text += f"Faster: {names}. They learned from the same reviews, and are {lost[0]:.1f} to "
            text += f"{lost[-1]:.1f} points less accurate on sources that no tool learned from. "
        better = [each["title"] for each in self.faster if self._lost(each, self.reviews) < 0]
        text += f"Both faster and more accurate there: {', '.join(better) or 'none of the tools'}. {self.age}"
        header = ["system", "IMDb", "unseen reviews", "reviews/s", "$ for a million reviews"]
        rows = [
            [_bold(record, record["title"])]
            + [f"{accuracy(record, sets):.3f}" for sets in (["imdb"], self.reviews)]
            + [_number(rate(record)), f"{dollars(record):.4f}"]
            for record in chosen.values()
        ]
        picture = "![accuracy against reviews per second](benchmarks/results/throughput.png)"
        return "\n\n".join([text.strip(), table(header, 1, rows), picture])


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


def _name(record: Record) -> str:
    return f"{record['title']} ({record['how']})"


def _sample(record: Record) -> str:
    rows = record["rows"]["reviews"]
    return f", {rows:,} reviews" if rows < 25_000 else ""


def _spread(values: Sequence[float]) -> str:
    return f"{_number(statistics.median(values))} ({_number(min(values))} to {_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
