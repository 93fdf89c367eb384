"""A model on onnxruntime, on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime

from sentcli.backends import Ids, Lengths, Logits, check_batch, check_logits, first_line
from sentcli.backends.onnx_check import INPUT_IDS, LENGTHS, LOGITS, check_program
from sentcli.config import ModelConfig
from sentcli.errors import BundleError
from sentcli.text.forks import ForkSafeLock
from sentcli.text.vocabulary import PAD_ID, UNK_ID

# A folded model computes the input products of every word when it is loaded: 0.1 s and 60 MB with 28,000
# words. The first batches, when they are small, get a session of their own that has only their words: 5 ms.
_SMALL_BATCHES = 8
_SMALL_TOKENS = 4096
_FATAL = 4  # the log level that keeps onnxruntime from writing to stderr; errors come as exceptions


class OnnxBackend:
    """An ONNX model.

    In fp32, and folded in int8, the logits of a text are the same, to the last bit, in whatever batch it
    comes.

    :param content: the file, whose hash the caller has checked.
    :param file: where it comes from, for messages and for its suffix.
    :param config: the shape that the model must have.
    :raises BundleError: when the file may not be run, or onnxruntime cannot.
    """

    name = "onnx"
    runtime = f"onnxruntime {onnxruntime.__version__}"
    batch_factor = 1

    def __init__(self, content: bytes, file: Path, config: ModelConfig) -> None:
        self._file = file
        self._classes = config.num_classes
        self._program = check_program(content, file, config)
        self._small_batches_left = _SMALL_BATCHES if self._program.has_embedding else 0
        self._lock = ForkSafeLock()
        self._session: onnxruntime.InferenceSession | None = None
        onnxruntime.set_default_logger_severity(_FATAL)
        # What is wrong with the model is to come out now and not at the first row.
        self.logits(np.array([[UNK_ID]]), np.array([1], np.int32))

    def prepare(self) -> None:
        """Load the model with all of its words; see `Backend`."""
        with self._lock:
            self._whole()

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        check_batch(ids, lengths)
        rows = len(ids)
        if rows == 0:  # onnxruntime would end the process
            return np.empty((0, self._classes), np.float32)
        if rows == 1:  # products with a single row are rounded differently
            ids, lengths = ids.repeat(2, axis=0), lengths.repeat(2)
        session, ids = self._session_for(ids)
        try:
            (logits,) = session.run([LOGITS], {INPUT_IDS: ids, LENGTHS: lengths})
        except Exception as error:  # its exceptions have no base but this
            raise self._failure(error) from None
        return check_logits(logits, (len(ids), self._classes), self._file)[:rows]

    def _session_for(self, ids: Ids) -> tuple[onnxruntime.InferenceSession, Ids]:
        """Give a session for a batch, and the ids that it knows the words by."""
        with self._lock:
            if self._session is None and self._small_batches_left and ids.size <= _SMALL_TOKENS:
                self._small_batches_left -= 1
            else:
                return self._whole(), ids
        # Two words at least, again for the single row.
        words, numbers = np.unique(np.append(ids, [PAD_ID, UNK_ID]), return_inverse=True)
        return self._load(self._program.keep_words(words)), numbers[:-2].reshape(ids.shape)

    def _whole(self) -> onnxruntime.InferenceSession:
        """Give the session that has all words; the caller holds the lock."""
        self._session = self._session or self._load(self._program.content)
        return self._session

    def _load(self, content: bytes) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several callers with one each are faster
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_cpu_mem_arena = False  # it never gives back what a long batch once took
        options.log_severity_level = _FATAL
        try:
            return onnxruntime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # it prints to stdout and tries the same again
            )
        except Exception as error:  # its exceptions have no base but this
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> Exception:
        if "std::bad_alloc" in str(error):
            return MemoryError(first_line(error))
        return BundleError(f"{self._file}: onnxruntime: {first_line(error)}")
