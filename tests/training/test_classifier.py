"""One step of learning the classes, and how a classifier is measured."""

import numpy as np
import pytest
import tiny_models
import torch
from labeled_examples import labeled_examples
from torch.nn import functional

from sentcli.config import TrainConfig
from sentcli.text.tokenizer import UNK_ID
from sentcli.training.classifier import (
    backward,
    drop_words,
    loss_and_accuracy,
    predict_logits,
    uses_bf16,
)
from sentcli.training.corpus import Examples
from sentcli.training.loop import Learner

CPU = torch.device("cpu")
PLAIN = {"adversarial": 0.0, "label_smoothing": 0.0, "word_dropout": 0.0, "precision": "fp32"}


class Trainer:
    """A small model and what teaches it."""

    def __init__(self, **settings) -> None:
        config = TrainConfig(**PLAIN | settings)
        self.model = tiny_models.make_model(dropout=0.0, embedding_dropout=0.0).train()
        self.learner = Learner(self.model, config, CPU)

    def step(self, *batch, rate: float) -> tuple[float, int, int]:
        return self.learner.step(*batch, rate)

    def gradients(self) -> list[torch.Tensor]:
        """The gradients of a step whose rate is too small to matter."""
        self.step(*batch(), rate=1e-12)
        return [parameter.grad.to_dense().clone() for parameter in self.model.parameters()]


def batch():
    ids, lengths = map(torch.from_numpy, tiny_models.make_batch(6, 9))
    return ids, lengths, torch.eye(2)[[0, 1, 0, 1, 0, 1]]


def test_loss_and_correct_are_those_of_the_model_before_the_step():
    trainer = Trainer(label_smoothing=0.3)
    ids, lengths, targets = batch()
    logits = trainer.model(ids, lengths)
    loss, correct, predictions = trainer.step(ids, lengths, targets, rate=0.1)
    assert loss == pytest.approx(functional.cross_entropy(logits, targets, reduction="sum").item(), rel=1e-5)
    assert correct == int((logits.argmax(1) == targets.argmax(1)).sum())
    assert predictions == len(ids)
    assert not torch.allclose(trainer.model(ids, lengths), logits)


def test_gradients_are_clipped_together():
    gradients = Trainer(clip=1e-3).gradients()
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_the_adversarial_pass_adds_the_gradient_where_the_loss_is_higher():
    length = 0.5
    plain, found = (Trainer(clip=1e6, adversarial=size).gradients() for size in (0.0, length))
    model = Trainer().model
    ids, lengths, targets = batch()
    embedded = model.embed(ids)
    embedded.retain_grad()
    loss = functional.cross_entropy(model.classify(embedded, lengths), targets)
    loss.backward()
    sizes = length * (lengths / 200).sqrt()[:, None]
    moves = sizes * embedded.grad / embedded.grad.norm(dim=(0, 2), keepdim=True)
    for row in range(len(ids)):
        assert not moves[lengths[row] :, row].any()  # padding stays
    model.zero_grad()
    worse = functional.cross_entropy(model.classify(model.embed(ids) + moves, lengths), targets)
    assert worse > loss
    worse.backward()
    for one, other, parameter in zip(plain, found, model.parameters(), strict=True):
        torch.testing.assert_close(other, one + parameter.grad.to_dense(), rtol=1e-3, atol=1e-5)


def test_the_average_follows_the_weights_in_a_short_training():
    trainer = Trainer(ema_decay=0.999)
    passed = []
    for _ in range(40):
        trainer.step(*batch(), rate=0.05)
        passed.append(trainer.model.classifier.weight.detach().clone())
    average = trainer.learner.averaged.module.classifier.weight
    assert (average - passed[-1]).norm() < (average - passed[0]).norm() / 2
    assert not torch.equal(average, passed[-1])


def test_a_text_of_weight_2_counts_like_two_texts() -> None:
    ids, lengths, targets = batch()
    twice = targets.clone()
    twice[0] *= 2
    repeated = [torch.cat([each, each[:1]]) for each in (ids, lengths, targets)]
    found, wanted = [], []
    for rows, some in (((ids, lengths, twice), found), (repeated, wanted)):
        model = Trainer().model
        backward(model, *rows, TrainConfig(**PLAIN | {"label_smoothing": 0.2}))
        some += [len(rows[0]) * each.grad.to_dense() for each in model.parameters()]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_neutral_texts_count_in_the_measured_loss_alone():
    model = tiny_models.make_model()
    certain = labeled_examples([[2, 3], [4, 5]], np.array([0, 1]), 2)
    neutral = Examples(certain.ids[:1], np.array([[0.5, 0.5]], np.float32))
    loss, accuracy = loss_and_accuracy(predict_logits(model, certain, CPU), certain)
    every = Examples([*certain.ids, *neutral.ids], np.concatenate([certain.targets, neutral.targets]))
    of_all, same = loss_and_accuracy(predict_logits(model, every, CPU), every)
    with torch.inference_mode():
        logits = model(torch.tensor([[2, 3]]), torch.tensor([2]))
    assert same == accuracy
    assert of_all == pytest.approx((2 * loss - torch.log_softmax(logits, 1).mean().item()) / 3, rel=1e-4)


def test_drop_words_returns_a_share_of_unknown_words():
    ids = torch.full((200, 100), 7)
    dropped = drop_words(ids, 0.3)
    assert set(dropped.unique().tolist()) == {UNK_ID, 7}
    assert abs(float((dropped == UNK_ID).float().mean()) - 0.3) < 0.02
    assert torch.equal(drop_words(ids, 0.0), ids)
    assert ids.eq(7).all()


def test_measure_is_the_mean_cross_entropy():
    model = tiny_models.make_model()
    random = np.random.default_rng(0)
    texts = [random.integers(1, tiny_models.VOCAB_SIZE, length) for length in random.integers(1, 30, 40)]
    examples = labeled_examples(texts, random.integers(0, 2, 40), 2)
    losses, correct = [], 0
    with torch.inference_mode():
        for ids, label in zip(examples.ids, examples.labels.tolist(), strict=True):
            logits = model(torch.from_numpy(ids[None]).long(), torch.tensor([len(ids)]))[0]
            losses.append(-torch.log_softmax(logits, 0)[label].item())
            correct += int(logits.argmax()) == label
    logits = predict_logits(model, examples, CPU)
    loss, accuracy = loss_and_accuracy(logits, examples)
    assert loss == pytest.approx(np.mean(losses), abs=1e-5)
    assert accuracy == correct / len(examples)
    assert loss_and_accuracy(logits[:1], examples.take(np.array([0])))[0] == pytest.approx(
        losses[0], abs=1e-5
    )


def test_auto_takes_bf16_where_the_hardware_has_it(monkeypatch):
    for has_it in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda a=has_it: a, raising=False)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda answer=has_it, **_: answer)
        for device in (CPU, torch.device("cuda")):
            assert uses_bf16(TrainConfig(precision="auto"), device) == has_it
            assert not uses_bf16(TrainConfig(precision="fp32"), device)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not uses_bf16(TrainConfig(precision="auto"), CPU)
