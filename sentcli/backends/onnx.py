"""A model on onnxruntime, on the CPU."""

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from sentcli.backends import Ids, Lengths, Logits, check_logits, first_line
from sentcli.config import ModelConfig
from sentcli.errors import BundleError
from sentcli.text.tokenizer import PAD_ID, UNK_ID

INPUT_IDS, LENGTHS, LOGITS = "input_ids", "lengths", "logits"  # inputs and output of every ONNX model
NEUTRAL_LOGITS = "neutral_logits"  # the second output of a model with a neutral head
EMBEDDING = "embedding"  # name of the largest constant: fp16, `[vocab_size, embedding_dim]`

# Of n-grams: weights and squares in fp16, `[vocab_size + ngram_buckets, num_classes]`; ids to hash.
NGRAMS, NGRAM_IDS = "ngram_table", "ngram_ids"

# Loading a folded model computes the input products of the whole vocabulary. With 58,000 words, this takes 85
# of the 400 ms until a first answer. So the first small batches run on models with only the words of the
# batch, which load in 5 ms.
_SMALL_BATCHES = 8
_SMALL_TOKENS = 4096
_FATAL = 4  # at this log level onnxruntime writes nothing to stderr; it raises errors


class OnnxBackend:
    """An ONNX model.

    The logits of a text do not depend on its batch, to the last bit.

    :param content: the bytes of the file; `onnx_check.check_model` has checked all but the included model.
    """

    name = "onnx"
    runtime = f"onnxruntime {onnxruntime.__version__}"
    batch_factor = 1

    def __init__(self, content: bytes, file: Path, config: ModelConfig) -> None:
        self._content = content
        self._file = file
        self._config = config
        self._small_batches = iter(range(_SMALL_BATCHES))
        self._lock = threading.Lock()
        self._session: Any = None  # with the whole vocabulary
        onnxruntime.set_default_logger_severity(_FATAL)
        # Run the model once, so that a broken one fails here and not at the first row.
        self.logits(np.array([[UNK_ID]]), np.array([1], np.int32))

    def prepare(self) -> None:
        """Load the model with its whole vocabulary; see `Backend`."""
        with self._lock:
            self._session = self._session or self._load(self._content)

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        rows = len(ids)
        if rows == 1:  # onnxruntime rounds the product of a single row differently
            ids, lengths = ids.repeat(2, axis=0), lengths.repeat(2)
        session = self._session
        if session is None and ids.size <= _SMALL_TOKENS and next(self._small_batches, None) is not None:
            # At least two words, because onnxruntime rounds the product of a single row differently.
            words, small_ids = np.unique(np.append(ids, [PAD_ID, UNK_ID]), return_inverse=True)
            if small := keep_words(self._content, words, self._config):
                session, ids = self._load(small), small_ids[:-2].reshape(ids.shape)
        if session is None:
            self.prepare()
            session = self._session
        try:
            logits = np.concatenate(session.run(None, {INPUT_IDS: ids, LENGTHS: lengths}), axis=1)
        except Exception as error:  # onnxruntime's exceptions have no other common base
            raise self._failure(error) from None
        return check_logits(logits, (len(ids), self._config.num_outputs), self._file)[:rows]

    def _load(self, content: bytes) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several callers with one thread each are faster
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # it never returns the memory of a long batch
        options.log_severity_level = _FATAL
        try:
            # A fallback prints to stdout and tries the same again.
            return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"], enable_fallback=0)
        except Exception as error:  # onnxruntime's exceptions have no other common base
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> Exception:
        if "std::bad_alloc" in str(error):
            return MemoryError(first_line(error))
        return BundleError(f"{self._file}: onnxruntime: {first_line(error)}")


# A file of `sentcli.export` up to the values of its embedding. The groups are the numbers that depend on the
# vocabulary, and what precedes each of them. Protobuf writes a number with 7 bits a byte, the lowest first.
_START = re.compile(
    rb"""
    ([^:]*:) (NUMBER)  # the length of the graph
    (.*?\*) (NUMBER)  # the nodes; the length of the embedding
    (\x08) (NUMBER)  # its rows
    (\x08 NUMBER \x10\x0aB\x09embeddingJ) (NUMBER)  # its columns, type and name; the length of its values
    """.replace(b"NUMBER", rb"[\x80-\xff]*[\x00-\x7f]"),
    re.DOTALL | re.VERBOSE,
)


# The operator that reads the ids of n-grams, up to its output; and one that maps these ids before it.
_NGRAM_NODE = b"\x0a\x09input_ids\x12\x09ngram_ids"
_MAP_NODE = b"\x0a\x2a\x0a\x0akept_words\x0a\x09input_ids\x12\x09whole_ids\x22\x06Gather"


def keep_words(content: bytes, words: npt.NDArray[np.int64], config: ModelConfig) -> bytes | None:
    """Return a model with only some rows of its embedding.

    This edits the bytes of the file, because importing the onnx package takes 80 ms or more. N-grams get the
    ids that the words had, since pairs of ids are hashed.

    :param words: the ids to keep, in this order.
    :returns: None if `sentcli.export` did not write the embedding, or an older version the n-grams.
    """
    start, size = _START.match(content), 2 * config.vocab_size * config.embedding_dim
    if start is None or len(content) < start.end() + size:
        return None
    vectors = np.frombuffer(content, np.float16, size // 2, start.end()).reshape(config.vocab_size, -1)[words]
    less, parts, rest = size - vectors.nbytes, [*start.groups()], memoryview(content)[start.end() + size :]
    for place, by in ((1, less), (3, less), (5, config.vocab_size - len(words)), (7, less)):
        parts[place] = _number(_value(parts[place]) - by, len(parts[place]))
    if config.ngram_buckets:
        if _NGRAM_NODE not in parts[2]:
            return None
        # Its shape; 7, the type int64; its name; its values.
        shape_and_name = b"\x08" + _number(len(words)) + b"\x10\x07\x42\x0akept_words\x4a"
        constant = shape_and_name + _number(words.nbytes) + words.tobytes()
        added = _MAP_NODE + b"\x2a" + _number(len(constant)) + constant
        parts[1] = _number(_value(parts[1]) + len(added))
        parts[2] = added + parts[2].replace(_NGRAM_NODE, _NGRAM_NODE.replace(b"input_ids", b"whole_ids"))
    return b"".join([*parts, vectors.tobytes(), rest])


def _value(number: bytes) -> int:
    """Return the value of a number of protobuf."""
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(number))


def _number(value: int, size: int = 5) -> bytes:
    """Return a number of protobuf, in this many bytes."""
    return bytes(value >> 7 * place & 0x7F | 0x80 * (place < size - 1) for place in range(size))
