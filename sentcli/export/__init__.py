"""A trained model as ONNX and TorchScript. The modules need the `train` extra; this one does not."""

FORMATS = ("onnx", "torchscript")
GRAPHS = ("portable", "folded")
