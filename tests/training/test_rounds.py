import pytest

from sentcli.config import ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.training.self_training import rounds
from sentcli.training.self_training.choices import first_teachers, next_teachers
from sentcli.training.settings import Settings


@pytest.mark.parametrize(
    ("cores", "teachers", "device", "threads"),
    [
        (8, 2, "cpu", 4),
        (8, 3, "cpu", 2),
        (2, 3, "cpu", 1),
        (8, 1, "cpu", 8),
        (1, 3, "cpu", 1),
        (8, 3, "cuda", 8),
    ],
)
def test_the_teachers_of_a_round_share_the_cores(cores, teachers, device, threads):
    assert rounds.threads_of_each(cores, teachers, device) == threads


def test_teachers_couple_their_gates_as_the_student_does():
    forget = Settings(TextConfig(), ModelConfig(vocab_size=2), TrainConfig(gates="forget"))
    plan = SelfTrainingConfig(teacher_pretrain=3)
    first = first_teachers(TrainConfig(), plan)
    for changes in [*first, *next_teachers(forget.config, plan)]:
        assert rounds._changed(forget, changes).config.gates == "forget"
