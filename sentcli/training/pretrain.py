"""Language modelling before classification: predict the next and the previous word of the texts.

A BiLSTM that starts from the weights of a language model generalises better (A. Dai and Q. Le,
"Semi-supervised Sequence Learning", NIPS 2015), and this needs no labels. Each direction of the first layer
is a language model: the forward one predicts the next word, the backward one the previous word. Higher layers
are not trained this way, because their states already depend on the word to predict.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from sentcli.config import TrainConfig
from sentcli.model.bilstm import BiLSTM
from sentcli.text.vocabulary import PAD_ID, UNK_ID
from sentcli.training.examples import Examples, Ids, evaluation_batches
from sentcli.training.loop import autocast, fit

_NEGATIVES = 1000  # wrong words per step, to compare with each right word
_ROWS = 256  # predictions at once: their fp32 logits, 1 MB, fit a core's cache, which is 1.5 times as fast
# A word with a share f of all words is predicted at a share sqrt(threshold / f) of its places (T. Mikolov et
# al., 2013, section 2.3): a prediction costs as much as a step of the LSTM, and `the` teaches little.
_THRESHOLD = 4e-5
_DROPOUT = 0.1  # of vectors and of states
_RATE = 3e-3
_EXCLUDED = -1e4  # a logit that excludes a word from the sum


def pretrain(
    model: BiLSTM,
    train: Examples,
    validation: Examples,
    config: TrainConfig,
    device: torch.device,
    *,
    checkpoint: Path,
    quiet: bool,
    vary: Callable[[np.random.Generator, Ids], Ids] | None = None,
) -> list[dict[str, float]]:
    """Train embedding and first layer as language models for `config.pretrain` epochs.

    :param train, validation: texts; their targets are ignored.
    :param vary: as for `fit`.
    :returns: a record for each epoch; the loss is that of a prediction among `_NEGATIVES` words.
    :raises SentcliError: as `fit`.
    """
    settings = replace(config, epochs=config.pretrain, lr=_RATE, optimizer="adam")
    counts = np.bincount(np.concatenate(train.ids), minlength=model.config.vocab_size)
    return fit(
        LanguageModel(model, counts),
        LanguageModelling(settings, device),
        train,
        validation,
        settings,
        device,
        checkpoint=checkpoint,
        quiet=quiet,
        name="language model",
        vary=vary,
    )


class LanguageModel(nn.Module):
    """The first layer of a BiLSTM with a prediction at each state.

    :param encoder: the BiLSTM, whose weights are shared and not copied.
    :param counts: how often each word and bigram occurs, `[vocab_size]`.
    """

    sampled: Tensor  # [vocab_size], the share of a word's places at which it is predicted
    noise: Tensor  # [vocab_size], the distribution of wrong words, equal to that of predicted words

    def __init__(self, encoder: BiLSTM, counts: npt.NDArray[np.int64]) -> None:
        super().__init__()
        self.encoder = encoder
        words, dim = encoder.config.vocab_size, encoder.config.embedding_dim
        self.projections = nn.ModuleList(nn.Linear(encoder.config.hidden_size, dim) for _ in range(2))
        self.output = nn.Embedding(words, dim, padding_idx=PAD_ID)
        self.output.weight.data.copy_(0.1 * encoder.embedding.weight.data)
        self.bias = nn.Parameter(torch.zeros(words))
        sampled, noise = _distributions(counts)
        self.register_buffer("sampled", sampled, persistent=False)
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, int, int]:
        """Predict words of a batch.

        :param ids: `[batch, tokens]`, with `lengths [batch]`.
        :returns: the sum of the losses in nats, correct predictions, all predictions.
        """
        words = ids.t()  # [tokens, batch]
        embedded = functional.dropout(self.encoder.embed(ids), _DROPOUT, self.training)
        forward, backward = self.encoder.first_layer(embedded, lengths)
        is_sampled = torch.rand(words.shape, device=words.device) < self.sampled[words]
        negatives = torch.multinomial(self.noise, _NEGATIVES, replacement=True)
        is_token = torch.arange(len(words), device=words.device)[:, None] < lengths.to(words.device)
        # A state predicts the next word, in the backward direction the previous one.
        predictions = (
            (self.projections[0], forward[:-1], words[1:], is_sampled[1:]),
            (self.projections[1], backward[1:], words[:-1], is_sampled[:-1] & is_token[1:]),
        )
        loss, correct, count = torch.zeros((), device=ids.device), 0, 0
        for projection, states, targets, chosen in predictions:
            projected = projection(functional.dropout(states[chosen], _DROPOUT, self.training))
            losses, right = self._losses(projected, targets[chosen], negatives)
            loss, correct, count = loss + losses.sum(), correct + int(right.sum()), count + len(losses)
        return loss, correct, count

    def _losses(self, states: Tensor, words: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cross-entropy of each right word against the wrong ones, and whether it is likeliest.

        Logits are relative to the noise: S. Jean et al., "On Using Very Large Target Vocabulary for Neural
        Machine Translation", ACL 2015, section 3.

        :param states: `[predictions, embedding_dim]`, with their `words [predictions]`.
        """
        prior = self.bias - self.noise.clamp_min(1e-12).log()
        right = (states.float() * self.output(words)).sum(1) + prior[words]
        vectors, noise = self.output(negatives), prior[negatives]
        sums, highest = [], []
        for rows, of_rows in zip(torch.split(states, _ROWS), torch.split(words, _ROWS), strict=True):
            logits = (rows @ vectors.to(rows.dtype).t()).float() + noise
            logits = logits.masked_fill(of_rows[:, None] == negatives, _EXCLUDED)
            sums.append(logits.logsumexp(1))
            highest.append(logits.detach().amax(1))
        losses = torch.logaddexp(right, torch.cat(sums)) - right
        return losses, right.detach() > torch.cat(highest)


class LanguageModelling:
    """The objective of a `LanguageModel`; targets are ignored."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self._autocast = autocast(config, device)

    def backward(
        self, model: LanguageModel, ids: Tensor, lengths: Tensor, targets: Tensor
    ) -> tuple[Tensor, int, int]:
        """Add the gradients of one batch; see `Objective`."""
        with self._autocast:
            loss, correct, predictions = model(ids, lengths)
        (loss / max(predictions, 1)).backward()
        return loss.detach(), correct, predictions

    @torch.inference_mode()
    def measure(self, model: LanguageModel, examples: Examples, device: torch.device) -> tuple[float, float]:
        """Return mean loss and accuracy, with the same sampled words each time; see `Objective`."""
        model.eval()
        loss, correct, predictions = 0.0, 0, 0
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            for _, (ids, lengths, _) in evaluation_batches(examples, device):
                of_batch = model(ids, lengths)
                loss += of_batch[0].item()
                correct += of_batch[1]
                predictions += of_batch[2]
        return loss / max(predictions, 1), correct / max(predictions, 1)


def _distributions(counts: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Return the share of places at which each word is predicted, and the distribution of these words."""
    share = counts.astype(np.float64)
    share[[PAD_ID, UNK_ID]] = 0
    share /= max(share.sum(), 1)
    sampled = np.sqrt(np.divide(_THRESHOLD, share, out=np.zeros_like(share), where=share > 0)).clip(max=1)
    noise = share * sampled
    return torch.from_numpy(sampled).float(), torch.from_numpy(noise / noise.sum()).float()
