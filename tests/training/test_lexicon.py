"""What a lexicon says of passages, and which class it takes for the good one."""

import numpy as np
import pytest

from sentcli.training.self_training.lexicon import Lexicon, add_lexicon
from sentcli.training.self_training.pseudo_labels import PseudoLabels

GOOD, BAD = ["a great film", "I love it", "wonderful"], ["an awful film", "I hate it", "terrible"]


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon([*BAD, *GOOD], np.repeat([0, 1], 3), 2)


def preference(lexicon: Lexicon, text: str) -> float:
    """How much more it speaks for the second class than for the first."""
    ((first, second),) = lexicon.logits([text])
    return second - first


def test_words_speak_for_their_class(lexicon):
    assert preference(lexicon, "a rude and dirty place") < -0.5
    assert preference(lexicon, "a friendly and excellent place") > 0.5
    assert preference(lexicon, "It is a table.") == 0


def test_a_denied_word_speaks_for_the_other_class(lexicon):
    assert preference(lexicon, "not good") < 0 < preference(lexicon, "good")
    assert preference(lexicon, "isn't bad") > 0 > preference(lexicon, "bad")


def test_which_class_is_the_good_one_comes_with_the_labels(lexicon):
    turned = Lexicon([*BAD, *GOOD], np.repeat([1, 0], 3), 2)
    np.testing.assert_allclose(turned.logits(GOOD)[:, ::-1], lexicon.logits(GOOD))


def test_classes_between_best_and_worst_lie_between():
    texts = [*BAD, *GOOD, "a film", "some film", "It is a good film, but too long and boring."]
    lexicon = Lexicon(texts, np.repeat([2, 0, 1], 3), 4)  # no text of the last class
    best, middle, worst, unseen = lexicon.logits(["excellent"])[0]
    assert best > middle > worst
    assert best > unseen > worst
    assert best - worst == pytest.approx(
        preference(Lexicon([*BAD, *GOOD], np.repeat([0, 1], 3), 2), "excellent")
    )


def test_opinions_and_other_labels_differ_in_what_it_finds(lexicon):
    bad, good = lexicon.means[0], lexicon.means[1]
    assert bad < -0.3
    assert good > 0.3
    assert lexicon.tells_apart
    assert not Lexicon([*BAD, *GOOD] * 2, np.repeat([0, 1], 6), 2).tells_apart


def test_labels_that_have_nothing_to_do_with_it_stay():
    of_one = Lexicon(["It is a table.", "It is a chair."], np.array([0, 1]), 2)
    assert (of_one.logits(["great"]) == 0).all()


def test_nothing_is_said_of_what_is_no_few_sentences(lexicon):
    assert preference(lexicon, "great " * 100) > 0.9
    assert preference(lexicon, "great " * 1_000_000) == 0


def test_its_words_are_texts_of_their_own(lexicon):
    short = lexicon.short_texts({"good", "the", ":)"})
    assert short == ["good", "so good", "very good", "not good", "never good", "isn't good"]


def test_what_it_thinks_is_added_to_what_the_teacher_said(lexicon):
    texts = [
        "A great film, all in all.",
        "great",
        "It is a table.",
        "awful",
        "It is awful. See for yourself.",
    ]
    targets = np.array([[0.5, 0.5], [0.5, 0.5], [0.3, 0.7], [0.2, 0.8], [0.2, 0.8]], np.float32)
    is_passage = np.array([False, True, True, True, True])
    asked = add_lexicon(
        PseudoLabels(texts, is_passage, targets, ("bad", "good")), lexicon, 3.0, {"good", "bad"}
    )
    assert asked.targets.dtype == np.float32
    assert asked.texts[:5] == texts
    assert asked.targets.sum(axis=1) == pytest.approx(1)
    np.testing.assert_array_equal(asked.targets[0], targets[0])  # a whole text
    np.testing.assert_allclose(asked.targets[2], targets[2], rtol=1e-6)  # no word of the lexicon
    one, two = (asked.targets[row, 1] / asked.targets[row, 0] for row in (3, 4))
    assert one == pytest.approx(4 * np.exp(3 * preference(lexicon, texts[3])), rel=1e-5)
    assert two == pytest.approx(4 * np.exp(0.375 * preference(lexicon, texts[4])), rel=1e-5)
    of_words = dict(zip(asked.texts[5:], asked.targets[5:, 1].tolist(), strict=True))
    assert of_words["good"] > 0.7 > 0.3 > of_words["not good"]
    assert of_words["bad"] < 0.3 < 0.7 < of_words["isn't bad"]
    assert asked.is_passage[5:].all()
