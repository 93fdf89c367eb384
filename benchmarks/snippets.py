"""Make data sets for `sentcli evaluate` of sentences that people wrote and others rated.

    pip download --no-deps --no-binary :all: vaderSentiment==0.5
    python benchmarks/snippets.py vaderSentiment-0.5.zip --folder snippets
    sentcli evaluate --dataset snippets/amazon.csv

The archive contains the sentences that VADER was measured on (C. J. Hutto and E. Gilbert, ICWSM 2014), from
reviews of electronics, from film critics and from tweets. Twenty people rated each of them from -4 (negative)
to 4 (positive). Sentences with a mean of at least 1 or at most -1 are taken, equally many of each label.
"""

import argparse
import csv
import io
import random
import tarfile
import zipfile
from pathlib import Path

from ending import run

from sentcli.errors import DataError

FILES = {
    "amazon": "amazonReviewSnippets_GroundTruth.txt",
    "critics": "movieReviewSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
}
CLEAR = 1.0  # lowest distance of a mean rating from 0
SEED = 1


def snippets(rated: str) -> list[tuple[str, str]]:
    """Return the clearly rated sentences with labels, equally many of each label, in the order of the file.

    :param rated: lines of id, mean rating and text, separated by tabs.
    """
    labels = ("negative", "positive")
    lines = (line.split("\t", 2) for line in rated.split("\n") if line.count("\t") >= 2)
    clear = [(text.strip(), float(rating)) for _, rating, text in lines if abs(float(rating)) >= CLEAR]
    of_each = [
        [row for row, (_, rating) in enumerate(clear) if (rating > 0) == side] for side in (False, True)
    ]
    count = min(map(len, of_each))
    drawn = {row for rows in of_each for row in random.Random(SEED).sample(rows, count)}
    return [(text, labels[rating > 0]) for row, (text, rating) in enumerate(clear) if row in drawn]


def read(archive: Path) -> dict[str, str]:
    """Return the files of ratings by name; they are in an archive within the archive.

    :raises DataError: if the archive is another file.
    """
    try:
        with zipfile.ZipFile(archive) as outer:
            (inner,) = (name for name in outer.namelist() if name.endswith(".tar.gz"))
            data = outer.read(inner)
        with tarfile.open(fileobj=io.BytesIO(data)) as files:
            names = {Path(member.name).name: member for member in files if member.isfile()}
            return {
                name: files.extractfile(names[file]).read().decode("latin-1")  # type: ignore[union-attr]
                for name, file in FILES.items()
            }
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise DataError(f"{archive}: not the source of vaderSentiment 0.5: {error}") from None


def main() -> None:
    """Write one CSV file per source."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    rated = read(options.archive)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, content in rated.items():
        found = snippets(content)
        with (options.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([("text", "label"), *found])
        print(f"{options.folder / name}.csv: {len(found)} sentences")


if __name__ == "__main__":
    run(main)
