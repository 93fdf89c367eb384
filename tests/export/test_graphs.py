"""Both ONNX graphs: the logits of PyTorch, and the same bits in every batch."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny_models import make_batch, make_model, torch_logits

from sentcli.config import GATES, POOLINGS
from sentcli.export import GRAPHS
from sentcli.export.folded import folded_graph
from sentcli.export.portable import portable_graph
from sentcli.model.bilstm import BiLSTM, tie_gates
from sentcli.scoring.batches import pad

BUILDERS = {"portable": portable_graph, "folded": folded_graph}

BITWISE_SHAPES: tuple[dict, ...] = (
    {"gates": "forget"},
    {"hidden_size": 32, "embedding_dim": 50},
    {"hidden_size": 17, "num_classes": 3, "num_layers": 2},
    {"hidden_size": 9, "pooling": "last", "num_layers": 2},
    {"ngram_buckets": 31, "num_classes": 5},
)


def make_shape(*, gates: str = "separate", **shape) -> BiLSTM:
    model = make_model(**shape)
    tie_gates(model, gates)
    return model


def session(model: onnx.ModelProto, threads: int = 1) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


def run(running: onnxruntime.InferenceSession, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    (logits,) = running.run(["logits"], {"input_ids": ids, "lengths": lengths})
    return logits


@pytest.mark.parametrize("gates", GATES)
@pytest.mark.parametrize(("graph", "pooling", "layers"), list(itertools.product(GRAPHS, POOLINGS, (1, 2, 3))))
def test_logits_are_those_of_pytorch(graph, pooling, layers, gates):
    model = make_shape(gates=gates, pooling=pooling, num_layers=layers, num_classes=2 + layers % 2)
    running = session(BUILDERS[graph](model))
    for seed, longest in enumerate((1, 2, 9, 31)):
        ids, lengths = make_batch(7, longest, seed)
        assert np.abs(run(running, ids, lengths) - torch_logits(model, ids, lengths)).max() < 1e-5


@pytest.mark.parametrize(("graph", "pooling"), list(itertools.product(GRAPHS, POOLINGS)))
def test_a_neutral_head_is_a_second_output_and_changes_no_bit_of_the_first(graph, pooling):
    headed = make_model(pooling=pooling, neutral_head=True)
    plain = make_model(pooling=pooling)
    plain.load_state_dict(headed.state_dict(), strict=False)
    ids, lengths = make_batch(7, 20)
    feed = {"input_ids": ids, "lengths": lengths}
    logits, of_head = session(BUILDERS[graph](headed)).run(["logits", "neutral_logits"], feed)
    assert logits.tobytes() == run(session(BUILDERS[graph](plain)), ids, lengths).tobytes()
    expected = torch_logits(headed, ids, lengths)
    assert expected[:, :2].tobytes() == torch_logits(plain, ids, lengths).tobytes()
    assert np.abs(np.hstack([logits, of_head]) - expected).max() < 1e-5


@pytest.mark.parametrize(("graph", "pooling"), list(itertools.product(GRAPHS, POOLINGS)))
def test_ngrams_add_to_the_logits_of_the_classes_alone(graph, pooling):
    model = make_model(pooling=pooling, neutral_head=True, ngram_buckets=31)
    plain = make_model(pooling=pooling, neutral_head=True)
    plain.load_state_dict(model.state_dict(), strict=False)
    running = session(BUILDERS[graph](model))
    for longest in (1, 2, 20):
        ids, lengths = make_batch(7, longest)
        logits = np.hstack(running.run(["logits", "neutral_logits"], {"input_ids": ids, "lengths": lengths}))
        expected, of_network = torch_logits(model, ids, lengths), torch_logits(plain, ids, lengths)
        assert np.abs(logits - expected).max() < 1e-5
        assert expected[:, 2:].tobytes() == of_network[:, 2:].tobytes()
        assert np.abs(expected - of_network)[:, :2].max() > 0.1


@pytest.mark.parametrize("graph", GRAPHS)
def test_padding_ids_within_a_text_count_as_in_pytorch(graph):
    model = make_model()
    ids, lengths = np.array([[5, 0, 0, 7], [0, 0, 9, 0]]), np.array([4, 3], np.int32)
    found = run(session(BUILDERS[graph](model)), ids, lengths)
    assert np.abs(found - torch_logits(model, ids, lengths)).max() < 1e-5


@pytest.mark.parametrize("graph", GRAPHS)
def test_interface(graph):
    model = BUILDERS[graph](make_model(num_classes=3))
    inputs = {value.name: value.type.tensor_type for value in model.graph.input}
    (output,) = model.graph.output
    axes = {name: [dim.dim_param for dim in tensor.shape.dim] for name, tensor in inputs.items()}
    assert axes == {"input_ids": ["batch", "tokens"], "lengths": ["batch"]}
    assert inputs["input_ids"].elem_type == onnx.TensorProto.INT64
    assert inputs["lengths"].elem_type == onnx.TensorProto.INT32
    assert output.name == "logits"
    assert output.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [dim.dim_param or dim.dim_value for dim in output.type.tensor_type.shape.dim] == ["batch", 3]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version == 8
    assert {node.domain for node in model.graph.node} == {""}
    onnx.checker.check_model(model, full_check=True)
    (embedding,) = (each for each in model.graph.initializer if each.name == "embedding")
    assert (embedding.data_type, list(embedding.dims)) == (onnx.TensorProto.FLOAT16, [60, 10])


def test_the_portable_graph_has_one_lstm_operator_per_layer():
    operators = [node.op_type for node in portable_graph(make_model(num_layers=3)).graph.node]
    assert operators.count("LSTM") == 3
    assert "Scan" not in operators


@pytest.mark.parametrize(("gates", "width"), [("separate", 24), ("forget", 12)])
def test_onnxruntime_folds_the_input_products_when_it_loads_the_model(tmp_path, gates, width):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(
        folded_graph(make_shape(gates=gates)).SerializeToString(), options, ["CPUExecutionProvider"]
    )
    optimized = onnx.load(tmp_path / "optimized.onnx").graph
    tables = [constant.dims for constant in optimized.initializer if list(constant.dims) == [60, width]]
    assert len(tables) == 2
    assert [node.op_type for node in optimized.node if "Gemm" in node.op_type] == ["Gemm"]  # the classifier


@pytest.mark.parametrize(("graph", "shape"), list(itertools.product(BUILDERS, BITWISE_SHAPES)))
def test_logits_do_not_depend_on_the_batch_to_the_last_bit(graph, shape):
    model = BUILDERS[graph](make_shape(**shape))
    generator = np.random.default_rng(1)
    texts = [generator.integers(1, 60, length) for length in (*range(1, 40), 70, 120)]
    alone = session(model)
    wanted = np.concatenate([run(alone, *pad([text, text]))[:1] for text in texts])
    for threads in (1, 2, 3):
        running = session(model, threads)
        for rows in (2, 3, 5, 8, 16, 33, 41):
            picked = generator.permutation(len(texts))[:rows]
            ids, lengths = pad([texts[index] for index in picked])
            wider = np.pad(ids, ((0, 0), (0, int(generator.choice([0, 1, 13, 64])))))
            assert np.array_equal(run(running, wider, lengths), wanted[picked])
