"""One step of training."""

from contextlib import nullcontext

import numpy as np
import pytest
import tiny_models
import torch
from torch.nn import functional

from sentcli.config import TrainConfig
from sentcli.errors import UsageError
from sentcli.training import step
from sentcli.training.step import ClassifierTrainer, balanced_weights, check_precision, uses_bf16

CPU = torch.device("cpu")
PLAIN = {"adversarial": 0.0, "label_smoothing": 0.0, "word_dropout": 0.0, "precision": "fp32"}


def make_trainer(**settings) -> ClassifierTrainer:
    model = tiny_models.make_model(dropout=0.0, embedding_dropout=0.0).train()
    return ClassifierTrainer(model, TrainConfig(**PLAIN | settings), CPU)


def batch():
    ids, lengths = map(torch.from_numpy, tiny_models.make_batch(6, 9))
    return ids, lengths, torch.eye(2)[[0, 1, 0, 1, 0, 1]]


def gradients(trainer: ClassifierTrainer) -> list[torch.Tensor]:
    """The gradients of a step whose rate is too small to matter, clipping off."""
    trainer.step(*batch(), rate=1e-12)
    return [parameter.grad.to_dense().clone() for parameter in trainer.model.parameters()]


def test_loss_and_correct_are_those_of_the_model_before_the_step():
    trainer = make_trainer(label_smoothing=0.3)
    ids, lengths, targets = batch()
    logits = trainer.model(ids, lengths)
    loss, correct, predictions = trainer.step(ids, lengths, targets, rate=0.1)
    assert loss == pytest.approx(functional.cross_entropy(logits, targets, reduction="sum").item(), rel=1e-5)
    assert correct == int((logits.argmax(1) == targets.argmax(1)).sum())
    assert predictions == len(ids)
    assert not torch.allclose(trainer.model(ids, lengths), logits)


def test_the_rate_is_that_of_the_step():
    trainer = make_trainer(optimizer="adam")
    before = trainer.model.classifier.bias.detach().clone()
    trainer.step(*batch(), rate=0.25)
    moved = (trainer.model.classifier.bias.detach() - before).abs()
    assert moved.max() == pytest.approx(0.25, rel=1e-3)  # Adam's first step is the rate itself


def test_gradients_are_clipped_together():
    trainer = make_trainer(clip=1e-3)
    norm = torch.stack([gradient.norm() for gradient in gradients(trainer)]).norm()
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_the_adversarial_pass_adds_the_gradient_at_the_worst_place_nearby():
    length = 0.5
    plain, found = (gradients(make_trainer(clip=1e6, adversarial=size)) for size in (0.0, length))
    model = make_trainer().model
    ids, lengths, targets = batch()
    embedded = model.embed(ids)
    embedded.retain_grad()
    functional.cross_entropy(model.classify(embedded, lengths), targets).backward()
    moves = []
    for row in range(len(ids)):
        gradient = embedded.grad[:, row]
        moves.append(length * gradient / gradient.norm())
        assert moves[-1].norm() == pytest.approx(length, rel=1e-5)
        assert not moves[-1][lengths[row] :].any()  # padding stays
    model.zero_grad()
    functional.cross_entropy(
        model.classify(model.embed(ids) + torch.stack(moves, 1), lengths), targets
    ).backward()
    for one, other, parameter in zip(plain, found, model.parameters(), strict=True):
        torch.testing.assert_close(other, one + parameter.grad.to_dense(), rtol=1e-3, atol=1e-5)


def test_the_move_makes_the_loss_worse():
    model = make_trainer().model
    ids, lengths, targets = batch()
    embedded = model.embed(ids)
    embedded.retain_grad()
    loss = functional.cross_entropy(model.classify(embedded, lengths), targets)
    loss.backward()
    move = 0.1 * embedded.grad / embedded.grad.norm(dim=(0, 2), keepdim=True)
    worse = functional.cross_entropy(model.classify(embedded.detach() + move, lengths), targets)
    assert worse > loss


def test_the_average_follows_the_weights_in_a_short_run():
    trainer = make_trainer(average=0.999)
    passed = []
    for _ in range(40):
        trainer.step(*batch(), rate=0.05)
        passed.append(trainer.model.classifier.weight.detach().clone())
    average = trainer.averaged.module.classifier.weight
    assert (average - passed[-1]).norm() < (average - passed[0]).norm() / 2
    assert not torch.equal(average, passed[-1])


def test_a_text_without_a_gradient_is_moved_nowhere():
    """The loss is flat where the classes have no weights and are as probable as they should be."""
    trainer = make_trainer(adversarial=0.5)
    for parameter in trainer.model.classifier.parameters():
        torch.nn.init.zeros_(parameter)
    ids, lengths, _ = batch()
    loss, _, _ = trainer.step(ids, lengths, torch.full((len(ids), 2), 0.5), rate=0.1)
    assert loss == pytest.approx(len(ids) * np.log(2))
    for parameter in trainer.model.parameters():
        assert torch.isfinite(parameter).all()


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2])
    expected = [9 / (3 * 6), 9 / (3 * 2), 9 / (3 * 1)]
    assert balanced_weights(np.eye(3, dtype=np.float32)[labels]).tolist() == pytest.approx(expected)
    assert balanced_weights(np.eye(3, dtype=np.float32)[labels])[labels].mean().item() == pytest.approx(1)
    absent = balanced_weights(np.eye(4, dtype=np.float32)[labels])[3]
    assert absent < 3  # a class without a text has no infinite weight


def test_balanced_weights_of_probabilities_are_those_of_their_sums() -> None:
    labels = np.array([0, 0, 0, 1])
    certain = np.eye(2, dtype=np.float32)[labels]
    assert balanced_weights(certain).tolist() == pytest.approx([2 / 3, 2])
    vague = np.array([[0.75, 0.25]] * 8, np.float32)
    assert balanced_weights(vague).tolist() == pytest.approx([2 / 3, 2])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_with_class_weights_a_step_learns_what_speaks_for_a_class_whatever_its_share(smoothing) -> None:
    shares = torch.tensor([0.8, 0.2])
    config = TrainConfig(**PLAIN | {"clip": 1e6, "label_smoothing": smoothing})
    found = gradients(ClassifierTrainer(make_trainer().model, config, CPU, 1 / (2 * shares)))
    ids, lengths, targets = batch()
    model = make_trainer().model
    smooth = (1 - smoothing) * targets + smoothing * shares
    functional.cross_entropy(model(ids, lengths) + shares.log(), smooth).backward()
    for gradient, parameter in zip(found, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad.to_dense(), rtol=1e-4, atol=1e-6)


def test_what_a_step_reports_is_not_weighted() -> None:
    plain = make_trainer()
    loss, _, _ = plain.step(*batch(), rate=1e-12)
    weighted = ClassifierTrainer(make_trainer().model, TrainConfig(**PLAIN), CPU, torch.tensor([1.0, 5.0]))
    assert weighted.step(*batch(), rate=1e-12)[0] == pytest.approx(loss, rel=1e-5)


def test_bf16_that_the_processor_lacks_is_refused(monkeypatch):
    for has_it in (True, False):
        monkeypatch.setattr(step, "has_lstm", lambda dtype, answer=has_it: answer)
        with nullcontext() if has_it else pytest.raises(UsageError, match="this processor"):
            check_precision(TrainConfig(precision="bf16"), torch.device("cpu"))
        check_precision(TrainConfig(precision="auto"), torch.device("cpu"))
        check_precision(TrainConfig(precision="bf16"), torch.device("cuda"))


def test_auto_takes_bf16_where_the_hardware_has_it(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    for has_it in (True, False):
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda answer=has_it: answer, raising=False
        )
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda answer=has_it, **_: answer)
        for device in (cpu, cuda):
            assert uses_bf16(TrainConfig(precision="auto"), device) == has_it
            assert uses_bf16(TrainConfig(precision="bf16"), device)
            assert not uses_bf16(TrainConfig(precision="fp32"), device)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not uses_bf16(TrainConfig(precision="auto"), cpu)
