"""The weights of a model in PyTorch, from the folded graph: the tables in fp16, the rest in fp32."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from onnx import numpy_helper

from sentcli.backends.onnx import EMBEDDING, NGRAMS
from sentcli.backends.onnx_check import check_model
from sentcli.config import ModelConfig
from sentcli.errors import BundleError
from sentcli.model.bilstm import OPEN, BiLSTM
from sentcli.model.bundle import ONNX, Bundle

Array = npt.NDArray[Any]


def load_model(bundle: Bundle) -> BiLSTM:
    """Return the model of a bundle, ready for inference."""
    file, config = bundle.path / ONNX, bundle.config.model
    graph = check_model(bundle.read(ONNX), file, config).graph
    constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    with torch.device("meta"):  # allocates nothing, as an untrusted config may claim any size
        model = BiLSTM(config)
    try:
        weights = {
            name: torch.tensor(values).float().contiguous()  # a transposed layout rounds otherwise
            for name, values in _named(constants, config).items()
        }
        model.load_state_dict(weights, assign=True)
    except KeyError:
        hint = "give the folder that `sentcli train` wrote"
        raise BundleError(f"{file}: PyTorch needs the folded graph; {hint}") from None
    except RuntimeError as error:
        raise BundleError(f"{file}: {' '.join(str(error).split()):.300}") from None
    return model.eval()


def _named(constants: dict[str, Array], config: ModelConfig) -> dict[str, Array]:
    """Return the constants of `sentcli.export.folded` under their names in PyTorch."""
    weights = {"embedding.weight": constants[EMBEDDING]}
    if config.ngram_buckets:
        weights["ngrams.weight"] = constants[NGRAMS]
    for name in ("classifier", *["neutral_head"] * config.neutral_head):
        weights[f"{name}.weight"] = constants[f"{name}_weight"].T
        weights[f"{name}.bias"] = constants[f"{name}_bias"]
    for layer in range(config.num_layers):
        for name, suffix in ((f"forward_{layer}", f"l{layer}"), (f"backward_{layer}", f"l{layer}_reverse")):
            bias = constants[f"{name}_bias"]  # the sum of PyTorch's two
            for kind, values in (
                ("weight_ih", constants[f"{name}_input_weight"].T),
                ("weight_hh", constants[f"{name}_recurrent"].T),
                ("bias_ih", bias),
                ("bias_hh", np.zeros_like(bias)),
            ):
                weights[f"lstm.{kind}_{suffix}"] = _all_gates(values, config.hidden_size)
    return weights


def _all_gates(values: Array, hidden: int) -> Array:
    """Add the gates that `tie_gates` derives from the forget gate, if the graph left them out."""
    if values.shape[:1] != (2 * hidden,):
        return values
    of_forget, of_cell = np.split(values, 2)
    of_output = np.full_like(of_forget, OPEN if values.ndim == 1 else 0)
    return np.concatenate([-of_forget, of_forget, of_cell, of_output])
