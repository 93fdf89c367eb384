"""A model on onnxruntime, on the CPU."""

import math
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from sentcli.backends import Ids, Lengths, Logits, check_batch, check_logits, first_line
from sentcli.config import ModelConfig
from sentcli.errors import BundleError
from sentcli.text.vocabulary import UNK_ID

INPUT_IDS, LENGTHS, LOGITS = "input_ids", "lengths", "logits"  # inputs and output of every ONNX model
EMBEDDING = "embedding"  # name of the largest constant: fp16, `[vocab_size, embedding_dim]`

# Loading a folded model computes the input products of the whole vocabulary. With 58,000 words, this takes 85
# of the 400 ms until a first answer. So the first small batches run on a session whose embedding is a buffer,
# which each of them fills with the vectors of its own words.
_SMALL_BATCHES = 8
_SMALL_TOKENS = 2048  # in a batch, and so the rows of the buffer
# The fields of the embedding in an ONNX file, up to its values: the type fp16, the name, the length.
_EMBEDDING_FIELDS = re.compile(rb"\x10\x0aB\x09embeddingJ[\x80-\xff]*[\x00-\x7f]")
_FATAL = 4  # at this log level onnxruntime writes nothing to stderr; it raises errors


class OnnxBackend:
    """An ONNX model.

    The logits of a text do not depend on its batch, to the last bit.

    :param content: the bytes of the file; `onnx_check.check_model` has checked all but the included model.
    :param file: the path of the file, for messages.
    :param config: the shape that the model must have.
    :raises BundleError: when onnxruntime cannot run it.
    """

    name = "onnx"
    runtime = f"onnxruntime {onnxruntime.__version__}"
    batch_factor = 1

    def __init__(self, content: bytes, file: Path, config: ModelConfig) -> None:
        self._content = content
        self._file = file
        self._classes = config.num_classes
        self._lock = threading.Lock()
        self._session: Any = None
        onnxruntime.set_default_logger_severity(_FATAL)
        self._embedding = _find_embedding(content, config)  # None if the session has the whole vocabulary
        if self._embedding is not None:
            self._small_batches_left = _SMALL_BATCHES
            self._vectors = np.zeros((_SMALL_TOKENS, config.embedding_dim), np.float16)
            self._buffer = onnxruntime.OrtValue.ortvalue_from_numpy(self._vectors)  # shares their memory
            self._session = self._load(small=True)
        # Run the model once, so that a broken one fails here and not at the first row.
        self.logits(np.array([[UNK_ID]]), np.array([1], np.int32))

    def prepare(self) -> None:
        """Load the model with its whole vocabulary; see `Backend`."""
        with self._lock:
            if self._session is None or self._embedding is not None:
                self._session = self._embedding = None  # frees memory before more is needed
                self._session = self._load(small=False)

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        check_batch(ids, lengths)
        rows = len(ids)
        if rows == 0:  # onnxruntime would end the process
            return np.empty((0, self._classes), np.float32)
        if rows == 1:  # onnxruntime rounds the product of a single row differently
            ids, lengths = ids.repeat(2, axis=0), lengths.repeat(2)
        logits = self._run_small(ids, lengths)
        if logits is None:
            self.prepare()
            logits = self._run(ids, lengths)
        return check_logits(logits, (len(ids), self._classes), self._file)[:rows]

    def _run_small(self, ids: Ids, lengths: Lengths) -> object:
        """Run one of the first small batches with its words alone; return None for any other batch."""
        with self._lock:
            if self._embedding is None or not self._small_batches_left or ids.size > _SMALL_TOKENS:
                return None
            self._small_batches_left -= 1
            words, small_ids = np.unique(ids, return_inverse=True)
            self._vectors[: len(words)] = self._embedding[words]
            return self._run(small_ids.reshape(ids.shape), lengths)

    def _run(self, ids: Ids, lengths: Lengths) -> object:
        try:
            (logits,) = self._session.run([LOGITS], {INPUT_IDS: ids, LENGTHS: lengths})
        except Exception as error:  # onnxruntime's exceptions have no other common base
            raise self._failure(error) from None
        return logits

    def _load(self, *, small: bool) -> onnxruntime.InferenceSession:
        """Return a session, whose embedding is the buffer if it is small."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several callers with one thread each are faster
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # it never returns the memory of a long batch
        options.log_severity_level = _FATAL
        if small:
            options.add_initializer(EMBEDDING, self._buffer)
        try:
            return onnxruntime.InferenceSession(
                self._content,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # it prints to stdout and tries the same again
                disabled_optimizers=["ConstantFolding"] if small else None,
            )
        except Exception as error:  # onnxruntime's exceptions have no other common base
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> Exception:
        if "std::bad_alloc" in str(error):
            return MemoryError(first_line(error))
        return BundleError(f"{self._file}: onnxruntime: {first_line(error)}")


def _find_embedding(content: bytes, config: ModelConfig) -> npt.NDArray[np.float16] | None:
    """Return the embedding of a model, `[vocab_size, embedding_dim]`; None if it is stored in another way."""
    fields = _EMBEDDING_FIELDS.search(content)
    values = memoryview(content)[fields.end() :] if fields else b""
    shape = config.vocab_size, config.embedding_dim
    size = 2 * math.prod(shape)
    return np.frombuffer(values[:size], np.float16).reshape(shape) if len(values) >= size else None
