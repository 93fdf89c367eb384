"""No probe is among the sentences that a model learns."""

import csv
from pathlib import Path

from sentcli.text.tokenizer import words_of

ROOT = Path(__file__).parents[2]
LISTS = ("names.csv", "terms.csv")  # of words, not of texts


def spelling(text: str) -> tuple[str, ...]:
    """Return the words of a text without its marks and emoji; a text of these alone keeps them."""
    tokens = words_of(text)
    return tuple(token for token in tokens if any(map(str.isalnum, token))) or tuple(tokens)


def texts_by_file(folder: Path) -> dict[str, list[str]]:
    texts = {}
    for path in folder.glob("*.csv"):
        if path.name not in LISTS:
            with path.open(newline="", encoding="utf-8") as file:
                texts[path.name] = [row["text"] for row in csv.DictReader(file)]
    return texts


def test_no_probe_is_learned():
    learned = {spelling(text) for texts in texts_by_file(ROOT / "data").values() for text in texts}
    probes = texts_by_file(ROOT / "benchmarks" / "probes")
    assert len(learned) > 100_000
    assert len(probes) > 15
    assert not [(name, text) for name, texts in probes.items() for text in texts if spelling(text) in learned]
