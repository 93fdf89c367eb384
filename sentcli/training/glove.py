"""The initial embedding: GloVe vectors from a file or the Hugging Face hub, or random vectors."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from sentcli.config import LOG
from sentcli.errors import DataError, option
from sentcli.files import stop
from sentcli.files.compression import compression_of, damage, decompressed
from sentcli.text.tokenizer import PAD_ID, UNK_ID, words_of

NO_VECTORS = "none"  # the source of random vectors
INCLUDED = "included"  # that of the vectors in `_FILE`, which data/vectors.py writes
_FILE = Path(__file__).with_name("glove.safetensors")
HUB_REPOSITORY = "stanfordnlp/glove"  # the archive of https://nlp.stanford.edu/projects/glove
_ARCHIVE = "glove.6B.zip"
GLOVE_DIMS = {INCLUDED: 100, "6B.50d": 50, "6B.100d": 100, "6B.200d": 200, "6B.300d": 300}

Vector = npt.NDArray[np.float64]

_LARGEST = float(np.finfo(np.float16).max)  # a bundle stores the embedding in float16


def check_source(source: str | Path, dim: int) -> None:
    """Check the source of vectors before anything is downloaded or read."""
    if source in GLOVE_DIMS:
        _check_width(option("glove", source), GLOVE_DIMS[str(source)], dim)
    elif source != NO_VECTORS and not Path(source).is_file():
        known = f"known names are {', '.join(GLOVE_DIMS)}, none"
        raise DataError(f"{source!s:.200}: no such file of word vectors; {known}")


def download() -> Path:
    """Return the archive of GloVe vectors from the cache of the Hugging Face hub; download it if needed."""
    import huggingface_hub

    LOG.info("%s from huggingface.co/%s: 0.86 GB, downloaded once", _ARCHIVE, HUB_REPOSITORY)
    try:
        return Path(huggingface_hub.hf_hub_download(HUB_REPOSITORY, _ARCHIVE, token=False))
    except Exception as error:  # httpx, the hub and the disk raise different types
        reason = " ".join(str(error).split()) or type(error).__name__
        problem = f"{_ARCHIVE} (0.86 GB) cannot be downloaded from huggingface.co/{HUB_REPOSITORY}"
        hint = f"try {option('glove', INCLUDED)}, or {option('glove', 'FILE')} with a local copy"
        raise DataError(f"{problem}: {reason:.300}; {hint}") from error


def load_glove(
    source: str | Path, words: Sequence[str], dim: int, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Build the embedding from a file of vectors, without holding the file in memory, or a random one.

    Words without a vector are drawn from a normal distribution with the mean and standard deviation of the
    found vectors in each dimension. `<unk>` is that mean, `<pad>` is zero. Of a repeated word, the
    first vector is used. Random vectors are normal values with standard deviation 1/sqrt(dim), so that their
    length is 1.

    :param source: `NO_VECTORS`, one of `GLOVE_DIMS`, or a text file of vectors, also compressed or in a .zip,
        with or without the header line of word2vec.
    :param words: the vocabulary by id, `<pad>` and `<unk>` first.
    :returns: the embedding, and whether the file has a vector for each word.
    """
    random, has_vector = np.random.default_rng(seed), np.zeros(len(words), bool)
    if source == NO_VECTORS:
        matrix = random.normal(0, dim**-0.5, (len(words), dim)).astype(np.float32)
        matrix[PAD_ID] = 0
        return matrix, has_vector
    ids = {word.encode(): index for index, word in enumerate(words) if index not in (PAD_ID, UNK_ID)}
    matrix = np.zeros((len(words), dim), np.float32)
    for line, word, numbers in read_rows(source, dim):
        stop.check()
        if (index := ids.pop(word, None)) is not None:
            matrix[index] = _parse(numbers, f"{source}, line {line}")
            has_vector[index] = True
    if not has_vector.any():
        problem = f"it has none of the {len(ids)} words of the data set"
        raise DataError(f"{source}: {problem}; is it the right file?")
    mean, spread = matrix[has_vector].mean(0, dtype=np.float64), matrix[has_vector].std(0, dtype=np.float64)
    lacking = [*ids.values()]
    matrix[lacking] = random.normal(mean, spread, (len(lacking), dim))
    matrix[UNK_ID] = mean
    return matrix, has_vector


def frequent_words(source: str | Path, dim: int, count: int) -> list[str]:
    """Return the first words of a file of vectors, which has frequent words first; tokens of texts alone."""
    words = (word.decode("utf-8", "replace") for _, word, _ in islice(read_rows(source, dim), count))
    return [word for word in words if words_of(word) == [word]]


def read_rows(source: str | Path, dim: int) -> Iterator[tuple[int, bytes, bytes | Vector]]:
    """Yield line number, word and numbers of each vector."""
    if source == INCLUDED:
        file = load_file(_FILE)
        words = file["words"].tobytes().split(b"\n")
        vectors = file["vectors"] * file["scales"].astype(np.float64)
        yield from zip(range(1, len(words) + 1), words, vectors, strict=True)
        return
    path = download() if source in GLOVE_DIMS else Path(source)
    line = rows = 0
    broken: tuple[type[Exception], ...] = (*damage(), RuntimeError)
    try:
        with ExitStack() as stack:
            for line, content in enumerate(_open(path, dim, stack), 1):
                word, _, numbers = content.rstrip(b" \r\n").partition(b" ")
                width = numbers.count(b" ") + 1 if numbers else 0
                if line == 1 and width == 1 and (word + numbers).isdigit():  # the header of word2vec
                    _check_width(path, int(numbers), dim)
                elif width == dim:
                    rows += 1
                    yield line, word, numbers
                elif word and not rows:
                    _check_width(path, width, dim)
                elif word and width < dim:
                    raise DataError(f"{path}, line {line}: {width} numbers, not {dim}; the file is damaged")
                # Skip a wider line: its word contains spaces, and no token does.
    except broken as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read after line {line}: {reason}") from error
    if not rows:
        raise DataError(f"{path}: no vectors; is it a text file of word vectors?")


def _parse(numbers: bytes | Vector, where: str) -> Vector:
    if isinstance(numbers, np.ndarray):
        return numbers
    with suppress(ValueError):
        values = np.array(numbers.split(b" "), np.float64)
        if np.abs(values).max() <= _LARGEST:
            return values
    raise DataError(f"{where}: every value must be a number of at most {_LARGEST:g}: {numbers!r:.200}")


def _check_width(where: str | Path, width: int, dim: int) -> None:
    if width < 1:
        raise DataError(f"{where}: the first line is not a word with numbers; is it a file of word vectors?")
    if width != dim:
        hint = f"try {option('embedding_dim', width)}, or other vectors with {option('glove')}"
        raise DataError(f"{where}: the vectors have {width} dimensions, not {dim}; {hint}")


def _open(path: Path, dim: int, stack: ExitStack) -> Any:
    """Open a file of vectors, compressed or not; iterating yields its lines."""
    if path.suffix.lower() != ".zip":
        raw = stack.enter_context(path.open("rb"))
        return io.BufferedReader(decompressed(raw, compression_of(path.name)))
    archive = stack.enter_context(zipfile.ZipFile(path))
    names = [name for name in archive.namelist() if not name.endswith("/")]
    matching = names if len(names) == 1 else [name for name in names if name.endswith(f".{dim}d.txt")]
    if len(matching) != 1:
        problem = f"the archive needs exactly one file for {dim} dimensions"
        raise DataError(f"{path}: {problem}, but has {names!r:.200}")
    return stack.enter_context(archive.open(matching[0]))
