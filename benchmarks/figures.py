"""Write the measured figures into README and docs/, and draw the charts: `python benchmarks/figures.py`.

It measures nothing. The figures are those of `results/throughput.json`, `results/own_labels.json` and of the
card of the included model. After a new model, this is the last of the commands that CONTRIBUTING names. With
`--check`, as before a release, nothing is written, and figures of another model than the included one are an
error.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from throughput_pictures import draw
from throughput_report import ROOT, pages, replaced

from sentcli.model.bundle import METRICS, ONNX, default_bundle_path, load_bundle

RESULTS = ROOT / "benchmarks" / "results"
THROUGHPUT, OWN_LABELS = RESULTS / "throughput.json", RESULTS / "own_labels.json"
README, EVALUATION = ROOT / "README.md", ROOT / "docs" / "evaluation.md"
IN_README = {
    "snippets/amazon.csv": "of customers' sentences on electronics",
    "snippets/tweets.csv": "of tweets",
    "benchmarks/probes/negation.csv": "of sentences with a negation",
    "benchmarks/probes/irony.csv": "of ironic sentences",
}


def measured() -> dict[str, dict[str, Any]]:
    """Return the figures of the included model on texts, by data set."""
    card = json.loads(load_bundle(default_bundle_path()).read(METRICS))
    return {of["dataset"]: of for of in card["evaluations"] if of["kind"] == "texts"}


def accuracies_in_readme() -> str:
    figures = measured()
    imdb = figures["stanfordnlp/imdb"]
    (band,) = (band for band in imdb["bands"] if band["low"] == 0.2)
    *parts, last = (f"{figures[dataset]['accuracy']:.3f} {title}" for dataset, title in IN_README.items())
    share = f"the {100 * band['coverage']:.0f} % of them with a score below 0.2 or above 0.8"
    first = f"{imdb['accuracy']:.3f} of {imdb['examples']:,} IMDb reviews, {band['accuracy']:.3f} of {share}"
    return f"The label is right for {first}, {', '.join(parts)}, and {last}."


def accuracies_in_docs(page: str) -> str:
    """Return docs/evaluation.md with the figures of the card in each row of its table."""
    figures = measured()

    def row(found: re.Match[str]) -> str:
        of = figures[found[2]]
        low, high = of["accuracy_interval"]
        numbers = f"{of['examples']:,} | {of['accuracy']:.3f} | {low:.3f} to {high:.3f}"
        return f"| {found[1]} | `{found[2]}` | {numbers} |"

    return re.sub(r"^\| (.*) \| `(.*)` \| [\d,]+ \| [\d.]+ \| [\d.]+ to [\d.]+ \|$", row, page, flags=re.M)


def own_labels() -> str:
    of = json.loads(OWN_LABELS.read_text("utf-8"))
    before, after = (
        "{:.3f} ({:.3f} to {:.3f})".format(of[part], *of[f"{part}_interval"]) for part in ("before", "after")
    )
    is_clear = of["before_interval"][1] < of["after_interval"][0]
    change = f"rises from {before} to {after}" if is_clear else f"is {after}, without them {before}"
    rows, seconds = f"{of['learned']} labeled rows on {of['texts']}", of["cpu_seconds"]
    learned = f"With {rows}, this takes {seconds} seconds of one core."
    return f"{learned} On {of['measured']:,} other rows, the accuracy {change}."


def written() -> dict[Path, str]:
    """Return the pages with their figures."""
    texts = pages(json.loads(THROUGHPUT.read_text("utf-8")))
    texts[README] = replaced(texts[README], accuracies_in_readme(), "accuracy")
    texts[README] = replaced(texts[README], own_labels(), "own labels")
    texts[EVALUATION] = accuracies_in_docs(EVALUATION.read_text("utf-8"))
    return texts


def check() -> None:
    """Exit with a message if figures are of another model, or not in the pages."""
    model = load_bundle(default_bundle_path()).digests[ONNX]
    for file in (THROUGHPUT, OWN_LABELS):
        if json.loads(file.read_text("utf-8"))["model"] != model:
            sys.exit(
                f"{file.relative_to(ROOT)} has the figures of another model; CONTRIBUTING says how to measure"
            )
    for path, page in written().items():
        if path.read_text("utf-8") != page:
            sys.exit(f"{path.relative_to(ROOT)} has other figures; run: python benchmarks/figures.py")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, and fail if figures are old")
    if parser.parse_args().check:
        check()
        return
    draw(RESULTS, json.loads(THROUGHPUT.read_text("utf-8")))
    for path, page in written().items():
        path.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
