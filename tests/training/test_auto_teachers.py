from sentcli.config import SelfTrainingConfig, TrainConfig
from sentcli.training.self_training.choices import first_teachers, next_teachers


def test_teachers_read_words_alone_and_learn_an_epoch_less_than_a_student_of_phrases():
    plan = SelfTrainingConfig(teacher_pretrain=3)
    teachers = next_teachers(TrainConfig(epochs=3, phrases=20), plan)
    assert [teacher["hidden_size"] for teacher in teachers] == [256, 128, 64]
    assert {teacher["epochs"] for teacher in teachers} == {2}
    assert {of["phrases"] for of in [*teachers, *first_teachers(TrainConfig(), plan)]} == {0}
    alike = next_teachers(TrainConfig(epochs=3), plan)
    assert not any("epochs" in teacher for teacher in alike)
    (one, *_) = next_teachers(TrainConfig(epochs=1, phrases=20), plan)
    assert one["epochs"] == 1
