"""Language modelling before classification: what words follow and precede each other in the texts at hand.

A BiLSTM that begins with the weights of a language model generalises better (A. Dai and Q. Le,
"Semi-supervised Sequence Learning", NIPS 2015), and this needs no labels. Each direction of the first layer
is a language model of its own, the forward one of the next word and the backward one of the word before.
Higher layers are not trained this way: their states have already seen the word to be predicted.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from sentcli.config import TrainConfig
from sentcli.model.bilstm import BiLSTM
from sentcli.text.vocabulary import PAD_ID, UNK_ID
from sentcli.training.examples import Examples, Ids, evaluation_batches
from sentcli.training.loop import fit
from sentcli.training.step import Trainer

_NEGATIVES = 1000  # words that a step sets against the right ones
_ROWS = 256  # guesses at once: their logits in fp32 are 1 MB, which a core's cache holds
# Of a word with the share f of all words, sqrt(threshold / f) of its places are guessed (T. Mikolov et al.,
# 2013, section 2.3): a guess costs as much as a step of the LSTM, and `the` teaches little.
_THRESHOLD = 4e-5
_DROPOUT = 0.1  # of vectors and of states
_RATE = 3e-3
_NO_WORD = -1e4  # a logit that takes a wrong word out of the sum


def pretrain(
    model: BiLSTM,
    train: Examples,
    validation: Examples,
    config: TrainConfig,
    *,
    device: torch.device,
    checkpoint: Path,
    fingerprint: Mapping[str, Any],
    quiet: bool,
    vary: Callable[[np.random.Generator, Ids], Ids] | None = None,
) -> list[dict[str, float]]:
    """Train embedding and first layer as language models for `config.pretrain` epochs.

    :param train: texts; their targets are not looked at.
    :param vary: as for `fit`.
    :returns: a record for each epoch, the loss that of a guess among `_NEGATIVES` words.
    :raises SentcliError: as `fit`.
    """
    # Only what matters here, so that other settings of classification can go on from the same checkpoint.
    settings = TrainConfig(
        epochs=config.pretrain,
        lr=_RATE,
        gates=config.gates,
        optimizer="adam",
        batch_size=config.batch_size,
        average=config.average,
        phrase_dropout=config.phrase_dropout,
        precision=config.precision,
        seed=config.seed,
    )
    counts = np.bincount(np.concatenate(train.ids), minlength=model.config.vocab_size)
    language_model = LanguageModel(model, counts)
    trainer = LanguageModelTrainer(language_model, settings, device)
    return fit(
        trainer,
        train,
        validation,
        settings,
        checkpoint=checkpoint,
        fingerprint=fingerprint,
        quiet=quiet,
        name="language model",
        vary=vary,
    )


class LanguageModel(nn.Module):
    """The first layer of a BiLSTM with a guess at each state.

    :param encoder: the BiLSTM, whose weights are shared and not copied.
    :param counts: how often each word occurs, and each phrase while none is split, `[vocab_size]`.
    """

    guessed: Tensor  # [vocab_size], the share of a word's places that is guessed
    noise: Tensor  # [vocab_size], the distribution of the wrong words: that of the guessed ones

    def __init__(self, encoder: BiLSTM, counts: npt.NDArray[np.int64]) -> None:
        super().__init__()
        self.encoder = encoder
        words, dim = encoder.config.vocab_size, encoder.config.embedding_dim
        self.projections = nn.ModuleList(nn.Linear(encoder.config.hidden_size, dim) for _ in range(2))
        self.output = nn.Embedding(words, dim, padding_idx=PAD_ID)
        self.output.weight.data.copy_(0.1 * encoder.embedding.weight.data)
        self.bias = nn.Parameter(torch.zeros(words))
        guessed, noise = _distributions(counts)
        self.register_buffer("guessed", guessed, persistent=False)
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, int, int]:
        """Guess words of a batch.

        :param ids: `[batch, tokens]`, with `lengths [batch]`.
        :returns: the sum of the losses in nats, and of how many guesses how many were right.
        """
        words = ids.t()  # [tokens, batch]
        embedded = functional.dropout(self.encoder.embed(ids), _DROPOUT, self.training)
        forward, backward = self.encoder.first_layer(embedded, lengths)
        is_guessed = torch.rand(words.shape, device=words.device) < self.guessed[words]
        negatives = torch.multinomial(self.noise, _NEGATIVES, replacement=True)
        # The state after a word guesses the next one, of the backward direction the one before.
        is_token = torch.arange(len(words), device=words.device)[:, None] < lengths.to(words.device)
        guesses = (
            (self.projections[0], forward[:-1], words[1:], is_guessed[1:]),
            (self.projections[1], backward[1:], words[:-1], is_guessed[:-1] & is_token[1:]),
        )
        losses = [
            self._losses(projection, states[chosen], guessed[chosen], negatives)
            for projection, states, guessed, chosen in guesses
        ]
        right = sum(int(good.sum()) for _, good in losses)
        count = sum(len(loss) for loss, _ in losses)
        return sum((loss.sum() for loss, _ in losses), torch.zeros((), device=ids.device)), right, count

    def _losses(
        self, projection: nn.Module, states: Tensor, words: Tensor, negatives: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give the cross-entropy of each guess among the right word and the wrong ones, and whether it won.

        Logits are relative to the noise: S. Jean et al., "On Using Very Large Target Vocabulary for Neural
        Machine Translation", ACL 2015, section 3.
        """
        states = projection(functional.dropout(states, _DROPOUT, self.training))  # [guesses, embedding_dim]
        prior = self.bias - self.noise.clamp_min(1e-12).log()
        right = (states.float() * self.output(words)).sum(1) + prior[words]
        wrong, best = _WrongWords.apply(  # type: ignore[no-untyped-call]
            states, self.output(negatives), prior[negatives], words, negatives
        )
        return torch.logaddexp(right, wrong) - right, right.detach() > best


class _WrongWords(torch.autograd.Function):
    """The logarithm of the sum of the exponentials of wrong words' logits, and the highest of them.

    The logits of all guesses would be 40 MB, which a dozen operators would read and write. So they are made
    some rows at a time, and once more for the gradient.
    """

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, vectors: Tensor, prior: Tensor, words: Tensor, negatives: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sum over the negatives.

        :param states: `[guesses, dim]`, with the right `words [guesses]`.
        :param vectors: `[negatives, dim]`, with their `prior [negatives]` and `negatives [negatives]`, ids.
        :returns: sums and highest logits, both `[guesses]`, fp32.
        """
        vectors = vectors.to(states.dtype)
        sums, highest = prior.new_empty(len(states)), prior.new_empty(len(states))
        for rows in _rows(states):
            logits = _logits(states[rows], vectors, prior, words[rows], negatives)
            highest[rows] = logits.amax(1)
            sums[rows] = logits.logsumexp(1)
        ctx.save_for_backward(states, vectors, prior, words, negatives, sums)
        ctx.mark_non_differentiable(highest)
        return sums, highest

    @staticmethod
    def backward(ctx: Any, of_sums: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Give the gradients of states, vectors and prior from that of the sums."""
        states, vectors, prior, words, negatives, sums = ctx.saved_tensors
        of_states, of_prior = torch.empty_like(states), torch.zeros_like(prior)
        of_vectors = torch.zeros_like(vectors, dtype=torch.float32)
        for rows in _rows(states):
            logits = _logits(states[rows], vectors, prior, words[rows], negatives)
            of_logits = logits.sub_(sums[rows, None]).exp_().mul_(of_sums[rows, None])
            of_prior += of_logits.sum(0)
            of_logits = of_logits.to(states.dtype)
            of_states[rows] = of_logits @ vectors
            of_vectors += of_logits.t() @ states[rows]
        return of_states, of_vectors, of_prior, None, None


def _rows(states: Tensor) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, len(states), _ROWS)]


def _logits(states: Tensor, vectors: Tensor, prior: Tensor, words: Tensor, negatives: Tensor) -> Tensor:
    """Give the logits `[rows, negatives]` in fp32, without those of right words."""
    logits = (states @ vectors.t()).float().add_(prior)
    return logits.masked_fill_(words[:, None] == negatives, _NO_WORD)


class LanguageModelTrainer(Trainer):
    """Teaches a language model; targets are not looked at."""

    model: LanguageModel

    def step(self, ids: Tensor, lengths: Tensor, targets: Tensor, rate: float) -> tuple[float, int, int]:
        """Learn from one batch; see `Trainer`."""
        self._begin(rate)
        with self._autocast:
            loss, right, guesses = self.model(ids, lengths)
        (loss / max(guesses, 1)).backward()
        self._update()
        return loss.item(), right, guesses

    @torch.inference_mode()
    def _measure(self, examples: Examples) -> tuple[float, float]:
        """Give mean loss and accuracy of the averaged weights, the same guesses each time; see `Trainer`."""
        self.averaged.module.eval()
        loss, right, guesses = 0.0, 0, 0
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(0)
            for _, (ids, lengths, _) in evaluation_batches(examples, self.device):
                of_batch = self.averaged.module(ids, lengths)
                loss += of_batch[0].item()
                right += of_batch[1]
                guesses += of_batch[2]
        return loss / max(guesses, 1), right / max(guesses, 1)


def _distributions(counts: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Give the share of each word's places that is guessed, and how the guessed words are distributed."""
    share = counts.astype(np.float64)
    share[[PAD_ID, UNK_ID]] = 0
    share /= max(share.sum(), 1)
    guessed = np.sqrt(np.divide(_THRESHOLD, share, out=np.zeros_like(share), where=share > 0)).clip(max=1)
    noise = share * guessed
    return torch.from_numpy(guessed).float(), torch.from_numpy(noise / noise.sum()).float()
