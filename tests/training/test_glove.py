import gzip
import logging
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sentcli.errors import DataError
from sentcli.training import glove
from sentcli.training.glove import Coverage, load_glove, random_embedding

WORDS = ("<pad>", "<unk>", "the", "film", "naïve", "zyxw")
ROWS = "the 0.5 -1 2e-1\nfilm 1.5 3 0.25\nother 9 9 9\nnaïve -0.5 0.125 1\n"
VECTORS = {2: [0.5, -1, 0.2], 3: [1.5, 3, 0.25], 4: [-0.5, 0.125, 1]}


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def load(path: Path, dim: int = 3, words: tuple[str, ...] = WORDS) -> np.ndarray:
    return load_glove(path, words, dim, {}, seed=1)[0]


def assert_vectors(matrix: np.ndarray) -> None:
    for index, vector in VECTORS.items():
        np.testing.assert_array_equal(matrix[index], np.array(vector, np.float32))


def test_rows_of_the_vocabulary(tmp_path: Path) -> None:
    matrix = load(write(tmp_path / "v.txt", ROWS))
    assert matrix.dtype == np.float32
    assert matrix.shape == (6, 3)
    assert_vectors(matrix)


@pytest.mark.parametrize(
    "text",
    [
        "4 3\n" + ROWS,  # the header of word2vec
        ROWS.replace("\n", " \n"),  # word2vec ends a line with a space
        ROWS.replace("\n", "\r\n"),
        ROWS.removesuffix("\n"),
        "\n" + ROWS + "\n\n",
        ROWS.replace("0.25", ".25").replace(" 3 ", " +3 "),
        ROWS + "a . film 7 7 7\nname of film 7 7 7\nthe film 7 7 7\n",  # words with spaces in them
        ROWS + "\u0085 7 7 7\n\u00a0 7 7 7\n  7 7 7\n 7 7 7\n",  # white space of Unicode for a word
    ],
)
def test_variants_of_the_text_format(tmp_path: Path, text: str) -> None:
    assert_vectors(load(write(tmp_path / "v.txt", text)))


def test_compressed_files(tmp_path: Path) -> None:
    plain = load(write(tmp_path / "v.txt", ROWS))
    packed = load(write(tmp_path / "v.txt.gz", gzip.compress(ROWS.encode())))
    np.testing.assert_array_equal(packed, plain)
    with zipfile.ZipFile(tmp_path / "one.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors", ROWS)
        archive.writestr("__MACOSX/vectors", "x")
    np.testing.assert_array_equal(load(tmp_path / "one.zip"), plain)
    with zipfile.ZipFile(tmp_path / "many.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for dim in (2, 3, 13):
            archive.writestr(f"glove.6B.{dim}d.txt", ROWS if dim == 3 else "x" + " 1" * dim)
    np.testing.assert_array_equal(load(tmp_path / "many.zip"), plain)
    with pytest.raises(DataError, match=r"many\.zip: which file of the archive.*glove\.6B\.13d\.txt"):
        load(tmp_path / "many.zip", dim=4)


def test_values_are_the_nearest_of_float32(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    numbers = [f"{value:.6g}" for value in random.normal(0, 0.4, 500)]
    matrix = load(write(tmp_path / "v.txt", " ".join(["film", *numbers])), dim=500)
    np.testing.assert_array_equal(matrix[3], np.array(numbers, np.float32))


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz", ".zip"])
def test_memory_holds_the_matrix_and_not_the_file(tmp_path: Path, suffix: str) -> None:
    rows = ("".join(f"{word}{' 0.25' * 100}\n" for word in ["the", *range(20_000)])).encode()
    path = tmp_path / f"v{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("v.txt", rows)
    else:
        path.write_bytes(gzip.compress(rows, 1) if suffix == ".txt.gz" else rows)
    tracemalloc.start()
    load(path, dim=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(rows) / 10


def test_words_that_the_file_lacks_are_drawn_like_the_others(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    mean, spread = np.array([3.0, -2.0]), np.array([0.1, 2.0])
    rows = "".join(f"w{n} {a} {b}\n" for n, (a, b) in enumerate(random.normal(mean, spread, (2000, 2))))
    path = write(tmp_path / "v.txt", rows + "outside 1e9 1e9\n")
    words = ("<pad>", "<unk>", *(f"w{n}" for n in range(2000)), *(f"lacking{n}" for n in range(2000)))
    matrix = load_glove(path, words, 2, {}, seed=1)[0]
    drawn = matrix[2002:]
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), spread, rtol=0.1)
    assert len(np.unique(drawn, axis=0)) == 2000
    np.testing.assert_allclose(matrix[1], matrix[2:2002].mean(axis=0), rtol=1e-5)
    assert not matrix[0].any()
    np.testing.assert_array_equal(load_glove(path, words, 2, {}, seed=1)[0], matrix)
    assert (load_glove(path, words, 2, {}, seed=2)[0][2002:] != drawn).any()


def test_rows_named_like_the_special_words_are_not_theirs(tmp_path: Path) -> None:
    matrix = load(write(tmp_path / "v.txt", ROWS + "<unk> 7 7 7\n<pad> 7 7 7\n"))
    assert not matrix[0].any()
    assert (matrix[1] != 7).all()


def test_of_a_repeated_word_the_first_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sentcli"):
        assert_vectors(load(write(tmp_path / "v.txt", ROWS + "film 7 7 7\nother 7 7 7\n")))
    assert "1 words have another vector further on" in caplog.text


def test_coverage(tmp_path: Path) -> None:
    counts = {"the": 60, "film": 20, "zyxw": 10, "rare": 10}
    coverage = load_glove(write(tmp_path / "v.txt", ROWS), WORDS, 3, counts, seed=1)[1]
    assert coverage == Coverage(types_covered=3, types_total=4, tokens_covered=80, tokens_total=100)
    assert str(coverage) == "word vectors for 3 of 4 words (75.0%), 80 of 100 tokens (80.0%)"
    assert coverage.to_json()["tokens_covered"] == 80


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "the 1 2\nfilm 1 2\n",
            "vectors of 2 dimensions, but 3 are wanted; try --embedding-dim 2, or .*--glove",
        ),
        ("the 1 2 3 4\n", "vectors of 4 dimensions, but 3 are wanted"),
        ("9 4\nthe 1 2 3 4\n", "vectors of 4 dimensions, but 3 are wanted"),
        ("4 4\n" + ROWS, "vectors of 4 dimensions, but 3 are wanted"),
        (ROWS + "film 7 7", "line 5: 2 numbers instead of 3"),
        (ROWS + "other 7", "line 5: 1 numbers instead of 3"),
        ("6 3\n" + ROWS, "ends after 4 vectors of 6; the file is torn"),
        ("", "ends after 0 vectors"),
        ("the 1 2 x\n", "line 1: not all of these are numbers of at most 65504: '1 2 x'"),
        (ROWS + "zyxw 1 nan 2\n", "line 5: not all of these are numbers"),
        (ROWS + "zyxw 1 -65505 2\n", "line 5: not all of these are numbers of at most 65504"),
        (ROWS + "zyxw 1 1e400 2\n", "line 5: not all"),
        (ROWS + "zyxw 1 1-1 2\n", "line 5: not all"),
        (ROWS + "zyxw 1 true 2\n", "line 5: not all"),
        (ROWS + "zyxw 1  2\n", "line 5: not all"),
        (b"the 1 2 3\nna\xefve 1 2 3\n", "line 2: not UTF-8"),
        ("unknown 1 2 3\n", "none of the 4 words of the data set"),
    ],
)
def test_damaged_text(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path / "v.txt", text)
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_the_largest_value_is_that_of_a_bundle(tmp_path: Path) -> None:
    matrix = load(write(tmp_path / "v.txt", ROWS + "zyxw 65504 -65504 0\n"))
    assert matrix[5].tolist() == [65504, -65504, 0]
    assert np.isfinite(matrix.astype(np.float16)).all()


def test_the_header_of_vectors_of_one_dimension(tmp_path: Path) -> None:
    words = ("<pad>", "<unk>", "the", "2")
    matrix = load(write(tmp_path / "v.txt", "2 1\nthe 0.5\n2 0.25\n"), dim=1, words=words)
    assert matrix[2:].tolist() == [[0.5], [0.25]]


def test_a_damaged_archive_of_lzma(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("v.txt", "".join(f"word{n} {n} 1 2\n" for n in range(50_000)))
    content = bytearray((tmp_path / "v.zip").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100] = b"\xff" * 100
    with pytest.raises(DataError, match=r"v\.zip: cannot be read after line [1-9]\d+: Corrupt"):
        load(write(tmp_path / "v.zip", bytes(content)))


def test_torn_archives(tmp_path: Path) -> None:
    rows = "".join(f"word{n} {n} 1 2\n" for n in range(50_000))
    packed = gzip.compress(rows.encode())
    for size in (0, 5, len(packed) // 2, len(packed) - 8, len(packed) - 1):
        with pytest.raises(DataError, match=r"v\.gz: (cannot be read after line \d+|it ends after 0)"):
            load(write(tmp_path / "v.gz", packed[:size]))
    garbled = packed[: len(packed) // 2] + b"\xff" * 100 + packed[len(packed) // 2 + 100 :]
    with pytest.raises(DataError, match=r"v\.gz: cannot be read after line [1-9]\d+: .*decompressing"):
        load(write(tmp_path / "v.gz", garbled))
    with zipfile.ZipFile(tmp_path / "v.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v.txt", rows)
    whole = (tmp_path / "v.zip").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (b"", whole[: len(whole) // 2], bytes(flipped)):
        with pytest.raises(DataError, match=r"v\.zip: cannot be read|v\.zip, line"):
            load(write(tmp_path / "v.zip", content))


def test_no_such_file(tmp_path: Path) -> None:
    for source in (str(tmp_path / "missing.txt"), str(tmp_path), "6B.101d"):
        with pytest.raises(DataError, match=r"no such file of word vectors, nor one of 6B\.50d, 6B\.100d"):
            load_glove(source, WORDS, 3, {}, seed=1)


def test_a_name_of_another_dimension_is_not_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glove, "download", lambda *_, **__: pytest.fail("downloaded"))
    with pytest.raises(DataError, match=r"--glove 6B\.300d: vectors of 300 dimensions, but 100 are wanted"):
        load_glove("6B.300d", WORDS, 100, {}, seed=1)


def test_a_name_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = " ".join(["0.5"] * 25)
    path = write(tmp_path / "v.txt", f"film {numbers}\n")
    monkeypatch.setattr(glove, "download", lambda name, **_: {"twitter.27B.25d": path}[name])
    matrix, coverage = load_glove("twitter.27B.25d", WORDS, 25, {}, seed=1)
    assert (matrix[3] == 0.5).all()
    assert coverage.types_covered == 1


def test_random_embedding() -> None:
    words = ("<pad>", "<unk>", *map(str, range(5000)))
    matrix, coverage = random_embedding(words, 64, {"0": 3, "rare": 2}, seed=1)
    assert matrix.dtype == np.float32
    assert not matrix[0].any()
    assert matrix[1].any()
    assert matrix.std() == pytest.approx(1 / 8, rel=0.01)
    assert coverage == Coverage(0, 5000, 0, 5)
    np.testing.assert_array_equal(random_embedding(words, 64, {}, seed=1)[0], matrix)
    assert (random_embedding(words, 64, {}, seed=2)[0][1:] != matrix[1:]).any()
