"""The collections of reviews are made from local copies of each kind of source."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import reviews

ROOT = Path(__file__).parents[1]
TABLES = tomllib.loads(reviews.SOURCES.read_text("utf-8"))
STARS = {"format": "csv", "text": "review", "stars": "stars"}


def zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


CASES = {
    "csv": (STARS, b'id,review,stars\n1,"Warm, and\nquiet",4.0\n2,Cold,1\n3,Fair,3\n4,Lost,\n5,Old,n/a\n'),
    "stars of ten": (STARS | {"best": 10}, b"review,stars\nWarm and quiet,7\nCold,4\nFair,6\n"),
    "tsv": (
        {"format": "tsv", "text": "review", "label": "label", "labels": {"bad": 0, "so": 2, "good": 1}},
        b'review\tlabel\nWarm and quiet\tgood\nCold\tbad\nFair\tso\n"odd\tother\n',
    ),
    "jsonl": (
        STARS | {"format": "jsonl"},
        gzip.compress(
            b"\n".join(
                json.dumps({"review": text, "stars": stars}).encode()
                for text, stars in (("Warm &amp; quiet", 5.0), ("Cold", 2.0), ("Fair", 3.0), (None, 1.0))
            )
        ),
    ),
    "tags": (
        {"format": "tags", "text": "review_text", "stars": "rating"},
        b"".join(
            b"<review>\n<rating>\n%s\n</rating>\n<review_text>\n%s & more\n</review_text>\n</review>\n" % pair
            for pair in ((b"5.0", b"Warm"), (b"1.0", b"Cold"), (b"3.0", b"Fair"))
        ),
    ),
    "lines": (
        {"format": "lines", "separator": " #### ", "stars": "first"},
        b"5 #### Warm , and quiet\n1 #### Cold\n3 #### Fair\nno label\n",
    ),
    "opinions": (
        {"format": "opinions"},
        b"".join(
            [
                b"<Reviews>",
                b'<Review><text>Warm</text><Opinions><Opinion polarity="Positive"/></Opinions></Review>',
                b'<Review><text>Cold</text><Opinions><Opinion polarity="Negative"/></Opinions></Review>',
                b'<Review><text>Fair</text><Opinions><Opinion polarity="Neutral"/></Opinions></Review>',
                b'<Review><text>Both</text><Opinions><Opinion polarity="Positive"/>',
                b'<Opinion polarity="Negative"/></Opinions></Review>',
                b"<Review><text>None</text><Opinions/></Review></Reviews>",
            ]
        ),
    ),
    "pros and cons": (
        {"format": "pros and cons"},
        zipped(**{"IntegratedPros.txt": "<Pros>Warm</Pros>\n", "IntegratedCons.txt": "<Cons>Cold</Cons>\n"}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_source_is_read(name: str, tmp_path: Path) -> None:
    fields, data = CASES[name]
    file = tmp_path / "you" / "data" / "a file"
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    source = fields | {"repository": "you/data", "files": [{"path": "a file"}]}
    rows = reviews.collection({"sources": [source, source]}, tmp_path).to_pylist()
    labels = {row["text"].partition(" ")[0].strip(","): row["label"] for row in rows}
    wanted = {"Warm": 1, "Cold": 0} | ({} if name == "pros and cons" else {"Fair": 2})
    assert labels == wanted
    assert len(rows) == len(wanted)  # each text once


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "data" / "reviews.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_another_file_than_the_model_learned_from_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "you" / "data" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(CASES["csv"][1])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    sources = tmp_path / "sources.toml"
    sources.write_text(
        f'[hotels]\nrows = 3\n[[hotels.sources]]\nrepository = "you/data"\nformat = "csv"\ntext = "review"\n'
        f'stars = "stars"\nfiles = [{{ path = "a.csv", sha256 = "{digest}" }}]\n'
    )
    command = (tmp_path, "-o", tmp_path / "reviews", "--sources", sources)
    assert run(*command).stdout == "hotels: 3 texts (3 in the included model's)\n"
    assert pq.read_table(tmp_path / "reviews" / "hotels.parquet").column_names == ["text", "label"]
    file.write_bytes(b"review,stars\nOther,5\n")
    assert "another SHA-256" in run(*command).stderr
    file.unlink()
    assert "a.csv is missing; clone its repository there" in run(*command).stderr


def test_each_collection_of_the_recipe_has_its_source_and_terms() -> None:
    recipe = tomllib.loads((ROOT / "data" / "recipe.toml").read_text("utf-8"))
    learned = {Path(data["path"]).stem for data in recipe["data"] if data["path"].startswith("reviews/")}
    assert learned <= TABLES.keys()
    for table in TABLES.values():
        assert {*table} == {"content", "terms", "rows", "sha256", "sources"}
        for source in table["sources"]:
            assert source["format"] in reviews.READERS
            assert len(source["commit"]) == 40
