"""The BiLSTM in PyTorch. Scoring with onnxruntime does not import this."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sentcli.config import SIDES, ModelConfig
from sentcli.errors import UsageError, option
from sentcli.text.tokenizer import PAD_ID

OPEN = 100.0  # a bias whose sigmoid is 1
HASH_FACTOR, HASH_TERM = 7919, 104_729  # primes, of a pair of tokens; the products fit into 64 bits
SMALLEST_SQUARE = 1e-6  # of the norm of n-grams; fp16 has no much smaller numbers


class BiLSTM(nn.Module):
    """Embedding, bidirectional LSTM without padding, pooled states, linear layer.

    Two routes give the same logits and gradients. The packed route runs nn.LSTM over packed sequences; it is
    faster with cuDNN, but training on a CPU takes time quadratic in the length. The padded route runs each
    direction over padded texts; the backward direction reads each text in reverse.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.pooling = config.pooling
        # Random vectors of its own: on the device meta, those of nn.Embedding import a compiler for a second.
        rows, width = config.vocab_size, config.embedding_dim
        self.embedding = nn.Embedding(rows, width, PAD_ID, _weight=torch.randn(rows, width))
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        shape = config.embedding_dim, config.hidden_size, config.num_layers
        dropout = config.embedding_dropout if config.num_layers > 1 else 0.0
        self.lstm = nn.LSTM(*shape, batch_first=True, dropout=dropout, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.pooled_size, config.num_classes)
        self.neutral_head = nn.Linear(config.pooled_size, SIDES) if config.neutral_head else None
        ngrams = config.vocab_size + config.ngram_buckets, config.num_classes  # tokens, then buckets of pairs
        self.ngrams = nn.Embedding(*ngrams, _weight=torch.randn(ngrams)) if config.ngram_buckets else None
        self._initialize()

    def _initialize(self) -> None:
        for name, parameter in self.lstm.named_parameters():
            if "weight_hh" in name:
                for gate in parameter.data.chunk(4):
                    nn.init.orthogonal_(gate)
            elif "weight_ih" in name:
                nn.init.xavier_uniform_(parameter.data)
            else:
                parameter.data.zero_()
                if "bias_ih" in name:  # forget gates start open (Jozefowicz et al., 2015)
                    parameter.data.chunk(4)[1].fill_(1.0)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits `[batch, outputs]` of ids `[batch, tokens]` and lengths `[batch]`, each >= 1."""
        logits = self.classify(self.embed(ids), lengths)
        if self.ngrams is not None:
            of_ngrams = self._ngram_logits(self.ngrams.weight, ids.t())
            logits[:, 1 : 1 + of_ngrams.shape[1]] += of_ngrams
        return logits

    def _ngram_logits(self, table: Tensor, tokens: Tensor, smallest: float = SMALLEST_SQUARE) -> Tensor:
        """Return what tokens `[tokens, batch]` and pairs of them add to all logits of classes but the first.

        A wide path beside a deep one (H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems",
        2016): a linear model, whose features are divided by their norm. A row of the table has the weights
        of a token or a pair, times its value, and the square of its value.
        """
        words = self.embedding.num_embeddings
        pairs = words + hash_pairs(tokens[:-1], tokens[1:], len(table) - words)
        sums = table[torch.cat([tokens, pairs])].sum(0)
        return sums[:, :-1] / sums[:, -1:].clamp_min(smallest).sqrt()

    def embed(self, ids: Tensor) -> Tensor:
        """Return the word vectors `[tokens, batch, embedding_dim]` of ids `[batch, tokens]`."""
        return self.embedding(ids.t())  # type: ignore[no-any-return]

    def classify(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return the logits `[batch, outputs]` of word vectors `[tokens, batch, embedding_dim]`."""
        embedded = self.embedding_dropout(embedded)
        if torch.jit.is_scripting() or embedded.is_cuda:  # type: ignore[attr-defined]
            forward, backward = self._packed_states(embedded, lengths)
        else:
            forward, backward = self._padded_states(embedded, lengths)
        pooled = self._pool(forward, backward, lengths.to(embedded.device, non_blocking=True).long())
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits if self.neutral_head is None else torch.cat([logits, self.neutral_head(pooled)], 1)

    def _packed_states(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(embedded, lengths.cpu(), enforce_sorted=False)
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            outputs, _ = self.lstm(packed)
        else:  # CUDA's autocast runs an LSTM in fp16, whatever its type is
            with torch.autocast(embedded.device.type, enabled=False):
                outputs, _ = self.lstm(packed)
        states, _ = pad_packed_sequence(outputs, total_length=embedded.shape[0])
        forward, backward = states.chunk(2, 2)
        return forward, backward  # each [tokens, batch, hidden_size]

    @torch.jit.unused
    def _padded_states(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        order = _reversed_order(embedded, lengths)
        states = [embedded]
        for layer in range(self.config.num_layers):
            inputs = self.embedding_dropout(torch.cat(states, 2)) if layer > 0 else embedded
            forward = self._run_direction(2 * layer, inputs)
            backward = self._run_direction(2 * layer + 1, _reorder(inputs, order))
            states = [forward, _reorder(backward, order)]
        return states[0], states[1]  # each [tokens, batch, hidden_size]

    def _run_direction(self, index: int, inputs: Tensor) -> Tensor:
        weights: list[Tensor] = [*self.lstm.all_weights[index]]
        initial = inputs.new_zeros(1, inputs.shape[1], self.config.hidden_size)
        outputs, _, _ = torch.lstm(
            inputs, [initial, initial], weights, True, 1, 0.0, self.training, False, False
        )  # biases, one layer, no dropout, one direction, tokens first
        return outputs

    def _pool(self, forward: Tensor, backward: Tensor, lengths: Tensor) -> Tensor:
        if self.pooling == "last":
            rows = torch.arange(forward.shape[1], device=forward.device)
            return torch.cat([forward[lengths - 1, rows], backward[0]], 1)
        # Sums and products, not masked_fill and a joined tensor: they read and write less memory.
        is_token = (torch.arange(forward.shape[0], device=forward.device)[:, None] < lengths).unsqueeze(2)
        weight = is_token.to(forward.dtype)
        penalty = weight.log()  # 0 for a token, -inf for padding
        maxima = [(states + penalty).amax(0) for states in [forward, backward]]
        means = [(states * weight).sum(0) / lengths[:, None] for states in [forward, backward]]
        return torch.cat(maxima + means, 1)  # [batch, pooled_size]


def hash_pairs(
    first: Tensor, second: Tensor, buckets: int, factor: int = HASH_FACTOR, term: int = HASH_TERM
) -> Tensor:
    """Return the buckets of pairs of tokens: 0, whose weights are 0, if the second one is `<pad>`."""
    return (first * factor + term) * second % buckets


def _reversed_order(embedded: Tensor, lengths: Tensor) -> Tensor:
    """Return the order `[tokens * batch]` that reverses each text within its length.

    The order is its own inverse; padding stays in place.
    """
    tokens, batch, _ = embedded.shape
    positions, last = torch.arange(tokens)[:, None], lengths.long() - 1
    reverse = torch.where(positions <= last, last - positions, positions)  # [tokens, batch]
    return (reverse * batch + torch.arange(batch)).flatten().to(embedded.device)


def _reorder(states: Tensor, order: Tensor) -> Tensor:
    """Return the rows of `states [tokens, batch, width]` in another order."""
    return states.flatten(0, 1).index_select(0, order).view_as(states)


def tie_gates(model: BiLSTM, gates: str) -> None:
    """Reduce the LSTM to its forget gate, now and in training; `separate` leaves all gates unchanged.

    The input gate is one minus the forget gate, and the output gate is open (J. van der Westhuizen and J.
    Lasenby, "The unreasonable effectiveness of the forget gate", 2018, who also leave out the tanh of the
    state). The model is still an LSTM: since 1 - sigmoid(x) = sigmoid(-x), the input gate has the negated
    weights of the forget gate. The output gate has weights of 0 and biases whose sigmoid is 1.

    Hooks tie the gradients in the same way, so that an optimizer that treats all numbers alike keeps the
    weights tied, to the last bit.
    """
    if gates == "separate":
        return

    def tie(parameter: nn.Parameter, gradient: Tensor) -> Tensor:
        of_input, of_forget, of_cell, of_output = gradient.chunk(4)
        of_both = of_forget - of_input
        _open_output_gate(parameter)  # weight decay may have changed it
        return torch.cat([-of_both, of_both, of_cell, torch.zeros_like(of_output)])

    for parameter in model.lstm.parameters():
        of_input, of_forget, _, _ = parameter.data.chunk(4)
        of_input.copy_(-of_forget)
        _open_output_gate(parameter)
        parameter.register_hook(partial(tie, parameter))  # type: ignore[no-untyped-call]


def _open_output_gate(parameter: nn.Parameter) -> None:
    parameter.data.chunk(4)[3].fill_(OPEN if parameter.ndim == 1 else 0.0)


def gates_of(model: BiLSTM) -> str:
    """Return the kind of gates of the LSTM, one of `sentcli.config.GATES`; see `tie_gates`."""
    for parameter in model.lstm.parameters():
        of_input, of_forget, _, of_output = parameter.detach().chunk(4)
        is_open = (of_output.sigmoid() == 1).all() if parameter.ndim == 1 else not of_output.any()
        if not is_open or not torch.equal(of_input, -of_forget):
            return "separate"
    return "forget"


def round_embedding(model: BiLSTM) -> None:
    """Round the embedding and the n-grams to fp16, the precision in which bundles store them.

    Call this before evaluating a model, so that the metrics are those of the stored model.
    """
    for table in (model.embedding, model.ngrams):
        if table is not None:
            table.weight.data.copy_(table.weight.data.half().float())


def is_short_of_memory(error: Exception) -> bool:
    """Return whether PyTorch ran out of memory; on the CPU only the message shows it."""
    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)


def choose_device(name: str | None) -> torch.device:
    """Return the device of this name; None: CUDA if there is a device, else the CPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"PyTorch finds no CUDA device here; try {option('device', 'cpu')}")
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
