"""The BiLSTM in PyTorch, and its weights in safetensors.

Only training, export and the torch backend import this module: scoring on onnxruntime works without torch.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sentcli.bundle import WEIGHTS, Bundle
from sentcli.config import ModelConfig
from sentcli.errors import BundleError
from sentcli.text import PAD_ID


class BiLSTM(nn.Module):
    """Embedding, bidirectional LSTM over each text's own length, pooled state, linear layer.

    Two routes give the same logits and gradients. `packed` runs nn.LSTM over packed sequences: the fast one
    with cuDNN, but quadratic in length when a CPU trains on texts of different lengths. `padded` runs each
    direction forwards over padded texts, the backward one over texts turned round within their length.

    :param config: the shape.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.pooling = config.pooling
        self.packed = False  # True: take the packed route on a CPU too
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_dim, padding_idx=PAD_ID)
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.lstm = nn.LSTM(
            config.embedding_dim,
            config.hidden_size,
            config.num_layers,
            batch_first=True,
            dropout=config.embedding_dropout if config.num_layers > 1 else 0.0,
            bidirectional=True,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.pooled_size, config.num_classes)
        self._initialize()

    def _initialize(self) -> None:
        for name, parameter in self.lstm.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(parameter.data)
            elif "bias" in name:
                parameter.data.zero_()
                if "bias_ih" in name:  # forget gates begin open (Jozefowicz et al., 2015)
                    hidden = self.config.hidden_size
                    parameter.data[hidden : 2 * hidden] = 1.0

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Give the logits `[batch, classes]` of ids `[batch, tokens]` and lengths `[batch]`, each >= 1."""
        embedded = self.embedding_dropout(self.embedding(ids))  # [batch, tokens, embedding_dim]
        if torch.jit.is_scripting() or self.packed or ids.is_cuda:  # type: ignore[attr-defined]
            states = self._packed_states(embedded, lengths)
        else:
            states = self._padded_states(embedded, lengths)
        return self.classifier(self.dropout(self._pool(states.float(), lengths)))  # type: ignore[no-any-return]

    def _packed_states(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = self.lstm(packed)
        states, _ = pad_packed_sequence(outputs, batch_first=True, total_length=embedded.shape[1])
        return states  # [batch, tokens, 2 * hidden_size]

    @torch.jit.unused
    def _padded_states(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        positions = torch.arange(embedded.shape[1], device=embedded.device)
        last = lengths.long()[:, None] - 1
        # Turned round within its length, each text is its own inverse; padding stays where it is.
        turned = torch.where(positions <= last, last - positions, positions)  # [batch, tokens]
        states = embedded
        for layer in range(self.config.num_layers):
            if layer > 0:
                states = functional.dropout(states, self.lstm.dropout, self.training)
            forward = self._run_direction(states, 2 * layer)
            backward = self._run_direction(_reorder(states, turned), 2 * layer + 1)
            states = torch.cat([forward, _reorder(backward, turned)], dim=2)
        return states  # [batch, tokens, 2 * hidden_size]

    @torch.jit.unused
    def _run_direction(self, inputs: Tensor, index: int) -> Tensor:
        weights: list[Tensor] = [*self.lstm.all_weights[index]]
        initial = inputs.new_zeros(1, inputs.shape[0], self.config.hidden_size)
        outputs, _, _ = torch.lstm(
            inputs, [initial, initial], weights, True, 1, 0.0, self.training, False, True
        )  # biases, one layer, no dropout, one direction, batch first
        return outputs

    def _pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        lengths = lengths.to(states.device).long()
        if self.pooling == "last":
            hidden = states.shape[2] // 2
            rows = torch.arange(states.shape[0], device=states.device)
            return torch.cat([states[rows, lengths - 1, :hidden], states[:, 0, hidden:]], dim=1)
        padding = (torch.arange(states.shape[1], device=states.device) >= lengths[:, None]).unsqueeze(2)
        pooled: list[Tensor] = []
        if self.pooling != "mean":
            pooled.append(states.masked_fill(padding, float("-inf")).amax(1))
        if self.pooling != "max":
            pooled.append(states.masked_fill(padding, 0.0).sum(1) / lengths[:, None])
        return torch.cat(pooled, dim=1)  # [batch, pooled_size]


def _reorder(states: Tensor, positions: Tensor) -> Tensor:
    """Take the states `[batch, tokens, width]` of each text in the order of `positions [batch, tokens]`."""
    return states.gather(1, positions.unsqueeze(2).expand(-1, -1, states.shape[2]))


def round_embedding(model: BiLSTM) -> None:
    """Round the embedding to what half precision can hold, as bundles store it.

    Done before a model is measured, so that what was measured is what every backend computes.
    """
    weight = model.embedding.weight.data
    weight.copy_(weight.half().float())


def save_weights(model: BiLSTM, path: Path) -> None:
    """Write the weights in fp32, the (rounded) embedding in fp16."""
    weights = {name: value.detach().contiguous().cpu() for name, value in model.state_dict().items()}
    weights["embedding.weight"] = weights["embedding.weight"].half()
    path.write_bytes(save(weights))


def load_model(bundle: Bundle) -> BiLSTM:
    """Build the model of a bundle, ready for inference.

    :raises BundleError: when the weights are not those of the architecture in the config.
    """
    content = bundle.read(WEIGHTS)
    with torch.device("meta"):  # without memory: the config may claim any size, the weights have theirs
        model = BiLSTM(bundle.config.model)
    try:
        weights = {name: value.float() for name, value in load(content).items()}
        model.load_state_dict(weights, assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(f"{bundle.path / WEIGHTS}: {' '.join(str(error).split()):.300}") from None
    return model.eval()
