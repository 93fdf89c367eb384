"""What onnxruntime gets out of one core: matrix products, gate functions, and a model node by node."""

import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from limit_report import PARTS
from onnx import helper

from sentcli.backends import Ids, Lengths
from sentcli.backends.onnx_check import INPUT_IDS, LENGTHS, LOGITS, OPSET
from sentcli.export.builder import IR_VERSION, Builder, value

Batch = tuple[Ids, Lengths]

_LAYERS = 32  # products, or functions, in a row: what a call costs beside them vanishes
_SECONDS = 0.3  # of a measurement; the best of several is taken, which is what the machine can do
_TRIES = 5

# Parts of the folded graph by what its nodes do; what is not named here is arithmetic.
_PARTS = {"Gemm": "recurrent product", "MatMul": "recurrent product", "FusedMatMul": "recurrent product"}
_PARTS |= {"Sigmoid": "gate functions", "Tanh": "gate functions", "Gather": "table look-ups"}
_ARITHMETIC = "gate arithmetic and pooling"


def product_rate(rows: int, inner: int, outer: int) -> float:
    """Give the FLOP/s of a chain of products, `[rows, inner]` by `[inner, outer]` and back, in fp32."""
    random = np.random.default_rng(1)
    graph, last = Builder(), "x0"
    for layer in range(_LAYERS):
        shape = (inner, outer) if layer % 2 == 0 else (outer, inner)
        weight = random.normal(0, shape[0] ** -0.5, shape)  # keeps the sizes of the numbers as they are
        last = graph.add("MatMul", [last, graph.constant(f"w{layer}", weight)], f"x{layer + 1}")
    session = _session(graph, {"x0": (rows, inner)}, {last: (rows, inner)})
    x = random.normal(size=(rows, inner)).astype(np.float32)
    return _LAYERS * 2 * rows * inner * outer / _seconds(lambda: session.run(None, {"x0": x}))


def function_seconds(rows: int, hidden: int, sigmoids: int) -> float:
    """Give the seconds of the gate functions of a step in one direction.

    They are a sigmoid of `[rows, sigmoids * hidden]` and two tanh of `[rows, hidden]`.
    """
    graph, gates, cells = Builder(), "s0", "c0"
    for layer in range(_LAYERS):
        gates = graph.add("Sigmoid", [gates], f"s{layer + 1}")
        cells = graph.add("Tanh", [graph.add("Tanh", [cells], f"t{layer}")], f"c{layer + 1}")
    shapes = {"s0": (rows, sigmoids * hidden), "c0": (rows, hidden)}
    session = _session(graph, shapes, {gates: shapes["s0"], cells: shapes["c0"]})
    random = np.random.default_rng(1)
    values = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return _seconds(lambda: session.run(None, values)) / _LAYERS


def profile(model: Path, batches: Sequence[Batch]) -> dict[str, float]:
    """Give the seconds that the nodes of each part of `PARTS` take, as onnxruntime's profiler has it."""
    with tempfile.TemporaryDirectory() as folder:
        options = _options()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for ids, lengths in batches:
            session.run([LOGITS], {INPUT_IDS: ids, LENGTHS: lengths})
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    durations: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            values = event["args"]
            shapes = json.dumps(values.get("output_type_shape"))
            durations[values["op_name"], event["name"], shapes].append(event["dur"])
    seconds = dict.fromkeys(PARTS, 0.0)
    for (operator, _, _), microseconds in durations.items():
        # The time of a Scan is that of the nodes of its body, which have events of their own. Of equal nodes
        # the median counts: some were interrupted.
        if operator != "Scan":
            spent = statistics.median(microseconds) * len(microseconds) / 1e6
            seconds[_PARTS.get(operator, _ARITHMETIC)] += spent
    return seconds


def _session(
    graph: Builder, inputs: dict[str, tuple[int, int]], outputs: dict[str, tuple[int, int]]
) -> onnxruntime.InferenceSession:
    declared = [[value(name, *shape) for name, shape in values.items()] for values in (inputs, outputs)]
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph.graph("limit", *declared), opset_imports=opsets, ir_version=IR_VERSION)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), _options(), providers=["CPUExecutionProvider"]
    )


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


def _seconds(call: Callable[[], object]) -> float:
    """Give the processor's seconds of a call, in the best of several tries."""
    call()
    best = float("inf")
    for _ in range(_TRIES):
        calls, started = 0, time.thread_time()
        while (spent := time.thread_time() - started) < _SECONDS / _TRIES:
            call()
            calls += 1
        best = min(best, spent / calls)
    return best
