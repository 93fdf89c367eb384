"""A model on onnxruntime, on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime

from sentcli.backends import Ids, Lengths, Logits, check_batch, check_logits, first_line
from sentcli.config import ModelConfig
from sentcli.errors import BundleError
from sentcli.text.vocabulary import UNK_ID

INPUT_IDS, LENGTHS, LOGITS = "input_ids", "lengths", "logits"  # inputs and output of every ONNX model
EMBEDDING = "embedding"  # name of the largest constant: fp16, `[vocab_size, embedding_dim]`

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
        self._file = file
        self._config = config
        onnxruntime.set_default_logger_severity(_FATAL)
        self._session = self._load(content)
        # Run the model once, so that a broken one fails here and not at the first row.
        self.logits(np.array([[UNK_ID]]), np.array([1], np.int32))

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        """Run a batch; see `Backend`."""
        check_batch(ids, lengths)
        rows = len(ids)
        if rows == 0:  # onnxruntime would end the process
            return np.empty((0, self._config.num_classes), np.float32)
        if rows == 1:  # onnxruntime rounds the product of a single row differently
            ids, lengths = ids.repeat(2, axis=0), lengths.repeat(2)
        try:
            (logits,) = self._session.run([LOGITS], {INPUT_IDS: ids, LENGTHS: lengths})
        except Exception as error:  # onnxruntime's exceptions have no other common base
            raise self._failure(error) from None
        return check_logits(logits, (len(ids), self._config.num_classes), self._file)[:rows]

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
