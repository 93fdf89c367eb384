"""The messages of onnx.proto that a file may consist of; a name in the plural may come more than once."""

from sentcli.backends.protobuf import Schema

MODEL = Schema(
    "a model",
    {1: "ir_version", 2: "producer_name", 3: "producer_version", 4: "domain", 5: "model_version", 6: "doc"}
    | {7: "graph", 8: "opsets"},
    {14: "metadata", 20: "training information", 25: "functions", 26: "device configuration"},
)
OPSET_ID = Schema("an opset", {1: "domain", 2: "version"}, {})
GRAPH = Schema(
    "a graph",
    {1: "nodes", 2: "name", 5: "constants", 10: "doc", 11: "inputs", 12: "outputs", 13: "values"},
    {14: "quantization annotations", 15: "sparse constants", 16: "metadata"},
)
NODE = Schema(
    "a node",
    {1: "inputs", 2: "outputs", 3: "name", 4: "operator", 5: "attributes", 6: "doc", 7: "domain"},
    {8: "overload", 9: "metadata", 10: "device configuration"},
)
ATTRIBUTE = Schema(
    "an attribute",
    {1: "name", 2: "f", 3: "i", 4: "s", 6: "graph", 7: "floats", 8: "ints", 9: "strings", 20: "type"},
    {5: "tensor", 10: "tensors", 11: "graphs", 21: "reference", 22: "sparse tensor", 23: "sparse tensors"},
)
DIMS, _DTYPE, _NAME, DATA = 1, 2, 8, 9  # fields of a constant
CONSTANT = Schema(
    "a constant",
    {DIMS: "dims", _DTYPE: "dtype", _NAME: "name", DATA: "data"},
    {
        3: "segment",
        4: "floats",
        5: "integers",
        6: "strings",
        7: "integers",
        13: "external data",
        14: "location",
    },
)
VALUE = Schema("a value", {1: "name", 2: "type"}, {3: "doc", 4: "metadata"})
TYPE = Schema(
    "a type", {1: "tensor"}, {4: "sequence", 5: "map", 6: "denotation", 8: "sparse tensor", 9: "optional"}
)
TENSOR_TYPE = Schema("a tensor type", {1: "dtype", 2: "shape"}, {})
SHAPE = Schema("a shape", {1: "dims"}, {})
DIMENSION = Schema("a dimension", {1: "size", 2: "name"}, {3: "denotation"})
