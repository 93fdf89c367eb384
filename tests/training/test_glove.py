"""Word vectors: the formats of their files, what is damaged, and the download from the hub."""

import gzip
import tracemalloc
import zipfile
from collections import Counter
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pyarrow as pa
import pytest
from huggingface_hub import constants

from sentcli.errors import DataError
from sentcli.text.tokenizer import Vocab
from sentcli.training import glove
from sentcli.training.corpus import DataSource
from sentcli.training.glove import HUB_REPOSITORY, check_source, frequent_words, load_glove
from sentcli.training.init_model import init_model
from sentcli.training.settings import resolve_settings

WORDS = ("<pad>", "<unk>", "the", "film", "naïve", "zyxw")
ROWS = "the 0.5 -1 2e-1\nfilm 1.5 3 0.25\nother 9 9 9\nnaïve -0.5 0.125 1\n"
VECTORS = {2: [0.5, -1, 0.2], 3: [1.5, 3, 0.25], 4: [-0.5, 0.125, 1]}


def write(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def load(path, dim=3, words=WORDS):
    return load_glove(path, words, dim, seed=1)[0]


def assert_vectors(matrix):
    assert (matrix.dtype, matrix.shape) == (np.float32, (6, 3))
    for index, vector in VECTORS.items():
        np.testing.assert_array_equal(matrix[index], np.array(vector, np.float32))


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        "4 3\n" + ROWS,  # the header of word2vec
        ROWS.replace("\n", " \n"),  # word2vec ends a line with a space
        ROWS.replace("\n", "\r\n"),
        ROWS.removesuffix("\n"),
        "\n" + ROWS + "\n\n",
        ROWS.replace("0.25", ".25").replace(" 3 ", " +3 "),
        ROWS + "film 7 7 7\n",  # the first vector of a word counts
        ROWS + "a . film 7 7 7\nname of film 7 7 7\nthe film 7 7 7\n",  # words with spaces in them
        ROWS + "\u0085 7 7 7\n\u00a0 7 7 7\n  7 7 7\n 7 7 7\n",  # white space of Unicode as a word
        ROWS + "<unk> 7 7 7\n<pad> 7 7 7\n",
    ],
)
def test_variants_of_the_text_format(tmp_path, text):
    matrix = load(write(tmp_path / "v.txt", text))
    assert_vectors(matrix)
    assert not matrix[0].any()
    assert (matrix[1] != 7).all()


def test_compressed_files(tmp_path):
    assert_vectors(load(write(tmp_path / "v.txt.gz", gzip.compress(ROWS.encode()))))
    assert_vectors(
        load(write(tmp_path / "v.txt.zst", pa.Codec("zstd").compress(ROWS.encode(), asbytes=True)))
    )
    assert_vectors(load(write_zip(tmp_path / "one.zip", {"folder/": "", "folder/vectors": ROWS})))
    of_dims = {f"glove.6B.{dim}d.txt": ROWS if dim == 3 else "x" + " 1" * dim for dim in (2, 3, 13)}
    many = write_zip(tmp_path / "many.zip", of_dims)
    assert_vectors(load(many))
    with pytest.raises(DataError, match=r"many\.zip: .* exactly one file.*glove\.6B\.13d\.txt"):
        load(many, dim=4)


def test_memory_holds_the_matrix_and_not_the_file(tmp_path):
    rows = ("".join(f"{word}{' 0.25' * 100}\n" for word in ["the", *range(20_000)])).encode()
    tracemalloc.start()
    load(write_zip(tmp_path / "v.zip", {"v.txt": rows}), dim=100)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(rows) / 10


def test_missing_words_are_drawn_like_the_others(tmp_path):
    random = np.random.default_rng(0)
    mean, spread = np.array([3.0, -2.0]), np.array([0.1, 2.0])
    rows = "".join(f"w{n} {a} {b}\n" for n, (a, b) in enumerate(random.normal(mean, spread, (2000, 2))))
    path = write(tmp_path / "v.txt", rows + "outside 1e9 1e9\n")
    words = ("<pad>", "<unk>", *(f"w{n}" for n in range(2000)), *(f"missing{n}" for n in range(2000)))
    matrix = load(path, 2, words)
    drawn = matrix[2002:]
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), spread, rtol=0.1)
    assert len(np.unique(drawn, axis=0)) == 2000
    np.testing.assert_allclose(matrix[1], matrix[2:2002].mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(load(path, 2, words), matrix)
    assert (load_glove(path, words, 2, seed=2)[0][2002:] != drawn).any()


def test_frequent_words_are_the_first_that_are_tokens(tmp_path):
    path = write(tmp_path / "v.vec", "6 2\nthe 1 2\nThe 1 2\nmid-way 1 2\nof 1 2\n, 1 2\nzebra 1 2\n")
    assert frequent_words(path, 2, 5) == ["the", "of", ","]


def test_which_words_have_a_vector(tmp_path):
    has_vector = load_glove(write(tmp_path / "v.txt", ROWS), WORDS, 3, seed=1)[1]
    assert has_vector.tolist() == [False, False, True, True, True, False]


def test_coverage(tmp_path, caplog):
    caplog.set_level("INFO", "sentcli")
    source = write(tmp_path / "v.txt", ROWS)
    settings = resolve_settings(DataSource((), str(source)), {"embedding_dim": 3})
    counts = Counter({"the": 60, "film": 20, "zyxw": 10, "rare": 10})
    data = SimpleNamespace(vocab=Vocab(WORDS), counts=counts, texts=SimpleNamespace(labels=("a", "b")))
    covered = {"types_covered": 3, "types_total": 4, "tokens_covered": 80, "tokens_total": 100}
    assert init_model(data, settings).glove == {"source": "v.txt", **covered}
    assert "word vectors for 3 of 4 words, 80.0% of tokens" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 1 2\nfilm 1 2\n", "the vectors have 2 dimensions, not 3; try embedding_dim=2"),
        ("the 1 2 3 4\n", "the vectors have 4 dimensions, not 3"),
        ("4 4\n" + ROWS, "the vectors have 4 dimensions, not 3"),
        (ROWS + "film 7 7", "line 5: 2 numbers, not 3; the file is damaged"),
        ("", "no vectors"),
        ("<html>\n", "the first line is not a word with numbers"),
        ("the 1 2 x\n", "line 1: every value must be a number of at most 65504: b'1 2 x'"),
        (ROWS + "zyxw 1 nan 2\n", "line 5: every value must be a number"),
        (ROWS + "zyxw 1 -65505 2\n", "line 5: every value must be a number of at most 65504"),
        (ROWS + "zyxw 1  2\n", "line 5: every value"),
        ("unknown 1 2 3\n", "none of the 4 words of the data set"),
    ],
)
def test_damaged_text(tmp_path, text, message):
    path = write(tmp_path / "v.txt", text)
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["gz", "zip"])
def test_torn_archives(tmp_path, suffix):
    rows = "".join(f"word{n} {n} 1 2\n" for n in range(50_000))
    path = tmp_path / f"v.{suffix}"
    if suffix == "gz":
        path.write_bytes(gzip.compress(rows.encode()))
    else:
        write_zip(path, {"v.txt": rows})
    whole = path.read_bytes()
    middle = len(whole) // 2
    garbled = whole[:middle] + b"\xff" * 100 + whole[middle + 100 :]
    for content in (whole[:5], whole[:middle], whole[:-1], garbled):
        with pytest.raises(DataError, match=rf"v\.{suffix}: cannot be read|v\.{suffix}, line"):
            load(write(path, content))


def test_unknown_names_and_other_dimensions_are_refused_before_the_download(tmp_path):
    for source in (str(tmp_path / "missing.txt"), str(tmp_path), "6B.101d"):
        with pytest.raises(DataError, match=r"known names are included, 6B\.50d, 6B\.100d"):
            check_source(source, 3)
    with pytest.raises(DataError, match=r"glove=\'6B\.300d\': the vectors have 300 dimensions, not 100"):
        check_source("6B.300d", 100)


def test_a_name_is_read_from_the_cache_of_the_hub_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / f"models--{HUB_REPOSITORY.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    rows = f"film{' 0.5' * 50}\n"
    write_zip(repository / "snapshots" / "abc" / "glove.6B.zip", {"glove.6B.50d.txt": rows})
    matrix, has_vector = load_glove("6B.50d", WORDS, 50, seed=1)
    assert (matrix[3] == 0.5).all()
    assert has_vector.sum() == 1


def test_a_name_is_downloaded_once_after_its_size_is_told(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", "sentcli")
    archive = write_zip(tmp_path / "g.zip", {"glove.6B.100d.txt": f"film{' 0.5' * 100}\n"})
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda *what, token: asked.append(what) or str(archive)
    )
    load_glove("6B.100d", WORDS, 100, seed=1)
    assert asked == [("stanfordnlp/glove", "glove.6B.zip")]
    assert "huggingface.co/stanfordnlp/glove: 0.86 GB, downloaded once" in caplog.text


def test_a_hub_out_of_reach_is_an_error_that_names_the_ways_on(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        DataError, match=r"glove\.6B\.zip .*glove='included', or glove='FILE' with a local copy"
    ):
        glove.download()


def test_random_embedding():
    words = ("<pad>", "<unk>", *map(str, range(5000)))
    matrix, has_vector = load_glove("none", words, 64, seed=1)
    assert matrix.dtype == np.float32
    assert not matrix[0].any()
    assert matrix[1].any()
    assert matrix.std() == pytest.approx(1 / 8, rel=0.01)
    assert not has_vector.any()
    np.testing.assert_array_equal(load_glove("none", words, 64, seed=1)[0], matrix)
    assert (load_glove("none", words, 64, seed=2)[0][1:] != matrix[1:]).any()


def test_the_included_vectors_are_those_of_frequent_words():
    words = frequent_words("included", 100, 40_000)
    assert (len(words), words[0], "film" in words) == (30_000, "the", True)
    matrix, has_vector = load_glove("included", ["<pad>", "<unk>", "film", "movie", "tuesday"], 100, seed=1)
    assert has_vector.tolist() == [False, False, True, True, True]
    film, movie, tuesday = matrix[2:] / np.linalg.norm(matrix[2:], axis=1, keepdims=True)
    assert film @ movie > 0.8 > 0.5 > film @ tuesday
    with pytest.raises(DataError, match="100 dimensions, not 50"):
        check_source("included", 50)
