"""A model on onnxruntime, on the CPU."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from sentcli.backends import Ids, Lengths, Logits, check_batch, check_logits, first_line
from sentcli.config import ModelConfig
from sentcli.errors import BundleError
from sentcli.text.vocabulary import PAD_ID, UNK_ID

Buffer = bytes | memoryview

INPUT_IDS, LENGTHS, LOGITS = "input_ids", "lengths", "logits"  # inputs and output of every ONNX model
EMBEDDING = "embedding"  # name of the largest constant: fp16, `[vocab_size, embedding_dim]`

# Loading a folded model computes the input products of the whole vocabulary. With 55,000 words, this takes 95
# of the 420 ms until a first answer. So the first small batches run on models with only the words of the
# batch, which load in 5 ms.
_SMALL_BATCHES = 8
_SMALL_TOKENS = 4096
_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5  # field numbers in onnx.proto
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
        self._config = config
        self._small_batches_left = _SMALL_BATCHES
        self._lock = threading.Lock()
        self._session: onnxruntime.InferenceSession | None = None
        onnxruntime.set_default_logger_severity(_FATAL)
        # Run the model once, so that a broken one fails here and not at the first row.
        self.logits(np.array([[UNK_ID]]), np.array([1], np.int32))

    def prepare(self) -> None:
        """Load the model with its whole vocabulary; see `Backend`."""
        with self._lock:
            self._whole()

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        check_batch(ids, lengths)
        rows = len(ids)
        if rows == 0:  # onnxruntime would end the process
            return np.empty((0, self._config.num_classes), np.float32)
        if rows == 1:  # onnxruntime rounds the product of a single row differently
            ids, lengths = ids.repeat(2, axis=0), lengths.repeat(2)
        session, ids = self._session_for(ids)
        try:
            (logits,) = session.run([LOGITS], {INPUT_IDS: ids, LENGTHS: lengths})
        except Exception as error:  # onnxruntime's exceptions have no other common base
            raise self._failure(error) from None
        return check_logits(logits, (len(ids), self._config.num_classes), self._file)[:rows]

    def _session_for(self, ids: Ids) -> tuple[onnxruntime.InferenceSession, Ids]:
        """Return a session for a batch, and its ids in the vocabulary of that session."""
        small = None
        with self._lock:
            if self._session is None and self._small_batches_left and ids.size <= _SMALL_TOKENS:
                self._small_batches_left -= 1
                # At least two words, because onnxruntime rounds the product of a single row differently.
                words, small_ids = np.unique(np.append(ids, [PAD_ID, UNK_ID]), return_inverse=True)
                small = keep_words(self._content, words, self._config)
            if small is None:
                return self._whole(), ids
        return self._load(small), small_ids[:-2].reshape(ids.shape)

    def _whole(self) -> onnxruntime.InferenceSession:
        """Return the session with the whole vocabulary. The caller holds the lock."""
        self._session = self._session or self._load(self._content)
        return self._session

    def _load(self, content: bytes) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several callers with one thread each are faster
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # it never returns the memory of a long batch
        options.log_severity_level = _FATAL
        try:
            return onnxruntime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # it prints to stdout and tries the same again
            )
        except Exception as error:  # onnxruntime's exceptions have no other common base
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> Exception:
        if "std::bad_alloc" in str(error):
            return MemoryError(first_line(error))
        return BundleError(f"{self._file}: onnxruntime: {first_line(error)}")


def keep_words(content: bytes, words: npt.NDArray[np.int64], config: ModelConfig) -> bytes | None:
    """Return a model with only some rows of its embedding.

    This edits the protobuf bytes, because importing the onnx package takes 165 ms.

    :param words: the ids to keep, in this order.
    :returns: None when the model has no embedding that `sentcli.export` wrote, or all its rows are kept.
    """
    old = _embedding_fields(config.vocab_size, config.embedding_dim)
    size = len(old) + 2 * config.vocab_size * config.embedding_dim

    def cut(tensor: memoryview) -> Buffer:
        if len(tensor) != size or tensor[: len(old)] != old:
            return tensor
        rows = np.frombuffer(tensor[len(old) :], np.float16).reshape(config.vocab_size, -1)[words]
        return _embedding_fields(*rows.shape) + rows.tobytes()

    def cut_graph(graph: memoryview) -> bytes:
        return _replace(graph, _GRAPH_INITIALIZER, cut)

    small = _replace(memoryview(content), _MODEL_GRAPH, cut_graph)
    return small if len(small) < len(content) else None


def _embedding_fields(rows: int, width: int) -> bytes:
    """Return the bytes of the embedding's TensorProto before its data."""
    dims = b"\x08" + _varint(rows) + b"\x08" + _varint(width)
    name = EMBEDDING.encode()
    return dims + b"\x10\x0a" + b"\x42" + _varint(len(name)) + name + b"\x4a" + _varint(2 * rows * width)


def _replace(message: memoryview, number: int, change: Callable[[memoryview], Buffer]) -> bytes:
    """Return a copy of a protobuf message in which `change` replaces each nested message of one field."""
    parts: list[Buffer] = []
    position = 0
    while position < len(message):
        start = position
        tag, position = _read_varint(message, position)
        value, position = _read_varint(message, position)
        if tag & 7 == 2:  # a nested message or string; the value is its length
            nested = message[position : position + value]
            position += value
            if tag >> 3 == number:
                nested = memoryview(change(nested))
                parts += [_varint(tag), _varint(len(nested)), nested]
                continue
        elif tag & 7 != 0:  # neither bytes nor an integer: models and graphs have no such fields
            return bytes(message)
        parts.append(message[start:position])
    return b"".join(parts)


def _varint(value: int) -> bytes:
    """Encode an integer as protobuf does: 7 bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the integer at a position and the position after it."""
    value = shift = 0
    while message[position] > 0x7F:
        value |= (message[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
    return value | message[position] << shift, position + 1
