"""From a trained model to files that other runtimes read.

The modules need the `train` extra; this one, what the command line offers, needs nothing.
"""

FORMATS = ("onnx", "torchscript")
GRAPHS = ("portable", "folded")
PRECISIONS = ("fp32", "int8")
