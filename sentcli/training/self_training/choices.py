"""The teachers that `--teacher auto` trains: what each changes in the settings of the student."""

from typing import Any

from sentcli.config import SelfTrainingConfig, TrainConfig


def first_teachers(usual: TrainConfig, plan: SelfTrainingConfig) -> list[dict[str, Any]]:
    """Say what the teachers that learn from labels alone change in the settings of the student.

    In a single round they are there for the passages, which need a network to label them. Phrases are for the
    student's speed: after teachers that read them too and began as language models, its validation loss was
    higher in each epoch.

    :param usual: the default settings for so many labels.
    """
    changes = {
        "embedding_dropout": 0.3,
        "dropout": 0.5,
        "epochs": usual.epochs + 1,
        "lr": usual.lr,
        "pretrain": 0,
        "label_smoothing": 0.1,
        "word_dropout": 0.2,
        "phrases": 0,
    }
    small = {"hidden_size": 128, "batch_size": usual.batch_size, **changes}
    return [*_large(plan, changes), small]


def next_teachers(of_student: TrainConfig, plan: SelfTrainingConfig) -> list[dict[str, Any]]:
    """Say what the teachers that learn from pseudo-labels change in the settings of the student.

    Models of different sizes and seeds err on different texts. Beside a large one they are trained with as
    much care as the student; otherwise without the second pass of adversarial training, but an epoch longer.
    """
    changes = {
        "embedding_dropout": 0.1,
        "dropout": 0.3,
        "lr": 2e-3,
        "word_dropout": 0.1,
        "pretrain": 0,
        "phrases": 0,
    }
    if plan.teacher_pretrain:
        if of_student.phrases:
            # A student whose phrases are split reads a text in more ways than one, so it learns longer.
            changes["epochs"] = max(1, of_student.epochs - 1)
        return [*_large(plan, changes), {"hidden_size": 128, **changes}, {"hidden_size": 64, **changes}]
    changes |= {"epochs": of_student.epochs + 1, "adversarial": 0.0}
    return [{"hidden_size": 96, **changes}, {"hidden_size": 64, **changes}]


def _large(plan: SelfTrainingConfig, changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the first of a round's teachers; its language model is the same in each round.

    The batch size is the student's too: the language model learns from all texts, not only the labelled ones.
    """
    if not plan.teacher_pretrain:
        return []
    return [{**changes, "hidden_size": 256, "pretrain": plan.teacher_pretrain}]
