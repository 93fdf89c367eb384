from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_models import make_model

from sentcli.backends.onnx import OnnxBackend
from sentcli.backends.onnx_check import check_program
from sentcli.backends.protobuf import encode
from sentcli.errors import BundleError
from sentcli.export.folded import folded_graph
from sentcli.export.portable import portable_graph

FILE = Path("some", "model.onnx")
MODEL = make_model()
CONFIG = MODEL.config


def hostile(change: Callable[[onnx.ModelProto], object], graph=folded_graph) -> bytes:
    """A model of sentcli's with something done to it."""
    model = graph(MODEL)
    change(model)
    return model.SerializeToString()


def check(content: bytes) -> None:
    check_program(content, FILE, CONFIG)


def scan(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == "Scan")


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    return next(attribute for attribute in node.attribute if attribute.name == name)


def constant(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(constant for constant in model.graph.initializer if constant.name == name)


def set_constant(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    constant(model, name).CopyFrom(numpy_helper.from_array(values, name))


def plain_body(*names: str) -> onnx.GraphProto:
    values = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in names]
    return helper.make_graph([], "body", [], values)


def add(model: onnx.ModelProto, operator: str, inputs=("lengths",), **attributes) -> None:
    model.graph.node.append(helper.make_node(operator, list(inputs), ["more"], **attributes))


def add_loop(model):
    trips = numpy_helper.from_array(np.array(2**62), "trips")
    model.graph.initializer.append(trips)
    add(model, "Loop", ("trips", ""), body=plain_body("go_on"))


def add_if(model):
    add(model, "If", ("is_token",), then_branch=plain_body("a"), else_branch=plain_body("b"))


def loop_in_scan(model):
    attribute(scan(model), "body").g.node.append(
        helper.make_node("Loop", ["", ""], [], body=plain_body("go_on"))
    )


def scan_in_scan(model):
    inner = scan(model)
    attribute(scan(model), "body").g.node.append(onnx.NodeProto.FromString(inner.SerializeToString()))


def scan_over_weights(model):
    node = scan(model)
    node.input[len(node.input) - 1] = "classifier_weight"


def scan_over_another_axis(model):
    scan(model).attribute.append(helper.make_attribute("scan_input_axes", [1, 1, 1]))


def scan_without_scanned_inputs(model):
    attribute(scan(model), "num_scan_inputs").i = 0


def scan_with_two_bodies(model):
    body = attribute(scan(model), "body")
    twin = scan(model).attribute.add()
    twin.CopyFrom(body)


def graph_in_a_plain_operator(model):
    model.graph.node[0].attribute.append(helper.make_attribute("body", plain_body("a")))


def data_elsewhere(model):
    tensor = constant(model, "classifier_weight")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def node_of_another_domain(model):
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node[0].domain = "com.microsoft"


def local_function(model):
    opset = helper.make_opsetid("", 18)
    model.functions.append(helper.make_function("mine", "Twice", ["x"], ["y"], [], [opset]))


def sparse_weights(model):
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, np.int64))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2**40]))


def constant_node(model):
    model.graph.node.append(
        helper.make_node("Constant", [], ["more"], value=numpy_helper.from_array(np.zeros(3)))
    )


def division_of_what_was_cast(model):
    model.graph.node.append(helper.make_node("Cast", ["lengths"], ["cast"], to=TensorProto.INT64))
    model.graph.node.append(helper.make_node("Unsqueeze", ["cast", "first"], ["column"]))
    add(model, "Div", ("column", "column"))


def many_nodes(model):
    for number in range(1000):
        model.graph.node.append(helper.make_node("Tanh", ["zeros"], [f"more{number}"]))


def giant_shape(model):
    constant(model, "classifier_bias").dims[:] = [2**40]


def negative_shape(model):
    constant(model, "classifier_bias").dims[:] = [-2, -1]


def many_axes(model):
    constant(model, "classifier_bias").dims[:] = [1, 1, 1, 1, 2]


def empty_weights(model):
    set_constant(model, "classifier_bias", np.zeros(0, np.float32))


def strange_type(model):
    set_constant(model, "classifier_bias", np.zeros(2, np.float64))


def weights_as_numbers(model):
    tensor = constant(model, "classifier_bias")
    tensor.ClearField("raw_data")
    tensor.float_data.extend([0.0, 0.0])


def weights_twice(model):
    model.graph.initializer.append(constant(model, "classifier_bias"))


def small_embedding(model):
    set_constant(model, "embedding", np.zeros((59, 10), np.float16))


def not_finite(name: str, value: float, dtype: type) -> Callable[[onnx.ModelProto], None]:
    def change(model):
        values = numpy_helper.to_array(constant(model, name)).astype(dtype)
        values.flat[-1] = value
        set_constant(model, name, values)

    return change


def nan_in_scan(model):
    values = np.array([1, np.nan], np.float32)
    attribute(scan(model), "body").g.initializer.append(numpy_helper.from_array(values, "more"))


def renamed_input(model):
    model.graph.input[0].name = "ids"


def third_input(model):
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["batch"]))


def weights_as_input(model):
    model.graph.input.append(helper.make_tensor_value_info("classifier_bias", TensorProto.FLOAT, [2]))


def long_lengths(model):
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64


def fixed_batch(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 8


def three_classes(model):
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3


def any_classes(model):
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"


def second_output(model):
    model.graph.output.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", 24]))


def renamed_output(model):
    model.graph.output[0].name = "probabilities"


def shape_of_a_value(model):
    model.graph.value_info.append(helper.make_tensor_value_info("zeros", TensorProto.FLOAT, ["batch"]))
    return model.graph.value_info[0]


def strange_value(model):
    shape_of_a_value(model).doc_string = "more"


def strange_value_in_scan(model):
    attribute(scan(model), "body").g.output[0].type.denotation = "more"


def strange_opset(model):
    model.opset_import[0].MergeFromString(b"\x9a\x06\x01x")  # field 99


def insert(nodes, position: int, *chain: tuple) -> None:
    """Put nodes somewhere, each given as operator, inputs, output and attributes."""
    for operator, inputs, output, attributes in reversed(chain):
        nodes.insert(position, helper.make_node(operator, inputs, [output], **attributes))


def double_the_ids(model, copied=False):
    """Compute on twice the tokens, time and again."""
    nodes = model.graph.node
    position = next(index for index, node in enumerate(nodes) if node.output[0] == "ids")
    nodes[position].output[0] = "ids_0"
    chain = []
    for number in range(16):
        twin = f"copy_{number}" if copied else f"ids_{number}"
        if copied:
            chain.append(("Identity", [f"ids_{number}"], twin, {}))
        chain.append(("Concat", [f"ids_{number}", twin], f"ids_{number + 1}", {"axis": 0}))
    insert(nodes, position + 1, *chain, ("Identity", ["ids_16"], "ids", {}))


def double_the_width(model):
    model.graph.node.extend(
        helper.make_node("Concat", [f"zeros{'_' * number}"] * 2, [f"zeros{'_' * (number + 1)}"], axis=1)
        for number in range(8)
    )


def double_in_scan(model):
    nodes = attribute(scan(model), "body").g.node
    chain = [("Concat", ["hidden"] * 2, "wide_0", {"axis": 1})]
    chain += [("Concat", [f"wide_{number}"] * 2, f"wide_{number + 1}", {"axis": 1}) for number in range(8)]
    insert(nodes, 0, *chain)


def state_that_doubles(model):
    body = attribute(scan(model), "body").g
    insert(body.node, 0, ("Concat", ["hidden"] * 2, "doubled", {"axis": 1}))
    body.output[0].name = "doubled"


def tokens_by_tokens(model):
    model.graph.node.append(helper.make_node("Unsqueeze", ["ids", "first"], ["row"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "middle"))
    model.graph.node.append(helper.make_node("Unsqueeze", ["ids", "middle"], ["column"]))
    add(model, "Equal", ("row", "column"))


def texts_by_texts(model):
    add(model, "Add", ("lengths_fp32", "lengths_column"))


def words_by_words(model):
    for name, shape in (("row", (1, 1000)), ("column", (1000, 1))):
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), name))
    add(model, "Mul", ("row", "column"))


def long_products(model):
    for name, shape in (("row", (1, 1000)), ("column", (1000, 1))):
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), name))
    add(model, "MatMul", ("row", "column"))


def table_in_scan(model):
    body = attribute(scan(model), "body").g
    insert(body.node, 0, ("ReduceMax", ["forward_0_table"], "largest", {}))


def tokens_in_scan(model):
    insert(attribute(scan(model), "body").g.node, 0, ("ReduceMax", ["ids"], "largest", {}))


def scan_over(operator: str, inputs: list[str], **attributes) -> Callable[[onnx.ModelProto], None]:
    """Let the first Scan run over something made of the zeros [texts, hidden]."""

    def change(model):
        node = scan(model)
        position = list(model.graph.node).index(node)
        node.input[len(node.input) - 1] = "more"
        insert(model.graph.node, position, (operator, inputs, "more", attributes))

    return change


def axes_from_a_node(model):
    model.graph.node.append(helper.make_node("Identity", ["last_axis"], ["an_axis"]))
    add(model, "Unsqueeze", ("lengths", "an_axis"))


def flat(model):
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "flat"))
    add(model, "Reshape", ("ids", "flat"))


def attribute_of_another_type(model):
    node = next(node for node in model.graph.node if node.op_type == "Transpose")
    node.attribute[0].type = onnx.AttributeProto.INT


def one_name_twice(model):
    model.graph.node.append(helper.make_node("Tanh", ["zeros"], ["zeros"]))


@pytest.mark.parametrize("pooling", ["last", "max", "mean", "max+mean"])
@pytest.mark.parametrize("shape", [{}, {"num_layers": 3}, {"embedding_dim": 1, "hidden_size": 1}])
@pytest.mark.parametrize("graph", [portable_graph, folded_graph])
def test_what_sentcli_writes_is_allowed(graph, shape, pooling):
    model = make_model(pooling=pooling, **shape)
    content = graph(model).SerializeToString()
    assert check_program(content, FILE, model.config).content == content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_loop, "the operator 'Loop' is not allowed"),
        (add_if, "the operator 'If' is not allowed"),
        (loop_in_scan, "the operator 'Loop' is not allowed"),
        (scan_in_scan, "the operator 'Scan' is not allowed"),
        (scan_over_weights, "Scan runs over something else than the ids"),
        (scan_without_scanned_inputs, "Scan runs over something else than the ids"),
        (scan_over_another_axis, r"Scan has the attributes \['body', 'num_scan_inputs', 'scan_input_axes'\]"),
        (scan_with_two_bodies, "Scan has the attributes"),
        (graph_in_a_plain_operator, "Transpose has a graph in it"),
        (data_elsewhere, "a constant with external data is not allowed"),
        (node_of_another_domain, "the operator 'com.microsoft.Transpose' is not allowed"),
        (local_function, "a model with functions is not allowed"),
        (sparse_weights, "a graph with sparse constants is not allowed"),
        (constant_node, "the operator 'Constant' is not allowed"),
        (lambda model: add(model, "Expand", ("zeros", "lengths")), "the operator 'Expand' is not allowed"),
        (lambda model: add(model, "ConstantOfShape"), "the operator 'ConstantOfShape' is not allowed"),
        (lambda model: add(model, "Range"), "the operator 'Range' is not allowed"),
        (lambda model: add(model, "Tile"), "the operator 'Tile' is not allowed"),
        (lambda model: add(model, "RunAnything"), "the operator 'RunAnything' is not allowed"),
        (lambda model: add(model, "DequantizeLinear"), "the operator 'DequantizeLinear' is not allowed"),
        (many_nodes, "more than 1000 nodes"),
        (giant_shape, r"'classifier_bias' has 8 bytes, not the 4398046511104 of its shape"),
        (negative_shape, r"'classifier_bias' has the shape \[-2, -1\]"),
        (many_axes, r"'classifier_bias' has the shape \[1, 1, 1, 1, 2\]"),
        (empty_weights, r"'classifier_bias' has the shape \[0\]"),
        (strange_type, r"'classifier_bias' has the type 11"),
        (weights_as_numbers, "a constant with floats is not allowed"),
        (weights_twice, "'classifier_bias' comes twice"),
        (small_embedding, r"an embedding of the shape \[59, 10\]"),
        (not_finite("classifier_weight", np.nan, np.float32), "'classifier_weight' is not finite"),
        (not_finite("embedding", np.nan, np.float16), "'embedding' is not finite"),
        (not_finite("embedding", -np.nan, np.float16), "'embedding' is not finite"),
        (not_finite("embedding", np.inf, np.float16), "'embedding' is not finite"),
        (not_finite("embedding", -np.inf, np.float16), "'embedding' is not finite"),
        (nan_in_scan, "'more' is not finite"),
        (renamed_input, "inputs are .*'ids'"),
        (third_input, "inputs are .*'more'"),
        (weights_as_input, "inputs are .*'classifier_bias'"),
        (long_lengths, r"inputs are .*\('lengths', 7, \[None\]\)"),
        (fixed_batch, r"inputs are .*\('input_ids', 7, \[8, None\]\)"),
        (
            three_classes,
            r"outputs are \[\('logits', 1, \[None, 3\]\)\], not \[\('logits', 1, \[None, 2\]\)\]",
        ),
        (any_classes, r"outputs are \[\('logits', 1, \[None, None\]\)\]"),
        (second_output, "outputs are .*'pooled'"),
        (renamed_output, "outputs are .*'probabilities'"),
        (lambda model: model.ClearField("graph"), r"inputs are \[\]"),
        (strange_value, "a value with doc is not allowed"),
        (strange_value_in_scan, "a type with denotation is not allowed"),
        (strange_opset, "an opset with field 99 is not allowed"),
        (lambda model: setattr(model.opset_import[0], "version", 13), "the opset '' 13 is not allowed"),
        (double_the_ids, "Concat has a value that may be too large"),
        (lambda model: double_the_ids(model, copied=True), "Concat has a value that may be too large"),
        (double_the_width, "Concat has a value that may be too large"),
        (double_in_scan, "Concat has a value that may be too large"),
        (state_that_doubles, "Scan has a state that grows"),
        (tokens_by_tokens, "Equal has a value that may be too large"),
        (texts_by_texts, "Add has a value that may be too large"),
        (words_by_words, "Mul has a value that may be too large"),
        (long_products, "MatMul has an inner axis that is too large"),
        (table_in_scan, "ReduceMax has a value that may be too large"),
        (tokens_in_scan, "ReduceMax has a value that may be too large"),
        (scan_over("Transpose", ["zeros"], perm=[1, 0]), "Scan runs over something else than the ids"),
        (scan_over("Identity", ["zeros"]), "Scan runs over something else than the ids"),
        (scan_over("Identity", ["input_ids"]), "Scan runs over something else than the ids"),
        (scan_over("Concat", ["ids", "ids"], axis=0), "Scan runs over something else than the ids"),
        (axes_from_a_node, "Unsqueeze takes sizes or axes that are no small constant"),
        (flat, "Reshape has an axis of any size"),
        (lambda model: add(model, "Concat", ("ids", "ids")), "Concat lacks the attribute axis"),
        (lambda model: add(model, "Gather", ("ids", "ids"), axis=1), r"Gather has the attributes \['axis'\]"),
        (attribute_of_another_type, "Transpose lacks the attribute perm"),
        (lambda model: add(model, "Tanh", ("nothing",)), "the value 'nothing' comes from nowhere"),
        (one_name_twice, "the value 'zeros' comes twice"),
        (lambda model: add(model, "Max", ("zeros", "")), "Max leaves out an input"),
        (lambda model: add(model, "Div", ("lengths", "lengths")), "Div of integers"),
        (division_of_what_was_cast, "Div of integers"),
    ],
)
def test_what_else_a_file_has_is_refused_by_name(change, message):
    with pytest.raises(BundleError, match=message) as refused:
        check(hostile(change))
    assert str(refused.value).startswith(f"{FILE}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "claim", [{"hidden_size": 1000}, {"vocab_size": 10**6}, {"embedding_dim": 1000}, {"num_classes": 1000}]
)
def test_a_config_that_claims_more_than_the_file_holds_is_refused(claim):
    """The limits of sizes follow from it."""
    content = folded_graph(MODEL).SerializeToString()
    claimed = replace(CONFIG, **claim)
    with pytest.raises(BundleError, match=r"model\.onnx: "):
        check_program(content, FILE, claimed)
    renamed = content.replace(b"embedding", b"embeddinG")
    check_program(renamed, FILE, CONFIG)
    if "num_classes" not in claim:  # which the interface tells
        with pytest.raises(
            BundleError, match=r"it has [\d,]+ weights, and [\d,]+ is the least by its config"
        ):
            check_program(renamed, FILE, claimed)


def test_a_name_that_comes_twice_is_refused():
    model = folded_graph(MODEL)
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    twice = model.SerializeToString() + encode(7, graph + encode(2, b"another"))
    with pytest.raises(BundleError, match="name of a graph comes 2 times"):
        check(twice)


@pytest.mark.parametrize("value", [65504.0, -65504.0, 6e-8, -0.0])
def test_the_ends_of_half_precision_are_finite(value):
    check(hostile(not_finite("embedding", value, np.float16)))


def test_the_largest_allowed_graph_is_far_from_the_limit_on_nodes():
    model = make_model(num_layers=16, hidden_size=2)
    graph = folded_graph(model)
    check_program(graph.SerializeToString(), FILE, model.config)
    bodies = [attribute(node, "body").g for node in graph.graph.node if node.op_type == "Scan"]
    assert len(graph.graph.node) + sum(len(body.node) for body in bodies) < 0.8 * 1000


@pytest.mark.parametrize("content", [b"", b"\x00", b"not a model", b"\x08\x08" * 3, b"\xff" * 100])
def test_what_is_no_model_at_all(content):
    with pytest.raises(BundleError, match=r"model\.onnx: "):
        check(content)


def test_a_truncated_file_is_refused_wherever_it_ends():
    content = portable_graph(MODEL).SerializeToString()
    for size in range(0, len(content), 97):
        with pytest.raises(BundleError):
            check(content[:size])


@pytest.mark.parametrize("graph", [portable_graph, folded_graph])
def test_a_model_cut_to_some_words_gives_the_same_logits_for_them(graph):
    content = graph(MODEL).SerializeToString()
    words = np.array([0, 1, 7, 30, 59])
    program = check_program(content, FILE, CONFIG)
    assert program.graph == graph.__name__.removesuffix("_graph")
    assert program.has_embedding
    cut = program.keep_words(words)
    embedding = constant(onnx.load_from_string(cut), "embedding")
    assert np.array_equal(
        numpy_helper.to_array(embedding), MODEL.embedding.weight.detach().numpy()[words].astype(np.float16)
    )
    small = OnnxBackend(cut, FILE, make_model(vocab_size=5).config)
    numbers, lengths = np.array([[2, 3, 4], [4, 1, 0]]), np.array([3, 2], np.int32)
    whole = OnnxBackend(content, FILE, CONFIG).logits(words[numbers], lengths)
    assert np.array_equal(small.logits(numbers, lengths), whole)


def test_a_model_without_an_embedding_by_that_name_is_not_cut():
    content = hostile(lambda model: rename(model, "embedding", "words"))
    assert not check_program(content, FILE, CONFIG).has_embedding


def rename(model: onnx.ModelProto, old: str, new: str) -> None:
    constant(model, old).name = new
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
