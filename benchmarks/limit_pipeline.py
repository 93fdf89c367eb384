"""The pipeline taken apart: its batches, the bare model, what is left without the model, the lock."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from limit_graphs import Batch
from systems.ours import score_csv

from sentcli.backends import Backend, Ids, Lengths, Logits
from sentcli.config import BundleConfig, ModelConfig
from sentcli.export.graph import write_onnx
from sentcli.export.quantize import write_int8
from sentcli.model.bilstm import BiLSTM, round_embedding, save_weights, tie_gates
from sentcli.model.bundle import INT8_ONNX, ONNX, VOCAB, Bundle, load_bundle, new_bundle, write_config
from sentcli.runs.opening import open_job
from sentcli.scoring.pipeline import PROCESSES_FROM
from sentcli.scoring.scorer import Scorer
from sentcli.text.tokenizer import Vocab


@dataclass(frozen=True)
class Shape:
    """A model to measure.

    :param name: of its section of the report.
    :param gates: one of `sentcli.config.GATES`.
    :param phrases: it reads the phrases of the model in the box, besides its words.
    """

    name: str
    hidden: int
    gates: str = "separate"
    phrases: bool = False


def make_bundle(folder: Path, box: Bundle, shape: Shape, graph: str, precision: str = "fp32") -> Bundle:
    """Write a model with random weights and the vocabulary of the one in the box."""
    import torch

    torch.set_num_threads(1)  # for the check of the export
    torch.manual_seed(1)
    vocab = box.vocab if shape.phrases else Vocab(box.vocab.words[: box.vocab.first_phrase])
    config = ModelConfig(vocab_size=len(vocab), hidden_size=shape.hidden)
    model = BiLSTM(config).eval()
    tie_gates(model, shape.gates)
    round_embedding(model)
    with new_bundle(folder) as files:
        write_config(files, BundleConfig(config, box.config.text, box.config.labels))
        (files / VOCAB).write_text(vocab.to_text(), "utf-8")
        save_weights(model, files / "model.safetensors")
        if precision == "int8":
            write_int8(model, files / INT8_ONNX, graph)
        else:
            write_onnx(model, files / ONNX, graph)
    return load_bundle(folder)


class _Silent:
    """A backend without a model: what is left is the rest of the pipeline.

    When it keeps the batches it gets, it runs the model: what is batched together depends on its time.
    """

    name = runtime = "onnx"
    batch_factor = 1

    def __init__(self, classes: int, model: Backend) -> None:
        self._classes = classes
        self._model = model
        self.batches: list[Batch] = []
        self.keeps = False

    def prepare(self) -> None:
        """Do nothing: there is no model."""

    def logits(self, ids: Ids, lengths: Lengths) -> Logits:
        if self.keeps:
            self.batches.append((ids.copy(), lengths.copy()))
            return self._model.logits(ids, lengths)
        return np.zeros((len(ids), self._classes), np.float32)


class Parts:
    """The parts of the pipeline over one CSV file, each to be run by itself.

    :param source: a CSV file with a column `text`.
    :param target: a file to be written over and over.
    """

    def __init__(self, bundle: Bundle, source: Path, target: Path) -> None:
        self._source = source
        self._target = target
        self._scorer = Scorer(bundle)
        pipeline = self._scorer._pipeline
        self.backend: Backend = pipeline.engine.backend
        self._silent = _Silent(len(bundle.config.labels), self.backend)
        pipeline.engine = replace(pipeline.engine, backend=self._silent)

    def batches(self) -> list[Batch]:
        """Give the batches that the pipeline makes of the file, the longest texts first."""
        self._silent.keeps = True
        self.rest()
        self._silent.keeps = False
        return sorted(self._silent.batches, key=lambda batch: -batch[0].shape[1])

    def reading(self) -> None:
        with self._job() as job:
            for _ in job:
                pass

    def encoding(self) -> None:
        """Read, and make batches."""
        with self._job() as job:
            for _ in self._scorer.stream(job):
                pass

    def rest(self) -> None:
        """Do all but the model's part: read, make batches, write."""
        score_csv(self._scorer, self._source, self._target)

    def _job(self) -> Any:
        return open_job([str(self._source)], str(self._target), overwrite=True)


def hand_over(scorer: Scorer, source: Path, target: Path) -> None:
    """Score until the other processes are ready to do so."""
    pipeline = scorer._pipeline
    pipeline._streamed = PROCESSES_FROM
    while not (pipeline._processes and pipeline._processes.are_ready()):
        score_csv(scorer, source, target)


def run_bare(backend: Backend, batches: Sequence[Batch], threads: int) -> None:
    """Run batches that are there already, as the pipeline's workers do."""
    if threads == 1:
        for batch in batches:
            backend.logits(*batch)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda batch: backend.logits(*batch), batches):
            pass


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Give the seconds on the clock, and those that the processors spent on this process."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


class LockProbe(threading.Thread):
    """Tells the share of the time in which some thread of this process holds the interpreter lock.

    It wakes every half a millisecond and sees whether it has to wait for the lock. Time that a holder spends
    in calls that release the lock does not count. Needs a core that is free.
    """

    _PAUSE = 0.0005
    _WAITED = 0.0003  # seconds too late that a free lock does not explain

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._ends = threading.Event()
        self._awake = self._waited = 0

    def __enter__(self) -> Self:
        # A waiting thread asks for the lock after this time: too short to keep the others from working.
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(0.001)
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.set()
        self.join()
        sys.setswitchinterval(self._interval)

    @property
    def share(self) -> float:
        return self._waited / max(self._awake, 1)

    def run(self) -> None:
        while not self._ends.is_set():
            started = time.perf_counter()
            time.sleep(self._PAUSE)
            self._awake += 1
            self._waited += time.perf_counter() - started > self._PAUSE + self._WAITED


def check_probe(seconds: float = 0.5) -> tuple[float, float]:
    """Give what the probe says of a loop that never lets go of the lock, and of a thread that sleeps."""

    def spin() -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    shares = []
    for work in (spin, lambda: time.sleep(seconds)):
        with LockProbe() as probe:
            work()
        shares.append(probe.share)
    return shares[0], shares[1]
