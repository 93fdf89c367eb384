"""The first values of the embedding: word vectors of a file, or random ones."""

import gzip
import io
import logging
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt
import orjson

from sentcli.errors import DataError
from sentcli.text.tokenizer import PAD_ID, UNK_ID
from sentcli.training.glove_download import GLOVE_DIMS, download

_log = logging.getLogger("sentcli")

Matrix = npt.NDArray[np.float32]  # [words, dimensions]

_NUMERIC = b"0123456789+-.eE "
_LARGEST = float(np.finfo(np.float16).max)  # a bundle stores them so


@dataclass(frozen=True)
class Coverage:
    """How much of the training part begins with vectors from the file.

    :param types_covered, types_total: words of the vocabulary, `<pad>` and `<unk>` apart.
    :param tokens_covered, tokens_total: running words of the training part, those left to `<unk>` included.
    """

    types_covered: int
    types_total: int
    tokens_covered: int
    tokens_total: int

    def __str__(self) -> str:
        types = self.types_covered / max(self.types_total, 1)
        tokens = self.tokens_covered / max(self.tokens_total, 1)
        return (
            f"word vectors for {self.types_covered:,} of {self.types_total:,} words ({types:.1%}), "
            f"{self.tokens_covered:,} of {self.tokens_total:,} tokens ({tokens:.1%})"
        )

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def check_source(source: str | Path, dim: int) -> None:
    """Refuse what `load_glove` would refuse at once, before time is spent on other things.

    :raises DataError: when there is no such file and no such name, or the name says another width.
    """
    if source in GLOVE_DIMS:
        _check_width(f"--glove {source}", GLOVE_DIMS[source], dim)
    elif not Path(source).is_file():
        raise DataError(
            f"{source!s:.200}: no such file of word vectors, nor one of {', '.join(GLOVE_DIMS)}, none"
        )


def load_glove(
    source: str | Path,
    words: Sequence[str],
    dim: int,
    counts: Mapping[str, int],
    seed: int,
    *,
    quiet: bool = False,
) -> tuple[Matrix, Coverage]:
    """Build the embedding from the vectors of a file; the file is streamed, only the matrix is in memory.

    Words that the file lacks are drawn from a normal distribution with, in each dimension, the mean and the
    standard deviation of those that it has. `<unk>` is that mean, `<pad>` is zero. Of a word that comes twice
    the first vector counts.

    :param source: one of `GLOVE_DIMS`, downloaded once, or a file: text, .gz or .zip, with or without the
        header line of word2vec.
    :param words: the vocabulary by id, `<pad>` and `<unk>` first.
    :param counts: how often each word of the training part occurs in it.
    :param quiet: without the bar of a download.
    :returns: float32 `[words, dim]`, and what the file covers.
    :raises DataError: when the vectors cannot be had, or the file is not one of vectors of `dim` numbers.
    """
    check_source(source, dim)
    path = download(source, quiet=quiet) if source in GLOVE_DIMS else Path(source)
    ids = {word.encode(): index for index, word in enumerate(words) if index not in (PAD_ID, UNK_ID)}
    matrix = np.zeros((len(words), dim), np.float32)
    found = np.zeros(len(words), bool)
    repeated = 0
    for line, word, numbers in _rows(path, dim):
        index = ids.get(word)
        if index is None:
            continue
        if found[index]:
            repeated += 1
            continue
        matrix[index] = _parse(numbers, path, line)
        found[index] = True
    if repeated:
        _log.warning("%s: %d words have another vector further on; the first was taken", path, repeated)
    if not found.any():
        raise DataError(f"{path}: it has none of the {len(ids)} words of the data set; is it the right file?")
    mean = matrix[found].mean(axis=0, dtype=np.float64)
    spread = matrix[found].std(axis=0, dtype=np.float64)
    lacking = ~found
    lacking[[PAD_ID, UNK_ID]] = False
    matrix[lacking] = np.random.default_rng(seed).normal(mean, spread, (int(lacking.sum()), dim))
    matrix[UNK_ID] = mean
    covered = sum(counts.get(words[index], 0) for index in np.flatnonzero(found).tolist())
    return matrix, Coverage(int(found.sum()), len(ids), covered, sum(counts.values()))


def random_embedding(
    words: Sequence[str], dim: int, counts: Mapping[str, int], seed: int
) -> tuple[Matrix, Coverage]:
    """Build an embedding without a file: normal values of deviation 1/sqrt(dim), so rows are about 1 long.

    :returns: as `load_glove`; `<pad>` is zero.
    """
    scale = dim**-0.5
    matrix = np.random.default_rng(seed).normal(0, scale, (len(words), dim)).astype(np.float32)
    matrix[PAD_ID] = 0
    return matrix, Coverage(0, len(words) - 2, 0, sum(counts.values()))


def _rows(path: Path, dim: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield line number, word and numbers of each vector; all but the last `dim` fields are the word."""
    line = rows = promised = 0
    try:
        with _open(path, dim) as file:
            for line, content in enumerate(file, 1):
                text = content.rstrip()
                spaces = text.count(b" ")
                header = line == 1 and spaces == 1 and text.replace(b" ", b"").isdigit()
                if spaces == dim and not header:
                    word, _, numbers = text.partition(b" ")
                elif not text:
                    continue
                elif header:
                    promised, width = map(int, text.split())
                    _check_width(path, width, dim)
                    continue
                elif spaces > dim and rows:
                    word = text.rsplit(b" ", dim)[0]
                    numbers = text[len(word) + 1 :]
                elif rows:
                    raise DataError(
                        f"{path}, line {line}: {spaces} numbers instead of {dim}; the file is damaged"
                    )
                else:
                    _check_width(path, spaces, dim)
                if not word.isascii():
                    word.decode()
                rows += 1
                yield line, word, numbers
    except UnicodeDecodeError:
        raise DataError(f"{path}, line {line}: not UTF-8; is it a text file of word vectors?") from None
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read after line {line}: {reason}") from error
    if rows < max(promised, 1):
        raise DataError(f"{path}: it ends after {rows} vectors of {max(promised, 1)}; the file is torn")


def _parse(numbers: bytes, path: Path, line: int) -> npt.NDArray[np.float64]:
    if not numbers.translate(None, _NUMERIC):
        with suppress(ValueError):
            try:
                # As a JSON array: orjson reads it four times as fast as NumPy does.
                values = np.array(orjson.loads(b"[" + numbers.replace(b" ", b",") + b"]"), np.float64)
            except orjson.JSONDecodeError:  # JSON has no `.5` and no `+1`
                values = np.array(numbers.split(b" "), np.float64)
            if np.abs(values).max() <= _LARGEST:
                return values
    excerpt = numbers.decode(errors="replace")
    raise DataError(
        f"{path}, line {line}: not all of these are numbers of at most {_LARGEST:g}: {excerpt!r:.200}"
    )


def _check_width(where: str | Path, width: int, dim: int) -> None:
    if width < 1:
        raise DataError(f"{where}: its first line is no word with its numbers; is it a file of word vectors?")
    if width != dim:
        raise DataError(
            f"{where}: vectors of {width} dimensions, but {dim} are wanted; "
            f"try --embedding-dim {width}, or other vectors with --glove"
        )


@contextmanager
def _open(path: Path, dim: int) -> Iterator[IO[bytes]]:
    suffix = path.suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(_member(archive, path, dim)) as member:
            yield io.BufferedReader(cast(io.RawIOBase, member))  # its lines come much faster
    elif suffix == ".gz":
        with gzip.open(path) as member:
            yield io.BufferedReader(cast(io.RawIOBase, member))
    else:
        with path.open("rb") as file:
            yield file


def _member(archive: zipfile.ZipFile, path: Path, dim: int) -> str:
    names = [
        name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")
    ]
    matching = names if len(names) == 1 else [name for name in names if name.endswith(f".{dim}d.txt")]
    if len(matching) != 1:
        raise DataError(
            f"{path}: which file of the archive? none is the only one for {dim} dimensions: {names!r:.200}"
        )
    return matching[0]
