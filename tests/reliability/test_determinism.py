"""The score of a text depends on text and model alone: not on format, order, neighbours or threads."""

import csv
import gzip
import io
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import invoke
from invented import reviews

from sentcli.scoring import inference as scoring
from sentcli.tables import chunk, parquet

ODD = ["", " \t ", "a", "!", "naïve café 日本語 😀", "film", "dull dull dull", "<br /><br />", "\u2028"]


@pytest.fixture(scope="module")
def texts():
    """Return texts of 0 to 600 words, some of them twice, none with a line break."""
    draw = random.Random(5)
    words = " ".join(text for text, _ in reviews(60, seed=8)).split()
    lengths = draw.choices((1, 2, 7, 30, 39, 40, 41, 90, 250, 600), k=280)
    made = [" ".join(draw.choices(words, k=length)) for length in lengths]
    made += [*ODD, "x" * 5000, *made[:20]]
    draw.shuffle(made)
    return made


def to_csv(texts):
    buffer = io.StringIO()
    rows = [["text"], *([text] for text in texts)]
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()


def to_jsonl(texts):
    return "".join(f"{json.dumps({'text': text})}\n" for text in texts).encode()


def to_parquet(texts):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer)
    return buffer.getvalue()


def to_lines(texts):
    return "".join(f"{text}\n" for text in texts).encode()


FORMATS = {
    "csv": to_csv,
    "jsonl": to_jsonl,
    "parquet": to_parquet,
    "txt": to_lines,
    "csv.gz": lambda texts: gzip.compress(to_csv(texts)),
    "jsonl.zst": lambda texts: pa.Codec("zstd").compress(to_jsonl(texts), asbytes=True),
    "txt.zst": lambda texts: pa.Codec("zstd").compress(to_lines(texts), asbytes=True),
}


def read(path):
    """Return texts, labels and scores, all as CSV has them."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [tuple(record) for record in csv.reader(file)][1:]
    if path.suffix == ".txt":
        fields = [line.split("\t", 2) for line in path.read_bytes().decode().split("\n")[:-1]]
        return [(text, label, score) for label, score, text in fields]
    if path.suffix == ".jsonl":
        rows = [tuple(json.loads(line).values()) for line in path.read_bytes().splitlines()]
    else:
        rows = list(zip(*pq.read_table(path).to_pydict().values(), strict=True))
    return [(text, label or "", "" if score is None else f"{score:.6f}") for text, label, score in rows]


def score(folder, data, form, *options, model):
    """Write a file, score it, return the rows; the output has the format of the input."""
    (folder / f"in.{form}").write_bytes(data)
    output = folder / f"out.{form.partition('.')[0]}"
    line = (folder / f"in.{form}", "-o", output, "-q", "--overwrite", "--model", model)
    result = invoke("score", *line, *options)
    assert result.exit_code == 0, result.output
    return read(output)


@pytest.fixture
def expected(trained, tmp_path, texts):
    rows = score(tmp_path, to_csv(texts), "csv", model=trained.path)
    assert [text for text, _, _ in rows] == texts
    assert len({score for _, _, score in rows}) > 200
    return rows


@pytest.mark.parametrize("form", FORMATS)
def test_scores_are_the_same_in_every_format(trained, tmp_path, texts, expected, form):
    assert score(tmp_path, FORMATS[form](texts), form, model=trained.path) == expected


def test_scores_are_the_same_on_standard_input(trained, tmp_path, texts, expected):
    output = tmp_path / "out.txt"
    result = invoke("score", "-", "-o", output, "-q", "--model", trained.path, stdin=to_lines(texts))
    assert result.exit_code == 0
    assert read(output) == expected


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("parts", [2, 7])
def test_scores_are_the_same_in_parts(trained, tmp_path, texts, expected, form, parts):
    rows = []
    for part in range(parts):
        piece = texts[part * len(texts) // parts : (part + 1) * len(texts) // parts]
        rows += score(tmp_path, FORMATS[form](piece), form, model=trained.path)
    assert rows == expected


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_scores_are_the_same_in_another_order(trained, tmp_path, texts, expected, form):
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    rows = score(tmp_path, FORMATS[form]([texts[number] for number in order]), form, model=trained.path)
    assert [row for _, row in sorted(zip(order, rows, strict=True))] == expected


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("batch_tokens", "batch_rows", "chunk_rows"),
    [(1, 1, 4096), (100, 4096, 5), (10_000, 7, 64), (1 << 20, 9999, 9999)],
)
def test_scores_are_the_same_with_any_batches_and_workers(
    trained, tmp_path, texts, expected, monkeypatch, workers, batch_tokens, batch_rows, chunk_rows
):
    monkeypatch.setattr(scoring, "BATCH_TOKENS", batch_tokens)
    monkeypatch.setattr(scoring, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(chunk, "CHUNK_ROWS", chunk_rows)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", chunk_rows)
    for form in ("csv", "parquet"):
        rows = score(tmp_path, FORMATS[form](texts), form, "--workers", workers, model=trained.path)
        assert rows == expected
