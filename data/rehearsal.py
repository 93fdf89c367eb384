"""Draw the sentences that fine-tuning of the included model rehearses, from data that it was trained on.

python data/rehearsal.py exports/imdb-bilstm
"""

import csv
import random
import sys
from pathlib import Path

from sentcli.model.bundle import REHEARSAL, write_manifest

EACH = {"everyday.csv": 280, "holes.csv": 800, "causes.csv": 400}  # sentences of each label
SEED = 1


def main(folder: Path) -> None:
    """Write the file into the folder of the model, and its digest into the manifest."""
    draw, drawn = random.Random(SEED), []
    for name, count in EACH.items():
        with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
            rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
        for label in ("negative", "positive"):
            drawn += draw.sample([row for row in rows if row[1] == label], count)
    draw.shuffle(drawn)
    with (folder / REHEARSAL).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("text", "label"), *drawn])
    write_manifest(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
